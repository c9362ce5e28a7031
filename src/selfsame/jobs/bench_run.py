"""Trained detectors judged: scores of the test clips of protocols, as they are or perturbed."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from selfsame.clips import index
from selfsame.clips.index import Index
from selfsame.core.errors import BadInput
from selfsame.jobs import bench_copies, bench_models, bench_protocols, bench_scores
from selfsame.jobs.bench_index import INDEX_FILE
from selfsame.jobs.bench_protocols import Task
from selfsame.jobs.bench_scores import AS_THEY_ARE, Treatment
from selfsame.jobs.progress import Progress, silent
from selfsame.jobs.spread import spread
from selfsame.tasks.detect_config import DetectConfig


def run(
    found: Index, out: Path, chosen: Sequence[Task], config: DetectConfig, *,
    treatments: Sequence[Treatment] = (AS_THEY_ARE,), backbone: Path | None = None, jobs: int = 1,
    progress: Progress = silent,
) -> dict[str, list[Path]]:  # fmt: skip
    """Score the test clips of tasks with the models trained for them; the files of scores by protocol.

    Perturbed clips are the copies that `bench_copies.perturbed` made. Raises BadInput where a model or a copy is
    missing, WrongUse where a model knows a clip that it would be judged on.
    """
    groups = list(_by_model(chosen, config).values())
    for group in groups:
        bench_models.trained(out, group[0], config)  # all models are there before any work begins
    asked = bench_protocols.clips_of(chosen, ("test",))
    for treatment in treatments:
        source = _treated(found, out, treatment)
        clips = bench_models.copies(source, asked)
        bench_models.cut(source, clips, config.crop, out, jobs, progress, _originals(found, treatment))
    items = [(treatment, group) for treatment in treatments for group in groups]
    if jobs == 1:
        for treatment, group in items:
            _judge(found, out, config, backbone, treatment, group, progress)
    else:
        spread(partial(_judge_apart, out, config, backbone), items, jobs, progress=progress, what="judging")
    return {
        task.protocol.name: [bench_scores.path(out, bench_protocols.name_of(task, config), t) for t in treatments]
        for task in chosen
    }


def _by_model(chosen: Sequence[Task], config: DetectConfig) -> dict[str, list[Task]]:
    groups: dict[str, list[Task]] = {}
    for task in chosen:
        groups.setdefault(bench_protocols.name_of(task, config), []).append(task)
    return groups


def _judge_apart(out: Path, config: DetectConfig, backbone: Path | None, item: tuple[Treatment, list[Task]]) -> None:
    _judge(index.read(out / INDEX_FILE), out, config, backbone, *item, silent)


def _judge(
    found: Index, out: Path, config: DetectConfig, backbone: Path | None, treatment: Treatment, group: list[Task],
    progress: Progress,
) -> None:  # fmt: skip
    model = bench_models.load(out, group[0], config, backbone)
    source = _treated(found, out, treatment)
    clips = bench_models.copies(source, bench_protocols.clips_of(group, ("test",)))
    shown = [clip for clip in clips if not bench_models.why_left_out(out, clip)]
    read = bench_models.crops(source, config.crop, out, _originals(found, treatment))
    bench_scores.judge(out, bench_protocols.name_of(group[0], config), model, group, shown, read, treatment, progress)


def _originals(found: Index, treatment: Treatment) -> Index | None:
    """What the judged clips are copies of."""
    return None if treatment == AS_THEY_ARE else found


def _treated(found: Index, out: Path, treatment: Treatment) -> Index:
    """The clips as they are, or their perturbed copies."""
    if treatment == AS_THEY_ARE:
        return found
    file = bench_copies.perturbed_folder(out, treatment.name, treatment.level) / INDEX_FILE
    if not file.exists():
        raise BadInput(
            f"The clips have not been perturbed by {treatment.name} at level {treatment.level}.",
            f"Do it: selfsame bench perturb {treatment.name} {treatment.level}",
        )
    return index.read(file)
