"""`selfsame repair`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.invert import Aligned, Beta, Preset, load_model
from selfsame.commands.shared import Json, People
from selfsame.core.errors import WrongUse

if TYPE_CHECKING:
    from selfsame.jobs.repair import Damage
    from selfsame.jobs.seat import Seat

SUFFIXES = (".png", ".jpg", ".webp")


def repair(
    name: str,
    photo: Path,
    *,
    mask: Annotated[Path | None, Parameter(help="A picture of the photo's size, white where to fill in.")] = None,
    factor: Annotated[
        int | None, shared.COUNT, Parameter(help="Enlarge a photo of too few pixels so many times.")
    ] = None,
    old: Annotated[bool, Parameter(negative="", help="A grey, faded, blurred photo.")] = False,
    scratches: Annotated[Path | None, Parameter(help="With --old: a mask of what is scratched.")] = None,
    beta: Beta = 0.03,
    tune: Annotated[
        bool, Parameter(negative="", help="Then tune a copy of the network to what the photo tells.")
    ] = False,
    preset: Preset = "quick",
    steps: Annotated[int | None, shared.COUNT, Parameter(help="Fewer or more steps of each stage.")] = None,
    aligned: Aligned = False,
    out: Annotated[Path | None, Parameter(help="Picture to write; else <photo>-repaired.png here.")] = None,
    lpips: shared.Lpips = None,
    prior: shared.MadeOn = None,
    run: shared.Run = "main",
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Repair a damaged photo with a person's 3D model: fill in a mask, add resolution, or restore an old print.

    What the damage took is invented as the person's other photos suggest it; the output says what that is.

    Example: selfsame repair ada photo.jpg --mask mask.png
    """
    if sum((mask is not None, factor is not None, old)) != 1 or (scratches and not old):
        raise WrongUse("Say what ails the photo.", "Give one of --mask MASK, --factor N, --old [--scratches MASK].")
    path = out or Path(f"{photo.stem}-repaired.png")
    if path.suffix.lower() not in SUFFIXES:
        raise WrongUse(f"{path.name} does not end in {' or '.join(SUFFIXES)}.", "Give --out another name.")
    from selfsame.jobs import jury, seat
    from selfsame.jobs import repair as job

    hole = mask or scratches
    config = job.configured(preset, beta, tune, steps)
    with shared.progress(json) as progress:
        model = load_model(name, run, people, prior)
        judge = jury.load(lpips)
        size_px = model.net.config.image_px
        if factor is not None:
            job.check_factor(factor, size_px)
        place = seat.sit(photo, size_px, aligned=aligned, enlarge=factor or 1, hole=None if aligned else hole)
        damage = _damage(place, photo, hole, factor, old)
        made = job.repair(model, place, damage, config, judge, progress)
        files = job.write(path, place, made, damage)
    record = {**files, "invented": damage.invented()}

    def words() -> None:
        print(f"Repaired: {files['file']}, its face {files['crop']}, before and after {files['strip']}")
        print(f"Invented, not restored: {damage.invented()}.")

    shared.say(record, json, words)


def _damage(place: "Seat", photo: Path, hole: Path | None, factor: int | None, old: bool) -> "Damage":
    from selfsame.jobs import repair as job
    from selfsame.jobs import seat

    if factor is not None:
        return job.small(place, factor)
    marked = None
    if hole:
        shape = (place.native_px,) * 2 if place.pixels is None else place.pixels.shape
        marked = seat.hole_in(place, seat.read_hole(hole, shape))
        if not marked.any():
            raise WrongUse(f"{hole.name} marks nothing of the face in {photo.name}.", "Paint white what to repair.")
    return job.Damage("old" if old else "hole", hole=marked)
