"""Whom a fit in 3D listens to, and who says what became of it: three judges in the place of one.

A network that learns to please a judge is liked by this judge whatever it shows; so the referee, whom nothing listens
to, is asked for the likeness that is reported.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import store
from selfsame.nets import judges, lpips
from selfsame.nets.judges import Judge
from selfsame.nets.lpips import Lpips

IDENTITY_SHARE = 0.3  # of the identity judge's maps beside the perceptual ones; chosen on people from 964,000 on


@dataclass(frozen=True, eq=False)
class Jury:
    """The judge of identity and the perceptual one that training listens to, and the referee.

    `identity_share` is the weight of the identity judge's own maps in the perceptual distance (0: none).
    """

    identity: Judge
    perceptual: Lpips
    referee: Judge
    identity_share: float

    def embed(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Identity embeddings of unit length, for losses."""
        return self.identity.embed(images)

    def features(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """LPIPS's weighted maps, then the identity judge's where they have a share."""
        maps: list[Tensor] = self.perceptual(images)
        if not self.identity_share:
            return maps
        return [*maps, *(x * self.identity_share for x in self.identity.features(images))]

    def recognise(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """The referee's embeddings of unit length, for reports."""
        return self.referee.embed(images)


def load(
    lpips_folder: Path | None = None, identity_folder: Path | None = None, device: torch.device | str = "cpu"
) -> Jury:
    """The starter set's judges, or imported ones by folder or name.

    LPIPS of one's own is the whole perceptual term, as published; an identity judge of one's own is its own referee,
    as published too.
    """
    identity = store.find(identity_folder or store.starter("judge"))
    referee = store.find(identity_folder or store.starter("referee"))
    perceptual = store.find(lpips_folder or store.starter("perceptual"))
    return Jury(
        judges.load(identity, device), lpips.load(perceptual, device), judges.load(referee, device),
        0.0 if lpips_folder else IDENTITY_SHARE,
    )  # fmt: skip
