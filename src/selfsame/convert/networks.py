"""What a conversion yields, and the check that tensors fill a network exactly."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from selfsame.convert.values import Array, Lazy, StorageView
from selfsame.core.config import from_json
from selfsame.core.errors import BadInput
from selfsame.core.weights import Card, config_of

Config = TypeVar("Config")
CARD_KEY = "selfsame"
"""Where a torch file that we wrote keeps our card, so that an import knows every number of the configuration."""
PARTS_KEY, MEAN_KEY = "selfsame_parts", "selfsame_w_avg"
MOST_NAMED = 2  # names in a sentence about missing ones


@dataclass(frozen=True, eq=False)
class Part:
    """One network of a checkpoint under our own names: its configuration and every tensor of its state dict.

    `extra` holds what belongs to it but is no part of its state dict, the mean code of an encoder.
    """

    config: Any
    tensors: Mapping[str, Tensor]
    extra: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Converted:
    """The networks of one file by what they are (`prior`, `inversion`, ...), and what a person should know of them."""

    parts: Mapping[str, Part]
    notes: tuple[str, ...] = ()


def realise(value: Any, name: str) -> Tensor:
    """The tensor that a lazy value stands for; raises BadInput where it is none."""
    if isinstance(value, Lazy):
        return value.tensor()
    if isinstance(value, Tensor):
        return value
    raise BadInput(f"{name} in this file is no tensor.")


def is_tensor(value: Any) -> bool:
    """Whether a value stands for a tensor."""
    return isinstance(value, StorageView | Array | Tensor)


def named(values: Mapping[Any, Any], prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a state dict whose names begin with `prefix`, without it; the first prefix of torch's
    DataParallel goes too.
    """
    found: dict[str, Tensor] = {}
    for key, value in values.items():
        name = str(key).removeprefix("module.")
        if name.startswith(prefix) and is_tensor(value):
            found[name[len(prefix) :]] = realise(value, name)
    return found


def fitted(tensors: Mapping[str, Tensor], build: Callable[[], nn.Module], what: str) -> dict[str, Tensor]:
    """The tensors that fill a network, in its order and of its types.

    What a batch norm counts may be missing, as old files lack it. Raises BadInput that names the first tensors that
    are missing, too many or of another shape.
    """
    with torch.device("meta"):
        wanted = build().state_dict()
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}
    missing = [name for name in wanted if name not in tensors and name not in counters]
    if missing:
        raise BadInput(f"This file lacks {_listed(missing)} of {what}.", "It is cut down, or another network.")
    if extra := [name for name in tensors if name not in wanted]:
        raise BadInput(f"This file has {_listed(extra)}, which {what} does not have.", "It is another network.")
    for name, like in wanted.items():
        if name in tensors and tensors[name].shape != like.shape:
            raise BadInput(
                f"{name} is {_shape(tensors[name])} in this file and {_shape(like)} in {what}.",
                "It is another network.",
            )
    zero = torch.tensor(0)
    return {name: tensors[name].to(like.dtype) if name in tensors else zero for name, like in wanted.items()}


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    shown = ", ".join(names[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown} and {len(names) - MOST_NAMED} more tensors"


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a single number"


def drop_filters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without the constant blur of StyleGAN2; raises BadInput where it is not [1, 3, 3, 1].

    NVIDIA's files call it `resample_filter`, rosinality's `kernel`, with or without the gain of an upsampling by two.
    """
    row = torch.tensor([1.0, 3, 3, 1])
    blur = torch.outer(row, row) / 64
    kept: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.split(".")[-1] not in ("resample_filter", "kernel"):
            kept[name] = tensor
        elif tensor.shape != blur.shape or not any(torch.allclose(tensor.float(), blur * gain) for gain in (1, 4)):
            raise BadInput(f"{name} is not the filter [1, 3, 3, 1], so this is another network.")
    return kept


def shape_of(tensors: Mapping[str, Tensor], name: str, what: str, dims: int) -> tuple[int, ...]:
    """The shape of a tensor that a network must have; raises BadInput where it is missing or flat."""
    if name not in tensors:
        raise BadInput(f"This file lacks {name} of {what}.", "It is cut down, or another network.")
    if tensors[name].dim() != dims:
        raise BadInput(f"{name} is {_shape(tensors[name])} in this file, so this is not {what}.")
    return tuple(tensors[name].shape)


def own_card(value: Any) -> Card | None:
    """The card that our own exports keep in the file, None where another wrote it; raises BadInput for a broken one."""
    text = value.get(CARD_KEY) if isinstance(value, dict) else None
    return from_json(Card, text, "The card in this file") if isinstance(text, str) else None


def own_cards(value: Any) -> dict[str, Card]:
    """The cards that our own exports of several networks keep in the file, by what these are."""
    texts = value.get(PARTS_KEY) if isinstance(value, dict) else None
    found = texts.items() if isinstance(texts, dict) else ()
    return {str(role): from_json(Card, str(text), "A card in this file") for role, text in found}


def own_config(value: Any, kind: type[Config]) -> Config | None:
    """The configuration on the card of one of our own exports, None where another wrote it.

    Raises BadInput where the card is another network's.
    """
    card = own_card(value)
    return config_of(card, kind) if card else None
