"""`selfsame train prior`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import DryRun, Json


def prior(
    *,
    data: Annotated[Path, Parameter(help="Folder of images, or of an album; 3d needs a camera for each.")],
    out: Annotated[Path, Parameter(help="Folder of the run, which becomes the prior.")],
    kind: Annotated[Literal["2d", "3d"], Parameter(help="StyleGAN2, or EG3D's tri-planes.")] = "2d",
    size: Annotated[int, shared.COUNT, Parameter(help="Side of the pictures in pixels, a power of two.")] = 128,
    width: Annotated[Literal["small", "paper"], Parameter(help="Channels as the starter set's, or as published.")] = (
        "small"
    ),
    steps: Annotated[int, shared.COUNT, Parameter(help="How many steps; more of them lengthen a finished run.")] = 5000,
    batch: Annotated[int, shared.COUNT, Parameter(help="Images a step, over all processes.")] = 16,
    precision: Annotated[Literal["no", "bf16", "fp16"], Parameter(help="Numbers that the networks compute in.")] = "no",
    augment: Annotated[
        Literal["ada", "none"], Parameter(help="Adaptive augmentation against learning by heart, or none.")
    ] = "ada",
    gamma: Annotated[float | None, Parameter(help="Weight of R1; else by size and batch.")] = None,
    start: Annotated[str | None, Parameter(help="A prior to start from: a name, or its folder.")] = None,
    discriminator: Annotated[str | None, Parameter(help="An imported discriminator to start from.")] = None,
    look_every: Annotated[int, shared.COUNT, Parameter(help="Samples and FID after every so many steps.")] = 250,
    looked_at: Annotated[int, Parameter(help="How many pictures FID takes.", validator=shared.AT_LEAST_TWO)] = 1000,
    seed: Annotated[int, Parameter(help="Which random numbers.")] = 0,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Train a prior on your own images: samples and FID as it goes, and a report at the end.

    A tenth of the images is held back to measure with. The same command again goes on where it was stopped, bit for
    bit. On several GPUs: torchrun --nproc-per-node N -m selfsame train prior ...

    Example: selfsame train prior --data faces --out priors/mine --size 128
    """
    from selfsame.core.config import to_json
    from selfsame.jobs import networks, parts, picture_data, train_pages, train_prior
    from selfsame.tasks import prior2d
    from selfsame.train import devices

    networks.check_size(size)
    config = train_prior.configuration(
        kind=kind, size_px=size, width=width, batch=batch, gamma=gamma, augment=augment == "ada", precision=precision,
        seed=seed, look_every=look_every, looked_at=looked_at, transfer=start is not None,
    )  # fmt: skip
    if dry_run:
        found = picture_data.count(data, kind)
        plan = {"images": found, "out": out, "steps": steps, "config": asdict(config)}
        text = f"{found} images of {data} into {out}, {steps} steps with\n{to_json(config)}"
        shared.say(plan, json, lambda: print(text, end=""))
        return
    where = devices.here(precision)
    with shared.progress(json or not where.first) as progress:
        begun = prior2d.load(start) if start is not None else None
        trained = train_prior.train(
            data, out, config, steps, parts.load_features(), start=begun, discriminator=discriminator,
            devices=where, progress=progress,
        )  # fmt: skip
        if trained is None:
            return
        page = train_pages.train_page(out, trained)
    index = trained.train.index
    record = {
        "prior": out,
        "digest": trained.prior.digest,
        "report": page,
        "images": len(index.pictures),
        "held_back": len(trained.held_back),
        "resized": index.resized,
        "cropped": index.cropped,
        "left_out": index.left_out,
        "measured": shared.plain(trained.measured),
    }

    def words() -> None:
        for name, why in index.left_out.items():
            print(f"left out  {name}: {why}")
        print(f"{len(index.pictures)} images; {index.resized} were resized, {index.cropped} cropped to a square.")
        shared.figures(trained.measured)
        print(f"The prior: {out}\nThe report: {page.resolve()}")

    shared.say(record, json, words)
