"""What an edit does and what it costs, by policy, on synthetic people whom no training saw.

    python benchmarks/editing.py --out runs/editing --people 8
    python benchmarks/editing.py --out runs/editing --softness

For each person: photos from an album's cameras, which the fit is told; a personal model, trained the cheap way (random
rays); and the most frontal look edited along each direction under every policy. Directions are the prior's, or with
--own found anew in each model. Scored are all attributes by their judges, and the identity cosine with the unedited
picture, both from the front. One file of scores a person: run again to resume; --table prints the Markdown tables of
what is there. Settings are chosen on other people (--first). --softness asks for how soft a machine the direction is
nearest to what the world's own change does to the prior's codes, which only a prior of synthetic people can tell.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import torch

from selfsame.core import rng
from selfsame.core.camera import facing
from selfsame.core.config import write_atomic
from selfsame.core.memory import keep_freed_memory
from selfsame.core.weights import WEIGHTS_FILE
from selfsame.jobs import edit, fit, parts, plans
from selfsame.metrics import stats
from selfsame.tasks import directions, personal
from selfsame.tasks import model as models
from selfsame.tasks.directions import Scorer
from selfsame.tasks.edit import Policy
from selfsame.tasks.invert import InvertConfig
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import Judge, Photos
from selfsame.tasks.prior import Prior, load_prior
from selfsame.world import album as world
from selfsame.world import person

FIRST = 957_000  # seeds that neither training nor the choice of settings saw
PHOTOS = 12
INVERT = InvertConfig(
    space="w_plus", steps=40, lr=0.05, noise=0.0, perceptual=0.0, to_mean=0.002, rays=256, depth_samples=20,
    importance_samples=0, refine_camera=False,
)  # fmt: skip
TRAIN = replace(
    personal.QUICK, steps=60, symmetry_every=0, rays=384, depth_samples=20, importance_samples=0, save_every=60
)
DIRECTIONS = replace(directions.QUICK, samples=1000)
POLICIES: tuple[Policy, ...] = ("continue", "stop", "project", "free")
THETAS = (-10.0, -3.0, 0.0, 3.0, 10.0)  # standard deviations of random people along the direction
SOFTNESS = (1.0, 0.1, 0.01, 0.003, 0.001)
# The world's name of each attribute, and with how much noise (deviations) a score as good as the judge's tells it.
TRAITS = {
    "smile": ("smile", 0.9), "glasses": ("glasses", 0.7), "light": ("yaw", 0.3),
    "mouth_open": ("mouth_open", 0.45), "age": ("years", 0.3),
}  # fmt: skip
SEEN = 0.1  # ends whose mean scores differ by less are not seen
WAYS = {"whole": False, "alone": True}  # the direction as found, or without what it shares with the others


def model_of(seed: int, folder: Path, prior: Prior, judge: Judge) -> PersonalModel:
    """The personal model of a synthetic person, made where there is none yet."""
    if not (folder / WEIGHTS_FILE).exists():
        look = world.looks(seed, PHOTOS, (33.0, 36.0))
        camera = world.album_cameras(PHOTOS, rng.generator(seed, "photographer", PHOTOS))
        images, ids = world.photograph(look, camera, prior.net.config.image_px), [f"photo{i}" for i in range(PHOTOS)]
        w_plus, found = fit.find_anchors(folder, prior, judge, images, camera, ids, INVERT)
        net = personal.personalize(prior.net, Photos(w_plus, images, found), TRAIN, judge, folder / "training")
        card = models.model_card(TRAIN, prior, plans.digest(ids), f"python benchmarks/editing.py --first {seed}")
        models.save(folder, PersonalModel(net.eval().requires_grad_(False), w_plus, found, card), TRAIN, ids)
    return models.load(folder, prior)


def score_person(
    seed: int, folder: Path, prior: Prior, judge: Judge, scorer: Scorer, *, own: bool
) -> dict[str, object]:
    """What each direction was worth, and one row an edit."""
    model = model_of(seed, folder, prior, judge)
    if own:
        found = edit.find(model, folder, scorer, DIRECTIONS)
    else:
        found = directions.find(prior.net, prior.digest, scorer, DIRECTIONS, folder.parent / "prior")
    anchor = model.most_frontal()
    code, camera = model.anchors[anchor : anchor + 1], facing(torch.zeros(1), torch.zeros(1))
    rows = []
    for name, direction in found.items():
        for way, split in WAYS.items():
            along = directions.alone(found, name) if split else direction
            for policy in ("free",) if split else POLICIES:
                swept = edit.sweep(
                    model, code, camera, along, name, THETAS, judge, scorer, policy, unit=direction.figures.spread
                )
                scores = scorer.scores(swept.images)
                rows += [
                    {
                        "person": seed, "direction": name, "way": way, "policy": policy, "by": by,
                        "walked": step.theta, "identity": step.identity,
                        "lowest": step.lowest, "kept": swept.kept,
                        "scores": {key: float(values[i]) for key, values in scores.items()},
                    }
                    for i, (by, step) in enumerate(zip(THETAS, swept.steps, strict=True))
                ]  # fmt: skip
    return {"anchors": len(model.anchors), "figures": [vars(d.figures) for d in found.values()], "rows": rows}


def people_of(folder: Path) -> list[dict[str, object]]:
    """The files of all people that are there."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def moved(rows: Sequence[dict[str, object]], attribute: str, by: float) -> tuple[list[float], list[float], list[int]]:
    """How far an attribute moved between -by and +by, the identity kept at the worse end, and the people."""
    change, kept, people = [], [], []
    for who in sorted({row["person"] for row in rows}):  # type: ignore[type-var]
        ends = {row["by"]: row for row in rows if row["person"] == who}
        change.append(ends[by]["scores"][attribute] - ends[-by]["scores"][attribute])  # type: ignore[index]
        kept.append(min(float(str(ends[s * by]["identity"])) for s in (-1, 1)))
        people.append(int(str(who)))
    return change, kept, people


def cell(values: Sequence[float], people: Sequence[int], digits: int = 2) -> str:
    """A mean over people with its interval."""
    m = stats.measure("", values, better="high", units=people)
    return f"{m.mean:.{digits}f} [{m.low:.{digits}f}, {m.high:.{digits}f}]"


def table(files: Sequence[dict[str, object]]) -> str:
    """Markdown: the first person's directions; what each policy does at two strengths; what a direction drags along."""
    rows = [row for file in files for row in file["rows"]]  # type: ignore[attr-defined]
    figures = {f["name"]: f for f in files[0]["figures"]}  # type: ignore[attr-defined]
    lines = ["| direction | accuracy | AUC | held out | least | most | spread in W |", "|---|---|---|---|---|---|---|"]
    for name, f in figures.items():
        numbers = [f"{f[key]:.3f}" for key in ("accuracy", "auc")] + [str(f["held_out"])]
        lines.append(f"| {name} | {' | '.join(numbers)} | {f['low']:.2f} | {f['high']:.2f} | {f['spread']:.2f} |")
    lines += [
        "",
        "| direction | policy | change, 3 | identity, 3 | change, 10 | identity, 10 | walked of 10 | in the span |",
    ]
    lines.append("|---|---|---|---|---|---|---|---|")
    for name in figures:
        for policy in POLICIES:
            own = [r for r in rows if (r["direction"], r["policy"], r["way"]) == (name, policy, "whole")]
            cells = []
            for by in (3.0, 10.0):
                change, kept, people = moved(own, name, by)
                cells += [cell(change, people), cell(kept, people)]
            ends = [r for r in own if abs(r["by"]) == max(THETAS)]
            walked = cell([abs(r["walked"]) for r in ends], [r["person"] for r in ends])
            span = cell([r["kept"] for r in ends], [r["person"] for r in ends])
            lines.append(f"| {name} | {policy} | {' | '.join(cells)} | {walked} | {span} |")
    shown = [name for name, f in figures.items() if f["high"] - f["low"] > SEEN]
    lines += ["", f"| edited | way | {' | '.join(shown)} | identity |", "|---|---|" + "---|" * (len(shown) + 1)]
    for name in shown:
        for way in WAYS:
            own = [r for r in rows if (r["direction"], r["policy"], r["way"]) == (name, "free", way)]
            shares = []
            for other in shown:
                change, kept, people = moved(own, other, 3.0)
                shares.append(cell([c / (figures[other]["high"] - figures[other]["low"]) for c in change], people))
            lines.append(f"| {name} | {way} | {' | '.join(shares)} | {cell(kept, people)} |")
    return "\n".join(lines)


def softness_table(prior: Prior) -> str:
    """Markdown: by softness and trait, the cosine with the true change of w, and the held-out AUC; no picture is made.

    Scores are the world's own normals with noise, about as well told as by the judges.
    """
    names = [f.name for _, kind in person.PARTS for f in fields(kind)]
    columns = {name: (names.index(trait), share) for name, (trait, share) in TRAITS.items()}
    z = torch.randn(directions.QUICK.samples, len(names), generator=rng.generator(0, "softness"))
    noise = torch.randn(len(z), generator=rng.generator(0, "softness noise"))

    def codes(z: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return prior.w_mean + directions.QUICK.psi * (prior.net.map(z)[:, 0] - prior.w_mean)

    def true(column: int) -> torch.Tensor:
        less, more = z.clone(), z.clone()
        less[:, column], more[:, column] = -1, 1
        change = (codes(more) - codes(less)).mean(0)
        return change / change.norm()

    w = codes(z)
    lines = [f"| C | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
    for softness in SOFTNESS:
        config = replace(directions.QUICK, softness=softness)
        found = [directions.fit(name, w, z[:, i] + share * noise, config) for name, (i, share) in columns.items()]
        cosines = [float(d.normal @ true(i)) for d, (i, _) in zip(found, columns.values(), strict=True)]
        cells = [f"{c:.2f} ({d.figures.auc:.2f})" for c, d in zip(cosines, found, strict=True)]
        lines.append(f"| {softness:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Score the people that have no file yet, or print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--people", type=int, default=8)
    options.add_argument("--first", type=int, default=FIRST, help="seed of the first person")
    options.add_argument("--own", action="store_true", help="find the directions in every model anew")
    options.add_argument("--softness", action="store_true", help="compare the machine's softness")
    options.add_argument("--table", action="store_true")
    given = options.parse_args()
    keep_freed_memory()
    if given.softness:
        print(softness_table(load_prior()))
        return
    if given.table:
        files = people_of(given.out)
        print(f"{len(files)} people\n{table(files)}")
        return
    prior, judge, scorer = load_prior(), parts.load_judge(), parts.load_scorer()
    for seed in range(given.first, given.first + given.people):
        path = given.out / f"{seed}.json"
        if not path.exists():
            write_atomic(
                path, json.dumps(score_person(seed, given.out / str(seed), prior, judge, scorer, own=given.own))
            )
            print(path, flush=True)


if __name__ == "__main__":
    main()
