"""Weights on disk: `weights.safetensors` with its card inside, and the same card beside it as `card.json` for people.

The card travels in the header of the weights file, so that a kill between two writes can never pair the weights of one
run with the card of another. Nothing here reads a pickle; published checkpoints come in through `convert`.
"""

import errno
import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

import selfsame
from selfsame.core import packing
from selfsame.core.config import from_json, replacing, to_json, write_atomic
from selfsame.core.errors import BadInput
from selfsame.core.names import CARD_FILE as CARD_FILE
from selfsame.core.names import WEIGHTS_FILE as WEIGHTS_FILE
from selfsame.core.results import Measured

PACKED = ("packed", "packed.layout")  # the tensors that hold all others, and that tell them apart

T = TypeVar("T")
Net = TypeVar("Net", bound=nn.Module)


def versions() -> dict[str, str]:
    """The versions of what made the weights."""
    return {"selfsame": selfsame.__version__, "torch": torch.__version__, "python": platform.python_version()}


@dataclass(frozen=True)
class Card:
    """What weights are and where they come from; `digest` is filled in by `save`.

    `config` holds the fields of the network's or the run's configuration, `command` is what a person types to make
    the weights again, `measured` what was found on people never seen in training.
    """

    kind: str
    config: dict[str, Any]
    seed: int
    licence: str
    prior_digest: str | None = None
    data_digest: str | None = None
    measured: tuple[Measured, ...] = ()
    command: str = ""
    versions: dict[str, str] = field(default_factory=versions)
    digest: str = ""


def config_of(card: Card, kind: type[T]) -> T:
    """The card's configuration as the dataclass `kind`; raises BadInput where a field is unknown or missing."""
    return from_json(kind, json.dumps(card.config), f"The configuration of this {card.kind}")


def digest(tensors: Mapping[str, Tensor]) -> str:
    """A hexadecimal SHA-256 of names, types, shapes and values, whatever the order, device or file layout."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name}\x1f{tensor.dtype}\x1f{tuple(tensor.shape)}\x1f".encode())
        total.update(tensor.flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()


def save(folder: Path, tensors: Mapping[str, Tensor], card: Card, *, half: bool = False, packed: bool = False) -> Card:
    """Write weights and card atomically and return the card with its digest.

    With `half` 32-bit floats are stored in 16 bits; the digest is that of what `load` gives back. `packed` tensors, all
    of one type, lie in the file as one, which spares the bytes of their names.
    """
    stored = _apart({name: _stored(name, tensor, half) for name, tensor in tensors.items()})
    card = replace(card, digest=digest({name: _in_memory(tensor) for name, tensor in stored.items()}))
    text = to_json(card)
    if packed:
        stored = dict(zip(PACKED, packing.pack(stored), strict=True))
    with replacing(folder / WEIGHTS_FILE) as file:
        try:
            save_file(stored, file, {"card": text})
        except SafetensorError as error:  # how the library tells of a full disk
            raise OSError(errno.EIO, str(error)) from error
    write_atomic(folder / CARD_FILE, text)
    return card


def load(folder: Path, kind: str | None = None) -> tuple[dict[str, Tensor], Card]:
    """The tensors (floats in 32 bits, on the CPU) and the card of a folder that `save` wrote.

    Raises BadInput where the file is missing, damaged, from elsewhere, or of another `kind`.
    """
    tensors, card = _read(folder)
    if kind is not None and card.kind != kind:
        raise BadInput(f"{folder} holds a {card.kind}, not a {kind}.", f"Give the folder of a {kind}.")
    if digest(tensors) != card.digest:
        raise _damaged(folder / WEIGHTS_FILE)
    return tensors, card


def save_net(folder: Path, net: nn.Module, card: Card, *, half: bool = False) -> Card:
    """Write a whole network, whose `config` goes on the card, for `load_net`; returns the card with its digest."""
    return save(folder, net.state_dict(), replace(card, config=asdict(cast(Any, net.config))), half=half)


def load_net(folder: Path, kind: str, config: type[T], build: Callable[[T], Net]) -> tuple[Net, Card]:
    """The network of a folder that `save_net` wrote, built from the configuration on its card, and the card.

    Raises BadInput as `load`.
    """
    tensors, card = load(folder, kind)
    net = build(config_of(card, config))
    net.load_state_dict(tensors)
    return net, card


def card_of(folder: Path) -> Card:
    """The card of a folder that `save` wrote, without reading its tensors; raises BadInput as `load`."""
    return _open(folder)[1]


def is_half(folder: Path) -> bool:
    """Whether a folder that `save` wrote holds floats in 16 bits; raises BadInput as `load`."""
    names, _ = _open(folder)
    with safe_open(folder / WEIGHTS_FILE, framework="pt") as file:
        return any(file.get_slice(name).get_dtype() == "F16" for name in names)


def kind_of(folder: Path) -> str:
    """The kind on the card of a folder that `save` wrote; raises BadInput as `load`."""
    return card_of(folder).kind


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    if not half or tensor.dtype != torch.float32:
        return tensor
    small = tensor.half()
    if not torch.equal(small.isfinite(), tensor.isfinite()):
        raise BadInput(f"The tensor {name} has values too large for 16 bits.", "Save it in full precision.")
    return small


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, copied where two share memory, which the file format refuses."""
    seen: set[int] = set()
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        if tensor.numel() and place in seen:
            tensors[name] = tensor.clone(memory_format=torch.contiguous_format)
        seen.add(place)
    return tensors


def _in_memory(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _read(folder: Path) -> tuple[dict[str, Tensor], Card]:
    names, card = _open(folder)
    try:
        with safe_open(folder / WEIGHTS_FILE, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in names}
        if tensors.keys() == set(PACKED):
            tensors = packing.unpack(*(tensors[name] for name in PACKED))
        return {name: _in_memory(tensor) for name, tensor in tensors.items()}, card
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise _damaged(folder / WEIGHTS_FILE) from error


def _open(folder: Path) -> tuple[list[str], Card]:
    """The names of the tensors in the file, and the card."""
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise BadInput(
            f"{path} does not exist.",
            "Give the folder of a model; published checkpoints come in with `selfsame weights import`.",
        )
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("card")
            names = list(file.keys())
    except (SafetensorError, OSError) as error:
        raise _damaged(path) from error
    if text is None:
        raise BadInput(f"{path} was not written by selfsame.", "Bring it in with `selfsame weights import`.")
    return names, from_json(Card, text, f"The card in {path}")


def _damaged(path: Path) -> BadInput:
    return BadInput(f"{path} is damaged.", "Copy it again from where it came from, or make it again.")
