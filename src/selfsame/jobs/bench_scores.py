"""Scores of a benchmark: one row a unit of a clip in Parquet, asked again by SQL; figures are never stored.

A score follows from a model, a clip and what was done to the clip, whatever protocol asks for it: `scores/<model>/` has
one file for clean clips and one for each perturbation and level, and a line for each run in `runs.jsonl`.
"""

import csv
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from selfsame.clips import audit, protocol
from selfsame.clips.index import Clip
from selfsame.core import weights
from selfsame.core.config import write_atomic, writing
from selfsame.core.errors import BadInput
from selfsame.jobs import bench_protocols
from selfsame.jobs.bench_protocols import Task
from selfsame.jobs.progress import Progress, silent
from selfsame.tasks import detector
from selfsame.tasks.clip_crops import ClipCrops
from selfsame.tasks.detector import Model

SCORES, RUNS_FILE, GIVEN = "scores", "runs.jsonl", "given"
CLEAN = "clean"
SAVED_EVERY = 64  # clips: a killed run goes on near where it was

By = Literal["clip", "frame"]
Pooled = Literal["mean", "max", "median"]
POOLED: Mapping[Pooled, str] = {"mean": "avg(score)", "max": "max(score)", "median": "median(score)"}


@dataclass(frozen=True)
class Row:
    """The score of one unit (a frame, or a run from `frame` on) of a clip; -1 where a score is the whole clip's."""

    path: str
    digest: str
    label: str
    generator: str
    identity: str
    driver: str
    unit: int
    frame: int
    time_s: float
    score: float


@dataclass(frozen=True)
class Treatment:
    """What was done to clips before they were judged: nothing, or a perturbation at a level."""

    name: str = CLEAN
    level: int = 0

    @property
    def file(self) -> str:
        """The name of the file that holds its scores."""
        return f"{self.name}-{self.level}.parquet" if self.level else f"{self.name}.parquet"


AS_THEY_ARE = Treatment()


def judge(
    out: Path, name: str, model: Model, chosen: Sequence[Task], clips: Sequence[Clip],
    crops_of: Callable[[Clip], ClipCrops], treatment: Treatment = AS_THEY_ARE, progress: Progress = silent,
) -> Path:  # fmt: skip
    """Score the clips that have no score by this model yet; returns the file of scores.

    Raises WrongUse where the model was trained or chosen on one of the clips that tasks would judge it on.
    """
    parts = model.parts
    for task in chosen:
        asked = [clip.digest for clip in task.sets.test]
        protocol.check_apart(parts.trained_on, asked, "model was trained")
        protocol.check_apart(parts.chosen_on, asked, "checkpoint was chosen")
    file = path(out, name, treatment)
    rows = read(file) if file.exists() else []
    known = {row.path for row in rows}
    left = [clip for clip in clips if clip.path not in known]
    for number, clip in enumerate(left, 1):
        seen = crops_of(clip)
        units = zip(detector.unit_frames(model.net, seen), model.judge(seen), strict=True)
        rows += [_row(clip, n, frame, time_s, float(score)) for n, ((frame, time_s), score) in enumerate(units)]
        progress(f"judging with {name}", number, len(left))
        if number % SAVED_EVERY == 0 or number == len(left):
            write(file, rows)
    if left:
        _record(file.parent, model.card.digest, treatment, left)
    return file


def judge_containers(out: Path, chosen: Sequence[Task]) -> dict[str, Path]:
    """Score the test clips of tasks by their containers alone; the files of scores by protocol."""
    made: dict[str, Path] = {}
    groups: dict[Path, list[Task]] = {}
    for task in chosen:
        made[task.protocol.name] = path(out, bench_protocols.name_of(task, None))
        groups.setdefault(made[task.protocol.name], []).append(task)
    for file, group in groups.items():
        learn, asked = bench_protocols.clips_of(group, ("train", "select")), bench_protocols.clips_of(group, ("test",))
        rows = {row.path: row for row in (read(file) if file.exists() else [])}
        found = zip(asked, audit.by_containers_of(learn, asked), strict=True)
        rows |= {clip.path: _row(clip, -1, -1, 0.0, float(score)) for clip, score in found}
        write(file, list(rows.values()))
    return made


def take_in(out: Path, name: str, source: Path, clips: Iterable[Clip]) -> Path:
    """The scores of a detector from elsewhere: a CSV or Parquet file with `path` and `score`, perhaps `frame`.

    Clips may be named by their path in the index, by their file's name where that is unique, or by their digest. Raises
    BadInput for other columns, scores outside [0, 1], and clips that the index does not have.
    """
    known = _by_name(clips)
    rows = []
    for number, line in enumerate(_given(source), 2):
        clip = known.get(str(line["path"]))
        if clip is None:
            raise BadInput(f"{source.name}, line {number}: the index has no clip {line['path']}.", "Index it first.")
        try:
            frame, score = _frame(line.get("frame")), float(line["score"])
        except (TypeError, ValueError) as error:
            raise BadInput(f"{source.name}, line {number}: the frame or the score is no number.") from error
        if not 0 <= score <= 1:
            raise BadInput(f"{source.name}, line {number}: the score is {score}.", "Give probabilities; high is fake.")
        rows.append(_row(clip, frame, frame, 0.0, score))
    if not rows:
        raise BadInput(f"{source.name} has no scores.")
    file = path(out, given_name(name))
    write(file, rows)
    return file


def given_name(name: str) -> str:
    """What the scores of a detector from elsewhere are kept under."""
    return f"{GIVEN}-{name}"


def given(out: Path) -> list[str]:
    """The names of the detectors whose scores were taken in from elsewhere."""
    return sorted(p.name.removeprefix(given_name("")) for p in (out / SCORES).glob(given_name("*")) if p.is_dir())


def write(file: Path, rows: Sequence[Row]) -> None:
    """Write rows as Parquet, whole or not at all."""
    import duckdb

    columns = {f.name: np.array([getattr(row, f.name) for row in rows]) for f in fields(Row)}
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as store:
        store.register("columns", columns)
        temporary = Path(folder) / "scores.parquet"
        store.execute("COPY (SELECT * FROM columns ORDER BY path, unit) TO $1 (FORMAT parquet)", [str(temporary)])
        write_atomic(file, temporary.read_bytes())


def read(file: Path) -> list[Row]:
    """The rows of a file; raises BadInput where it cannot be read."""
    return [Row(*line) for line in ask(f"SELECT {', '.join(f.name for f in fields(Row))} FROM scores", file)]


def ask(sql: str, *files: Path) -> list[tuple[Any, ...]]:
    """The answer to a question about the table `scores`, all files' rows; raises BadInput where one is damaged."""
    import duckdb

    with duckdb.connect() as store:
        try:
            store.read_parquet([str(file) for file in files]).create_view("scores")
            return store.execute(sql).fetchall()
        except duckdb.Error as error:
            names = ", ".join(file.name for file in files)
            raise BadInput(f"The scores in {names} cannot be read.", "Delete the file and run again.") from error


def scores_of(file: Path, by: By = "clip", pooled: Pooled = "mean") -> dict[str, list[float]]:
    """The scores of each clip by its path: one, or one a unit."""
    if by == "clip":
        return {p: [s] for p, s in ask(f"SELECT path, {POOLED[pooled]} FROM scores GROUP BY path ORDER BY path", file)}
    found: dict[str, list[float]] = {}
    for path, score in ask("SELECT path, score FROM scores ORDER BY path, unit", file):
        found.setdefault(path, []).append(score)
    return found


def path(out: Path, name: str, treatment: Treatment = AS_THEY_ARE) -> Path:
    """Where the scores of a model lie, once there are any."""
    return out / SCORES / name / treatment.file


def _row(clip: Clip, unit: int, frame: int, time_s: float, score: float) -> Row:
    return Row(
        clip.path, clip.digest, clip.label, clip.generator or "", clip.identity or "", clip.driver or "", unit, frame,
        time_s, score,
    )  # fmt: skip


def _record(folder: Path, digest: str, treatment: Treatment, clips: Sequence[Clip]) -> None:
    """A line of what was done, when, and with which versions: decoders differ in what frame they call the tenth."""
    import av

    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "model": digest, "treatment": treatment.file,
        "clips": len(clips), "versions": {**weights.versions(), "av": av.__version__},
    }  # fmt: skip
    with writing(folder / RUNS_FILE), (folder / RUNS_FILE).open("a") as file:
        file.write(json.dumps(line) + "\n")


def _given(source: Path) -> list[Mapping[str, Any]]:
    if source.suffix.lower() == ".parquet":
        import duckdb

        with duckdb.connect() as store:
            try:
                table = store.read_parquet(str(source))
                lines: list[Mapping[str, Any]] = [
                    dict(zip(table.columns, row, strict=True)) for row in table.fetchall()
                ]
            except duckdb.Error as error:
                raise BadInput(f"{source} cannot be read as Parquet.") from error
    else:
        try:
            with source.open(newline="") as file:
                lines = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise BadInput(f"{source} cannot be read as CSV.") from error
    if lines and not {"path", "score"} <= lines[0].keys():
        raise BadInput(f"{source.name} lacks the column path or score.", "Give path,score and perhaps frame.")
    return lines


def _frame(given: Any) -> int:
    """The frame that a line names; -1 where it names none."""
    return -1 if given in (None, "") else int(given)


def _by_name(clips: Iterable[Clip]) -> dict[str, Clip]:
    clips = list(clips)
    names: dict[str, list[Clip]] = {}
    for clip in clips:
        names.setdefault(Path(clip.path).name, []).append(clip)
    unique = {name: same[0] for name, same in names.items() if len(same) == 1}
    return {**unique, **{clip.digest: clip for clip in clips}, **{clip.path: clip for clip in clips}}
