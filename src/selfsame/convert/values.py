"""What a foreign pickle turns into: plain values, tensors that are not read yet, and names that nobody looks up."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from selfsame.core.errors import BadInput

DTYPES: dict[str, torch.dtype] = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip


@dataclass(frozen=True)
class Global:
    """A name in a pickle (`torch.nn.modules.container Sequential`), which is never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
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


@dataclass(eq=False)
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
        numel = int(np.prod(self.shape, dtype=object)) if self.shape else 1
        if min((*self.shape, *self.stride, self.offset), default=0) < 0 or len(self.shape) != len(self.stride):
            raise BadInput("A tensor in this file has a shape that cannot be.")
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        if numel and (numel > self.storage.numel or last >= self.storage.numel):
            raise BadInput(f"A tensor of shape {self.shape} is larger than what the file stores for it.")
        if not numel:
            return torch.empty(self.shape, dtype=self.storage.dtype)
        return self.storage.elements().as_strided(self.shape, self.stride, self.offset)


@dataclass(eq=False)
class ArrayType:
    """A numpy type by its name (`f4`) and byte order."""

    name: str
    order: str = "="

    def numpy(self) -> np.dtype[Any]:
        """The type itself; raises BadInput for one that does not hold plain numbers."""
        if self.name not in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1"):
            raise BadInput(f"An array in this file holds {self.name!r} instead of numbers.")
        return np.dtype(self.order + self.name)


@dataclass(eq=False)
class Array:
    """A numpy array whose bytes have not been read."""

    dtype: ArrayType = field(default_factory=lambda: ArrayType("f4"))
    shape: tuple[int, ...] = ()
    data: bytes | memoryview = b""
    fortran: bool = False

    def tensor(self) -> Tensor:
        """The array as a tensor; raises BadInput where the bytes do not fill its shape."""
        dtype = self.dtype.numpy()
        numel = int(np.prod(self.shape, dtype=object)) if self.shape else 1
        if min(self.shape, default=0) < 0 or numel * dtype.itemsize != len(self.data):
            raise BadInput(f"An array of shape {self.shape} does not fit what the file stores for it.")
        array = np.frombuffer(self.data, dtype).reshape(self.shape, order="F" if self.fortran else "C")
        return torch.from_numpy(np.ascontiguousarray(array).astype(dtype.newbyteorder("="), copy=True))


Lazy = StorageView | Array
