"""Robustness: how a detector's AUC falls as clips get worse, by perturbation and level, as figures and curves."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from selfsame.clips import perturb
from selfsame.clips.index import Index
from selfsame.core import image
from selfsame.core.config import write_atomic
from selfsame.core.results import Measured
from selfsame.jobs import bench_board, bench_protocols, bench_scores, figures, report
from selfsame.jobs.bench_board import Cell
from selfsame.jobs.bench_scores import CLEAN, Treatment
from selfsame.jobs.report import Section
from selfsame.metrics.detection import Scored

COLUMNS = 4  # of curves in a picture
LEVELS = range(1, perturb.LEVELS + 1)


@dataclass(frozen=True)
class Point:
    """The mean AUC of a detector over the columns of P1, at a level of a perturbation (0: the same clips, clean)."""

    detector: str
    perturbation: str
    level: int
    auc: Measured
    clips: int


def treatments(out: Path) -> list[Treatment]:
    """Every perturbation and level that something was judged under, in order."""
    names = {file.stem for file in (out / bench_scores.SCORES).glob("*/*.parquet")} - {CLEAN}
    known = {f"{name}-{level}": Treatment(name, level) for name in perturb.PERTURBATIONS for level in LEVELS}
    return [one for stem, one in known.items() if stem in names]


def points(found: Index, out: Path) -> list[Point]:
    """What each perturbation costs each detector: P1 on all generators, on the clips that were judged at its levels."""
    worse = treatments(out)
    if not worse:
        return []
    tasks = bench_protocols.pooled(bench_protocols.tasks(found))
    clean = _by_detector(bench_board.judged(tasks, out))
    made: list[Point] = []
    for name, levels in groupby(worse, key=lambda one: one.name):
        by = {one.level: _by_detector(bench_board.judged(tasks, out, treatment=one)) for one in levels}
        for detector in dict.fromkeys(detector for cells in by.values() for detector in cells):
            at = {level: cells[detector] for level, cells in by.items() if detector in cells}
            paths = {cell.protocol.name: set(cell.paths) for cell in next(iter(at.values()))}
            base = [cell for cell in clean.get(detector, []) if cell.protocol.name in paths]
            if base:
                at = {0: [_only(cell, paths[cell.protocol.name]) for cell in base], **at}
            made += [_point(detector, name, level, cells) for level, cells in at.items()]
    return made


def as_csv(made: Sequence[Point]) -> str:
    """The points as a table."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("detector", "perturbation", "level", "mean AUC", "low", "high", "identities", "clips"))
    for p in made:
        table.writerow((p.detector, p.perturbation, p.level, f"{p.auc.mean:.4f}", f"{p.auc.low:.4f}",
                        f"{p.auc.high:.4f}", p.auc.n, p.clips))  # fmt: skip
    return text.getvalue()


def markdown(made: Sequence[Point]) -> str:
    """A row for each detector and perturbation, a column for each level, with intervals."""
    levels = sorted({p.level for p in made})
    head = ["detector", "perturbation", *("clean" if not x else f"level {x}" for x in levels)]
    by: dict[tuple[str, str], dict[int, Point]] = {}
    for p in made:
        by.setdefault((p.detector, p.perturbation), {})[p.level] = p
    rows = [
        [*names, *(bench_board.interval(row[x].auc) if x in row else "" for x in levels)] for names, row in by.items()
    ]
    return figures.table(head, rows)


def section(made: Sequence[Point], out: Path) -> list[Section]:
    """The curves and their figures for the leaderboard's page; the picture and the table are written beside it."""
    write_atomic(out / "robustness.csv", as_csv(made))
    picture = draw(made, out / "robustness.png")
    words = (
        "Mean AUC over the columns of P1 (all generators in training) on the same clips, clean (level 0) and perturbed."
    )
    return [Section("Robustness", words, report.picture(image.load(picture), "AUC by level of perturbation"))]


def draw(made: Sequence[Point], path: Path) -> Path:
    """The curves: a field for each perturbation, a line with its 95 % interval for each detector."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(p.perturbation for p in made))
    detectors = list(dict.fromkeys(p.detector for p in made))
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(3 * min(COLUMNS, len(names)), 2.6 * rows + 0.4), layout="constrained")
    fields = np.atleast_1d(figure.subplots(rows, min(COLUMNS, len(names)), sharey=True, squeeze=False)).ravel()
    for field, name in zip(fields, names, strict=False):
        for number, detector in enumerate(detectors):
            line = sorted((p for p in made if (p.detector, p.perturbation) == (detector, name)), key=lambda p: p.level)
            x = [p.level for p in line]
            field.plot(x, [p.auc.mean for p in line], "o-", ms=3, color=f"C{number}", label=detector)
            field.fill_between(x, [p.auc.low for p in line], [p.auc.high for p in line], color=f"C{number}", alpha=0.15)
        field.axhline(0.5, color="grey", lw=0.8, ls=":")
        field.set_title(name, fontsize=10)
        field.set_xticks([0, *LEVELS])
        field.set_xlabel("level")
    for field in fields[len(names) :]:
        field.set_visible(False)
    fields[0].set_ylabel("mean AUC")
    fields[0].legend(fontsize=8, frameon=False)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    write_atomic(path, data.getvalue())
    return path


def _by_detector(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.detector, []).append(cell)
    return found


def _only(cell: Cell, paths: set[str]) -> Cell:
    rows = [i for i, path in enumerate(cell.paths) if path in paths]
    scored = Scored(cell.scored.score[rows], cell.scored.fake[rows], [cell.scored.units[i] for i in rows])
    return replace(cell, scored=scored, paths=[cell.paths[i] for i in rows])


def _point(detector: str, name: str, level: int, cells: Sequence[Cell]) -> Point:
    clips = len({path for cell in cells for path in cell.paths})
    return Point(detector, name, level, bench_board.over_columns(f"{name} {level}", cells), clips)
