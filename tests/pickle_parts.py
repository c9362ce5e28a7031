"""Pickles and the files around them, put together opcode by opcode, as no honest program would."""

import io
import itertools
import struct
import tarfile
import zipfile
from collections.abc import Iterable

import torch
from torch import nn

PROTO, STOP, MARK, REDUCE, TUPLE, EMPTY, BUILD = b"\x80\x04", b".", b"(", b"R", b"t", b")", b"b"
POP = b"0"
FLOATS = b"ctorch\nFloatStorage\n"
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
NESTED = b"ctorch.storage\n_load_from_bytes\n"
PERSISTENT = b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n"
MAGIC = (
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}q\x00X\x0d\x00\x00\x00little_endianq\x01\x88s."
)


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def blob(data: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def tuple_of(*items: bytes) -> bytes:
    return MARK + b"".join(items) + TUPLE


def list_of(*items: bytes) -> bytes:
    return b"](" + b"".join(items) + b"e"


def dict_of(items: dict[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def name(dotted: str) -> bytes:
    """A name as protocol 4 has it; the last dot but one that is doubled parts module from qualified name."""
    module, _, own = dotted.partition("::") if "::" in dotted else dotted.rpartition(".")
    return text(module) + text(own) + b"\x93"


def call(dotted: str, *args: bytes) -> bytes:
    return name(dotted) + tuple_of(*args) + REDUCE


def put(place: int) -> bytes:
    return b"r" + struct.pack("<I", place)


def get(place: int) -> bytes:
    return b"j" + struct.pack("<I", place)


def pickled(*parts: bytes) -> bytes:
    return PROTO + b"".join(parts) + STOP


def module_of(kind: bytes, **children: bytes) -> bytes:
    """A pickled module of a published class; `children` are `_parameters`, `_buffers` and `_modules`."""
    return kind + EMPTY + REDUCE + dict_of(children) + BUILD


SEQUENTIAL = b"ctorch.nn.modules.container\nSequential\n"


def storage(key: bytes = text("0"), numel: bytes = b"K\x04", kind: bytes = FLOATS) -> bytes:
    return tuple_of(text("storage"), kind, key, text("cpu"), numel) + b"Q"


def view(shape: Iterable[int], stride: Iterable[int], offset: int = 0, of: bytes | None = None) -> bytes:
    sizes = (tuple_of(*map(number, numbers)) for numbers in (shape, stride))
    return TENSOR + tuple_of(of or storage(), number(offset), *sizes, b"\x89", b"}") + REDUCE


def network(net: nn.Module) -> tuple[bytes, bytes]:
    """A network's `__dict__` as opcodes, its children modules of a plain class, and its numbers in a legacy file."""
    tensors = dict(net.state_dict())
    numbers = torch.cat([t.flatten() for t in tensors.values()])
    places = dict(zip(tensors, itertools.accumulate((t.numel() for t in tensors.values()), initial=0), strict=False))
    whole = storage(numel=number(len(numbers)))

    def state(part: nn.Module, prefix: str) -> dict[str, bytes]:
        own = [*dict(part.named_parameters(recurse=False)), *dict(part.named_buffers(recurse=False))]
        views = {
            n: view(t.shape, t.contiguous().stride(), places[prefix + n], whole)
            for n in own
            for t in [tensors[prefix + n]]
        }
        children = {n: module_of(SEQUENTIAL, **state(child, f"{prefix}{n}.")) for n, child in part.named_children()}
        return {"_parameters": dict_of(views), "_modules": dict_of(children)}

    return dict_of(state(net, "")), struct.pack("<q", len(numbers)) + numbers.numpy().tobytes()


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for path, data in members.items():
            archive.writestr(zipfile.ZipInfo(path), data, compression)
    return file.getvalue()


def torch_zip(value: bytes, numbers: bytes = bytes(16)) -> bytes:
    """A torch file of a pickle's opcodes, with one storage of four floats."""
    return zipped({"archive/data.pkl": pickled(value), "archive/version": b"3\n", "archive/data/0": numbers})


def legacy(value: bytes, keys: bytes = b"]", rows: bytes = b"") -> bytes:
    return MAGIC + pickled(value) + pickled(keys) + rows


def tarred(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for path, data in members.items():
            info = tarfile.TarInfo(path)
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


NO_STORAGES, NO_TENSORS = pickled(b"K\x00") + pickled(b"]"), pickled(b"K\x00")


def torch_tar(value: bytes, storages: bytes = NO_STORAGES, tensors: bytes = NO_TENSORS) -> bytes:
    return tarred({"sys_info": pickled(b"}"), "pickle": pickled(value), "tensors": tensors, "storages": storages})
