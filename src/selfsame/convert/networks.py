"""What a conversion yields, and the check that tensors fill a network exactly."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from selfsame.convert.values import LONGEST_NAME, Array, Lazy, StorageView
from selfsame.core.config import from_json
from selfsame.core.errors import BadInput, WrongUse, shown
from selfsame.core.weights import Card, config_of
from selfsame.nets import ops

Config = TypeVar("Config")
Net = TypeVar("Net", bound=nn.Module)
CARD_KEY = "selfsame"
"""Where a torch file that we wrote keeps our card, so that an import knows every number of the configuration."""
MOST_CARDS, LONGEST_CARD = 8, 2**20
PARTS_KEY, MEAN_KEY = "selfsame_parts", "selfsame_w_avg"
MOST_NAMED = 2  # names in a sentence about missing ones
MOST_LAYERS = 32  # that are numbered; 18 styles are the most that was published
LARGEST_SIZE = 2**20  # channels, pixels, or what divides them
LARGEST = {
    "mapping_layers": MOST_LAYERS, "styles": MOST_LAYERS, "stages": 1024, "z_dim": 1024, "w_dim": 1024,
    "depth_samples": 1024, "importance_samples": 1024,
}  # fmt: skip
"""Of what a small file could ask for very much, or what would take forever to build."""


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


def name_of(key: Any, prefix: str = "") -> str:
    """The name of a tensor after the names that it lies under; raises BadInput for one that could not be shown."""
    name = f"{prefix}{key}"
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise BadInput(f"A tensor in this file is called {shown(name)!r}, which cannot be a name.")
    return name


def is_tensor(value: Any) -> bool:
    """Whether a value stands for a tensor."""
    return isinstance(value, StorageView | Array | Tensor)


def named(values: Any, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a state dict whose names begin with `prefix`, without it; the first prefix of torch's
    DataParallel goes too. Raises BadInput where there is no state dict.
    """
    if not isinstance(values, dict):
        raise BadInput("This file holds no state dict.")
    found: dict[str, Tensor] = {}
    for key, value in values.items():
        if is_tensor(value):
            name = name_of(key).removeprefix("module.")
            if name.startswith(prefix):
                found[name[len(prefix) :]] = realise(value, name)
    return found


def numbered(tensors: Iterable[str], pattern: str, what: str) -> int:
    """How many layers have names of this pattern, whose first group is their number; raises BadInput for too many."""
    found = len({m[1] for name in tensors if (m := re.match(pattern, name))})
    if found > MOST_LAYERS:
        raise BadInput(f"This file has {found:,} layers of a sort of which {what} has a few.", "It is another network.")
    return found


def blank(build: Callable[[], Net], what: str) -> Net:
    """A network of the sizes that a file tells, without memory; raises BadInput where none can have these sizes."""
    try:
        with torch.device("meta"):
            return build()
    except (RuntimeError, ValueError, ArithmeticError, WrongUse) as error:
        raise BadInput(f"The sizes in this file cannot be those of {what}.", "It is another network.") from error


def fitted(tensors: Mapping[str, Tensor], build: Callable[[], nn.Module], what: str) -> dict[str, Tensor]:
    """The tensors that fill a network, in its order and of its types.

    What a batch norm counts may be missing, as old files lack it. Raises BadInput that names the first tensors that
    are missing, too many or of another shape, and where they share their numbers: a small file would become a large
    network.
    """
    wanted = blank(build, what).state_dict()
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
    stored = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors.values()}
    if sum(t.numel() for t in tensors.values()) > sum(stored.values()):
        raise BadInput("The tensors of this file share their numbers, as those of no checkpoint do.")
    zero = torch.tensor(0)
    return {name: tensors[name].to(like.dtype) if name in tensors else zero for name, like in wanted.items()}


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    first = ", ".join(names[:MOST_NAMED])
    return first if len(names) <= MOST_NAMED else f"{first} and {len(names) - MOST_NAMED} more tensors"


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a single number"


def drop_filters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without the constant blur of StyleGAN2; raises BadInput where it is not [1, 3, 3, 1].

    NVIDIA's files call it `resample_filter`, rosinality's `kernel`, with or without the gain of an upsampling by two.
    """
    blur = ops.blur()
    kept: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.split(".")[-1] not in ("resample_filter", "kernel"):
            kept[name] = tensor
        elif tensor.shape != blur.shape or not any(torch.allclose(tensor.float(), blur * gain) for gain in (1, 4)):
            raise BadInput(f"{name} is not the filter [1, 3, 3, 1], so this is another network.")
    return kept


def shape_of(tensors: Mapping[str, Tensor], name: str, what: str, dims: int) -> tuple[int, ...]:
    """The shape of a tensor that a network must have; raises BadInput where it is missing, flat or empty."""
    if name not in tensors:
        raise BadInput(f"This file lacks {name} of {what}.", "It is cut down, or another network.")
    if tensors[name].dim() != dims or not tensors[name].numel():
        raise BadInput(f"{name} is {_shape(tensors[name])} in this file, so this is not {what}.")
    return tuple(tensors[name].shape)


def own_card(value: Any) -> Card | None:
    """The card that our own exports keep in the file, None where another wrote it; raises BadInput for a broken one."""
    text = value.get(CARD_KEY) if isinstance(value, dict) else None
    return _card(text) if isinstance(text, str) else None


def own_cards(value: Any) -> dict[str, Card]:
    """The cards that our own exports of several networks keep in the file, by what these are."""
    texts = value.get(PARTS_KEY) if isinstance(value, dict) else None
    found = texts if isinstance(texts, dict) else {}
    if len(found) > MOST_CARDS:
        raise BadInput("This file has more cards than any that selfsame exported.")
    return {str(role): _card(text) for role, text in found.items() if isinstance(text, str)}


def _card(text: str) -> Card:
    if len(text) > LONGEST_CARD:
        raise BadInput("The card in this file is far longer than any that selfsame wrote.")
    return from_json(Card, text, "The card in this file")


def own_config(value: Any, kind: type[Config]) -> Config | None:
    """The configuration on the card of one of our own exports, None where another wrote it.

    Raises BadInput where the card is another network's.
    """
    card = own_card(value)
    return sized(config_of(card, kind)) if card else None


def sized(config: Config) -> Config:
    """A configuration that a file tells; raises BadInput where one of its numbers is larger than any published."""
    for name, value in vars(config).items():
        if not all(0 <= n <= LARGEST.get(name, LARGEST_SIZE) for n in _whole_numbers(value)):
            raise BadInput(f"The {name} that this file tells is larger than in any network known here, or none.")
    return config


def _whole_numbers(value: Any) -> list[int]:
    if isinstance(value, tuple):
        return [number for part in value for number in _whole_numbers(part)]
    return [value] if isinstance(value, int) else []
