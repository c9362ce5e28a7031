"""What is read of clips, kept in a folder by their digests."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors

from selfsame.core import rng
from selfsame.core.config import write_atomic

T = TypeVar("T")


def kept(kind: type[T], folder: Path, digest: str, purpose: str, config: str, make: Callable[[], T]) -> T:
    """A record of tensors of the clip with this digest, made at the first call with this purpose and configuration.

    A damaged file of the cache is made again.
    """
    file = folder / f"{digest}-{rng.key(0, purpose, config):016x}.safetensors"
    if file.exists():
        try:
            return kind(**load_file(file))
        except (SafetensorError, TypeError):
            file.unlink()
    made = make()
    write_atomic(file, to_safetensors({name: tensor.contiguous() for name, tensor in vars(made).items()}))
    return made
