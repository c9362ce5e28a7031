"""What a foreign pickle turns into: plain values, tensors that are not read yet, and names that nobody looks up."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from selfsame.core.errors import BadInput, shown

DTYPES: dict[str, torch.dtype] = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip


LARGEST = 2**48  # elements of a tensor, numbers of its shape: products of a few stay within what torch counts in
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Global:
    """A name in a pickle (`torch.nn.modules.container Sequential`), which is never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, slots=True)
class Object:
    """An instance of a foreign class: what it was called with and its state, but none of its code."""

    kind: Global
    args: Sequence[Any] = ()
    state: Any = None


@dataclass(eq=False)
class Storage:
    """Numbers of one type in a row; `data` is None until the place in the file is known."""

    dtype: torch.dtype
    numel: int
    data: memoryview | None = None

    def elements(self) -> Tensor:
        """All of them, as a view of the file; raises BadInput where the file ends before they do."""
        size = self.numel * self.dtype.itemsize
        if self.data is None or len(self.data) < size:
            raise BadInput(f"A tensor of {self.numel:,} numbers lies outside of the file.", "The file is cut short.")
        if not self.numel:
            return torch.empty(0, dtype=self.dtype)
        return torch.frombuffer(self.data, dtype=self.dtype, count=self.numel)


@dataclass(eq=False, slots=True)
class StorageView:
    """Part of a storage as a tensor that has not been read."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def tensor(self) -> Tensor:
        """The tensor, a view of the file; raises BadInput where it leaves its storage or repeats it.

        A view that repeats its numbers (stride 0) is how a small file would ask for a large memory.
        """
        numbers = (*self.shape, *self.stride, self.offset)
        if len(self.shape) != len(self.stride) or not all(0 <= n < LARGEST for n in numbers):
            raise BadInput("A tensor in this file has a shape that cannot be.")
        numel = math.prod(self.shape)
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        if numel and (numel > self.storage.numel or last >= self.storage.numel):
            raise BadInput(f"A tensor of shape {self.shape} is larger than what the file stores for it.")
        if not numel:
            return _empty(self.shape, self.storage.dtype)
        elements = self.storage.elements()  # it may itself begin within a larger one
        return elements.as_strided(self.shape, self.stride, elements.storage_offset() + self.offset)


def _empty(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    if math.prod(n for n in shape if n) >= LARGEST:
        raise BadInput("A tensor in this file has a shape that cannot be.")
    return torch.empty(shape, dtype=dtype)


@dataclass(eq=False, slots=True)
class ArrayType:
    """A numpy type by its name (`f4`) and byte order."""

    name: str
    order: str = "="

    def numpy(self) -> np.dtype[Any]:
        """The type itself; raises BadInput for one that does not hold plain numbers, or not as this machine does."""
        if self.order == ">" and self.name[1:] != "1":
            raise BadInput("This file was written on a big-endian machine, which is not supported.")
        if self.name not in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1"):
            raise BadInput(f"An array in this file holds {shown(self.name)!r} instead of numbers.")
        return np.dtype(self.name)


@dataclass(eq=False, slots=True)
class Array:
    """A numpy array whose bytes have not been read."""

    dtype: ArrayType = field(default_factory=lambda: ArrayType("f4"))
    shape: tuple[int, ...] = ()
    data: bytes | memoryview = b""
    fortran: bool = False

    def tensor(self) -> Tensor:
        """The array as a tensor, a view of the file where it is large; raises BadInput where it cannot be one."""
        dtype = self.dtype.numpy()
        numel = math.prod(self.shape)
        if not all(0 <= n < LARGEST for n in self.shape) or numel * dtype.itemsize != len(self.data):
            raise BadInput(f"An array of shape {self.shape} does not fit what the file stores for it.")
        if not numel:
            return _empty(self.shape, torch.from_numpy(np.empty(0, dtype)).dtype)
        data = bytearray(self.data) if isinstance(self.data, bytes) else self.data
        array = np.frombuffer(data, dtype).reshape(self.shape, order="F" if self.fortran else "C")
        return torch.from_numpy(array)


Lazy = StorageView | Array
