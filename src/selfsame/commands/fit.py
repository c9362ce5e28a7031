"""`selfsame fit`."""

from dataclasses import asdict
from typing import Annotated, Literal

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import DryRun, Json, People
from selfsame.core.errors import WrongUse


def fit(
    name: str,
    *,
    preset: Annotated[
        Literal["quick", "paper-v4", "paper-v1", "paper-2d"], Parameter(help="A published recipe, or the quick one.")
    ] = "quick",
    prior: Annotated[
        str, Parameter(help="A prior, in 3D or 2D: starter-3d, starter-2d, an imported one, or a folder.")
    ] = "starter-3d",
    sam: Annotated[str, Parameter(help="In 2D: the SAM whose inversion encoder finds the codes.")] = "starter-sam",
    lpips: shared.Lpips = None,
    rank: Annotated[int | None, shared.COUNT, Parameter(help="In 3D: another rank of the low-rank weights.")] = None,
    full: Annotated[
        bool, Parameter(negative="", help="In 3D: train all weights but the mapping instead of low-rank ones.")
    ] = False,
    symmetry_every: Annotated[
        int | None, Parameter(help="In 3D: symmetry phase after every so many steps; 0 never.")
    ] = None,
    steps: Annotated[int | None, shared.COUNT, Parameter(help="Fewer or more steps of inversion and training.")] = None,
    batch: Annotated[int | None, shared.COUNT, Parameter(help="Photos a step, over all processes.")] = None,
    accumulate: Annotated[
        int, shared.COUNT, Parameter(help="Take a batch in so many parts, one after the other, in less memory.")
    ] = 1,
    precision: Annotated[Literal["no", "bf16", "fp16"], Parameter(help="Numbers that the networks compute in.")] = "no",
    recompute: Annotated[
        bool, Parameter(negative="", help="Keep fewer activations and compute them again: slower, in less memory.")
    ] = False,
    half: Annotated[
        bool, Parameter(negative="", help="In 3D: store the person's numbers in 16 bits, half the bytes.")
    ] = False,
    run: Annotated[str, Parameter(help="Name of this model among the person's models.")] = "main",
    people: People = shared.PEOPLE,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Fit a personal model, in 3D or in 2D as its prior is, on a person's album and write its report.

    Some photos are held back to measure with. The same command again resumes, bit for bit. On several GPUs: torchrun
    --nproc-per-node N -m selfsame fit ...

    Example: selfsame fit ada --preset quick
    """
    from selfsame.core.config import to_json
    from selfsame.faces.album import Album
    from selfsame.jobs import fit as job
    from selfsame.jobs import fit2d, jury, pages, parts
    from selfsame.tasks import prior2d
    from selfsame.train import devices

    flat = prior2d.is_2d(prior)
    presets = fit2d.PRESETS if flat else job.PRESETS
    if preset not in presets:
        raise WrongUse(f"{preset} is no preset for {prior}.", f"Give --preset {' or '.join(presets)}.")
    if flat and (full or rank is not None or symmetry_every is not None):
        raise WrongUse("In 2D all weights are tuned.", "Leave out --full, --rank and --symmetry-every.")
    if flat and half:
        raise WrongUse("2D models are stored in full precision.", "Leave out --half.")
    folder = shared.person_folder(people, name)
    album = Album.open(folder)
    where = folder / "models" / shared.checked(run)
    config: job.FitConfig | fit2d.Fit2DConfig
    if flat:
        config = fit2d.with_batch(fit2d.with_steps(fit2d.PRESETS[preset], steps), batch)
    else:
        config = job.adjusted(job.PRESETS[preset], rank=rank, full=full, symmetry_every=symmetry_every, batch=batch)
        config = job.with_steps(config, steps)
    how = {"precision": precision, "accumulate": accumulate, "recompute": recompute}
    if dry_run:
        plan = {"photos": len(album.kept), "prior": prior, "model": where, "config": asdict(config), **how}
        told = ", ".join(f"{key} {value}" for key, value in how.items())
        text = f"{len(album.kept)} photos of {name} on {prior} into {where}, {told}, with\n{to_json(config)}"
        shared.say(plan, json, lambda: print(text, end=""))
        return
    here = devices.here(precision, accumulate=accumulate, recompute=recompute)
    with shared.progress(json or not here.first) as progress:
        if isinstance(config, fit2d.Fit2DConfig):
            judge = parts.load_judge(lpips)
            tuned = fit2d.run(album, parts.load_sam(sam, prior), judge, where, config, progress, devices=here)
            numbers, measured = tuned.numbers, tuned.measured
            page = pages.fit2d_page(where, album, tuned) if here.first else where
        else:
            solid = parts.load_prior(prior)
            fitted = job.fit(album, solid, jury.load(lpips), where, config, progress, devices=here, half=half)
            numbers, measured = fitted.numbers, fitted.measured
            page = pages.fit_page(where, album, fitted) if here.first else where
    if not here.first:
        return
    record = {"model": where, "report": page, "numbers": numbers, "measured": shared.plain(measured)}

    def words() -> None:
        shared.figures(measured)
        print(f"The model: {where}, {numbers:,} numbers\nThe report: {page.resolve()}")

    shared.say(record, json, words)
