"""`selfsame reproduce my3dgen`, `mytm`, `continual` and `talkingheadbench`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import DryRun, Json

SHOWN_PEOPLE, USUAL_PEOPLE = 4, 20

Jobs = Annotated[int, shared.COUNT, Parameter(help="How many processes share the work.")]
Subjects = Annotated[int, shared.COUNT, Parameter(help="How many synthetic people.")]
Cluster = Annotated[str | None, Parameter(help="Address of a Ray cluster, or `local`; else processes of this machine.")]


def my3dgen(
    *,
    out: Annotated[Path, Parameter(help="Folder of the scores, the sheets and the table.")] = Path("runs/my3dgen"),
    subjects: Annotated[
        int | None, shared.COUNT, Parameter(help="How many people: synthetic ones (20), or all albums.")
    ] = None,
    albums: Annotated[
        Path | None, Parameter(help="A folder of people with albums, instead of synthetic people: no truth then.")
    ] = None,
    prior: Annotated[str, Parameter(help="The 3D prior: starter-3d, an imported one, or a folder.")] = "starter-3d",
    preset: Annotated[
        Literal["quick", "paper-v4"], Parameter(help="Settings for the starter prior on a CPU, or the published ones.")
    ] = "quick",
    lpips: Annotated[Path | None, Parameter(help="Folder or name of LPIPS weights, for a column of their own.")] = None,
    identity_judge: shared.IdentityJudge = None,
    jobs: Jobs = 2,
    cluster: Cluster = None,
    steps: Annotated[
        int | None, shared.COUNT, Parameter(help="Fewer or more steps of every inversion, training and tuning.")
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Evaluate personal 3D models as My3DGen's tasks ask, against its rivals and against the true shape and views.

    Ranks, full fine-tuning, symmetry, numbers of photos, tuning to each photo; inversion, interpolation, synthesis, new
    views and profiles of synthetic people whom nothing was trained on, or of your albums; tables in Markdown with
    intervals and paired tests. The same command again goes on.

    Example: selfsame reproduce my3dgen --subjects 20 --jobs 2
    """
    from selfsame.core import image
    from selfsame.jobs import my3dgen_methods, my3dgen_people, my3dgen_scores, my3dgen_sheet, my3dgen_table, parts

    count = subjects or (len(my3dgen_people.albums(albums)) if albums else USUAL_PEOPLE)
    plan = my3dgen_scores.Plan(prior, preset, lpips, identity_judge, albums and albums.absolute(), count)
    if dry_run:
        _say_plan(list(my3dgen_methods.METHODS), count, out, json)
        return
    with shared.progress(json) as progress:
        my3dgen_scores.run(out, plan, jobs, steps, progress, cluster)
    sheets = []
    if albums is None:
        seeds, sheets = plan.people[:SHOWN_PEOPLE], [out / "sheet.png"]
        image.save(my3dgen_sheet.sheet(out, seeds, parts.load_prior(prior).net), sheets[0])
    _say_table(my3dgen_table.markdown(list(my3dgen_scores.read(out))), out, json, sheets=sheets)


def mytm(
    *,
    out: Annotated[Path, Parameter(help="Folder of the scores and the table.")] = Path("runs/mytm"),
    subjects: Subjects = 12,
    jobs: Jobs = 2,
    cluster: Cluster = None,
    steps: Annotated[int | None, shared.COUNT, Parameter(help="Fewer or more steps of every training.")] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Evaluate personal aging as MyTimeMachine's paper does, against its rivals and against the true looks.

    Regression and progression, ablations, numbers of photos, on synthetic people whom nothing was trained on; a table
    in Markdown with intervals, paired tests and the published figures. The same command again goes on.

    Example: selfsame reproduce mytm --subjects 12 --jobs 2
    """
    from selfsame.core import image
    from selfsame.jobs import mytm_cases, mytm_scores, mytm_sheet, mytm_table

    if dry_run:
        _say_plan([cell.name for stage in mytm_scores.stages() for cell in stage], subjects, out, json)
        return
    with shared.progress(json) as progress:
        mytm_scores.run(out, subjects, jobs, steps, progress, cluster)
    table = mytm_table.markdown(list(mytm_scores.read(out)))
    shown = range(mytm_cases.FIRST, mytm_cases.FIRST + min(subjects, SHOWN_PEOPLE))
    image.save(mytm_sheet.sheet(out, mytm_cases.REGRESSION_40, shown), out / "sheet.png")
    _say_table(table, out, json)


def continual(
    *,
    out: Annotated[Path, Parameter(help="Folder of the scores, the table and the maps.")] = Path("runs/continual"),
    subjects: Subjects = 8,
    more_seeds: Annotated[
        bool, Parameter(negative="", help="Five seeds for 2D buffers of 5 and 10 too: half an hour more.")
    ] = False,
    jobs: Jobs = 2,
    cluster: Cluster = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Evaluate what personal models forget from session to session, and which old photos are best kept.

    Ten sessions a person, buffers of 3, 5 and 10 photos, in 2D and 3D, on synthetic people whom nothing was trained
    on; a table in Markdown with intervals, paired tests and the published figures. The same command again goes on.

    Example: selfsame reproduce continual --subjects 8 --jobs 2
    """
    from selfsame.jobs import continual_cells, continual_maps, continual_table

    if dry_run:
        cells = [cell.name for stage in continual_cells.stages(more_seeds) for cell in stage]
        _say_plan(cells, subjects, out, json)
        return
    with shared.progress(json) as progress:
        continual_cells.run(out, subjects, jobs, more_seeds=more_seeds, cluster=cluster, progress=progress)
    scores = list(continual_cells.read(out))
    maps = [
        continual_maps.heat_maps(scores, metric, out / f"{name}.png") for name, metric in continual_maps.SHOWN.items()
    ]
    _say_table(continual_table.markdown(scores), out, json, maps=maps)


def talkingheadbench(
    *,
    out: Annotated[Path, Parameter(help="Folder of the clips, the models, the scores and the leaderboard.")] = Path(
        "runs/talkingheadbench"
    ),
    people: Annotated[
        tuple[int, int, int], Parameter(help="How many synthetic people for training, selection and test.")
    ] = (40, 12, 34),
    detectors: Annotated[
        list[str] | None,
        Parameter(consume_multiple=True, help="Else cnn-small, vit-small and tall-small."),
    ] = None,
    jobs: Jobs = 2,
    steps: Annotated[int | None, shared.COUNT, Parameter(help="Fewer or more steps of every training.")] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Evaluate detectors of talking heads as TalkingHeadBench does, on synthetic people and eight generators.

    New faces (P1), new generators (P2), both (P3), emerging generators, the transfer matrix, perturbed clips and heat
    maps; a leaderboard with intervals beside the published one. The same command again goes on.

    Example: selfsame reproduce talkingheadbench --jobs 2
    """
    from dataclasses import replace

    from selfsame.jobs import bench_proof

    config = replace(bench_proof.SET, people=people)
    if dry_run:
        plan = bench_proof.plan(config, detectors)
        shared.say({**plan, "out": out}, json, lambda: print(*(f"{n} {what}" for what, n in plan.items()), sep="\n"))
        return
    with shared.progress(json) as progress:
        made = bench_proof.run(out, config, detectors=detectors, jobs=jobs, steps=steps, progress=progress)
    page = made.files["html"]
    shared.say(dict(made.files), json, lambda: print(f"{made.markdown}\nThe page: {page.resolve()}"))


def _say_plan(cells: list[str], subjects: int, out: Path, json: bool) -> None:
    """What a run would do."""
    words = f"{len(cells)} cells a person, {subjects} people, into {out}:\n" + "\n".join(cells)
    shared.say({"cells": cells, "people": subjects, "out": out}, json, lambda: print(words))


def _say_table(table: str, out: Path, json: bool, **pictures: list[Path]) -> None:
    """Write the table that a run ends with, and say it."""
    from selfsame.core.config import write_atomic

    file = out / "table.md"
    write_atomic(file, table + "\n")
    shared.say({"table": file, **pictures}, json, lambda: print(f"{table}\n\nThe table: {file.resolve()}"))
