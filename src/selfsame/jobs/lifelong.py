"""Lifelong: a session's new photos go into a model, old looks are replayed from a buffer, and every state is kept."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from selfsame.core import image
from selfsame.core.camera import Camera, cat
from selfsame.core.config import from_json
from selfsame.core.errors import BadInput
from selfsame.core.results import Measured
from selfsame.faces.album import Album
from selfsame.faces.records import PhotoRecord
from selfsame.jobs import fit, history, measure, plans
from selfsame.jobs.fit import FitConfig
from selfsame.jobs.history import History
from selfsame.jobs.measure import Held
from selfsame.jobs.progress import Progress, silent
from selfsame.replay import buffer, select
from selfsame.replay.buffer import Candidate
from selfsame.tasks import model, personal
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import Judge, Photos
from selfsame.tasks.prior import Prior

BUFFER_FOLDER, NEW_FOLDER = "buffer", "new"
MEASURED = 6  # held-back photos of new looks, and as many of old ones, that are found again before and after


@dataclass(frozen=True)
class UpdateConfig:
    """How a model goes on learning: the fit's own settings, and the buffer's rule, photos and bytes (0: unbounded)."""

    fit: FitConfig
    select: str = "hull"
    photos: int = 3
    limit_bytes: int = 0


@dataclass(frozen=True, eq=False)
class Looks:
    """Held-back photos, and how the model before and the model after show them."""

    held: Held
    before: Tensor
    after: Tensor


@dataclass(frozen=True, eq=False)
class Updated:
    """The model after an update, its folder and history, what it trained on, and old and new looks before and after."""

    model: PersonalModel
    folder: Path
    history: History
    new: int
    replayed: int
    buffer: list[Candidate]
    looks: dict[str, Looks]
    measured: tuple[Measured, ...] = field(default=())


def settings(folder: Path) -> FitConfig:
    """The settings that the model in a folder was fitted with."""
    plan = plans.read(folder)
    return from_json(FitConfig, json.dumps(plan.config), f"The configuration in {folder / plans.PLAN_FILE}")


def update(
    album: Album,
    folder: Path,
    photos: Sequence[PhotoRecord],
    prior: Prior,
    judge: Judge,
    config: UpdateConfig,
    progress: Progress = silent,
) -> Updated:
    """Train the current model in `folder` on new photos of its album and on its buffer, and renew the buffer.

    The new state lies in a folder of its own; the same call again resumes a killed one. Raises BadInput where no photo
    is usable or all are learned already, and where a file of the buffer is lost or altered.
    """
    past = history.read(folder)
    parent = folder / past.now.folder
    ids = {photo.id for photo in photos if photo.why_left_out is None}
    if not ids:
        raise BadInput("None of these photos is usable.", "`selfsame album show` tells why they were left out.")
    train, test = _sides(album, ids, config.fit.held_back)
    learned = model.anchor_ids(parent)
    train = [i for i in train if album.kept[i].id not in learned]
    if not train:
        raise BadInput("The model has learned these photos already.", "Give new ones; see `selfsame history`.")
    names = [album.kept[i].id for i in train]
    data_digest = plans.digest(names)
    where = folder / history.STATES_FOLDER / f"{len(past.states):03d}-{data_digest[:8]}"
    plans.claim(where, prior.digest, data_digest, config)

    before = model.load(parent, prior)
    new = _photos(album, train, where / NEW_FOLDER, prior, judge, config.fit, progress)
    pool = held(album, folder, past, config)
    old = replay(pool, prior.net.config.image_px)
    personal_config = config.fit.personal

    def trained(done: int, losses: dict[str, float]) -> None:
        progress("learning the new photos", done, personal_config.steps)

    net = personal.personalize(
        prior.net, new, personal_config, judge, where / "training",
        start=personal.trained_tensors(before.net, personal_config), replay=old, on_step=trained,
    )  # fmt: skip
    card = model.model_card(personal_config, prior, data_digest, f"selfsame update {album.record.name}")
    made = PersonalModel(
        net.eval().requires_grad_(False),
        torch.cat([before.anchors, new.w_plus]), cat([before.camera, new.camera]), card,
    )  # fmt: skip
    made = model.save(where, made, personal_config, [*learned, *names])
    kept = renew(pool, arrivals(album, train, new.w_plus, new.camera), len(learned), config)
    buffer.write(
        where / BUFFER_FOLDER, kept, method=config.select, photos=config.photos, limit_bytes=config.limit_bytes
    )
    earlier = [
        i for i in album.split(config.fit.held_back)[1].tolist() if i not in test and album.kept[i].id not in ids
    ]
    looks = {
        name: found
        for name, which in (("new looks", test), ("old looks", earlier))
        if (found := look(album, which[-MEASURED:], before, made, prior, judge, config.fit, name, progress))
    }
    measured = tuple(measure.table([row for name, found in looks.items() for row in rows(name, found, judge)]))
    after = history.added(past, str(where.relative_to(folder)), tuple(names), tuple(c.id for c in kept), measured)
    history.write(folder, after)
    return Updated(made, where, after, len(train), len(pool), kept, looks, measured)


def held(album: Album, folder: Path, past: History, config: UpdateConfig) -> list[Candidate]:
    """What the current state holds to replay; a fit has no buffer yet, so one is chosen from its photos, session by
    session as they came.
    """
    state = folder / past.now.folder
    if (state / BUFFER_FOLDER).is_dir():
        return _candidates(buffer.read(state / BUFFER_FOLDER))
    places = {photo.id: i for i, photo in enumerate(album.kept)}
    known = [(n, places[name]) for n, name in enumerate(model.anchor_ids(state)) if name in places]
    w_plus, camera = model.read_anchors(state)
    kept: list[Candidate] = []
    arrived = 0
    for session in sorted({album.kept[i].session for _, i in known}):
        of = [(n, i) for n, i in known if album.kept[i].session == session]
        anchors, where = [n for n, _ in of], [i for _, i in of]
        fresh = arrivals(album, where, w_plus[anchors], camera[anchors])
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


def renew(pool: list[Candidate], fresh: list[Candidate], arrived: int, config: UpdateConfig) -> list[Candidate]:
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


def arrivals(album: Album, which: Sequence[int], w_plus: Tensor, camera: Camera) -> list[Candidate]:
    """A session's photos, in the album's full size, with codes (N, L, w) and cameras, as a buffer could hold them."""
    photos = [album.kept[i] for i in which]
    facts = zip(photos, select.spread(w_plus.flatten(1)).tolist(), album.images(which=which).split(1), strict=True)
    return [
        Candidate(photo.id, photo.session, photo.age_years, spread, picture, w_plus[n], camera[n])
        for n, (photo, spread, picture) in enumerate(facts)
    ]


def replay(pool: list[Candidate], size_px: int) -> Photos | None:
    """A buffer's photos as training takes them."""
    if not pool:
        return None
    return Photos(
        torch.stack([c.code for c in pool]), image.resize(torch.cat([c.picture for c in pool]), size_px),
        cat([c.camera for c in pool]),
    )  # fmt: skip


def look(
    album: Album, which: Sequence[int], before: PersonalModel, after: PersonalModel, prior: Prior, judge: Judge,
    config: FitConfig, name: str, progress: Progress,
) -> Looks | None:  # fmt: skip
    """Held-back photos found again in the model before and in the model after; None where there are none."""
    if not which:
        return None
    held = Held(album.images(prior.net.config.image_px, which=which), album.cameras()[list(which)])
    found = [
        measure.found_again(
            one, held, config.invert, w_std=prior.w_std, judge=judge,
            on_step=lambda done, label=label: progress(f"{name}, {label}", done, config.invert.steps),  # type: ignore[misc]
        ).image
        for label, one in (("before", before), ("after", after))
    ]  # fmt: skip
    return Looks(held, *found)


def rows(name: str, looks: Looks, judge: Judge) -> list[tuple[str, measure.Scores]]:
    """The scores of both models."""
    return [
        (f"{name}, {label}", measure.score(made, looks.held.images, judge))
        for label, made in (("before", looks.before), ("after", looks.after))
    ]


def _sides(album: Album, ids: set[str], held_back: float) -> tuple[list[int], list[int]]:
    """New photos to train on and to measure with; all train where the album would measure with every one."""
    sides = [[i for i in side.tolist() if album.kept[i].id in ids] for side in album.split(held_back)]
    return (sides[0], sides[1]) if sides[0] else (sides[1], [])


def _photos(
    album: Album, which: list[int], folder: Path, prior: Prior, judge: Judge, config: FitConfig, progress: Progress
) -> Photos:
    images, cameras = album.images(prior.net.config.image_px, which=which), album.cameras()[which]
    ids = [album.kept[i].id for i in which]
    w_plus, camera = fit.find_anchors(folder, prior, judge, images, cameras, ids, config.invert, progress)
    return Photos(w_plus, images, camera)


def _candidates(found: buffer.Buffer) -> list[Candidate]:
    return [
        Candidate(k.id, k.session, k.age_years, k.spread, found.images[i : i + 1], found.w_plus[i], found.camera[i])
        for i, k in enumerate(found.record.kept)
    ]
