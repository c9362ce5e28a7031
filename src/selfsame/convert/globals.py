"""The names that a foreign pickle may mention, and what each turns into; every other name is refused.

Nothing here is found by its name in Python: a name picks an entry of a literal table or an inert record.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from selfsame.convert.values import DTYPES, LONGEST_NAME, Array, ArrayType, Global, Object, Storage, StorageView
from selfsame.core.errors import BadInput, shown

INERT_MODULES = (
    "torch.nn.modules.", "training.", "torch_utils.", "dnnlib.", "models.", "argparse.", "configs.", "options.",
)  # fmt: skip
"""Where the classes of published networks live; their instances become records of class and state."""

DICTS = {"collections.OrderedDict", "dnnlib.util.EasyDict", "collections.defaultdict"}
LISTS = {"builtins.set", "__builtin__.set", "builtins.frozenset", "__builtin__.frozenset", "torch.Size"}
STORAGES = {f"torch.{name}" for name in DTYPES} | {
    f"torch.storage.{name}" for name in ("UntypedStorage", "TypedStorage")
}
DTYPE_NAMES = {f"torch.{str(dtype).removeprefix('torch.')}": dtype for dtype in DTYPES.values()}
NUMPY_CORES = ("numpy.core.multiarray", "numpy._core.multiarray")

PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
NESTED = "torch.storage._load_from_bytes"
"""A whole legacy file inside a pickle, which is how storages travel where `pickle.dump` met them."""


def check(name: Global) -> Any:
    """What a pickle gets for a name: a type of tensors, or the inert name; raises BadInput for a forbidden one."""
    full = str(name)
    if full in DTYPE_NAMES:
        return DTYPE_NAMES[full]
    if full in CALLS or full in DICTS or full in LISTS or full in STORAGES or full in CLASSES:
        return name
    plain = len(full) <= LONGEST_NAME and all(part.isidentifier() for part in full.split("."))  # no <locals>, no spaces
    if plain and name.name.isidentifier() and full.startswith(INERT_MODULES):
        return name
    raise BadInput(
        f"The file asks for {shown(full)}, which no checkpoint needs, so it was not read.", "Do not trust it."
    )


def call(name: Global, args: Sequence[Any]) -> Any:
    """What a pickle gets where it calls one of the names that `check` let pass."""
    full = str(name)
    if full in CALLS:
        return CALLS[full](*args)
    return new(name, args)


def new(name: Global, args: Sequence[Any]) -> Any:
    """What a pickle gets for a new instance: an empty container, or a record."""
    full = str(name)
    if full in DICTS:
        return _pairs(args)
    if full in LISTS:
        return list(args[0]) if args and isinstance(args[0], list | tuple) else []
    return Object(name, args)


def _pairs(args: Sequence[Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for pair in args[0] if args and isinstance(args[0], list | tuple) else ():
        put(found, pair[0], pair[1])
    return found


def put(container: dict[Any, Any], key: Any, value: Any) -> None:
    """Set an item whose key is a plain scalar.

    Others are refused: nobody needs them, hashing a nested tuple may exhaust the C stack, and long integers can be
    chosen so that all have one hash.
    """
    if not isinstance(key, str | int | float | bool | None):
        raise BadInput(f"A dictionary in this file has a {type(key).__name__} as a key.")
    if isinstance(key, int) and key.bit_length() > 64:
        raise BadInput("A dictionary in this file has a very long number as a key.")
    container[key] = value


def build(target: Any, state: Any) -> None:
    """What a pickle's BUILD does to an object: its state becomes data of the record."""
    if isinstance(target, Object):
        target.state = state
    elif isinstance(target, ArrayType):
        order = _text(state[1])
        target.order = order if order in ("<", ">") else "="
    elif isinstance(target, Array):
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, ArrayType) or not isinstance(data, bytes | memoryview):
            raise BadInput("An array in this file does not hold plain numbers.")
        target.shape, target.dtype, target.fortran, target.data = _sizes(shape), dtype, bool(fortran), data
    elif not isinstance(target, dict):  # a dictionary's attributes (a state dict's `_metadata`) tell nothing of use
        raise BadInput(f"The file changes a {type(target).__name__} in a way that no checkpoint needs.")


def _text(value: Any) -> str:
    if not isinstance(value, str | bytes) or len(value) > LONGEST_NAME:
        raise BadInput("A numpy type in this file has no name.")
    return value.decode("ascii") if isinstance(value, bytes) else value


def _sizes(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(n, int) for n in value) or len(value) > 16:
        raise BadInput("A tensor in this file has a shape that cannot be.")
    return tuple(map(int, value))


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> StorageView:
    if not isinstance(storage, Storage) or not isinstance(offset, int):
        raise BadInput("A tensor in this file has no storage.")
    return StorageView(storage, int(offset), _sizes(shape), _sizes(stride))


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _persistent(meta: Any) -> Object:
    """NVIDIA's object that brings its own source text: its class name and state, the text is left unread."""
    name = meta.get("class_name") if isinstance(meta, dict) else None
    if not isinstance(name, str) or not name.isprintable() or len(name) > LONGEST_NAME:
        raise BadInput("A persistent object in this file has no class name.")
    return Object(Global("persistent", name), (), meta.get("state"))


def _bytes(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise BadInput("The file encodes bytes in a way that no checkpoint needs.")
    return text.encode("latin1")


def _scalar(dtype: Any, data: Any = b"") -> Any:
    if not isinstance(dtype, ArrayType) or not isinstance(data, bytes | memoryview):
        raise BadInput("A number in this file is not stored as one.")
    return Array(dtype, (), data).tensor().item()


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> Array:
    array = Array()
    build(array, (None, shape, dtype, order == "F", data))
    return array


CALLS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    PERSISTENT: _persistent,
    "_codecs.encode": _bytes,
    "__builtin__.bytes": lambda: b"",  # what protocol 2 makes of no bytes at all
    "numpy.dtype": lambda name, *_: ArrayType(_text(name)),
    "torch.device": lambda *_: "cpu",
    **{f"{core}._reconstruct": lambda *_: Array() for core in NUMPY_CORES},
    **{f"{core}.scalar": _scalar for core in NUMPY_CORES},
    "numpy.core.numeric._frombuffer": _from_buffer,  # arrays in protocol 5
    "numpy._core.numeric._frombuffer": _from_buffer,
}
CLASSES = {NESTED, "numpy.ndarray", "torch.Tensor", "torch.nn.parameter.Parameter"}


def storage_type(kind: Any) -> torch.dtype:
    """The type of the numbers in a storage by its class; raises BadInput for another name."""
    if isinstance(kind, torch.dtype):
        return kind
    if isinstance(kind, Global) and kind.name in DTYPES:
        return DTYPES[kind.name]
    if isinstance(kind, Global) and kind.name == "UntypedStorage":
        return torch.uint8
    raise BadInput(f"The file stores numbers as {kind if isinstance(kind, Global) else 'something'}, not known here.")
