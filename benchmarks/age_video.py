"""Is a re-aged clip steady, the same person, of the wanted age, and near the truth? The world's truth is the reference.

    python benchmarks/age_video.py --clips 8

People whom no recipe trains on are filmed talking, at one age and, in the same take with the same motion, light and
words, at another. The film at the first age is re-aged to the second by the starter SAM in several ways:

- ours: `jobs.age_video` with its defaults, and with one thing changed at a time;
- each frame by itself: every frame is aligned, re-aged and pasted without regard to any other, replacing the face;
- own adapter: ours, but with the adapter that the person's 50 portraits at 25 to 70 trained, not with SAM alone;
- key frame: ours, but with the offset that one frame, the middle one, tells;
- nothing: the film as it is, which is as steady and as wrong as can be.

Figures are per film, means over its frames, in crops of 128 px around the face: how far colours lie from the truth (of
255), the cosine of identity embeddings with the truth, and the difference of judged age. Flicker is measured on the
full frames: each is compared with the next, brought back by the optical flow of the *source* film, where the face is
and nothing is hidden; the source's own error, which no method can avoid, is subtracted. "Flicker of the change" takes
the difference between re-aged and source film instead, so that blur, which hides flicker, earns nothing.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from selfsame.core import image, video
from selfsame.core.config import write_atomic
from selfsame.core.memory import keep_freed_memory
from selfsame.faces import align, paste, track
from selfsame.faces.track import Track
from selfsame.jobs import age_video, mytm_cases, mytm_methods
from selfsame.jobs.age_video import VideoConfig
from selfsame.jobs.mytm_cases import Case as Life
from selfsame.metrics import portrait, stats
from selfsame.nets import age, judges
from selfsame.tasks import clip_aging, personal_aging, reage
from selfsame.tasks.prior import STARTER_FOLDER
from selfsame.tasks.prior2d import load_prior2d
from selfsame.tasks.time_machine import Personal, TimeMachine
from selfsame.world import clip, truth

FIRST = 950_000  # seeds that no recipe trains on and that chose nothing; 960_000 chose the defaults
AGES = ((60, 30), (30, 60), (70, 40), (25, 70))  # filmed at, and re-aged to
SECONDS = 2.4
FRAME_PX, CROP_PX = 256, 128
LIFE, PHOTOS = Life((25, 70), 70, ()), 50  # what an own adapter is trained on
SURE_PX = 1.0  # flow there and back again must end this near to where it began

OURS = VideoConfig()
VARIANTS: dict[str, VideoConfig | None] = {
    "ours": OURS,
    "ours, nothing smoothed": replace(OURS, steady_s=0.0, calm_s=0.0),
    "ours, all detail": replace(OURS, detail=1.0),
    "ours, half the detail": replace(OURS, detail=0.5),
    "ours, no detail": replace(OURS, detail=0.0),
    "ours, decoder tuned 100 steps": replace(OURS, tuning_steps=100),
    "own adapter": OURS,
    "own adapter, no detail": replace(OURS, detail=0.0),
    "key frame": OURS,
    "each frame by itself": None,
    "nothing": None,
}
METRICS = {
    "distance to the truth (of 255)": "low", "identity cosine with the truth": "high",
    "error of judged age (years)": "low", "flicker beyond the source's (of 255)": "low",
    "flicker of the change (of 255)": "low",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Case:
    """One person's film, the true one at the wanted age (both T frames of 8-bit pixels), and where the face is."""

    seed: int
    file: Path
    years: int
    source: list[np.ndarray]
    truth: list[np.ndarray]
    found: Track


@dataclass(frozen=True, eq=False)
class Judges:
    """What tells identity and age."""

    who: judges.Judge
    years: age.AgeJudge


def case(seed: int, ages: tuple[int, int], folder: Path) -> Case:
    """Film what is not filmed yet, and follow the face in it."""
    files = [truth.files(folder, f"s{seed}_{years}").video for years in ages]
    for years, file in zip(ages, files, strict=True):
        if not file.exists():
            truth.write_clip(clip.talk(seed, SECONDS, 25, float(years)), folder, file.stem, FRAME_PX)
    kept = files[0].with_suffix(".track.npz")
    if kept.exists():
        found = Track(**np.load(kept))
    else:
        found = track.follow(video.frames(files[0]))
        np.savez(kept, **vars(found))
    source, true = ([frame.pixels for frame in video.frames(file)] for file in files)
    return Case(seed, files[0], ages[1], source, true, found)


@torch.no_grad()
def made(machine: TimeMachine, case: Case, name: str, config: VideoConfig | None) -> list[np.ndarray]:
    """The film re-aged in one of the ways."""
    if name == "nothing":
        return case.source
    if config is None:
        return list(by_itself(machine, case))
    placed = track.crops(case.found, CROP_PX, config.steady_s)
    read = age_video.read_codes(machine, case.file, placed, config.samples)
    key = read.crops[len(read.crops) // 2, None] if name == "key frame" else read.crops
    offset = clip_aging.offset(machine, key, case.years)
    w_plus = age_video.calm(read.w_plus, case.found, config.calm_s)
    if config.tuning_steps:
        with torch.enable_grad():
            machine = clip_aging.tuned(machine, read.crops, w_plus[read.sampled], config.tuning_steps)
    frames = age_video.show(machine, case.file, placed, w_plus, offset, config.detail)
    return [frame.pixels for frame in frames]


def own(machine: TimeMachine, seed: int, judge: Judges, folder: Path) -> TimeMachine:
    """The machine with the adapter of the person with this seed; trained once, and kept in `folder`."""
    photos = mytm_cases.album(seed, LIFE, PHOTOS)
    config = mytm_methods.OURS
    adapter = personal_aging.train_adapter(
        machine.sam, personal_aging.begin(config), photos, judge.who, judge.years, config, folder / f"adapter_{seed}"
    )
    return replace(machine, personal=Personal(adapter, photos.span, machine.sam.card))


def by_itself(machine: TimeMachine, case: Case) -> Iterator[np.ndarray]:
    """Each frame aligned, re-aged and replaced by itself."""
    for pixels, at in zip(case.source, track.crops(case.found, CROP_PX, 0.0), strict=True):
        crop = image.from_uint8(align.warp(pixels, at, CROP_PX))
        aged = machine.decode(machine.encode(crop, torch.tensor([float(case.years)])))
        yield paste.back(pixels, at, aged, machine.decode(machine.invert(crop)), detail=0.0)


@torch.no_grad()
def scores(case: Case, film: list[np.ndarray], judge: Judges) -> dict[str, float]:
    """The figures of one film."""
    placed = track.crops(case.found, CROP_PX, OURS.steady_s)
    ours, true = (
        image.from_uint8(np.stack([align.warp(p, at, CROP_PX) for p, at in zip(pixels, placed, strict=True)]))
        for pixels in (film, case.truth)
    )
    values = [
        (ours - true).abs().mean() * 127.5,
        portrait.identity_similarity(judge.who.embed(ours), judge.who.embed(true)).mean(),
        (judge.years(ours) - judge.years(true)).abs().mean(),
        *flicker(case, film, placed),
    ]
    return {name: float(value) for name, value in zip(METRICS, values, strict=True)}


def flicker(case: Case, film: list[np.ndarray], placed: list[align.Affine]) -> tuple[float, float]:
    """How much the film changes along the source's motion beyond what the source does, and how much its change does."""
    beyond, change = [], []
    for i in range(len(film) - 1):
        flow, sure = motion(case.source[i], case.source[i + 1])
        here = sure & (paste.mask(placed[i], CROP_PX, film[i].shape) > 0.5)
        now, source = (x[i].astype(np.float32) for x in (film, case.source))
        later, source_later = (brought(x[i + 1].astype(np.float32), flow) for x in (film, case.source))
        beyond.append(np.abs(now - later)[here].mean() - np.abs(source - source_later)[here].mean())
        change.append(np.abs((now - source) - (later - source_later))[here].mean())
    return float(np.mean(beyond)), float(np.mean(change))


def motion(one: np.ndarray, two: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel of a frame is in the next (h, w, 2), and where that is sure (h, w): there and back again."""
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (one, two)]
    there, back = dis.calc(*grey, None), dis.calc(*grey[::-1], None)
    return there, np.linalg.norm(there + brought(back, there), axis=-1) < SURE_PX


def brought(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The next frame as it would stand at the time of this one."""
    row, column = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return cv2.remap(
        picture, column + flow[..., 0], row + flow[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def report(done: dict[str, dict[str, Any]], seeds: list[int]) -> None:
    """Print a line a figure, and a line for each difference to ours."""
    for name in VARIANTS:
        for metric, better in METRICS.items():
            values, ours = ([done[key(n, seed)][metric] for seed in seeds] for n in (name, "ours"))
            m = stats.measure(metric, values, better=better)
            line = {"way": name, "what": metric, "n": m.n, "mean": m.mean, "interval": [m.low, m.high]}
            if name != "ours":
                p = stats.paired(metric, values, ours, better=better)
                line |= {"minus_ours": p.difference.mean, "difference_interval": [p.difference.low, p.difference.high]}
                line |= {"p": p.p}
            print(json.dumps(line), flush=True)


def key(name: str, seed: int) -> str:
    config = VARIANTS[name]
    return json.dumps([seed, name, asdict(config) if config else None])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clips", type=int, default=8)
    options.add_argument("--first", type=int, default=FIRST, help="the first person's seed")
    options.add_argument("--folder", type=Path, default=Path("runs/age_video"), help="films and scores; resumes there")
    given = options.parse_args()
    keep_freed_memory()
    sam = reage.load(STARTER_FOLDER / "sam", load_prior2d(STARTER_FOLDER / "stylegan2"))
    machine, judge = (
        TimeMachine(sam, None),
        Judges(judges.load(STARTER_FOLDER / "judge"), age.load(STARTER_FOLDER / "age")),
    )
    store = given.folder / "scores.json"
    done = json.loads(store.read_text()) if store.exists() else {}
    seeds = [given.first + i for i in range(given.clips)]
    for i, seed in enumerate(seeds):
        missing = [name for name in VARIANTS if key(name, seed) not in done]
        if not missing:
            continue
        film = case(seed, AGES[i % len(AGES)], given.folder)
        for name in missing:
            used = own(machine, seed, judge, given.folder) if name.startswith("own") else machine
            done[key(name, seed)] = scores(film, made(used, film, name, VARIANTS[name]), judge)
            write_atomic(store, json.dumps(done))
    report(done, seeds)


if __name__ == "__main__":
    main()
