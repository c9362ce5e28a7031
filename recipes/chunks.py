"""Data sets written chunk by chunk, so that a stopped recipe goes on where it was."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor


def write_missing(
    folder: Path, stem: str, count: int, make: Callable[[int], dict[str, Tensor]], share: str = "0/1"
) -> None:
    """Write `make(index)` for each of `count` chunks that is not there yet; a chunk appears whole or not at all.

    `share` "i/n" writes every n-th chunk, from the i-th on: so n processes divide the work.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first, every = (int(x) for x in share.split("/"))
    for index in range(first, count, every):
        path = folder / f"{stem}_{index:04d}.safetensors"
        if path.exists():
            continue
        with torch.no_grad():
            save_file(make(index), path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)
        print(f"{path.name}: {index + 1} of {count} chunks", flush=True)
