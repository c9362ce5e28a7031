"""`selfsame fit`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import DryRun, Json, People


def fit(
    name: str,
    *,
    preset: Annotated[
        Literal["quick", "paper-v4", "paper-v1"], Parameter(help="A published recipe, or the quick one.")
    ] = ("quick"),
    prior: Annotated[str, Parameter(help="A prior of the starter set, or the folder of one.")] = "starter-3d",
    lpips: Annotated[
        Path | None, Parameter(help="Folder of LPIPS weights; else the starter judge is the perceptual term.")
    ] = None,
    rank: Annotated[int | None, shared.COUNT, Parameter(help="Another rank of the low-rank weights.")] = None,
    full: Annotated[
        bool, Parameter(negative="", help="Train all weights but the mapping instead of low-rank ones.")
    ] = False,
    symmetry_every: Annotated[int | None, Parameter(help="Symmetry phase after every so many steps; 0 never.")] = None,
    steps: Annotated[int | None, shared.COUNT, Parameter(help="Fewer or more steps of inversion and training.")] = None,
    run: Annotated[str, Parameter(help="Name of this model among the person's models.")] = "main",
    people: People = shared.PEOPLE,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Fit a personal 3D model on a person's album and write its report.

    Some photos are held back to measure with. The same command again resumes, bit for bit.

    Example: selfsame fit ada --preset quick
    """
    from selfsame.core.config import to_json
    from selfsame.faces.album import Album
    from selfsame.jobs import fit as job
    from selfsame.jobs import pages, parts

    config = job.adjusted(job.PRESETS[preset], rank=rank, full=full, symmetry_every=symmetry_every)
    config = job.with_steps(config, steps)
    folder = shared.person_folder(people, name)
    album = Album.open(folder)
    where = folder / "models" / shared.person_folder(Path(), run).name
    if dry_run:
        plan = {"photos": len(album.kept), "prior": prior, "model": where, "config": asdict(config)}
        text = f"{len(album.kept)} photos of {name} on {prior} into {where}, with\n{to_json(config)}"
        shared.say(plan, json, lambda: print(text, end=""))
        return
    with shared.progress(json) as progress:
        judge = parts.load_judge(lpips)
        loaded = parts.load_prior(prior)
        fitted = job.fit(album, loaded, judge, where, config, progress)
        page = pages.fit_page(where, album, fitted)
    record = {"model": where, "report": page, "numbers": fitted.numbers, "measured": [vars(m) for m in fitted.measured]}

    def words() -> None:
        shared.figures(fitted.measured)
        print(f"The model: {where}, {fitted.numbers:,} numbers\nThe report: {page.resolve()}")

    shared.say(record, json, words)
