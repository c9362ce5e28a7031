"""`selfsame age fit`: an album with ages and a SAM in, one person's time machine out, with what it is worth."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from selfsame.core.errors import BadInput
from selfsame.core.results import Measured
from selfsame.core.weights import Card
from selfsame.faces.album import Album
from selfsame.faces.records import PhotoRecord
from selfsame.jobs import fit2d, plans
from selfsame.jobs.progress import Progress, silent
from selfsame.metrics import stats
from selfsame.replay.buffer import Candidate
from selfsame.tasks import anchors, personal_aging, time_machine
from selfsame.tasks.aging import Years
from selfsame.tasks.personal import Judge
from selfsame.tasks.personal_aging import AgedPhotos, PersonalAgingConfig
from selfsame.tasks.reage import Sam
from selfsame.tasks.time_machine import Personal, TimeMachine
from selfsame.train.devices import ALONE, Devices

FEWEST_PHOTOS, FEWEST_AGES = 3, 2
NEAR_YEARS = 3  # who is on a photo at an age is told by photos so near to it [MyTM, equation 8]
LOSS_PX = 256  # no published network of losses or encoders looks at larger pictures


@dataclass(frozen=True, eq=False)
class Fitted:
    """The machine, the photos it was trained on, those held back, and how both priors do on the latter."""

    machine: TimeMachine
    photos: AgedPhotos
    held_back: AgedPhotos
    without_age: int
    measured: tuple[Measured, ...] = field(default=())


def fit(
    album: Album,
    sam: Sam,
    judge: Judge,
    years: Years,
    folder: Path,
    config: PersonalAgingConfig,
    *,
    held_back: float = 0.2,
    devices: Devices = ALONE,
    progress: Progress = silent,
) -> Fitted:
    """Train a person's adapter into `folder`; the same call again goes on where it was stopped.

    Raises BadInput where too few photos have an age or all have the same, and where the folder holds a model of other
    photos, another SAM or another configuration.
    """
    train, test = _sides(album, held_back)
    pictures, ages = images(album, sam).to(sam.w_mean.device), whole_years(album.kept)
    photos, kept_back = (AgedPhotos(pictures[side], ages[side]) for side in (train, test))
    ids = [f"{album.kept[i].id} {age}" for i, age in zip(train, photos.years.tolist(), strict=True)]
    data_digest = plans.digest(ids)
    plans.claim(folder, sam.card.digest, data_digest, config)
    adapter = personal_aging.train_adapter(
        sam, personal_aging.begin(config), photos, judge, years, config, folder / "training",
        devices=devices, on_step=lambda done, _: progress("training the adapter", done, config.steps),
    )  # fmt: skip
    anchors.write(folder, fit2d.codes(photos.images, sam), album.cameras()[train], [album.kept[i].id for i in train])
    command = f"selfsame age fit {album.record.name}"
    personal = time_machine.save(folder, Personal(adapter, photos.span, card(sam, config, data_digest, command)))
    machine = TimeMachine(sam, personal)
    measured = measure(machine, kept_back, judge, years)
    return Fitted(machine, photos, kept_back, len(album.kept) - len(train) - len(test), measured)


def card(sam: Sam, config: PersonalAgingConfig, data_digest: str, command: str) -> Card:
    """The card of an adapter: it names its SAM and its photos by digest."""
    return Card(
        kind=time_machine.KIND, config={}, seed=config.seed, prior_digest=sam.card.digest, data_digest=data_digest,
        licence=anchors.licence_on(sam.card.licence), command=command,
    )  # fmt: skip


def measure(machine: TimeMachine, photos: AgedPhotos, judge: Judge, years: Years) -> tuple[Measured, ...]:
    """Held-back photos, each taken to the age of the held-back photo that is farthest from its own in years.

    By SAM and by the personal machine; the figures are those of `taken`.
    """
    if len(photos.years.unique()) < FEWEST_AGES:
        return ()
    target = photos.years[(photos.years - photos.years[:, None]).abs().argmax(1)]
    own = torch.arange(len(target))
    rows: list[Measured] = []
    for name, one in (("global prior", TimeMachine(machine.sam)), ("personal model", machine)):
        rows += taken(one, photos, target, photos, own, judge, years, name)[1]
    return tuple(rows)


def taken(
    machine: TimeMachine,
    photos: AgedPhotos,
    target: Int[Tensor, "n"],
    known: AgedPhotos,
    own: Int[Tensor, "n"],
    judge: Judge,
    years: Years,
    label: str,
) -> tuple[Float[Tensor, "n 3 s s"], list[Measured]]:
    """Photos taken to target ages, as pictures and as figures.

    Told are the likeness to those of the `known` photos that are within three years of the target age, the photo itself
    (`own` of the known ones, -1: none) left out [MyTM, equation 8], and the true mean absolute error of the judged age.
    """
    near = (known.years - target[:, None]).abs() <= NEAR_YEARS
    near &= torch.arange(len(known.years)) != own[:, None]
    made = machine.decode(machine.encode(photos.images, target.to(photos.images)))
    with torch.no_grad():
        likeness = (judge.embed(made) @ judge.embed(known.images).T).cpu().masked_fill(~near, -1).amax(1)
        error = (years(made).cpu() - target).abs()
    return made, [
        stats.measure(f"{label}: identity at the other age", likeness.tolist(), better="high"),
        stats.measure(f"{label}: error of judged age (years)", error.tolist(), better="low"),
    ]


def whole_years(photos: Iterable[PhotoRecord | Candidate]) -> Int[Tensor, "n"]:
    """The age on each photo in whole years, -1 where it is not known."""
    return torch.tensor([-1 if p.age_years is None else round(p.age_years) for p in photos], dtype=torch.long)


def size_px(sam: Sam) -> int:
    """How large photos are for SAM and the losses."""
    return min(sam.decoder.config.image_px, LOSS_PX)


def images(album: Album, sam: Sam, which: Iterable[int] | None = None) -> Float[Tensor, "n 3 s s"]:
    """The kept photos or some of them, cut and sized as SAM and the losses look at them."""
    return album.images(size_px(sam), sam.alignment, which)


def _sides(album: Album, held_back: float) -> tuple[list[int], list[int]]:
    """Which photos with an age train and which measure; all train where too few would be left."""
    ages = whole_years(album.kept)
    aged = torch.nonzero(ages >= 0).flatten().tolist()
    mend = "Give the birth date when the album is made, or the age with `selfsame album add NAME PHOTOS --age YEARS`."
    if len(aged) < FEWEST_PHOTOS:
        raise BadInput(
            f"{album.record.name} has {len(aged)} usable photos of known age; re-aging needs at least {FEWEST_PHOTOS}, "
            "better 50.", mend,
        )  # fmt: skip
    if len(ages[aged].unique()) < FEWEST_AGES:
        raise BadInput(f"All photos of {album.record.name} show one age.", "Add photos from other years.")
    test = [i for i in album.split(held_back)[1].tolist() if i in aged]
    train = [i for i in aged if i not in test]
    if len(train) < FEWEST_PHOTOS or len(ages[train].unique()) < FEWEST_AGES:
        return aged, []
    return train, test
