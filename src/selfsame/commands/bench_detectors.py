"""`selfsame bench train`, `run`, `board` and `explain`."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from selfsame.commands import shared
from selfsame.commands.bench import OUT, Out
from selfsame.commands.shared import DryRun, Json

if TYPE_CHECKING:
    from selfsame.clips.index import Index
    from selfsame.jobs.bench_protocols import Task
    from selfsame.tasks.detect_config import DetectConfig

Detector = Annotated[
    str,
    Parameter(
        help="caddm, hifi-net, altfreezing, tall-swin-b, lipfd, deepfake-adapter, mm-det, or a small one of them "
        "(caddm-small, ..., tall-small); xception, efficientnet-b4, vit-b16, clip-probe, cnn-small, vit-small; "
        "containers, the baseline that sees no picture; or a Python file with a detector of your own."
    ),
]
Pattern = Annotated[str, Parameter(name="--protocol", help="Which protocols, as 'P1 *', 'P3 Hallo', 'emerging *'.")]
Weights = Annotated[
    Path | None,
    Parameter(
        help="Pretrained weights: the backbone's (safetensors, timm's names) or the detector's published checkpoint."
    ),
]
Steps = Annotated[
    int | None,
    Parameter(
        validator=Number(gte=0),
        help="Steps of the training, else the preset's; 0 takes a published checkpoint as it is, calibrated anew.",
    ),
]
Batch = Annotated[int | None, shared.COUNT, Parameter(help="Clips a step; else the preset's.")]
Seed = Annotated[int, Parameter(help="Of the training.")]
Jobs = Annotated[int, shared.COUNT, Parameter(help="Processes that share the work.")]


def train(
    detector: Detector,
    *,
    protocol: Pattern = "P1 *",
    out: Out = OUT,
    weights: Weights = None,
    steps: Steps = None,
    batch: Batch = None,
    seed: Seed = 0,
    precision: Annotated[Literal["no", "bf16", "fp16"], Parameter(help="Of the networks' passes.")] = "no",
    jobs: Jobs = 1,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Train a detector as protocols ask; the checkpoint, the calibration and the threshold are chosen on their own set.

    Protocols that learn from the same clips share a training. The same command again goes on.

    Example: selfsame bench train cnn-small --protocol "P1 *" --jobs 2
    """
    from selfsame.clips import index as clips
    from selfsame.jobs import bench_index, bench_models

    found = clips.read(out / bench_index.INDEX_FILE)
    config, chosen = _asked(found, detector, protocol, weights, steps, batch, seed)
    if config is None:
        shared.say({"models": {}}, json, lambda: print("Containers are learned when they are judged: bench run."))
        return
    if dry_run:
        _say_plan(config, chosen, json)
        return
    with shared.progress(json) as progress:
        made = bench_models.train(
            found, out, chosen, config, backbone=weights, precision=precision, jobs=jobs, progress=progress
        )

    def words() -> None:
        for name, folder in made.items():
            print(f"{name}: {folder}")

    shared.say({"models": made}, json, words)


def run(
    detector: Detector,
    *,
    protocol: Pattern = "P1 *",
    scores: Annotated[
        Path | None, Parameter(help="Scores of a detector from elsewhere, CSV or Parquet: path, score, perhaps frame.")
    ] = None,
    perturbation: Annotated[str | None, Parameter(help="Judge the copies that `bench perturb` made.")] = None,
    level: Annotated[int, Parameter(help="Of the perturbation, 1 to 5.")] = 0,
    out: Out = OUT,
    weights: Weights = None,
    steps: Steps = None,
    batch: Batch = None,
    seed: Seed = 0,
    jobs: Jobs = 1,
    json: Json = False,
) -> None:
    """Judge the test clips of protocols with the detectors trained for them; every score is kept in Parquet.

    With --scores, take in the scores of a detector from elsewhere under this name instead.

    Example: selfsame bench run cnn-small --protocol "P1 *" --jobs 2
    """
    from selfsame.clips import index as clips
    from selfsame.jobs import bench_index, bench_run, bench_scores
    from selfsame.jobs.bench_scores import AS_THEY_ARE, Treatment

    found = clips.read(out / bench_index.INDEX_FILE)
    if scores is not None:
        file = bench_scores.take_in(out, shared.checked(detector), scores, found.usable)
        shared.say({"scores": {detector: file}}, json, lambda: print(f"{detector}: {file}"))
        return
    config, chosen = _asked(found, detector, protocol, weights, steps, batch, seed)
    treatment = Treatment(perturbation, level) if perturbation else AS_THEY_ARE
    with shared.progress(json) as progress:
        if config is None:
            made = {name: [file] for name, file in bench_scores.judge_containers(out, chosen).items()}
        else:
            made = bench_run.run(
                found, out, chosen, config, treatments=(treatment,), backbone=weights, jobs=jobs, progress=progress
            )
    shared.say({"scores": made}, json, lambda: print(f"{len(made)} protocols judged; see `selfsame bench board`."))


def board(
    *,
    out: Out = OUT,
    by: Annotated[
        Literal["clip", "frame"], Parameter(help="What is counted: clips, or single frames and runs.")
    ] = "clip",
    pooled: Annotated[
        Literal["mean", "max", "median"], Parameter(help="How a clip's score follows from its frames'.")
    ] = "mean",
    json: Json = False,
) -> None:
    """Write the leaderboard as Markdown, CSV and a page: every detector under every protocol, published ones beside.

    Example: selfsame bench board --out bench
    """
    from selfsame.clips import index as clips
    from selfsame.jobs import bench_board, bench_index, bench_robust, bench_tables

    found = clips.read(out / bench_index.INDEX_FILE)
    cells = bench_board.cells(found, out, by, pooled)
    how = f"judged by clip, {pooled} of its frames" if by == "clip" else "judged by frame"
    lead = f"{len(found.usable)} clips of {found.root}, {how}."
    files = bench_tables.write(out, cells, lead, bench_robust.points(found, out))
    text = files["md"].read_text()
    shared.say({**files, "cells": len(cells)}, json, lambda: print(f"{text}\nThe page: {files['html'].resolve()}"))


def explain(
    detector: Detector,
    *,
    protocol: Pattern = "P1 *",
    shown: Annotated[int, shared.COUNT, Parameter(help="Errors of either kind that the page shows at most.")] = 12,
    out: Out = OUT,
    weights: Weights = None,
    steps: Steps = None,
    batch: Batch = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Show where a trained detector looks: Grad-CAM by region and generator, and its errors in pictures, as a page.

    Where several protocols share a model, their test clips are looked at together; the first model is shown.

    Example: selfsame bench explain cnn-small --protocol "P1 *"
    """
    from selfsame.clips import index as clips
    from selfsame.core.errors import WrongUse
    from selfsame.jobs import bench_explain, bench_index, bench_models, bench_protocols

    found = clips.read(out / bench_index.INDEX_FILE)
    config, chosen = _asked(found, detector, protocol, weights, steps, batch, seed)
    if config is None:
        raise WrongUse("The containers' baseline sees no picture.", "Explain a detector that does.")
    name = bench_protocols.name_of(chosen[0], config)
    tasks = [task for task in chosen if bench_protocols.name_of(task, config) == name]
    with shared.progress(json) as progress:
        model = bench_models.load(out, tasks[0], config, weights)
        asked = bench_models.cut(found, bench_protocols.clips_of(tasks, ("test",)), config.crop, out, progress=progress)
        made = bench_explain.explain(
            model, asked, bench_models.crops(found, config.crop, out), out / f"explain-{name}", shown=shown,
            progress=progress,
        )  # fmt: skip
    shares = {maker: shared.plain(regions) for maker, regions in made.shares.items()}

    def words() -> None:
        for maker, regions in made.shares.items():
            print(f"{maker}: " + ", ".join(str(region) for region in regions))
        print(f"The page: {made.page.resolve()}")

    shared.say({"shares": shares, "areas": made.areas, "page": made.page, "maps": made.maps}, json, words)


def _asked(
    found: "Index", detector: str, pattern: str, weights: Path | None, steps: int | None, batch: int | None, seed: int
) -> "tuple[DetectConfig | None, list[Task]]":
    """The training that a command names, None for the containers, and its protocols."""
    from selfsame.core import files
    from selfsame.core.errors import WrongUse
    from selfsame.detectors.table import CONTAINERS
    from selfsame.jobs import bench_protocols
    from selfsame.tasks.detect_config import preset

    chosen = bench_protocols.tasks(found, pattern)
    if detector == CONTAINERS:
        return None, chosen
    if steps == 0 and weights is None:
        raise WrongUse("Without steps a detector has learned nothing.", "Give --weights with its published checkpoint.")
    digest = files.digest(weights) if weights else None
    config = replace(preset(detector), seed=seed, backbone=digest)
    return replace(config, steps=config.steps if steps is None else steps, batch=batch or config.batch), chosen


def _say_plan(config: "DetectConfig", chosen: "list[Task]", json: bool) -> None:
    """What a training would do."""
    from selfsame.core.config import to_json
    from selfsame.jobs import bench_protocols

    plans = [bench_protocols.described(task) for task in chosen]

    def words() -> None:
        print(to_json(config))
        for plan in plans:
            print(f"{plan['name']}: {plan['clips']}")

    shared.say({"config": asdict(config), "protocols": plans}, json, words)
