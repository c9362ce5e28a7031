"""How much work a personal model takes until held-back photos are shown as well as by the published recipe.

    python benchmarks/personalization_speed.py --out runs/speed --people 6
    python benchmarks/personalization_speed.py --out runs/speed --table

For each synthetic person, whose photos are taken in as anybody's: the recipes below, each measured as it goes on. The
published recipe is My3DGen's: anchors from the prior's mean by 500 steps of whole pictures, then steps at a constant
rate; here with the starter networks in the places of EG3D and LPIPS, and given the same anchors as ours, so that its
own, which take longer than everything else, count in the work alone. Work is CPU seconds of one thread: steps times
what a step costs. One file a person: run again to go on.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from selfsame.core.config import write_atomic
from selfsame.core.memory import keep_freed_memory
from selfsame.jobs import demo, fit, jury, measure, parts, progress
from selfsame.jobs.jury import Jury
from selfsame.jobs.measure import Held
from selfsame.metrics import stats
from selfsame.tasks import invert, personal
from selfsame.tasks.personal import Photos
from selfsame.tasks.prior import Prior, load_prior

FIRST = 959_000  # seeds that neither training nor the choice of settings saw
PHOTOS = 24
PUBLISHED = replace(personal.PAPER_V4, depth_samples=24, importance_samples=24, save_every=10_000)
PUBLISHED_STEPS = (20, 40, 80)
OURS = fit.PRESETS["quick"]
OURS_STEPS = (10, 20, 40, 80)
TIMED_STEPS = 2  # of the published inversion, on one photo
METRICS = ("psnr", "ssim", "identity")


@dataclass(frozen=True)
class Point:
    """What a recipe has reached: held-back quality (means over a person's photos) after `steps` and so much work."""

    person: int
    recipe: str
    steps: int
    anchor_seconds: float
    training_seconds: float
    psnr: float
    ssim: float
    identity: float


def score_person(seed: int, folder: Path, prior: Prior, judge: Jury) -> list[Point]:
    """Every recipe at every number of steps."""
    taken = demo.take_in(folder, seed, PHOTOS, judge, progress.silent)
    train, test = taken.album.split(0.25)
    images, cameras = taken.album.images(prior.net.config.image_px), taken.album.cameras()
    begun = time.process_time()
    w_plus, camera = fit.find_anchors(
        folder / "anchors", prior, judge, images[train], cameras[train], taken.ids(train), OURS.invert
    )  # fmt: skip
    ours_seconds, begun = time.process_time() - begun, time.process_time()
    one = replace(invert.PAPER_W, depth_samples=24, importance_samples=24, steps=TIMED_STEPS)
    invert.invert(
        prior.net, images[train][:1], cameras[train][:1], prior.w_mean, one,
        w_std=prior.w_std, features=judge.features,
    )  # fmt: skip
    published_seconds = (time.process_time() - begun) / TIMED_STEPS * invert.PAPER_W.steps * len(train)
    photos, held = Photos(w_plus, images[train], camera), Held(images[test], cameras[test])
    recipes = (
        ("un-personalized prior", None, (0,), 0.0),
        ("published", PUBLISHED, PUBLISHED_STEPS, published_seconds),
        ("ours", OURS.personal, OURS_STEPS, ours_seconds),
    )
    points = []
    for recipe, config, all_steps, anchor_seconds in recipes:
        for steps in all_steps:
            net, seconds = prior.net, 0.0
            if config is not None:
                begun = time.process_time()
                where = folder / recipe / str(steps)
                net = personal.personalize(prior.net, photos, replace(config, steps=steps), judge, where)
                seconds = time.process_time() - begun
            start = parts.first_codes(prior.digest, held.images, OURS.invert, w_plus.mean(0))
            found = measure.reconstruct(
                net.eval(), held.images, held.camera, start, OURS.invert, w_std=prior.w_std, judge=judge
            )  # fmt: skip
            scores = measure.score(found.image, held.images, judge)
            quality = {name: float(getattr(scores, name).mean()) for name in METRICS}
            points.append(Point(seed, recipe, steps, anchor_seconds, seconds, **quality))
            print(points[-1], flush=True)
    return points


def table(points: list[Point]) -> str:
    """Markdown: a row for each recipe and number of steps, means over people with 95 % intervals."""
    lines = [
        "| recipe | steps | anchors (s) | training (s) | PSNR (dB) | SSIM | identity |",
        "|---|---|---|---|---|---|---|",
    ]
    for recipe, steps in dict.fromkeys((p.recipe, p.steps) for p in points):
        found = [p for p in points if (p.recipe, p.steps) == (recipe, steps)]
        seconds = (sum(getattr(p, f"{part}_seconds") for p in found) / len(found) for part in ("anchor", "training"))
        cells = [f"{value:.0f}" for value in seconds]
        for name in METRICS:
            m = stats.measure(name, [getattr(p, name) for p in found], better="high")
            digits = 2 if name == "psnr" else 3
            cells.append(f"{m.mean:.{digits}f} [{m.low:.{digits}f}, {m.high:.{digits}f}]")
        lines.append(f"| {recipe} | {steps} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Score the people that have no file yet, or print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--people", type=int, default=6)
    options.add_argument("--first", type=int, default=FIRST, help="seed of the first person; others to choose settings")
    options.add_argument("--table", action="store_true")
    given = options.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    prior = load_prior()
    judge = jury.load()
    for seed in range(given.first, given.first + given.people):
        path = given.out / f"{seed}.json"
        if not given.table and not path.exists():
            found = score_person(seed, given.out / str(seed), prior, judge)
            write_atomic(path, json.dumps([asdict(p) for p in found]))
    files = [json.loads(path.read_text()) for path in sorted(given.out.glob("*.json"))]
    print(f"{len(files)} people\n{table([Point(**record) for file in files for record in file])}")


if __name__ == "__main__":
    main()
