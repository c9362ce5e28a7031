"""The cells of the evaluation of memory: one person, one system, one way to keep old photos, all sessions in a row."""

import io
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import Tensor

from selfsame.core import image, rng
from selfsame.core.config import write_atomic
from selfsame.core.memory import keep_freed_memory
from selfsame.jobs import continual_people as people
from selfsame.jobs import continual_systems as systems
from selfsame.jobs import parts
from selfsame.jobs.continual_people import FIRST, PX, Album
from selfsame.jobs.continual_systems import State, System, SystemName
from selfsame.jobs.progress import Progress, silent
from selfsame.jobs.spread import spread
from selfsame.losses import image as losses
from selfsame.metrics import fid, portrait
from selfsame.metrics.fid import Moments
from selfsame.metrics.stats import Better
from selfsame.nets.iresnet import enlarged
from selfsame.nets.judges import Judge, Seen
from selfsame.replay import buffer, select
from selfsame.replay.select import Pool
from selfsame.tasks import hull
from selfsame.tasks.personal import Photos

TESTED = 8  # of a session's test photos are shown again; likeness and FID of new pictures look at all of them
SAMPLES = 8
WEBP_QUALITY = 90  # of "webp": random photos, as many as take the bytes of the cell's size without loss
RECALLED = 40  # codes of old photos whose pictures the model before draws for one session
METRICS: Mapping[str, Better] = {
    "reconstruction: perceptual distance": "low", "reconstruction: identity": "high",
    "reconstruction: PSNR (dB)": "high", "synthesis: FID": "low", "synthesis: identity": "high",
}  # fmt: skip
Row = list[dict[str, float]]  # by session, the scores of one model


@dataclass(frozen=True)
class Cell:
    """What is kept (`method` of `replay.select`, "recall" or "webp"), how many photos, and the seed of the choice."""

    system: SystemName
    method: str
    size: int
    seed: int

    @property
    def name(self) -> str:
        """Of the cell's file."""
        return f"{self.system}_{self.method}_{self.size}_{self.seed}"


@dataclass(frozen=True)
class Score:
    """A cell of one person: `rows[t][k]` scores the model after session t on session k; what the last buffer held.

    The upper bound, trained once on everything, has one row. `stored_bytes` is what the memory takes beside the model.
    """

    person: int
    cell: Cell
    rows: list[Row]
    buffer: list[int]
    stored_bytes: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Truth:
    """A session's test photos as every model is compared with them: those shown again, at the size of the system's
    pictures, with what the judge sees in them, and the identities (N, d) of all with the moments of their features.
    """

    images: Float[Tensor, "k 3 p p"]
    seen: Seen
    known: Float[Tensor, "n d"]
    moments: Moments


@dataclass(frozen=True, eq=False)
class Sitter:
    """One person as a system sees them: photos, anchors of all of them, and the truth about each session."""

    album: Album
    w_plus: Float[Tensor, "n l w"]
    truths: list[Truth]

    def photos(self, which: Int[Tensor, "k"]) -> Photos:
        """Some of the person's photos."""
        return Photos(self.w_plus[which], self.album.images[which], self.album.camera[which])


SEEDS = 5
FEWER = 2  # seeds of a person in 3D beyond the published buffer of 3: all people together make 16


def stages(more_seeds: bool = False) -> list[list[Cell]]:
    """Every cell of a person, the bounds and the published buffers first: a run cut short still compares everybody.

    With `more_seeds` the 2D buffers of 5 and 10 have five seeds as that of 3, and "webp" two.
    """
    both: tuple[SystemName, ...] = ("2d", "3d")
    bounds = [Cell(system, method, 0, 0) for system in both for method in ("none", "all")]
    more = [Cell("2d", method, size, s) for size in (5, 10) for method in ("random", "hull") for s in range(2, SEEDS)]
    more += [Cell(system, "webp", 3, 1) for system in both]
    rest = ("kmeans", "gdumb", "reservoir", "herding", "volume", "recall")
    return [
        bounds + [Cell(system, method, 3, seed) for system in both for method in ("random", "hull") for seed in (0, 1)],
        [Cell("2d", method, size, seed) for size in (5, 10) for method in ("random", "hull") for seed in (0, 1)]
        + [Cell("2d", method, 3, 0) for method in rest]
        + [Cell("3d", "recall", 3, 0)],
        [Cell(system, method, 3, s) for system in both for method in ("random", "hull") for s in range(2, SEEDS)],
        [Cell("3d", method, size, s) for size in (5, 10) for method in ("random", "hull") for s in range(FEWER)],
        [Cell(system, "webp", 3, 0) for system in both],
        *([more] if more_seeds else []),
    ]


def run(
    folder: Path, count: int, jobs: int, *,
    more_seeds: bool = False, cluster: str | None = None, progress: Progress = silent,
) -> None:  # fmt: skip
    """Score all cells of `count` people into `folder`; cells that are there are kept, so a killed run goes on.

    `jobs` processes share the people, or the machines of the Ray cluster at an address (`jobs.spread`).
    """
    items = [(FIRST + i, cells) for cells in stages(more_seeds) for i in range(count)]
    spread(
        partial(run_person, folder.absolute()),
        items,
        jobs,
        cluster=cluster,
        progress=progress,
        what="people and stages",
    )


def run_person(folder: Path, item: tuple[int, list[Cell]]) -> None:
    """Score those cells of one person (a seed) that have no file yet."""
    seed, cells = item
    missing = [cell for cell in cells if not file_of(folder, seed, cell).exists()]
    if not missing:
        return
    keep_freed_memory()
    judge = parts.load_judge()
    assert isinstance(judge, Judge)
    album = people.album(seed, folder / str(seed))
    for name in dict.fromkeys(cell.system for cell in missing):
        system = systems.load(name, judge)
        sitter = Sitter(album, system.anchors(album), truths(album, system.px, judge))
        first = begin(system, sitter, judge, folder / str(seed) / name)
        for cell in missing:
            if cell.system == name:
                score = learn(cell, seed, system, sitter, first, judge)
                write_atomic(file_of(folder, seed, cell), json.dumps(asdict(score)))


@torch.no_grad()
def truths(album: Album, px: int, judge: Judge) -> list[Truth]:
    """The truth about each session, worked out once for all models."""
    made = []
    for session in range(people.SESSIONS):
        photos = album.images[people.test_photos(session)]
        again, known = image.resize(photos[:TESTED], px), judge.embed(photos)
        made.append(Truth(again, judge(again), known, _moments(known)))
    return made


def begin(system: System, sitter: Sitter, judge: Judge, folder: Path) -> tuple[State, Row]:
    """The model after the first session, which all methods share [section 5.3], and its scores; kept in `folder`."""
    weights, scores = folder / "first.safetensors", folder / "first.json"
    if not scores.exists():
        state = system.train(None, sitter.photos(people.train_photos(0)), None, systems.FIRST_STEPS, 0)
        write_atomic(weights, to_safetensors({name: t.contiguous() for name, t in state.items()}))
        write_atomic(scores, json.dumps(row(system, state, sitter, judge, 1)))
    return {name: tensor.clone() for name, tensor in load_file(weights).items()}, json.loads(scores.read_text())


def learn(cell: Cell, person: int, system: System, sitter: Sitter, first: tuple[State, Row], judge: Judge) -> Score:
    """All sessions one after the other, each model scored on every session so far."""
    begun = time.perf_counter()
    if cell.method == "all":
        whole = torch.cat([people.train_photos(t) for t in range(people.SESSIONS)])
        state = system.train(None, sitter.photos(whole), None, systems.FIRST_STEPS + people.SESSIONS - 1, cell.seed)
        rows = [row(system, state, sitter, judge, people.SESSIONS)]
        return Score(person, cell, rows, whole.tolist(), _bytes(sitter, whole, 0), time.perf_counter() - begun)
    state, rows = first[0], [first[1]]
    held = torch.empty(0, dtype=torch.long)
    for session in range(1, people.SESSIONS):
        key = rng.key(person, "choice", cell.method, cell.size, cell.seed, session)
        held = renewed(held, session, cell, sitter, key)
        replay = replayed(held, cell, sitter) if len(held) else None
        if cell.method == "recall":
            remembered = recall(system, state, sitter, session, key)
            replay = remembered if replay is None else replay.and_(remembered)
        new = sitter.photos(people.train_photos(session))
        state = system.train(state, new, replay, 1, rng.key(cell.seed, "session", session))
        rows.append(row(system, state, sitter, judge, session + 1))
    stored = _bytes(sitter, held, quality(cell))
    if cell.method == "recall":
        stored += (people.SESSIONS - 1) * people.TRAIN * sitter.w_plus[0].numel() * 2
    return Score(person, cell, rows, held.tolist(), stored, time.perf_counter() - begun)


def renewed(held: Int[Tensor, "k"], session: int, cell: Cell, sitter: Sitter, key: int) -> Int[Tensor, "m"]:
    """The buffer for a session: what the rule keeps of the session before and of the buffer until then."""
    before = people.train_photos(session - 1)
    items = torch.cat([held, before])
    sessions = people.session_of(items)
    spreads = {int(s): _spread(sitter, int(s)) for s in sessions.unique()}
    places = items % (people.TRAIN + people.TEST)
    spread_of = torch.stack([spreads[int(s)][place] for s, place in zip(sessions, places, strict=True)])
    pool = Pool(sitter.w_plus[items].flatten(1), sessions, spread_of, (session - 1) * people.TRAIN)
    rule = "random" if cell.method in ("recall", "webp") else cell.method
    return items[select.keep(pool, room(cell, sitter), rule, key)]


def quality(cell: Cell) -> int:
    """How the photos of a memory are stored (`buffer.encode`)."""
    return WEBP_QUALITY if cell.method == "webp" else 0


def room(cell: Cell, sitter: Sitter) -> int:
    """How many photos a memory holds: its size, or as many as take the same bytes in another format."""
    if not quality(cell):
        return cell.size
    photos = people.train_photos(0)
    return cell.size * _bytes(sitter, photos, 0) // _bytes(sitter, photos, quality(cell))


def replayed(held: Int[Tensor, "k"], cell: Cell, sitter: Sitter) -> Photos:
    """The kept photos as they come back from the memory."""
    photos = sitter.photos(held)
    if not quality(cell):
        return photos
    stored = [image.load(io.BytesIO(buffer.encode(x, quality(cell)))) for x in photos.images.split(1)]
    return replace(photos, images=torch.cat(stored))


def recall(system: System, state: State, sitter: Sitter, session: int, key: int) -> Photos:
    """Pictures of old photos' codes as the model before draws them [Shin et al. 2017, generative replay]."""
    old = torch.cat([people.train_photos(t) for t in range(session)])
    chosen = old[torch.randperm(len(old), generator=rng.generator(key, "recalled"))[:RECALLED]]
    codes, camera = sitter.w_plus[chosen], sitter.album.camera[chosen]
    drawn = [system.draw(state, codes[i : i + 8], camera[slice(i, i + 8)]) for i in range(0, len(chosen), 8)]
    return Photos(codes, image.resize(torch.cat(drawn), PX), camera)


@torch.no_grad()
def row(system: System, state: State, sitter: Sitter, judge: Judge, sessions: int) -> Row:
    """The scores of one model on the first so many sessions: test photos shown again, and new pictures."""
    return [
        {**shown_again(system, state, sitter, judge, k), **made_new(system, state, sitter, judge, k)}
        for k in range(sessions)
    ]


def shown_again(system: System, state: State, sitter: Sitter, judge: Judge, session: int) -> dict[str, float]:
    """How near a model's pictures at the codes of test photos are to these photos; no code is optimised."""
    which, truth = people.test_photos(session)[:TESTED], sitter.truths[session]
    made = system.draw(state, sitter.w_plus[which], sitter.album.camera[which])
    seen = judge(made)
    values = (
        losses.perceptual(seen.features, truth.seen.features),
        portrait.identity_similarity(seen.embedding, truth.seen.embedding),
        portrait.psnr(made, truth.images),
    )
    names = [name for name in METRICS if name.startswith("reconstruction")]
    return {name: float(value.mean()) for name, value in zip(names, values, strict=True)}


def made_new(system: System, state: State, sitter: Sitter, judge: Judge, session: int) -> dict[str, float]:
    """Pictures from the hull of a session's anchors beside its test photos: FID on few pictures, and the largest
    cosine of identity with any of them [section 5.8].
    """
    anchors, truth = people.train_photos(session), sitter.truths[session]
    codes = hull.sample(sitter.w_plus[anchors], SAMPLES, 2)
    seen = judge.embed(system.draw(state, codes, sitter.album.camera[anchors[:SAMPLES]]))
    likeness = (seen @ truth.known.T).amax(1).mean()
    return {"synthesis: FID": fid.frechet(truth.moments, _moments(seen)), "synthesis: identity": float(likeness)}


def _moments(embeddings: Float[Tensor, "n d"]) -> Moments:
    """Moments of features of about unit size, as in the reports of priors."""
    return fid.moments(enlarged(embeddings).numpy())


def matrix(score: Score, metric: str) -> Float[np.ndarray, "t k"]:
    """R[t, k], NaN above the diagonal; one row for the upper bound."""
    made = np.full((len(score.rows), len(score.rows[-1])), np.nan)
    for t, scores in enumerate(score.rows):
        made[t, : len(scores)] = [s[metric] for s in scores]
    return made


def read(folder: Path) -> Iterator[Score]:
    """Every score that is there."""
    for path in sorted(folder.glob("*/*_*.json")):
        record = json.loads(path.read_text())
        yield Score(**{**record, "cell": Cell(**record["cell"])})


def file_of(folder: Path, seed: int, cell: Cell) -> Path:
    """Where a cell's scores lie."""
    return folder / str(seed) / f"{cell.name}.json"


def _spread(sitter: Sitter, session: int) -> Float[Tensor, "n"]:
    return select.spread(sitter.w_plus[people.train_photos(session)].flatten(1))


def _bytes(sitter: Sitter, which: Int[Tensor, "k"], stored_as: int) -> int:
    """What photos of the evaluation's size take as files with their codes in half precision."""
    files = [len(buffer.encode(sitter.album.images[i : i + 1], stored_as)) for i in which.tolist()]
    return sum(files) + len(which) * sitter.w_plus[0].numel() * 2
