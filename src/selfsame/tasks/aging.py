"""Training of SAM's age encoder with the published losses [Alaluf et al. 2021, and the released code].

No pair of photos of one person is used: an age judge says how old a picture looks, and the way back to the photo's own
age must give the photo. What is learned is therefore true of people on average, not of one person.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import rng
from selfsame.losses import age, latent
from selfsame.losses import image as losses
from selfsame.nets.encoder import GradualStyleEncoder
from selfsame.tasks.encoders import (
    Batches,
    ImagePrior,
    Inversion,
    flip,
    forward,
    looking,
    optimizer_of,
    pool,
    rate,
    untrained,
    whole,
)
from selfsame.tasks.personal import Judge
from selfsame.tasks.reage import aged_codes
from selfsame.train import loop, optim
from selfsame.train.devices import ALONE, Devices

Years = Callable[[Tensor], Tensor]
"""An age judge: images in [-1, 1] to the years that they look."""


@dataclass(frozen=True)
class AgingConfig:
    """How an age encoder is trained; the defaults are SAM's.

    For the share `stay` of the batches the target is the photo's own age, otherwise each photo gets a whole year
    between `youngest` and `oldest`. The terms with `face` see the middle of the pictures only; `cycle` weighs all terms
    once more on the way back. `face_identity` shows the judge of identity the middle, as the published one wants it.
    `linear_pace` is as in `InversionConfig`. `code` weighs the squared error of the codes at the target age, where the
    data tell them; SAM knows none.
    """

    steps: int = 60_000
    optimizer: Literal["ranger", "adam"] = "ranger"
    lr: float = 1e-4
    schedule: Literal["constant", "projector"] = "constant"
    linear_pace: float = 1.0
    pixel: float = 0.25
    face_pixel: float = 1.0
    perceptual: float = 0.1
    face_perceptual: float = 0.6
    identity: float = 0.1
    w_norm: float = 0.005
    aging: float = 5.0
    code: float = 0.0
    cycle: float = 1.0
    stay: float = 1 / 3
    youngest: int = 0
    oldest: int = 100
    face_identity: bool = True
    flip: float = 0.5
    save_every: int = 1000
    seed: int = 0


SAM_PAPER = AgingConfig()
SAM_STARTER = AgingConfig(
    steps=3000, optimizer="adam", lr=5e-4, schedule="projector", linear_pace=20.0,
    w_norm=0.001, code=3.0, youngest=5, oldest=90, face_identity=False, save_every=100,
)  # fmt: skip


def train_sam(
    inversion: Inversion,
    prior: ImagePrior,
    data: Batches,
    judge: Judge,
    years: Years,
    config: AgingConfig,
    folder: Path,
    *,
    start: GradualStyleEncoder | None = None,
    devices: Devices = ALONE,
    on_step: Callable[[int, loop.Losses], None] | None = None,
) -> GradualStyleEncoder:
    """Train the age encoder, from `start` if given, that belongs to a frozen inversion encoder and prior.

    Photos whose age the data does not say are judged, as SAM's all are. The run lives in `folder`; the same call again
    resumes it bit for bit.
    """
    encoder = begin(inversion.encoder, config.seed).to(prior.w_mean.device)
    if start is not None:
        encoder.load_state_dict(start.state_dict())
    optimizer = optimizer_of(config.optimizer, encoder, config.lr, config.linear_pace)
    px = encoder.config.input_px
    crop = age.face if config.face_identity else whole
    terms = _terms(config)

    def go(
        begun: Tensor, source: Tensor, target: Tensor, photos: Sight, known: Tensor | None, flipped: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        with devices.autocast():
            w_plus = aged_codes(encoder, inversion, begun, target)
        w_plus = w_plus.float()
        made = pool(forward(prior.net, w_plus, devices), px)
        found = compare(see(made, judge, crop), photos)
        found["identity"] = age.identity_weight(target - source) * found["identity"]
        found["w_norm"] = latent.w_norm(w_plus, inversion.w_mean)
        found["aging"] = age.aging(years(made), target)
        if known is not None:
            found["code"] = latent.code(w_plus, known) * ~flipped
        return made.detach(), {name: value.mean() for name, value in found.items()}

    def weighted(found: dict[str, Tensor]) -> Tensor:
        return torch.stack([terms[name] * value for name, value in found.items()]).sum()

    def step(index: int) -> dict[str, Tensor]:
        batch = data(index)
        images, flipped = flip(pool(batch.images, px), config.flip, rng.generator(config.seed, "flip", index))
        with torch.no_grad():
            source = years(images) if batch.years is None else batch.years
            photos = see(images, judge, crop)
        target = target_years(source, config, rng.generator(config.seed, "target ages", index))
        known, own = (batch.aged(target), batch.w_plus) if batch.aged is not None else (None, None)
        optim.set_lr(optimizer, rate(index, config.steps, config.lr, config.schedule))
        optimizer.zero_grad(set_to_none=True)
        made, there = go(images, source, target, photos, known, flipped)
        forth = weighted(there)
        torch.autograd.backward(forth)  # before the way back, so that memory holds one of them at a time
        _, back = go(made, source, source, photos, own, flipped)
        total = forth.detach() + config.cycle * weighted(back)
        torch.autograd.backward(total)
        optim.clean_gradients(optimizer)
        optimizer.step()
        named = there | {f"cycle_{name}": value for name, value in back.items()}
        return {"loss": total.detach()} | {name: value.detach() for name, value in named.items()}

    run = loop.Run(folder, config, config.steps, config.save_every, config.seed)
    loop.run(run, {"encoder": encoder, "optimizer": optimizer}, step, on_step=on_step)
    return encoder


@dataclass(frozen=True, eq=False)
class Sight:
    """A batch of pictures and what a judge sees in them: maps of the whole and of the face, embeddings."""

    images: Float[Tensor, "b 3 s s"]
    features: Sequence[Tensor]
    face_features: Sequence[Tensor]
    embedding: Float[Tensor, "b d"]


def see(images: Float[Tensor, "b 3 s s"], judge: Judge, crop: Callable[[Tensor], Tensor] = whole) -> Sight:
    """What a judge sees; `crop` says what of a picture its identity is told by."""
    return Sight(images, judge.features(images), judge.features(age.face(images)), judge.embed(crop(images)))


def compare(made: Sight, wanted: Sight) -> dict[str, Tensor]:
    """SAM's terms that compare pictures, by name, one value per picture (b,)."""
    return {
        "pixel": losses.mse(made.images, wanted.images),
        "face_pixel": losses.mse(age.face(made.images), age.face(wanted.images)),
        "perceptual": losses.perceptual(made.features, wanted.features),
        "face_perceptual": losses.perceptual(made.face_features, wanted.face_features),
        "identity": latent.identity(made.embedding, wanted.embedding),
    }


def begin(inversion: GradualStyleEncoder, seed: int) -> GradualStyleEncoder:
    """An age encoder that looks at photos as the inversion encoder does; its heads are new.

    SAM begins with the layers of a recognition network and draws the age's weights at deviation 1; here they are drawn
    at that of the other channels', which does not drown the picture.
    """
    encoder = untrained(replace(inversion.config, input_channels=4), rng.key(seed, "age encoder"))
    shared = looking(inversion)
    colour = shared["input_layer.0.weight"]
    drawn = torch.randn(len(colour), 1, 3, 3, generator=rng.generator(seed, "age channel")).to(colour)
    first = {"input_layer.0.weight": torch.cat([colour, colour.std() * drawn], 1)}
    encoder.load_state_dict(encoder.state_dict() | shared | first)
    return encoder


def target_years(source: Float[Tensor, "b"], config: AgingConfig, g: torch.Generator) -> Float[Tensor, "b"]:
    """The ages to aim at: for some batches the photos' own, otherwise whole years at random."""
    stays = bool(torch.rand((), generator=g) < config.stay)
    drawn = torch.randint(config.youngest, config.oldest + 1, source.shape, generator=g)
    return source if stays else drawn.to(source)


def _terms(config: AgingConfig) -> dict[str, float]:
    return {
        "pixel": config.pixel,
        "face_pixel": config.face_pixel,
        "perceptual": config.perceptual,
        "face_perceptual": config.face_perceptual,
        "identity": config.identity,
        "w_norm": config.w_norm,
        "aging": config.aging,
        "code": config.code,
    }
