"""A time machine: SAM, and where somebody has one, the adapter that knows how this person ages [Qi et al. 2025]."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import store, weights
from selfsame.core.weights import Card
from selfsame.nets.age_adapter import AdapterConfig, AgeAdapter
from selfsame.tasks.reage import Sam

KIND = "personal-aging"
AT_ONCE = 8  # pictures that are decoded together


@dataclass(frozen=True)
class Parts:
    """What stands on the card: the adapter's sizes, and the youngest and the oldest age of the person's photos."""

    adapter: AdapterConfig
    span: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Personal:
    """One person's adapter, the youngest and the oldest whole year of their photos, and the card."""

    adapter: AgeAdapter
    span: tuple[int, int]
    card: Card

    def __post_init__(self) -> None:
        self.adapter.eval().requires_grad_(False)


@dataclass(frozen=True, eq=False)
class TimeMachine:
    """Photos in, the same face at other ages out; without `personal` as people age in general."""

    sam: Sam
    personal: Personal | None = None

    @torch.no_grad()
    def invert(self, images: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b l w"]:
        """The codes of photos as they are."""
        return self.sam.invert(images)

    @torch.no_grad()
    def encode(self, images: Float[Tensor, "b 3 s s"], years: Float[Tensor, "b"]) -> Float[Tensor, "b l w"]:
        """The codes of photos at these ages [equation 4]."""
        w_plus = self.sam.encode(images, years)
        if self.personal is None:
            return w_plus
        moved: Tensor = self.personal.adapter(w_plus, years)
        return moved

    @torch.no_grad()
    def decode(self, w_plus: Float[Tensor, "b l w"]) -> Float[Tensor, "b 3 p p"]:
        """Pictures of the decoder's size, clamped to [-1, 1], made a few at a time."""
        return torch.cat([self.sam.decoder(part) for part in w_plus.split(AT_ONCE)]).clamp(-1, 1)

    def reage(self, images: Float[Tensor, "b 3 s s"], years: int) -> Float[Tensor, "b 3 p p"]:
        """The photos at one age."""
        target = torch.full((len(images),), float(years)).to(images)
        return self.decode(torch.cat([self.encode(x, y) for x, y in zip(*_split(images, target), strict=True)]))


def _split(images: Tensor, years: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    return images.split(AT_ONCE), years.split(AT_ONCE)


def save(folder: Path, personal: Personal) -> Personal:
    """Write an adapter with its card; returns it with the card's digest."""
    parts = Parts(personal.adapter.config, personal.span)
    card = replace(personal.card, kind=KIND, config=asdict(parts))
    return replace(personal, card=weights.save(folder, personal.adapter.state_dict(), card))


def load(folder: Path, sam: Sam) -> TimeMachine:
    """A person's time machine on the SAM that it was trained on.

    Raises BadInput where the folder holds no adapter, a damaged one, or one that belongs to another SAM.
    """
    tensors, card = weights.load(folder, KIND)
    store.check_prior(card, sam.card.digest)
    parts = weights.config_of(card, Parts)
    adapter = AgeAdapter(parts.adapter)
    adapter.load_state_dict(tensors)
    return TimeMachine(sam, Personal(adapter.to(sam.w_mean.device), parts.span, card))
