"""The whole benchmark on people who do not exist: clips, trainings, scores, robustness, heat maps and the leaderboard.

Every stage leaves files and goes on from them: the same call again takes up where the last one stopped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from selfsame.clips.index import Clip, Index
from selfsame.clips.perturb import AS_NAMED
from selfsame.jobs import (
    bench_board,
    bench_copies,
    bench_explain,
    bench_index,
    bench_models,
    bench_protocols,
    bench_robust,
    bench_run,
    bench_scores,
    bench_tables,
    bench_world,
    bench_world_plan,
)  # fmt: skip
from selfsame.jobs.bench_protocols import Task
from selfsame.jobs.bench_scores import Treatment
from selfsame.jobs.bench_world_plan import SetConfig
from selfsame.jobs.progress import Progress, silent
from selfsame.tasks.detect_config import preset

SET = SetConfig()
DETECTORS = ("cnn-small", "vit-small", "tall-small")
MATRIX = "cnn-small"  # is also trained on each generator alone
CLIPS, BENCH = "clips", "bench"
PERTURBED_LEVELS = (1, 3, 5)
PERTURBED_PEOPLE = 6  # whose test clips are perturbed
SHOWN = 8


@dataclass(frozen=True)
class Proof:
    """What came out: the tables in Markdown and the files of the leaderboard by kind."""

    markdown: str
    files: Mapping[str, Path]


def plan(config: SetConfig, detectors: Sequence[str] | None = None) -> dict[str, int]:
    """How many clips, trainings and perturbed clips a run makes, for the detectors named, else for DETECTORS."""
    fakes, names = bench_world_plan.planned(config), detectors or DETECTORS
    columns = len({fake.generator for fake in fakes if fake.portrait.split == "train"})
    return {
        "real clips": len(bench_world_plan.takes(config)), "fakes": len(fakes),
        "trainings": len(names) * (1 + columns) + columns * (MATRIX in names),
        "perturbations": len(AS_NAMED) * len(PERTURBED_LEVELS),
    }  # fmt: skip


def run(
    out: Path, config: SetConfig, *, detectors: Sequence[str] | None = None, jobs: int = 2, steps: int | None = None,
    progress: Progress = silent,
) -> Proof:  # fmt: skip
    """Make or go on with everything below `out`, for the detectors named, else for DETECTORS; `steps` shortens every
    training.
    """
    clips = bench_world.make(out / CLIPS, config, jobs, progress)
    bench = out / BENCH
    found = bench_index.make(clips, bench, progress)
    bench_index.look(found, bench)
    tasks = bench_protocols.tasks(found)
    presets = {name: preset(name) for name in detectors or DETECTORS}
    training = {name: replace(one, steps=steps or one.steps) for name, one in presets.items()}
    bench_scores.judge_containers(bench, tasks)
    for name, wanted in training.items():
        asked = tasks if name == MATRIX else [task for task in tasks if task.protocol.reading != "single-source"]
        bench_models.train(found, bench, asked, wanted, jobs=jobs, progress=progress)
        bench_run.run(found, bench, asked, wanted, jobs=jobs, progress=progress)
    pooled = bench_protocols.pooled(tasks)
    some = Index(found.root, tuple(_of_people(pooled)))
    treatments = [Treatment(name, level) for name in AS_NAMED for level in PERTURBED_LEVELS]
    for one in treatments:
        bench_copies.perturbed(some, bench, one.name, one.level, jobs=jobs, progress=progress)
    for wanted in training.values():
        bench_run.run(found, bench, pooled, wanted, treatments=treatments, jobs=jobs, progress=progress)
    for name, wanted in training.items():
        model = bench_models.load(bench, pooled[0], wanted)
        read = bench_models.crops(found, wanted.crop, bench)
        shown = bench_protocols.clips_of(pooled, ("test",))
        bench_explain.explain(model, shown, read, bench / f"explain-{name}", shown=SHOWN, progress=progress)
    return board(found, bench)


def board(found: Index, bench: Path) -> Proof:
    """The leaderboard of what there is, with the curves."""
    cells = bench_board.cells(found, bench)
    worse = bench_robust.points(found, bench)
    lead = f"{len(found.usable)} synthetic clips, judged by clip, the mean of its frames."
    files = bench_tables.write(bench, cells, lead, worse)
    return Proof(files["md"].read_text(), files)


def _of_people(pooled: list[Task]) -> list[Clip]:
    """The test clips of the first people of the test."""
    clips = bench_protocols.clips_of(pooled, ("test",))
    people = sorted({clip.identity for clip in clips if clip.identity})[:PERTURBED_PEOPLE]
    return [clip for clip in clips if clip.identity in people]
