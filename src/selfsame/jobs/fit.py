"""Fit: an album and a prior in, a personal model out, with what it is worth."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from selfsame.core.camera import Camera, cat
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.results import Measured
from selfsame.faces.album import Album, mirrored
from selfsame.jobs import measure, parts, plans
from selfsame.jobs.measure import Held, Reconstruction
from selfsame.jobs.progress import Progress, silent
from selfsame.tasks import anchors, invert, model, personal
from selfsame.tasks.invert import InvertConfig
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import Judge, PersonalConfig, Photos
from selfsame.tasks.prior import Prior
from selfsame.train.devices import ALONE, CPU, Devices, moved

FEWEST_PHOTOS = 3
MIRRORED = "-mirrored"  # behind a photo's id, in the list of anchors


@dataclass(frozen=True)
class FitConfig:
    """How a model is fitted: inversion of the photos, training, and the share of photos held back to measure with.

    `mirror` trains on left-right mirrored copies too, each with an anchor of its own: light from the left is light
    from the right in the copy.
    """

    invert: InvertConfig = invert.QUICK
    personal: PersonalConfig = personal.QUICK
    held_back: float = 0.2
    mirror: bool = False


PRESETS = {
    "quick": FitConfig(),
    "paper-v4": FitConfig(invert.PAPER_W, personal.PAPER_V4, mirror=True),
    "paper-v1": FitConfig(invert.PAPER_W, personal.PAPER_V1, mirror=True),
}


def with_steps(config: FitConfig, steps: int | None) -> FitConfig:
    """The configuration with another number of steps of both inversion and training."""
    if steps is None:
        return config
    return replace(config, invert=replace(config.invert, steps=steps), personal=replace(config.personal, steps=steps))


def adjusted(
    config: FitConfig,
    *,
    rank: int | None = None,
    full: bool = False,
    symmetry_every: int | None = None,
    batch: int | None = None,
) -> FitConfig:
    """The configuration with another rank (alpha keeps pace), full fine-tuning, another symmetry phase or batch."""
    if full and rank is not None:
        raise WrongUse("Full fine-tuning has no rank.", "Give --full or --rank, not both.")
    made = config.personal
    if rank is not None and made.low_rank:
        made = replace(made, low_rank=replace(made.low_rank, rank=rank, alpha=float(rank)))
    if full:
        made = replace(made, low_rank=None)
    if symmetry_every is not None:
        made = replace(made, symmetry_every=symmetry_every)
    if batch is not None:
        made = replace(made, batch=batch)
    return replace(config, personal=made)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model, the photos it was trained on, the held-back ones as prior and model show them, and what it costs.

    `numbers` is how many numbers the person's weights hold.
    """

    model: PersonalModel
    photos: Photos
    held_back: Held | None
    by_prior: Reconstruction | None
    by_model: Reconstruction | None
    numbers: int
    measured: tuple[Measured, ...] = field(default=())


def fit(
    album: Album,
    prior: Prior,
    judge: Judge,
    folder: Path,
    config: FitConfig,
    progress: Progress = silent,
    *,
    devices: Devices = ALONE,
    half: bool = False,
) -> Fitted:
    """Fit a model on an album's photos into `folder`; the same call again goes on where it was stopped.

    All work is done on `devices`, to which prior and judge are moved; what comes back lies on the CPU. Of several
    processes the first inverts and writes, and all return the same. Training is the same with `half`, which stores the
    model's numbers in 16 bits; a call without it stores them whole. Raises BadInput where the album has too few photos,
    and where the folder holds a model of other photos, another prior or another configuration; WrongUse where the batch
    does not part evenly.
    """
    devices.check_parts(config.personal.batch)
    progress = progress if devices.first else silent
    prior, judge = moved((prior, judge), devices.device)
    train, test = sides(album, config.held_back)
    images, cameras = moved((album.images(prior.net.config.image_px), album.cameras()), devices.device)
    ids = [album.kept[int(i)].id for i in train]
    data_digest = plans.digest(ids)
    claim(folder, prior.digest, data_digest, config, devices)
    photos, ids = anchored(folder, prior, judge, images[train], cameras[train], ids, config, progress, devices)

    def trained(done: int, losses: dict[str, float]) -> None:
        progress("training the model", done, config.personal.steps)

    net = personal.personalize(
        prior.net, photos, config.personal, judge, folder / "training", devices=devices, on_step=trained
    )
    command = f"selfsame fit {album.record.name}{devices.flags}"
    card = model.model_card(config.personal, prior, data_digest, command)
    made = PersonalModel(net.eval().requires_grad_(False), photos.w_plus, photos.camera, card)
    if devices.first:
        made = model.save(folder, made, config.personal, ids, half=half)
    numbers = sum(t.numel() for t in personal.trained_tensors(made.net, config.personal).values())
    if not len(test):
        return moved(Fitted(made, photos, None, None, None, numbers), CPU)
    held = Held(images[test], cameras[test])
    by_prior, by_model = held_back(prior, made, held, judge, config.invert, progress)
    rows = [
        ("un-personalized prior", measure.score(by_prior.image, held.images, judge)),
        ("personal model", measure.score(by_model.image, held.images, judge)),
    ]
    return moved(Fitted(made, photos, held, by_prior, by_model, numbers, tuple(measure.table(rows))), CPU)


def claim(folder: Path, prior_digest: str, data_digest: str, config: object, devices: Devices) -> None:
    """Take a folder for a fit as `plans.claim` does; of several processes the first writes and all compare."""
    if devices.first:
        plans.claim(folder, prior_digest, data_digest, config)
    devices.wait()
    plans.claim(folder, prior_digest, data_digest, config)


def held_back(
    prior: Prior, made: PersonalModel, held: Held, judge: Judge, config: InvertConfig, progress: Progress = silent
) -> tuple[Reconstruction, Reconstruction]:
    """Photos that were not trained on, inverted in the prior and in the model, with the same settings."""

    by_prior = measure.reconstruct(
        prior.net, held.images, held.camera, parts.first_codes(prior.digest, held.images, config, prior.middle), config,
        w_std=prior.w_std, judge=judge, on_step=partial(progress, "held-back photos, prior"),
    )  # fmt: skip
    by_model = measure.found_again(
        made, prior, held, config, judge=judge, on_step=partial(progress, "held-back photos, model")
    )
    return by_prior, by_model


def sides(album: Album, held_back: float) -> tuple[Tensor, Tensor]:
    """Photos to train on and photos to measure with; all train where too few would be left."""
    kept = len(album.kept)
    if kept < FEWEST_PHOTOS:
        raise BadInput(
            f"{album.record.name} has {kept} usable photos; a model needs at least {FEWEST_PHOTOS}, better 10 to 50.",
            "Add some with `selfsame album add`.",
        )
    train, test = album.split(held_back)
    return (train, test) if len(train) >= FEWEST_PHOTOS else (torch.arange(kept), torch.empty(0, dtype=torch.long))


def anchored(
    folder: Path,
    prior: Prior,
    judge: Judge,
    images: Tensor,
    camera: Camera,
    ids: list[str],
    config: FitConfig,
    progress: Progress = silent,
    devices: Devices = ALONE,
) -> tuple[Photos, list[str]]:
    """Training photos with their anchors, mirrored copies after all others where the configuration asks for them."""
    if config.mirror:
        flipped, mirrors = mirrored(images, camera)
        images, camera = torch.cat([images, flipped]), cat([camera, mirrors])
        ids = ids + [f"{photo}{MIRRORED}" for photo in ids]
    w_plus, found = find_anchors(folder, prior, judge, images, camera, ids, config.invert, progress, devices)
    return Photos(w_plus, images, found), ids


def find_anchors(
    folder: Path,
    prior: Prior,
    judge: Judge,
    images: Tensor,
    camera: Camera,
    ids: Sequence[str],
    config: InvertConfig,
    progress: Progress = silent,
    devices: Devices = ALONE,
) -> tuple[Tensor, Camera]:
    """The codes and cameras of the training photos, read back where an earlier call has found them.

    Of several processes the first finds them and the others wait.
    """
    if devices.first and not (folder / anchors.ANCHORS_FILE).exists():
        found = invert.invert_all(
            prior.net, images, camera, parts.first_codes(prior.digest, images, config, prior.middle), config,
            w_std=prior.w_std, features=judge.features, on_step=partial(progress, "inverting the photos"),
        )  # fmt: skip
        anchors.write(folder, found.w_plus, found.camera, ids)
    devices.wait()
    return moved(anchors.read(folder), images.device)  # as a resumed call gets them, to the layout in memory
