"""One video judged by a detector: a verdict with a calibrated probability, a timeline, heat maps, and a page."""

from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfsame.clips import media
from selfsame.clips.media import Media
from selfsame.core import files, image, store
from selfsame.faces import detect as faces
from selfsame.jobs import detect_page, detect_words, heat
from selfsame.jobs.detect_words import Verdict
from selfsame.jobs.progress import Progress, silent
from selfsame.tasks import clip_crops, detector
from selfsame.tasks.clip_crops import ClipCrops, CropConfig
from selfsame.tasks.detector import Model
from selfsame.train import devices

PAGE_FILE, TIMELINE_FILE, HEAT_FILE = "report.html", "timeline.png", "heat.png"
MOST_RUNS = 64
MOST_BYTES = 2**30  # of whole frames that are in memory before they are cut
SUSPICIOUS = 6  # moments that are shown with heat maps
TILE_PX = 192


@dataclass(frozen=True, eq=False)
class Judged:
    """A clip's verdict and calibrated probability, the sentence that says so, on what it rests and what limits it;
    probabilities (U) and times in seconds (U) of the units, the seconds where no face was seen, and the page.
    """

    verdict: Verdict
    probability: float
    sentence: str
    basis: str
    limits: tuple[str, ...]
    units: Float[np.ndarray, "u"]
    times_s: Float[np.ndarray, "u"]
    unseen_s: tuple[float, ...]
    page: Path


def load(folder: Path | None, backbone: Path | None = None) -> Model:
    """The detector of a folder, or the starter set's; raises BadInput where there is none, or it is another thing."""
    return detector.load(folder or store.starter("detector"), backbone=backbone, device=devices.here().device)


def judge(video: Path, model: Model, out: Path, *, progress: Progress = silent) -> Judged:
    """Judge a video and write `report.html`, the timeline and the heat maps to `out`.

    Moments without a face do not count. Raises BadInput where the video is none or shows no face.
    """
    progress("looking", 0, 3)
    config, about = model.parts.training.crop, media.probe(video)
    crops = clip_crops.read(video, replace(config, segments=runs(about, config)))
    progress("looking", 1, 3)
    seen = visible(crops)
    unseen_s = tuple(crops.times_s[torch.from_numpy(~seen), 0].tolist())
    crops = ClipCrops(**{name: tensor[torch.from_numpy(seen)] for name, tensor in vars(crops).items()})
    units, told = model.judge(crops), list(detector.unit_frames(model.net, crops))
    times_s = np.array([time_s for _, time_s in told])
    progress("looking", 2, 3)
    probability, threshold = float(units.mean()), model.parts.calibration.threshold
    made = Judged(
        detect_words.verdict(probability, threshold), probability,
        detect_words.sentence(video.name, probability, threshold),
        detect_words.basis(len(dict(told)), model.net.sight.frames, unseen_s),
        detect_words.limits(model, files.digest(video)), units, times_s, unseen_s, out / PAGE_FILE,
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    timeline = detect_page.timeline(units, times_s, unseen_s, threshold, about.seconds)
    shown, words = _suspicious(model, crops, units, times_s)
    image.save(timeline, out / TIMELINE_FILE)
    image.save(shown, out / HEAT_FILE)
    lead = f"{made.sentence} {made.basis}"
    detect_page.write(made.page, f"{video.name}: {made.verdict}", lead, made.limits, timeline, shown, words)
    progress("looking", 3, 3)
    return made


def runs(about: Media, config: CropConfig) -> int:
    """How many runs are looked at: about one a second, no fewer than in training, and no more than fit into memory."""
    fit = MOST_BYTES // (3 * about.width * about.height * config.length)
    return max(1, min(max(config.segments, round(about.seconds)), MOST_RUNS, fit))


def visible(crops: ClipCrops) -> Bool[np.ndarray, "s"]:
    """In which runs a face was seen.

    Runs without one have the box of their nearest neighbour to the last bit. So does a still picture: they are looked
    at again, and where none of a group shows a face it was too small for a second look, and all count.
    """
    seen = np.ones(len(crops.boxes), bool)
    for _, group in groupby(range(len(seen)), key=lambda run: tuple(crops.boxes[run].tolist())):
        same = list(group)
        if len(same) > 1:
            found = [bool(faces.detect(crops.pixels[run, 0].numpy())) for run in same]
            seen[same] = found if any(found) else True
    return seen


def _suspicious(
    model: Model, crops: ClipCrops, units: Float[np.ndarray, "u"], times_s: Float[np.ndarray, "u"]
) -> tuple[Float[Tensor, "1 3 h w"], str]:
    """The most suspicious moments, one a run, in the order of time, with evidence for fake and for real; and words."""
    of_run = np.arange(len(units)) * len(crops.pixels) // len(units)
    best = [int(max(np.flatnonzero(of_run == run), key=lambda u: units[u])) for run in range(len(crops.pixels))]
    chosen = sorted(sorted(best, key=lambda u: -units[u])[:SUSPICIOUS])
    found = heat.of_units(model, crops, torch.tensor(chosen))
    told = [f"{times_s[u]:.1f} s, {detect_words.percent(units[u])}" for u in chosen]
    top = heat.scale([found.maps])
    return detect_page.heat_sheet(heat.strip(found, top, TILE_PX), told), _words(top)


def _words(top: float) -> str:
    return (
        "Above the most suspicious moments in the order of time, each with its probability; below them what speaks for "
        f"fake in them, then what speaks for real (Grad-CAM), on one scale up to {top:.2g} in the logit's unit. "
        "Bright places weigh most: that is where to look, and it is no proof."
    )
