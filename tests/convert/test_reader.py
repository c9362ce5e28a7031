"""What torch and Python write is read back as it was; what is damaged is a value or a sentence, never an error."""

import argparse
import functools
import io
import pickle
import struct
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pickle_parts import tarred
from torch import Tensor, nn

from selfsame.convert import archive, kinds
from selfsame.convert.values import DTYPES, Array, Object, StorageView
from selfsame.core.errors import BadInput


class EasyDict(dict[str, Any]):
    """NVIDIA's dictionary, whose module is not installed here."""


@pytest.fixture(autouse=True, scope="module")
def published() -> Iterator[None]:
    """Pickle the dictionary under the name that it has in NVIDIA's files."""
    package, module = types.ModuleType("dnnlib"), types.ModuleType("dnnlib.util")
    EasyDict.__module__ = "dnnlib.util"
    module.EasyDict = EasyDict  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "dnnlib", package)
        patch.setitem(sys.modules, "dnnlib.util", module)
        yield


def zipped(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def legacy(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


WRITERS: dict[str, Callable[[Any], bytes]] = {
    "zip": zipped, "legacy": legacy, **{f"pickle {p}": functools.partial(pickle.dumps, protocol=p) for p in range(2, 6)}
}  # fmt: skip


def read(data: bytes) -> Any:
    return archive.read(memoryview(bytearray(data)))


def same(found: Any, written: Any) -> bool:
    """Whether what was read stands for what was written."""
    if isinstance(written, Tensor):
        assert isinstance(found, StorageView)
        tensor = found.tensor()
        steps = not tensor.numel() or tensor.stride() == written.stride()
        return tensor.dtype == written.dtype and steps and torch.equal(tensor, written.detach())
    if isinstance(written, np.ndarray):
        assert isinstance(found, Array)
        return found.tensor().numpy().dtype == written.dtype and torch.equal(found.tensor(), torch.from_numpy(written))
    if isinstance(written, argparse.Namespace):
        return (
            isinstance(found, Object)
            and str(found.kind) == "argparse.Namespace"
            and same(found.state or {}, vars(written))
        )
    if isinstance(written, Mapping):
        pairs = zip(found.items(), written.items(), strict=True)
        return isinstance(found, dict) and all(same(f, w) for pair in pairs for f, w in zip(*pair, strict=True))
    if isinstance(written, set | frozenset):
        return sorted(found) == sorted(written)
    if isinstance(written, list | tuple):
        return len(found) == len(written) and all(map(same, found, written))
    if isinstance(written, float) and written != written:
        return isinstance(found, float) and found != found
    return bool(found == written) and (isinstance(written, bytes | bytearray) or type(found) is type(written))


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """A tensor of any type: whole, a view, turned, of other steps, without dimensions or numbers."""
    dtype = draw(st.sampled_from(sorted(DTYPES.values(), key=str)))
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    whole = (torch.rand([n + 2 for n in shape]) * 100).to(dtype)
    part = whole[tuple(slice(draw(st.integers(0, 2)), None) for _ in shape)]
    part = part.permute(draw(st.permutations(range(len(shape)))))
    if len(shape) == 4 and draw(st.booleans()):
        part = part.contiguous(memory_format=torch.channels_last)
    return nn.Parameter(part) if dtype.is_floating_point and draw(st.booleans()) else part


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    kind = draw(st.sampled_from(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1"]))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    array = np.arange(np.prod(shape, dtype=int)).astype(kind).reshape(shape)
    return np.asfortranarray(array) if draw(st.booleans()) else array


PLAIN = (
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats() | st.text(max_size=20)
    | st.binary(max_size=20) | st.sampled_from(["x" * 300, b"y" * 5000])
)  # fmt: skip
KEYS = st.text(max_size=10) | st.integers(-9, 9) | st.none()


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    dictionaries = st.dictionaries(KEYS, inner, max_size=3)
    names = st.from_regex("[a-z]{1,5}", fullmatch=True)
    return (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=4).map(tuple) | dictionaries
        | dictionaries.map(OrderedDict) | dictionaries.map(EasyDict) | st.sets(st.integers(-99, 99), max_size=3)
        | st.dictionaries(names, inner, max_size=3).map(lambda found: argparse.Namespace(**found))
    )  # fmt: skip


VALUES: st.SearchStrategy[Any] = st.deferred(lambda: PLAIN | tensors() | arrays() | containers(VALUES))


@pytest.mark.parametrize("writer", WRITERS)
@given(value=VALUES)
@settings(max_examples=60)
def test_what_is_written_is_read_back(writer: str, value: Any) -> None:
    assert same(read(WRITERS[writer](value)), value)


@pytest.mark.parametrize("writer", WRITERS)
def test_shared_storages_state_dicts_and_numbers_of_numpy_are_read_back(writer: str) -> None:
    shared = torch.arange(24.0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).to(memory_format=torch.channels_last)
    value = {
        "views": [shared, shared[4:16].view(3, 4).T, shared[::5], shared[7]], "net": net.state_dict(),
        "numbers": [np.float32(0.5), np.int64(-3), np.bool_(True)], "size": torch.Size([2, 3]),
    }  # fmt: skip
    found = read(WRITERS[writer](value))
    assert same(found["views"], value["views"]) and same(found["net"], value["net"])
    assert found["numbers"] == [0.5, -3, True] and found["size"] == [2, 3]


def test_tensors_are_views_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    for writer in (zipped, legacy):
        path.write_bytes(writer({"a": torch.zeros(2**20), "b": torch.ones(3)}))
        first, again = (archive.open_file(path)["a"].tensor() for _ in range(2))
        first += 1
        assert again.sum() == 0 and archive.open_file(path)["a"].tensor().sum() == 0  # and the file stays as it was


class OldPickler(pickle.Pickler):
    """Tensors and storages of torch before 0.2 are told by a number."""

    def __init__(self, file: io.BytesIO, numbers: dict[int, int]) -> None:
        super().__init__(file, 2)
        self.numbers = numbers

    def persistent_id(self, value: Any) -> Any:
        if value is nn.Linear and id(value) not in self.numbers:  # a class comes with its source text once
            self.numbers[id(value)] = -1
            return value, None, None
        return str(self.numbers[id(value)]) if isinstance(value, Tensor) else None


def old_file(value: Any, found: list[Tensor]) -> bytes:
    """A file as torch wrote it before 0.2: `found` are its tensors, which share one storage of floats."""
    dump = functools.partial(pickle.dumps, protocol=2)
    whole = found[0].untyped_storage()
    storages = dump(1) + dump((10, "cpu", torch.FloatStorage)) + struct.pack("<q", whole.nbytes() // 4) + bytes(whole)
    storages += dump([(11, 10, 2, whole.nbytes() // 4 - 2)])  # a storage that is part of the other
    tensors = dump(len(found))
    for i, tensor in enumerate(found):
        of, offset = (
            (11, tensor.storage_offset() - 2) if tensor.storage_offset() >= 2 else (10, tensor.storage_offset())
        )
        numbers = (*tensor.shape, *tensor.stride(), offset)
        tensors += dump((i, of, "torch.FloatTensor")) + struct.pack(f"<ii{len(numbers)}q", tensor.dim(), 0, *numbers)
    file = io.BytesIO()
    OldPickler(file, {id(tensor): i for i, tensor in enumerate(found)}).dump(value)
    return tarred({"sys_info": dump({}), "pickle": file.getvalue(), "tensors": tensors, "storages": storages})


def test_files_of_torch_before_0_2_are_read(tmp_path: Path) -> None:
    whole = torch.arange(24.0)
    found = [whole, whole[3:15].view(3, 4).T, whole[20]]
    data = old_file({"a": found, "b": OrderedDict(epoch=3), "kind": nn.Linear}, found)
    kept = read(data)
    assert same(kept["a"], found) and kept["b"] == {"epoch": 3}
    assert str(kept["kind"]) == "torch.nn.modules.linear.Linear"
    (tmp_path / "old.pt").write_bytes(data)
    theirs = torch.load(tmp_path / "old.pt", weights_only=False)
    assert all(torch.equal(a, b) for a, b in zip(theirs["a"], found, strict=True))


def part_of_a_storage() -> bytes:
    """A legacy file with a storage that is a part of another, as torch wrote them before 1.0."""
    whole = torch.arange(6.0)

    class Parts(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            part = ("part", 2, 4)
            return ("storage", torch.FloatStorage, "0", "cpu", 6, part) if value is whole else None

    file = io.BytesIO()
    dump = functools.partial(pickle.dump, file=file, protocol=2)
    for value in (archive.LEGACY_MAGIC, 1001, {"little_endian": True}):
        dump(value)
    Parts(file, 2).dump(whole)
    dump(["0"])
    return file.getvalue() + struct.pack("<q6f", 6, *whole)


def test_a_part_of_a_storage_begins_where_it_should() -> None:
    storage = read(part_of_a_storage())
    assert StorageView(storage, 0, (4,), (1,)).tensor().tolist() == [2, 3, 4, 5]
    assert StorageView(storage, 1, (2,), (2,)).tensor().tolist() == [3, 5]


SMALL = {
    "a": torch.arange(6.0).view(2, 3), "b": [1, 2**70, "x", None, 0.5], "c": OrderedDict(d=np.arange(3)),
    "opts": argparse.Namespace(lr=0.1), "e": nn.Parameter(torch.ones(2)),
}  # fmt: skip
FILES = {name: write(SMALL) for name, write in WRITERS.items()} | {
    "tar": old_file({"a": SMALL["a"], "b": SMALL["b"]}, [SMALL["a"]])
}


def is_read_or_refused(data: bytes) -> None:
    try:
        value = read(data)
        for part in value.values() if isinstance(value, dict) else ():
            if isinstance(part, StorageView | Array):
                part.tensor()
        kinds.recognise(value)
    except BadInput as error:
        assert str(error).isprintable()


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_refused(name: str) -> None:
    data = FILES[name]
    for length in {*range(0, len(data) - 1, max(len(data) // 150, 1)), *range(len(data) - 40, len(data) - 1)}:
        is_read_or_refused(data[:length])


@pytest.mark.parametrize("name", FILES)
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
@settings(max_examples=120)
def test_a_file_with_one_other_byte_is_read_or_refused(name: str, place: float, byte: int) -> None:
    data = bytearray(FILES[name])
    data[int(place * len(data))] = byte
    is_read_or_refused(bytes(data))


def test_keys_that_are_not_a_number_are_read() -> None:
    assert list(read(pickle.dumps({float("nan"): 1, float("nan"): 2}, 2)).values()) == [1, 2]
