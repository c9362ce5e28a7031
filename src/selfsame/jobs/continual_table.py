"""The tables of the evaluation of memory, in Markdown, with the published ones beside them."""

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np

from selfsame.jobs.continual_cells import METRICS, Score, matrix
from selfsame.jobs.continual_systems import SystemName
from selfsame.jobs.figures import Figure, cell, difference
from selfsame.jobs.figures import table as in_markdown
from selfsame.metrics.forgetting import average_final, average_incremental, mean_forgetting

TITLES: dict[SystemName, str] = {"2d": "2D: StyleGAN2 tuned as a whole", "3d": "3D: low-rank weights of a tri-plane"}
PUBLISHED = """| published, 2D (MyStyle, 5 people) | B | LPIPS | f | ID | f | FID | f | ID | f |
|---|---|---|---|---|---|---|---|---|---|
| lower bound | - | 1.17 | 0.64 | 8.97 | 1.09 | 124.7 | 96.7 | 7.48 | 2.64 |
| KMeans | 3 | 1.07 | 0.44 | 9.25 | 0.68 | 103.8 | 71.4 | 8.14 | 1.93 |
| ER-Rand | 3 | 1.04 | 0.40 | 9.28 | 0.55 | 97.6 | 61.3 | 8.24 | 1.62 |
| ER-Hull | 3 | 0.99 | 0.30 | 9.34 | 0.47 | 91.5 | 49.3 | 8.40 | 1.36 |
| KMeans | 5 | 1.00 | 0.29 | 9.36 | 0.40 | 90.3 | 50.6 | 8.45 | 1.26 |
| ER-Rand | 5 | 0.98 | 0.25 | 9.38 | 0.39 | 87.8 | 46.1 | 8.52 | 1.12 |
| ER-Hull | 5 | 0.98 | 0.25 | 9.39 | 0.33 | 86.6 | 41.7 | 8.55 | 1.05 |
| KMeans | 10 | 0.92 | 0.18 | 9.44 | 0.26 | 81.1 | 33.4 | 8.68 | 0.83 |
| ER-Rand | 10 | 0.91 | 0.15 | 9.46 | 0.23 | 79.2 | 25.2 | 8.73 | 0.64 |
| ER-Hull | 10 | 0.91 | 0.16 | 9.45 | 0.22 | 79.8 | 29.2 | 8.71 | 0.71 |
| upper bound | - | 0.89 | - | 9.45 | - | 82.1 | - | 8.76 | - |

| published, 3D (My3DGen, 4 people) | B | LPIPS | f | ID | f | FID | f | ID | f |
|---|---|---|---|---|---|---|---|---|---|
| lower bound | - | 1.84 | 0.95 | 8.82 | 0.69 | 171.6 | 93.6 | 4.92 | 1.08 |
| ER-Rand | 3 | 1.59 | 0.98 | 9.08 | 0.59 | 141.9 | 63.0 | 5.35 | 0.68 |
| ER-Hull | 3 | 1.54 | 0.78 | 9.11 | 0.52 | 135.1 | 55.0 | 5.37 | 0.66 |
| upper bound | - | 1.18 | - | 9.33 | - | 86.1 | - | 5.78 | - |

AIP and, beside each, forgetting (f), of reconstruction (LPIPS, ID) and of synthesis (FID, ID); LPIPS and ID are ten
times what they are. At B = 10 the published ER-Rand is better than ER-Hull in all four figures of synthesis. One run
each, without intervals."""


def figures() -> list[Figure[Score]]:
    """AIP and forgetting [both as published] of every metric."""
    made: list[Figure[Score]] = []
    for metric, better in METRICS.items():
        digits = 1 if "FID" in metric else 2 if "PSNR" in metric else 3
        made.append(Figure(f"AIP, {metric}", partial(known, metric=metric), better, digits))
        made.append(Figure(f"forgetting, {metric}", partial(forgotten, metric=metric), "low", digits))
    return made


def known(score: Score, metric: str) -> float:
    """AIP; of the upper bound, which is one model, the mean over sessions [as published]."""
    scores = matrix(score, metric)
    return average_final(scores) if len(scores) == 1 else average_incremental(scores)


def forgotten(score: Score, metric: str) -> float:
    """Mean forgetting; NaN for the upper bound, which has nothing to forget."""
    scores = matrix(score, metric)
    return float("nan") if len(scores) == 1 else mean_forgetting(scores, METRICS[metric])


def markdown(scores: Sequence[Score]) -> str:
    """Everything: a table a system, every rule against random, and the published figures."""
    parts = []
    for system, title in TITLES.items():
        found = [s for s in scores if s.cell.system == system]
        if found:
            parts += [f"### {title}", table(found), "Minus random, paired by person:", differences(found)]
    return "\n\n".join([*parts, "### As published", PUBLISHED])


def table(scores: Sequence[Score]) -> str:
    """A line for each way to keep photos: means over people, seeds averaged first, with 95 % intervals."""
    shown = figures()
    names = ["kept", "photos", "people", "seeds", "kilobytes", *(f.name for f in shown)]
    rows = []
    for method, size in ways(scores):
        found = [s for s in scores if (s.cell.method, s.cell.size) == (method, size)]
        people, seeds = ({s.person for s in found}, {s.cell.seed for s in found})
        kilobytes = np.mean([s.stored_bytes for s in found]) / 1000
        cells = [method, str(size or "-"), str(len(people)), str(len(seeds)), f"{kilobytes:.0f}"]
        rows.append([*cells, *(cell(f, found) for f in shown)])
    return in_markdown(names, rows)


def differences(scores: Sequence[Score]) -> str:
    """Every rule minus random at its size of buffer: the same people and seeds, with a sign-flip test over people."""
    shown = figures()
    names = ["kept", "photos", "people", "seeds", *(f.name for f in shown)]
    rows = []
    for method, size in ways(scores):
        by, random = ({(s.person, s.cell.seed): s for s in _at(scores, m, size)} for m in (method, "random"))
        both = sorted(by.keys() & random.keys())
        if both and method != "random":
            people, seeds = (len(set(column)) for column in zip(*both, strict=True))
            cells = [difference(f, [by[item] for item in both], [random[item] for item in both]) for f in shown]
            rows.append([method, str(size), str(people), str(seeds), *cells])
    return in_markdown(names, rows)


def ways(scores: Iterable[Score]) -> list[tuple[str, int]]:
    """What is compared, the lower bound first and the upper bound last."""
    ends = {"none": -1, "all": 1_000}
    return sorted({(s.cell.method, s.cell.size) for s in scores}, key=lambda w: (ends.get(w[0], w[1]), w[0]))


def _at(scores: Iterable[Score], method: str, size: int) -> list[Score]:
    return [s for s in scores if s.cell.method == method and s.cell.size == size]
