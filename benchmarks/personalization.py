"""What personalization is worth on synthetic people whom no training saw, against the truth of the world.

    python benchmarks/personalization.py --out runs/personalization --people 10

For each person: photos taken in like anybody's, inverted once, then one model a variant. Scored are held-back photos,
new views of them (yaw +-0.6) and profile views (yaw +-1.2), by PSNR, SSIM and identity, in pictures of the prior's
size. One file of scores a person: run again to resume, with --shard 0/2 and 1/2 for two processes; --table prints the
Markdown table of what is there.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from torch import Tensor

from selfsame.core.config import write_atomic
from selfsame.core.memory import keep_freed_memory
from selfsame.jobs import demo, fit, measure, progress
from selfsame.jobs.measure import Held
from selfsame.metrics import stats
from selfsame.nets import judges
from selfsame.nets.triplane import TriPlane
from selfsame.tasks import personal
from selfsame.tasks.personal import PersonalConfig, Photos
from selfsame.tasks.prior import STARTER, Prior, load_prior
from selfsame.world import album as world
from selfsame.world import person

FIRST = 800_000  # seeds that neither training nor the choice of settings saw
PHOTOS = 18
INVERT = replace(fit.PRESETS["quick"].invert, steps=50)
TRAIN = replace(personal.QUICK, steps=40, symmetry_every=0)
VARIANTS: dict[str, PersonalConfig | None] = {
    "un-personalized prior": None,
    "rank 1": TRAIN,
    "rank 1, symmetry": replace(TRAIN, symmetry_every=4),
    "full fine-tuning": replace(TRAIN, low_rank=None),
}
VIEWS = {"new views": (-0.6, 0.6), "profile views": (-1.2, 1.2)}
METRICS = ("psnr", "ssim", "identity")


def score_person(seed: int, folder: Path, prior: Prior, judge: judges.Judge) -> list[dict[str, object]]:
    """One record a picture: person, variant, kind of picture, and the three scores."""
    taken = demo.take_in(folder, seed, PHOTOS, judge, progress.silent)
    train, test = taken.album.split(0.2)
    images, cameras = taken.album.images(prior.net.config.image_px), taken.album.cameras()
    anchors = fit.find_anchors(folder, prior, judge, images[train], cameras[train], taken.ids(train), INVERT)
    photos, held = Photos(anchors[0], images[train], anchors[1]), Held(images[test], cameras[test])
    records = []
    for variant, config in VARIANTS.items():
        net = prior.net
        if config:
            net = personal.personalize(prior.net, photos, config, judge, folder / variant)
        start = anchors[0].mean(0, keepdim=True).expand(len(test), -1, -1) if config else prior.w_mean
        found = measure.reconstruct(net, held.images, held.camera, start, INVERT, w_std=prior.w_std, judge=judge)
        kinds = [("held-back photos", found.image, held.images)]
        kinds += list(_views(net, found.inversion.w_plus, taken.looks(test)))
        for kind, made, truth in kinds:
            scores = measure.score(made, truth, judge)
            for row in zip(*(getattr(scores, name).tolist() for name in METRICS), strict=True):
                records.append(
                    {"person": seed, "variant": variant, "kind": kind, **dict(zip(METRICS, row, strict=True))}
                )
    return records


def _views(net: TriPlane, w_plus: Tensor, look: person.Look) -> Iterator[tuple[str, Tensor, Tensor]]:
    for kind, yaws in VIEWS.items():
        for yaw in yaws:
            camera = world.front(yaw, 0.0, len(look))
            yield kind, measure.render(net, w_plus, camera), world.photograph(look, camera, net.config.image_px)


def table(records: list[dict[str, object]]) -> str:
    """Markdown: variants below each other, means over people with 95 % intervals; then the paired differences."""
    lines = []
    for kind in ("held-back photos", *VIEWS):
        lines += [f"\n**{kind}**\n", "| variant | PSNR (dB) | SSIM | identity |", "|---|---|---|---|"]
        lines += [f"| {v} | {' | '.join(_cell(records, v, kind, m) for m in METRICS)} |" for v in VARIANTS]
    lines += [
        "\n**paired differences over people** (95 % interval, sign-flip p)\n",
        "| comparison | kind | PSNR (dB) | identity |",
    ]
    lines += ["|---|---|---|---|"]
    pairs = [("rank 1", "un-personalized prior"), ("full fine-tuning", "rank 1"), ("rank 1, symmetry", "rank 1")]
    for one, other in pairs:
        for kind in ("held-back photos", *VIEWS):
            cells = " | ".join(_difference(records, one, other, kind, m) for m in ("psnr", "identity"))
            lines.append(f"| {one} - {other} | {kind} | {cells} |")
    return "\n".join(lines)


def _column(records: list[dict[str, object]], variant: str, kind: str, metric: str) -> tuple[list[float], list[int]]:
    rows = [r for r in records if r["variant"] == variant and r["kind"] == kind]
    return [float(str(r[metric])) for r in rows], [int(str(r["person"])) for r in rows]


def _cell(records: list[dict[str, object]], variant: str, kind: str, metric: str) -> str:
    values, people = _column(records, variant, kind, metric)
    m = stats.measure(metric, values, better="high", units=people)
    digits = 1 if metric == "psnr" else 3
    return f"{m.mean:.{digits}f} [{m.low:.{digits}f}, {m.high:.{digits}f}]"


def _difference(records: list[dict[str, object]], one: str, other: str, kind: str, metric: str) -> str:
    a, people = _column(records, one, kind, metric)
    b, _ = _column(records, other, kind, metric)
    found = stats.paired(metric, a, b, better="high", units=people)
    d, digits = found.difference, 2 if metric == "psnr" else 3
    return f"{d.mean:+.{digits}f} [{d.low:+.{digits}f}, {d.high:+.{digits}f}], p = {found.p:.3f}"


def main() -> None:
    """Score the people of this shard that have no file yet, or print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--people", type=int, default=10)
    options.add_argument(
        "--first", type=int, default=FIRST, help="seed of the first person; others for choosing settings"
    )
    options.add_argument("--shard", default="0/1")
    options.add_argument("--table", action="store_true")
    given = options.parse_args()
    keep_freed_memory()
    if not given.table:
        prior, judge = load_prior(), judges.load(STARTER["starter-3d"].parent / "judge")
        index, count = map(int, given.shard.split("/"))
        for seed in range(given.first + index, given.first + given.people, count):
            path = given.out / f"{seed}.json"
            if not path.exists():
                write_atomic(path, json.dumps(score_person(seed, given.out / str(seed), prior, judge)))
                print(path, flush=True)
        return
    files = [json.loads(path.read_text()) for path in sorted(given.out.glob("*.json"))]
    records = [record for file in files for record in file]
    people = len(list(groupby(sorted(str(r["person"]) for r in records))))
    print(f"{people} people, {len(records) // len(VARIANTS)} pictures a variant\n{table(records)}")


if __name__ == "__main__":
    main()
