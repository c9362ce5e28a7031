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


def file_of(folder: Path, digest: str, purpose: str, config: str) -> Path:
    """Where the record of the clip with this digest lies that was made with this purpose and configuration."""
    return folder / f"{digest}-{rng.key(0, purpose, config):016x}.safetensors"


def kept(kind: type[T], file: Path, make: Callable[[], T]) -> T:
    """The record of tensors in a file of the cache, made at the first call; a damaged file is made again."""
    if file.exists():
        try:
            return kind(**load_file(file))
        except (SafetensorError, TypeError):
            file.unlink()
    made = make()
    write_atomic(file, to_safetensors({name: tensor.contiguous() for name, tensor in vars(made).items()}))
    return made
