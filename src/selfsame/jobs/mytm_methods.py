"""MyTimeMachine, its ablations and its rivals, each trained on one person's photos: an album in, a re-ager out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsame.core import rng
from selfsame.nets.stylegan2 import StyleGAN2
from selfsame.tasks import personal_aging
from selfsame.tasks.aging import SAM_STARTER, Years, train_sam
from selfsame.tasks.encoders import Batch
from selfsame.tasks.personal import Judge
from selfsame.tasks.personal_aging import STARTER_PAPER, STARTER_RELEASED, AgedPhotos, PersonalAgingConfig
from selfsame.tasks.reage import Sam
from selfsame.train.devices import Devices

Encode = Callable[[Float[Tensor, "b 3 s s"], Float[Tensor, "b"]], Float[Tensor, "b l w"]]
"""Photos and ages in years to codes for SAM's decoder."""


@dataclass(frozen=True)
class Parts:
    """What every method is given: SAM, the judges of its losses, how it trains."""

    sam: Sam
    judge: Judge
    years: Years
    devices: Devices


OURS = STARTER_PAPER  # chosen on people from 960,000 on


@dataclass(frozen=True)
class Method:
    """One row of the tables: what is trained, and with which settings."""

    trained: Literal["nothing", "encoder", "offset", "adapter"]
    config: PersonalAgingConfig = OURS


METHODS = {
    "SAM": Method("nothing"),
    "SAM fine-tuned": Method("encoder"),
    "latent offset": Method("offset"),
    "MyTM, released": Method("adapter", STARTER_RELEASED),
    "MyTM, paper": Method("adapter", STARTER_PAPER),
    "without personal aging": Method("adapter", replace(OURS, personal=0.0)),
    "without extrapolation": Method("adapter", replace(OURS, outside=0.0)),
    "without w-norm": Method("adapter", replace(OURS, w_norm=0.0)),
}


class LatentOffset(nn.Module):
    """One learned offset for each style, whatever photo and age: the simplest personal change of a code."""

    def __init__(self, styles: int, w_dim: int) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(styles, w_dim))

    def forward(self, w_plus: Float[Tensor, "b l w"], years: Float[Tensor, "b"]) -> Float[Tensor, "b l w"]:
        """The codes, moved."""
        return w_plus + self.offset


def train(method: Method, parts: Parts, photos: AgedPhotos, folder: Path) -> Encode:
    """What a method learns from a person's photos; the same call again goes on where it was stopped."""
    sam = parts.sam
    if method.trained == "nothing":
        return sam.encode
    if method.trained == "encoder":
        return _fine_tuned(parts, photos, method.config, folder)
    config = method.config
    new = (
        LatentOffset(config.adapter.styles, config.adapter.w_dim)
        if method.trained == "offset"
        else personal_aging.begin(config)
    )
    adapter = personal_aging.train_adapter(
        sam, new, photos, parts.judge, parts.years, config, folder, devices=parts.devices
    )

    def encode(images: Tensor, years: Tensor) -> Tensor:
        moved: Tensor = adapter(sam.encode(images, years), years)
        return moved

    return encode


@dataclass(frozen=True, eq=False)
class _Decoder:
    """What SAM's training asks of a prior."""

    net: StyleGAN2
    w_mean: Tensor
    digest: str


FINE_TUNING_LR = 5e-4  # SAM's own, 1e-4, learned less on people from 960,000 on


def _fine_tuned(parts: Parts, photos: AgedPhotos, steps_of: PersonalAgingConfig, folder: Path) -> Encode:
    """SAM's age encoder trained on with SAM's own losses on the person's photos ("SAM pers. f.t.")."""
    sam = parts.sam
    config = replace(SAM_STARTER, steps=steps_of.steps, lr=FINE_TUNING_LR, linear_pace=1.0, code=0.0, save_every=10_000)

    def data(step: int) -> Batch:
        which = rng.batch_indices(len(photos.images), steps_of.batch, config.seed, step)
        return Batch(photos.images[which], photos.years[which].float())

    prior = _Decoder(sam.decoder, sam.w_mean, sam.card.prior_digest or "")
    encoder = train_sam(
        sam.inversion, prior, data, parts.judge, parts.years, config, folder,
        start=sam.age_encoder, devices=parts.devices,
    )  # fmt: skip
    return replace(sam, age_encoder=encoder).encode
