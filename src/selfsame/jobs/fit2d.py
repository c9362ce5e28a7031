"""Fit in two dimensions: an album and a StyleGAN2 in, one tuned to the person out, with what it is worth [MyStyle]."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core.results import Measured
from selfsame.faces.album import Album
from selfsame.jobs import fit, measure, plans
from selfsame.jobs.progress import Progress, silent
from selfsame.tasks import anchors, model2d, personal, personal2d
from selfsame.tasks.model2d import PersonalModel2D
from selfsame.tasks.personal import Judge, Photos
from selfsame.tasks.personal2d import TuningConfig
from selfsame.tasks.reage import Sam
from selfsame.train.devices import ALONE, CPU, Devices, moved


@dataclass(frozen=True)
class Fit2DConfig:
    """How a 2D model is fitted: the tuning, and the share of photos held back to measure with."""

    tuning: TuningConfig
    held_back: float = 0.2


PRESETS = {
    "quick": Fit2DConfig(TuningConfig(steps=300, batch=2, lr=0.002, pixel=4.0, save_every=50)),
    "paper-2d": Fit2DConfig(TuningConfig()),
}


def with_steps(config: Fit2DConfig, steps: int | None) -> Fit2DConfig:
    """The configuration with another number of steps."""
    return config if steps is None else replace(config, tuning=replace(config.tuning, steps=steps))


def with_batch(config: Fit2DConfig, batch: int | None) -> Fit2DConfig:
    """The configuration with another batch."""
    return config if batch is None else replace(config, tuning=replace(config.tuning, batch=batch))


@dataclass(frozen=True, eq=False)
class Fitted2D:
    """A fitted model, the photos it was tuned on, and the held-back ones as prior and model show them.

    `held_back`, `by_prior` and `by_model` are pictures, none where all photos train.
    """

    model: PersonalModel2D
    photos: Photos
    held_back: Float[Tensor, "n 3 s s"]
    by_prior: Float[Tensor, "n 3 s s"]
    by_model: Float[Tensor, "n 3 s s"]
    measured: tuple[Measured, ...] = field(default=())

    @property
    def numbers(self) -> int:
        """How many numbers the person's weights hold."""
        return sum(t.numel() for t in personal.unmapped(self.model.net).values())


def run(
    album: Album,
    sam: Sam,
    judge: Judge,
    folder: Path,
    config: Fit2DConfig,
    progress: Progress = silent,
    *,
    devices: Devices = ALONE,
) -> Fitted2D:
    """Fit a model on an album's photos into `folder`; the same call again goes on where it was stopped.

    Codes are those of SAM's inversion encoder, of held-back photos too: nothing is searched for a picture. Devices and
    errors are as `fit.fit` has them.
    """
    devices.check_parts(config.tuning.batch)
    progress = progress if devices.first else silent
    sam, judge = moved((sam, judge), devices.device)
    train, test = fit.sides(album, config.held_back)
    names = [album.kept[i].id for i in train.tolist()]
    data_digest = plans.digest(names)
    fit.claim(folder, sam.inversion.card.digest, data_digest, config, devices)
    photos = moved(take(album, train.tolist(), sam), devices.device)

    def trained(done: int, losses: dict[str, float]) -> None:
        progress("training the model", done, config.tuning.steps)

    net = personal2d.tune(
        sam.decoder, photos, config.tuning, judge, folder / "training", devices=devices, on_step=trained
    )
    card = anchors.card_of(
        model2d.KIND, config.tuning, model2d.prior_digest(sam), data_digest,
        f"selfsame fit {album.record.name}{devices.flags}", sam.inversion.card.licence,
    )  # fmt: skip
    made = PersonalModel2D(net.eval().requires_grad_(False), photos.w_plus, photos.camera, card)
    if devices.first:
        made = model2d.save(folder, made, names)
    held = moved(take(album, test.tolist(), sam), devices.device)
    if not len(held):
        return moved(Fitted2D(made, photos, *(held.images,) * 3), CPU)
    by_prior, by_model = (model2d.draw(net, held.w_plus) for net in (sam.decoder, made.net))
    rows = [
        (name, measure.score(pictures, held.images, judge))
        for name, pictures in (("un-personalized prior", by_prior), ("personal model", by_model))
    ]
    return moved(Fitted2D(made, photos, held.images, by_prior, by_model, tuple(measure.table(rows))), CPU)


def take(album: Album, which: list[int], sam: Sam) -> Photos:
    """Photos of an album at the decoder's size, cut as SAM's encoders know them, with their codes."""
    images = album.images(sam.decoder.config.image_px, sam.alignment, which)
    return Photos(codes(images, sam), images, album.cameras()[which])


@torch.no_grad()
def codes(images: Float[Tensor, "n 3 s s"], sam: Sam) -> Float[Tensor, "n l w"]:
    """The inversion encoder's codes of photos, a few at a time."""
    empty = torch.empty(0, sam.decoder.num_ws, sam.decoder.config.w_dim)
    parts = [part.to(sam.w_mean.device) for part in images.split(model2d.AT_ONCE) if len(part)]
    return torch.cat([empty, *(sam.invert(part).cpu() for part in parts)])
