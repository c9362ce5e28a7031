"""The tables of My3DGen's evaluation, in Markdown: every method by task, and the differences paired by person."""

from collections.abc import Sequence

import numpy as np

from selfsame.jobs.figures import Figure, cell, difference, table
from selfsame.jobs.my3dgen_methods import FEW, FULL, METHODS, OURS, PACE, PRIOR
from selfsame.jobs.my3dgen_tasks import Score

FIGURES: tuple[Figure[Score], ...] = (
    Figure("PSNR (dB)", lambda s: s.psnr, "high", 2),
    Figure("SSIM", lambda s: s.ssim, "high", 3),
    Figure("LPIPS", lambda s: s.lpips, "low", 3),
    Figure("perceptual distance", lambda s: s.perceptual, "low", 3),
    Figure("DISTS", lambda s: s.dists, "low", 3),
    Figure("identity", lambda s: s.identity, "high", 3),
    Figure("depth error (1/1000)", lambda s: 1000 * s.depth, "low", 1),
    Figure("FID", lambda s: s.fid, "low", 1),
    Figure("KID", lambda s: s.kid, "low", 3),
)
TASKS = ("inversion", "new views", "profile views", "interpolation", "synthesis", "synthesis, all")
COMPARED = (
    (OURS, PRIOR),
    (OURS, FULL),
    ("rank 1, symmetry", OURS),
    ("rank 16", OURS),
    (f"{OURS}, 5 photos", PRIOR),
    (f"{OURS}, 5 photos", f"{FULL}, 5 photos"),
    (f"{OURS}, 50 photos", f"{FULL}, 50 photos"),
    ("rank 1, symmetry, 5 photos", f"{OURS}, 5 photos"),
    (f"{OURS} + tuning", f"{PRIOR} + tuning"),
    (f"{OURS} + tuning", f"{FULL} + tuning"),
    *((f"{OURS}{few}, {PACE} times as long", f"{OURS}{few}") for few in FEW),
    *((f"{OURS}{few}, {PACE} times as long", f"{FULL}{few}, {PACE} times as long") for few in FEW),
)
"""Pairs of methods, on the items that both were scored on."""


def markdown(scores: Sequence[Score]) -> str:
    """A table a task, then the paired differences of each task."""
    people = len({s.person for s in scores})
    parts = [f"{people} people."]
    for task in TASKS:
        found = [s for s in scores if s.task == task]
        if found:
            parts += [f"### {task[0].upper()}{task[1:]}", _table(found)]
            compared = _differences(found)
            if compared:
                parts += ["Paired differences, the first minus the second:", compared]
    return "\n\n".join(parts)


def _figures(scores: Sequence[Score]) -> list[Figure[Score]]:
    """The figures that a task has."""
    return [f for f in FIGURES if not all(np.isnan(f.of(s)) for s in scores)]


def _table(scores: Sequence[Score]) -> str:
    figures, rows = _figures(scores), []
    for name in METHODS:
        found = [s for s in scores if s.method == name]
        if found:
            people = len({s.person for s in found})
            cells = (cell(figure, found) for figure in figures)
            rows.append([name, f"{found[0].numbers:,}", f"{people} / {len(found)}", *cells])
    return table(["method", "numbers", "people / pictures", *(f.name for f in figures)], rows)


def _differences(scores: Sequence[Score]) -> str:
    figures, rows = _figures(scores), []
    by = {name: {(s.person, s.item): s for s in scores if s.method == name} for name in METHODS}
    for one, other in COMPARED:
        both = sorted(by[one].keys() & by[other].keys())
        if len({person for person, _ in both}) > 1:
            sides = [[by[name][item] for item in both] for name in (one, other)]
            rows.append([f"{one} - {other}", *(difference(figure, *sides) for figure in figures)])
    return table(["methods", *(f.name for f in figures)], rows) if rows else ""
