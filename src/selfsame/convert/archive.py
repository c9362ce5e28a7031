"""Files of weights as torch and Python write them, read without running them: zip, tar, legacy and plain pickles.

Tensors stay views of a memory map until somebody asks for them, so reading a file of gigabytes costs next to nothing.
"""

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from selfsame.convert import globals as names
from selfsame.convert import machine
from selfsame.convert.containers import tar_members, zip_members
from selfsame.convert.machine import Budget
from selfsame.convert.values import Storage, StorageView
from selfsame.core.errors import BadInput, shown

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of torch's files before 1.6
DEEPEST = 4  # files inside files; NVIDIA's storages are one deep


@dataclass(frozen=True, eq=False)
class Opened:
    """A checkpoint file: its value, whose tensors are views of `mapped`, the file in memory."""

    value: Any
    mapped: mmap.mmap | None = None

    def release(self) -> None:
        """Give the pages that were read back to the system; what is asked for again is read again."""
        if self.mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
            self.mapped.madvise(mmap.MADV_DONTNEED)


def open_file(path: Path) -> Any:
    """The value of a checkpoint file, its tensors not read yet: they are views of the file.

    Raises BadInput where the file cannot be opened, is no checkpoint, is damaged, or asks for what is forbidden.
    """
    return opened(path).value


def opened(path: Path) -> Opened:
    """A checkpoint file whose memory can be given back; raises BadInput as `open_file`."""
    if not path.is_file():
        raise BadInput(f"{path} does not exist.", "Check the path.")
    try:
        with path.open("rb") as file:
            # A private copy: torch wants memory that it could write to; nothing is ever written back to the file.
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError) as error:
        reason = "it is empty" if isinstance(error, ValueError) else error.strerror
        raise BadInput(f"{path} cannot be read ({reason}).", "Check the path.") from error
    data = memoryview(mapped)
    if bytes(data[8:9]) == b"{" and struct.unpack("<Q", data[:8])[0] < len(data):
        return Opened(_safetensors(path))
    return Opened(read(data), mapped)


def _safetensors(path: Path) -> dict[str, Any]:
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput(f"{path} is damaged or cut short.", "Fetch it again.") from error


def read(data: memoryview) -> Any:
    """The value of a checkpoint in memory; raises BadInput as `open_file`."""
    budget = Budget()
    start = bytes(data[:4])
    if start == b"PK\x03\x04":
        return _zip(data, budget)
    if bytes(data[257:262]) == b"ustar":
        return _tar(data, budget)
    if start[:1] == b"\x80":
        return _pickles(data, budget)
    if start == b"\x89HDF":
        raise BadInput("This is a Keras or TensorFlow file (HDF5).", "Only checkpoints of PyTorch can be imported.")
    raise BadInput("This is not a checkpoint of PyTorch.", "Give a .pt, .pth, .pkl or .safetensors file.")


def _nested(budget: Budget, depth: int = 0) -> Callable[[Any], Any]:
    """What reads the bytes of a storage, a legacy file of its own and never a zip, which could hold very much."""

    def load(data: Any) -> Any:
        if depth == DEEPEST:
            raise BadInput("This file holds files inside files inside files, which no checkpoint does.")
        if not isinstance(data, bytes | memoryview) or bytes(data[:1]) != b"\x80":
            raise BadInput("A storage in this file is not made of bytes.")
        return _pickles(memoryview(bytearray(data)) if isinstance(data, bytes) else data, budget, depth + 1)

    return load


def _storage_id(saved: Any) -> tuple[str, Any, int, Any]:
    """Key, type, length and view of a persistent id; raises BadInput for anything but a storage."""
    if not isinstance(saved, tuple) or len(saved) < 5 or saved[0] != "storage" or not isinstance(saved[4], int):
        raise BadInput("The file refers to something outside of it that is no storage.")
    return _key(saved[2]), saved[1], max(int(saved[4]), 0), saved[5] if len(saved) > 5 else None


def _key(value: Any) -> str:
    if not isinstance(value, str | int):
        raise BadInput("The file names a tensor in a way that no checkpoint does.")
    return str(value)


def _zip(data: memoryview, budget: Budget) -> Any:
    members = zip_members(data)
    pickles = [name for name in members if name.endswith("/data.pkl") or name == "data.pkl"]
    if len(pickles) != 1:
        raise BadInput("This zip file is no checkpoint of PyTorch.", "Unpack it, and give the file inside.")
    root = pickles[0].removesuffix("data.pkl")
    if members.get(f"{root}byteorder", b"little") != b"little":
        raise BadInput("This checkpoint was written on a big-endian machine, which is not supported.")
    storages: dict[str, Storage] = {}

    def persistent(saved: Any) -> Storage:
        key, kind, numel, _ = _storage_id(saved)
        if key not in storages:
            if f"{root}data/{key}" not in members:
                raise BadInput(f"The file has no data for the tensor {shown(key)}.", "Fetch it again.")
            dtype = names.storage_type(kind)
            storages[key] = Storage(dtype, numel, members[f"{root}data/{key}"])
        return storages[key]

    return machine.run(members[pickles[0]], persistent, _nested(budget), budget)[0]


def _pickles(data: memoryview, budget: Budget, depth: int = 0) -> Any:
    """A plain pickle, or torch's legacy file: magic, protocol, system, object, keys, then the storages in a row."""
    storages: dict[str, Storage] = {}

    def persistent(saved: Any) -> Storage:
        key, kind, numel, view = _storage_id(saved)
        if key not in storages:
            storages[key] = Storage(names.storage_type(kind), numel)
        if view is None:
            return storages[key]
        return _View(storages[key], view)

    nested = _nested(budget, depth)
    first, at = machine.run(data, persistent, nested, budget)
    if not isinstance(first, int) or first != LEGACY_MAGIC:
        return first
    found: list[Any] = []
    for _ in range(4):
        value, length = machine.run(data[at:], persistent, nested, budget)
        found.append(value)
        at += length
    protocol, system, result, keys = found
    if protocol != 1001 or not isinstance(system, dict) or not system.get("little_endian", True):
        raise BadInput("This checkpoint is of a kind of torch file that is not known here.")
    if not isinstance(keys, list) or not all(isinstance(k, str) for k in keys):
        raise BadInput("The pickle in this file is damaged or cut short.", "Fetch the file again.")
    for key in keys:
        at = _row(data, at, storages.get(key))
    return result


def _row(data: memoryview, at: int, storage: Storage | None) -> int:
    """Give a storage its place in a legacy file, where its length precedes it; returns where the next one begins."""
    if storage is None or at + 8 > len(data) or struct.unpack("<q", data[at : at + 8])[0] != storage.numel:
        raise BadInput("The tensors of this file are damaged or cut short.", "Fetch the file again.")
    size = storage.numel * storage.dtype.itemsize
    if at + 8 + size > len(data):
        raise BadInput("This file is cut short.", "Fetch it again.")
    storage.data = data[at + 8 : at + 8 + size]
    return at + 8 + size


class _View(Storage):
    """Part of another storage, which gets its bytes later."""

    def __init__(self, whole: Storage, view: Any) -> None:
        if not isinstance(view, tuple) or len(view) != 3 or not all(isinstance(n, int) for n in view[1:]):
            raise BadInput("A storage in this file is a view of nothing.")
        super().__init__(whole.dtype, max(int(view[2]), 0))
        self.whole, self.offset = whole, int(view[1])

    def elements(self) -> torch.Tensor:
        """The part's numbers."""
        if not 0 <= self.offset <= self.whole.numel - self.numel:
            raise BadInput("A storage in this file is a view of nothing.")
        return self.whole.elements()[self.offset : self.offset + self.numel]


def _tar(data: memoryview, budget: Budget) -> Any:
    try:
        return _tar_parts(tar_members(data), budget)
    except (KeyError, TypeError, ValueError, IndexError, struct.error) as error:
        raise BadInput("The tensors of this file are damaged or cut short.", "Fetch the file again.") from error


def _tar_parts(parts: dict[str, memoryview], budget: Budget) -> Any:
    """The files of torch before 0.2: storages, tensors and the object as three members of a tar."""
    nested = _nested(budget)

    def nothing(saved: Any) -> Any:
        raise BadInput("The file refers to something outside of it that is no storage.")

    def load(part: memoryview, at: int, persistent: Callable[[Any], Any] = nothing) -> tuple[Any, int]:
        value, length = machine.run(part[at:], persistent, nested, budget)
        return value, at + length

    storages: dict[str, Storage] = {}
    part = parts["storages"]
    count, at = load(part, 0)
    for _ in range(_count(count, part)):
        (key, _, kind), at = load(part, at)
        size = struct.unpack("<q", bytes(part[at : at + 8]))[0] if at + 8 <= len(part) else -1
        storages[_key(key)] = storage = Storage(names.storage_type(kind), max(size, 0))
        at = _row(part, at, storage)
    views, at = load(part, at)
    storages |= {_key(to): _View(storages[_key(whole)], (None, at, numel)) for to, whole, at, numel in views}
    objects: dict[str, Any] = dict(storages)
    part = parts["tensors"]
    count, at = load(part, 0)
    for _ in range(_count(count, part)):
        (key, storage_key, _), at = load(part, at)
        ndim = struct.unpack("<i", bytes(part[at : at + 4]))[0]
        end = at + 16 + 16 * ndim
        if not 0 <= ndim <= 16 or end > len(part):
            raise BadInput("The tensors of this file are damaged or cut short.", "Fetch the file again.")
        *numbers, offset = struct.unpack(f"<{2 * ndim + 1}q", bytes(part[at + 8 : end]))
        view = StorageView(storages[_key(storage_key)], offset, tuple(numbers[:ndim]), tuple(numbers[ndim:]))
        objects[_key(key)] = view
        at = end

    def persistent(saved: Any) -> Any:
        return saved[0] if isinstance(saved, tuple) else objects[_key(saved)]

    return load(parts["pickle"], 0, persistent)[0]


def _count(value: Any, part: memoryview) -> int:
    if not isinstance(value, int) or not 0 <= value <= len(part):
        raise BadInput("The tensors of this file are damaged or cut short.", "Fetch the file again.")
    return value
