"""`selfsame demo`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import DryRun, Json


def demo(
    *,
    out: Annotated[Path, Parameter(help="Where the photos, the album, the model and the report go.")] = Path(
        "selfsame-demo"
    ),
    seed: Annotated[int, Parameter(help="Which synthetic person.")] = 7,
    photos: Annotated[int, shared.COUNT, Parameter(help="How many photos are taken.")] = 24,
    steps: Annotated[int | None, shared.COUNT, Parameter(help="Fewer or more steps of inversion and training.")] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Make a synthetic person, photograph them, fit a personal 3D model, and write report.html.

    Needs no data and no download; the same command again resumes.

    Example: selfsame demo --out demo --seed 7
    """
    from selfsame.core.config import to_json
    from selfsame.jobs import demo as job
    from selfsame.jobs import fit, jury, parts

    config = fit.with_steps(job.CONFIG, steps)
    if dry_run:
        plan = {"photos": photos, "seed": seed, "out": out, "config": asdict(config)}
        text = f"{photos} photos of person {seed} into {out}, then a fit with\n{to_json(config)}"
        shared.say(plan, json, lambda: print(text, end=""))
        return
    with shared.progress(json) as progress:
        prior, judge = parts.load_prior("starter-3d"), jury.load()
        done = job.demo(out, prior, judge, seed=seed, photos=photos, config=config, progress=progress)
    record = {"report": done.report, "measured": shared.plain(done.measured)}

    def words() -> None:
        shared.figures(done.measured)
        print(f"The report: {done.report.resolve()}")

    shared.say(record, json, words)
