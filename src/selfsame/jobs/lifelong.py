"""Lifelong: a session's new photos go into a model, old looks are replayed from a buffer, and every state is kept.

What is the same for all kinds of model is here; a `Learner` is what each kind adds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image
from selfsame.core.camera import Camera, cat
from selfsame.core.errors import BadInput
from selfsame.core.results import Measured
from selfsame.faces.album import FEW, Album, lot
from selfsame.faces.align import Alignment
from selfsame.faces.records import PhotoRecord
from selfsame.jobs import history, measure, plans
from selfsame.jobs.fit import MIRRORED
from selfsame.jobs.history import History
from selfsame.jobs.progress import Progress, silent
from selfsame.replay import buffer, select
from selfsame.replay.buffer import Candidate
from selfsame.tasks import anchors
from selfsame.tasks.personal import Judge, Photos
from selfsame.train import loop

BUFFER_FOLDER, NEW_FOLDER, TRAINING_FOLDER = "buffer", "new", "training"
MEASURED = 6  # held-back photos of new looks, and as many of old ones, that are shown before and after


@dataclass(frozen=True)
class BufferConfig:
    """The buffer's rule, photos, bytes (0: unbounded), and how photos lie in it: PNG (0), or WebP of a quality."""

    select: str = "hull"
    photos: int = 3
    limit_bytes: int = 0
    quality: int = 0


@dataclass(frozen=True)
class UpdateSettings:
    """What an update belongs to: the settings of the model's kind, and the buffer's."""

    learner: Any
    buffer: BufferConfig


@dataclass(frozen=True, eq=False)
class Looks:
    """Held-back photos beside what the models before and after make of them, by label, and both models' figures."""

    rows: Mapping[str, Float[Tensor, "n 3 s s"]]
    measured: tuple[Measured, ...]


@dataclass(frozen=True, eq=False)
class Session:
    """An update at work: the album, the folders of the state before and of the one that is made, the new photos (of
    the album's kept ones) and their ids, and the digest of these.
    """

    album: Album
    parent: Path
    where: Path
    new: list[int]
    ids: list[str]
    data_digest: str

    @property
    def command(self) -> str:
        """What a person types to make the state."""
        return f"selfsame update {self.album.record.name}"


@runtime_checkable
class Learner(Protocol):
    """One kind of personal model with its networks and settings, as an update teaches it."""

    @property
    def config(self) -> Any:
        """The settings of a fit."""

    @property
    def digest(self) -> str:
        """Of the networks that the model stands on."""

    @property
    def alignment(self) -> Alignment:
        """How its photos are cut."""

    @property
    def held_back(self) -> float:
        """The share of photos to measure with."""

    @property
    def shown(self) -> str:
        """What `look` shows, in words."""

    def usable(self, photo: PhotoRecord) -> bool:
        """Whether the model can learn from a photo of the album that is kept."""

    def take(self, session: Session, progress: Progress) -> Photos:
        """The new photos with their codes, found at the first call; mirrored copies, if any, come after all others."""

    def learn(self, session: Session, new: Photos, old: list[Candidate], progress: Progress) -> None:
        """Train on from the state before, and write the state after."""

    def look(self, session: Session, which: list[int], held: list[int], name: str, progress: Progress) -> Looks | None:
        """What the models before and after make of some of the `held` back photos; None where that is nothing."""


def compared(
    session: Session, truth: Float[Tensor, "n 3 s s"], draw: Callable[[Path, str], Tensor], judge: Judge, name: str
) -> Looks:
    """Photos beside what `draw` makes of them with the model in a folder, called "before" or "after"."""
    rows, measured = {"photo": truth}, []
    for label, folder in (("before", session.parent), ("after", session.where)):
        rows[f"the model {label}"] = made = draw(folder, label)
        measured += measure.score(made, truth, judge).measured(f"{name}, {label}")
    return Looks(rows, tuple(measured))


@dataclass(frozen=True, eq=False)
class Updated:
    """The folder of the state after an update, the history, what was trained on, and old and new looks.

    `shown` says in words how the latter were made, `digest` what the model stands on.
    """

    folder: Path
    history: History
    new: int
    replayed: int
    buffer: list[Candidate]
    looks: dict[str, Looks]
    shown: str
    digest: str

    @property
    def measured(self) -> tuple[Measured, ...]:
        """All figures."""
        return tuple(m for found in self.looks.values() for m in found.measured)


def update(
    album: Album,
    folder: Path,
    photos: Sequence[PhotoRecord],
    learner: Learner,
    config: BufferConfig,
    progress: Progress = silent,
) -> Updated:
    """Train the current model in `folder` on new photos of its album and on its buffer, and renew the buffer.

    The new state lies in a folder of its own; the same call again resumes a killed one. Raises BadInput where no photo
    is usable or all are learned already, and where a file of the buffer is lost or altered.
    """
    past = history.read(folder)
    parent = folder / past.now.folder
    learned = anchors.ids_of(parent)
    ids = _usable(photos, learner)
    train, test = _sides(album, ids, learner.held_back)
    train = [i for i in train if album.kept[i].id not in learned]
    if not train:
        raise BadInput("The model has learned these photos already.", "Give new ones; see `selfsame history`.")
    names = [album.kept[i].id for i in train]
    data_digest = plans.digest(names)
    where = folder / history.STATES_FOLDER / f"{len(past.states):03d}-{data_digest[:8]}"
    plans.claim(where, learner.digest, data_digest, UpdateSettings(learner.config, config))
    session = Session(album, parent, where, train, names, data_digest)

    new = learner.take(session, progress)
    pool = held(album, folder, past, config, learner.alignment, learner.digest)
    learner.learn(session, new, pool, progress)
    arrived = sum(not name.endswith(MIRRORED) for name in learned)
    count = len(train)  # mirrored copies after them do not count
    fresh = arrivals(album, train, new.w_plus[:count], new.camera[:count], learner.alignment, config.quality)
    kept = renew(pool, fresh, arrived, config)
    buffer.write(
        where / BUFFER_FOLDER, kept, method=config.select, photos=config.photos, limit_bytes=config.limit_bytes,
        made_on=learner.digest,
    )  # fmt: skip
    seen = {*names, *learned}
    unseen = [i for i, photo in enumerate(album.kept) if photo.id not in seen and learner.usable(photo)]
    looks = {
        name: found
        for name, which in (("new looks", test), ("old looks", [i for i in unseen if album.kept[i].id not in ids]))
        if (found := learner.look(session, which[-MEASURED:], unseen, name, progress))
    }
    made = Updated(where, past, len(train), len(pool), kept, looks, learner.shown, learner.digest)
    after = history.added(past, str(where.relative_to(folder)), tuple(names), tuple(c.id for c in kept), made.measured)
    history.write(folder, after)
    (where / TRAINING_FOLDER / loop.CHECKPOINT_FILE).unlink(missing_ok=True)  # thrice the weights, and needed no more
    return replace(made, history=after)


def held(
    album: Album,
    folder: Path,
    past: History,
    config: BufferConfig,
    alignment: Alignment = "eg3d",
    made_on: str | None = None,
) -> list[Candidate]:
    """What the current state holds to replay; a fit has no buffer yet, so one is chosen from its photos, session by
    session as they came.
    """
    state = folder / past.now.folder
    if (state / BUFFER_FOLDER).is_dir():
        return buffer.read(state / BUFFER_FOLDER, made_on)
    places = {photo.id: i for i, photo in enumerate(album.kept)}
    known = [(n, places[name]) for n, name in enumerate(anchors.ids_of(state)) if name in places]
    w_plus, camera = anchors.read(state)
    kept: list[Candidate] = []
    arrived = 0
    for number in sorted({album.kept[i].session for _, i in known}):
        of = [(n, i) for n, i in known if album.kept[i].session == number]
        found, where = [n for n, _ in of], [i for _, i in of]
        fresh = arrivals(album, where, w_plus[found], camera[found], alignment, config.quality)
        kept = renew(kept, fresh, arrived, config)
        arrived += len(fresh)
    return kept


@dataclass(frozen=True)
class Stored:
    """What a state takes on disk: its buffer, and everything in its folder."""

    buffer: int
    total: int


def stored(folder: Path, found: History) -> list[Stored]:
    """The bytes of each state of the model in a folder; the later states' are not counted to the fit."""
    sizes = []
    for state in found.states:
        files = [f for f in (folder / state.folder).rglob("*") if f.is_file()]
        if state.parent is None:
            files = [f for f in files if history.STATES_FOLDER not in f.relative_to(folder).parts]
        inside = [f for f in files if BUFFER_FOLDER in f.relative_to(folder / state.folder).parts]
        sizes.append(Stored(*(sum(f.stat().st_size for f in part) for part in (inside, files))))
    return sizes


def renew(pool: list[Candidate], fresh: list[Candidate], arrived: int, config: BufferConfig) -> list[Candidate]:
    """The buffer after a session: what the rule keeps of it and of the buffer before [section 5.5]."""
    both = [*pool, *fresh]
    size = config.photos
    if config.limit_bytes:
        size = min(size, buffer.room(both, config.limit_bytes))
    items = select.Pool(
        torch.stack([c.code.flatten() for c in both]), torch.tensor([c.session for c in both]),
        torch.tensor([c.spread for c in both]), arrived,
    )  # fmt: skip
    return [both[i] for i in select.keep(items, size, config.select, arrived).tolist()]


def arrivals(
    album: Album, which: Sequence[int], w_plus: Tensor, camera: Camera, alignment: Alignment, quality: int
) -> list[Candidate]:
    """A session's photos, in the album's full size, with codes (N, L, w) and cameras, as a buffer could hold them."""
    photos = [album.kept[i] for i in which]
    pictures = album.images(None, alignment, which).split(1)
    facts = zip(photos, select.spread(w_plus.flatten(1)).tolist(), pictures, strict=True)
    return [
        Candidate(p.id, p.session, p.age_years, spread, buffer.encode(picture, quality), w_plus[n], camera[n])
        for n, (p, spread, picture) in enumerate(facts)
    ]


def replay(pool: list[Candidate], size_px: int) -> Photos | None:
    """A buffer's photos as training takes them."""
    if not pool:
        return None
    return Photos(
        torch.stack([c.code for c in pool]), image.resize(torch.cat([c.picture for c in pool]), size_px),
        cat([c.camera for c in pool]),
    )  # fmt: skip


def _usable(photos: Sequence[PhotoRecord], learner: Learner) -> set[str]:
    kept = [photo for photo in photos if photo.why_left_out is None]
    if not kept:
        raise BadInput("None of these photos is usable.", "`selfsame album show` tells why they were left out.")
    ids = {photo.id for photo in kept if learner.usable(photo)}
    if not ids:
        raise BadInput("The age on these photos is not known.", "Give it with --age YEARS.")
    return ids


def _sides(album: Album, ids: set[str], held_back: float) -> tuple[list[int], list[int]]:
    """New photos to train on and to measure with.

    All train where the album would measure with every one; where chance leaves a session of FEW photos or more none to
    measure with, the next in line is held back, as in the album.
    """
    train, test = ([i for i in side.tolist() if album.kept[i].id in ids] for side in album.split(held_back))
    if held_back and not test and len(train) >= FEW:
        test = [min(train, key=lambda i: lot(album.kept[i]))]
        train.remove(test[0])
    return (train, test) if train else (test, [])
