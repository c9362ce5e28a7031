"""The aging law: what the years do to everybody, and how far each person's own aging departs from it.

The global part is the law at the middle of the personal parameters; the personal part is the six parameters at the
end of `Identity` (`PERSONAL`). A model that knows people in general can at best learn the law of the average person.
"""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from selfsame.world.grid import smooth
from selfsame.world.person import Identity

PERSONAL = ("grey_at", "bald_rate", "wrinkle_rate", "sag_rate", "spot_rate", "thin_rate")


@dataclass(frozen=True)
class Aging:
    """What age has done to a person, each (B, ...) as the inputs: shares from 0 (not at all) to about 1 (fully).

    `child` fades as one grows up, until 19; the rest comes with the years.
    """

    child: Tensor
    old: Tensor
    wrinkles: Tensor
    sag: Tensor
    grey: Tensor
    bald: Tensor
    spots: Tensor
    thin: Tensor


def age_effects(person: Identity, years: Tensor) -> Aging:
    """The law: effects of `years` on a person (docs/world.md writes it down)."""
    old = ((years - 20) / 60).clamp(0, 1.17)
    grown = smooth(years, 4, 19)
    return Aging(
        child=1 - grown,
        old=old,
        wrinkles=person.wrinkle_rate * smooth(years, 27, 85),
        sag=person.sag_rate * old**1.3,
        grey=smooth(years - person.grey_at, -14, 14),
        bald=(person.bald_rate + 0.6 * person.sex - 0.1).clamp(0, 1.2) * smooth(years, 24, 68),
        spots=person.spot_rate * smooth(years, 46, 88),
        thin=person.thin_rate * old,
    )


def average_aging(person: Identity) -> Identity:
    """The same person aging as people do on average: every personal parameter in the middle of its range."""
    middle = {f.name: sum(f.metadata["range"]) / 2 for f in fields(Identity) if f.name in PERSONAL}
    return replace(person, **{name: torch.full_like(person.sex, value) for name, value in middle.items()})
