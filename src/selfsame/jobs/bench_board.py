"""The leaderboard: every detector under every protocol, computed from its scores when it is asked for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from selfsame.clips.index import Index
from selfsame.clips.protocol import Protocol
from selfsame.core.config import from_json
from selfsame.core.errors import BadInput
from selfsame.core.results import Measured
from selfsame.detectors.table import CONTAINERS
from selfsame.jobs import bench_models, bench_protocols, bench_scores
from selfsame.jobs.bench_protocols import Task
from selfsame.jobs.bench_scores import AS_THEY_ARE, By, Pooled, Treatment
from selfsame.metrics import detection
from selfsame.metrics.detection import METRICS, Scored
from selfsame.tasks.detect_config import DetectConfig
from selfsame.train.loop import CONFIG_FILE

RATES = {"TPR at 1 % FPR": 0.01, "TPR at 0.1 % FPR": 0.001}
"""Figures that mean nothing with few real clips: below one false alarm in all, they hang on the highest real score."""


@dataclass(frozen=True, eq=False)
class Cell:
    """A detector under a protocol: its scores of the test items, and the clip that each is of.

    `asked` counts the protocol's test clips, `missing` those that the detector has no score for.
    """

    detector: str
    protocol: Protocol
    scored: Scored
    paths: Sequence[str]
    asked: int
    missing: int

    @property
    def reals(self) -> int:
        """How many real items were judged."""
        return self.scored.reals

    @property
    def fakes(self) -> int:
        """How many fakes were judged."""
        return len(self.scored.score) - self.reals

    def told(self, metric: str) -> bool:
        """Whether there are enough real items for this figure."""
        return metric not in RATES or detection.enough_reals(self.reals, RATES[metric])


def cells(found: Index, out: Path, by: By = "clip", pooled: Pooled = "mean") -> list[Cell]:
    """Every detector that has scores, under every protocol of the index whose test clips it judged.

    Raises BadInput where there are no scores.
    """
    made = judged(bench_protocols.tasks(found), out, by, pooled)
    if not made:
        raise BadInput(f"{out} has no scores.", "Train a detector and run it: `selfsame bench train`, `bench run`.")
    return made


def judged(
    tasks: Sequence[Task], out: Path, by: By = "clip", pooled: Pooled = "mean", treatment: Treatment = AS_THEY_ARE
) -> list[Cell]:  # fmt: skip
    """Every detector under those of the tasks whose test clips it judged, perhaps none."""

    @cache
    def scores(name: str) -> dict[str, list[float]]:  # a model answers several tasks
        file = bench_scores.path(out, name, treatment)
        return bench_scores.scores_of(file, by, pooled) if file.exists() else {}

    made = []
    for label, config in [*configs(out).items(), (CONTAINERS, None)]:
        made += [_cell(label, task, scores(bench_protocols.name_of(task, config))) for task in tasks]
    for name in bench_scores.given(out):
        made += [_cell(name, task, scores(bench_scores.given_name(name))) for task in tasks]
    return [cell for cell in made if cell is not None]


def configs(out: Path) -> dict[str, DetectConfig]:
    """The configurations of all trained models, each by the detector's name and what else tells it from its like."""
    files = sorted((out / bench_models.MODELS).glob(f"*/{CONFIG_FILE}"))
    found = list(dict.fromkeys(from_json(DetectConfig, file.read_text(), str(file)) for file in files))
    names = {}
    for config in found:
        like = [asdict(other) for other in found if other.detector == config.detector]
        own = {key: value for key, value in asdict(config).items() if any(one[key] != value for one in like)}
        names[", ".join([config.detector, *(f"{key} {value}" for key, value in own.items())])] = config
    return names


def figures(cell: Cell) -> list[Measured]:
    """All figures of a cell with their intervals; those that so few real items cannot tell are left out."""
    return [
        detection.measure(name, cell.scored, metric, better)
        for name, (metric, better) in METRICS.items() if cell.told(name)
    ]  # fmt: skip


def over_columns(name: str, group: Sequence[Cell], metric: str = "AUC") -> Measured:
    """The mean of a figure over cells (the columns of a table), with one interval for them together."""
    of, better = METRICS[metric]
    return detection.combined(name, [cell.scored for cell in group], of, lambda x: float(np.mean(x)), better)


def drop(name: str, before: Sequence[Cell], after: Sequence[Cell], metric: str = "AUC") -> Measured:
    """How much lower the mean of a figure over columns is under one shift than under another; above 0: it falls."""
    of, better = METRICS[metric]
    count = len(before)

    def fall(values: Sequence[float]) -> float:
        return float(np.mean(values[:count]) - np.mean(values[count:]))

    return detection.combined(name, [cell.scored for cell in (*before, *after)], of, fall, better)


def interval(m: Measured) -> str:
    """A figure with its interval, or a dash where there is none."""
    return f"{m.mean:.3f} [–]" if math.isnan(m.low) else f"{m.mean:.3f} [{m.low:.3f}, {m.high:.3f}]"


def tables(made: Sequence[Cell]) -> Mapping[tuple[str, str], dict[str, dict[str, Cell]]]:
    """Cells by (shift as the paper names it, reading), then by detector, then by column."""
    found: dict[tuple[str, str], dict[str, dict[str, Cell]]] = {}
    for cell in made:
        title = (cell.protocol.name.partition(" ")[0], cell.protocol.reading)
        found.setdefault(title, {}).setdefault(cell.detector, {})[column(cell.protocol)] = cell
    return found


def column(one: Protocol) -> str:
    """What a cell's column is called: the test generator, with that of training where only one is trained on."""
    (test,) = one.test
    return f"{one.train[0]} to {test}" if one.reading == "single-source" and one.train[0] != test else test


def _cell(label: str, task: Task, known: Mapping[str, list[float]]) -> Cell | None:
    """The cell, if the detector judged real and fake clips of the task."""
    clips = [clip for clip in task.sets.test if clip.path in known]
    rows = [(clip, score) for clip in clips for score in known[clip.path]]
    fake = np.array([clip.label == "fake" for clip, _ in rows])
    if not len(rows) or fake.all() or not fake.any():
        return None
    scored = Scored(np.array([s for _, s in rows]), fake, [clip.identity or clip.path for clip, _ in rows])
    paths = [clip.path for clip, _ in rows]
    return Cell(label, task.protocol, scored, paths, len(task.sets.test), len(task.sets.test) - len(clips))
