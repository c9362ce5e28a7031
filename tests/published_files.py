"""Files of weights as the published code writes them, made of tensors that a test gives."""

import pickle
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

RESAMPLE = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64


class _EasyDict(dict):  # type: ignore[type-arg]
    """As dnnlib's: attributes are items."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def _reconstruct_persistent_obj(meta: Any) -> Any:
    raise AssertionError("nothing in these files is ever run")


class _Persistent:
    """What NVIDIA's decorator makes of a module: class name, source text and state, to be rebuilt by one function."""

    def __init__(self, name: str, state: Mapping[str, Any], source: str) -> None:
        self.meta = {
            "type": "class", "version": 6, "module_src": source, "class_name": name, "state": dict(state),
        }  # fmt: skip

    def __reduce__(self) -> Any:
        return _reconstruct_persistent_obj, (self.meta,), None


@contextmanager
def nvidia_modules() -> Iterator[None]:
    """The names `torch_utils.persistence` and `dnnlib.util` in place, as pickling wants them."""
    modules = {name: ModuleType(name) for name in ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util")}
    owned = ((_reconstruct_persistent_obj, "torch_utils.persistence"), (_EasyDict, "dnnlib.util"))
    before = [(thing, thing.__module__, thing.__qualname__) for thing, _ in owned]
    sys.modules.update(modules)
    try:
        for thing, place in owned:
            thing.__module__ = place
        _EasyDict.__qualname__ = _EasyDict.__name__ = "EasyDict"
        modules["torch_utils.persistence"]._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
        modules["dnnlib.util"].EasyDict = _EasyDict  # type: ignore[attr-defined]
        yield
    finally:
        for thing, place, name in before:
            thing.__module__, thing.__qualname__ = place, name
        _EasyDict.__name__ = "_EasyDict"
        for name in modules:
            del sys.modules[name]


def module(
    name: str,
    tensors: Mapping[str, Tensor],
    settings: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
    source: str = "raise SystemExit('this text is never run')",
    buffers: tuple[str, ...] = ("w_avg", "noise_const", "resample_filter"),
) -> _Persistent:
    """A tree of persistent modules with these tensors under these dotted names."""
    state: dict[str, Any] = {
        "training": False, "_parameters": OrderedDict(), "_buffers": OrderedDict(), "_modules": OrderedDict(),
        "_backward_hooks": OrderedDict(), "_non_persistent_buffers_set": set(), "_init_args": (),
        "_init_kwargs": _EasyDict({k: _EasyDict(v) if isinstance(v, dict) else v for k, v in (settings or {}).items()}),
    }  # fmt: skip
    children: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        first, _, rest = key.partition(".")
        if rest:
            children.setdefault(first, {})[rest] = tensor
        elif first in buffers:
            state["_buffers"][first] = tensor
        else:
            state["_parameters"][first] = nn.Parameter(tensor, requires_grad=False)
    for key, below in children.items():
        state["_modules"][key] = module(key.capitalize(), below, source=source, attributes=attributes)
    return _Persistent(name, state | dict(attributes or {}), source)


def snapshot(path: Path, protocol: int = 4, **networks: Any) -> Path:
    """NVIDIA's network-snapshot-*.pkl."""
    with nvidia_modules():
        path.write_bytes(
            pickle.dumps(
                {"training_set_kwargs": _EasyDict(path="faces.zip"), "augment_pipe": None, **networks}, protocol
            )
        )
    return path


def with_filters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with the constant blur of every convolution, as NVIDIA's layers keep it."""
    layers = {name.rsplit(".", 1)[0] for name in tensors if name.split(".")[-2:-1] in (["conv0"], ["conv1"])}
    return dict(tensors) | {f"{layer}.resample_filter": RESAMPLE for layer in layers}


def save_whole(path: Path, value: Any, legacy: bool = False) -> Path:
    """A file of torch.save, with NVIDIA's names in place for modules in it."""
    with nvidia_modules():
        torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path
