"""`selfsame invert`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from selfsame.commands import shared
from selfsame.commands.shared import Json, People

if TYPE_CHECKING:
    from selfsame.tasks.model import PersonalModel

Aligned = Annotated[
    bool, Parameter(negative="", help="The file is an EG3D crop already: look for no face, search the camera.")
]
Beta = Annotated[float, Parameter(validator=Number(gte=0, lte=1), help="How far the hull is dilated.")]
Preset = Annotated[Literal["quick", "paper"], Parameter(help="Steps for the starter prior, or the published ones.")]


def invert(
    name: str,
    photo: Path,
    *,
    space: Annotated[
        Literal["w", "w_plus", "hull"],
        Parameter(help="One code for all layers, one each, or mixtures of the person's looks."),
    ] = "w_plus",
    beta: Beta = 0.03,
    tune: Annotated[bool, Parameter(negative="", help="Then tune a copy of the network about the code.")] = False,
    preset: Preset = "quick",
    steps: Annotated[int | None, shared.COUNT, Parameter(help="Fewer or more steps of each stage.")] = None,
    aligned: Aligned = False,
    out: Annotated[Path | None, Parameter(help="Folder to write into; else <photo>-found here.")] = None,
    lpips: shared.Lpips = None,
    prior: shared.MadeOn = None,
    run: shared.Run = "main",
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Find a photo that was not trained on in a person's 3D model; writes its code and a sheet with new views.

    What is found can be shown and interpolated by `selfsame show --look FOLDER`.

    Example: selfsame invert ada photo.jpg --tune
    """
    from selfsame.jobs import find_photo, jury, seat

    config = find_photo.configured(preset, space, beta, tune, steps)
    folder = out or Path(f"{photo.stem}-found")
    with shared.progress(json) as progress:
        model = load_model(name, run, people, prior)
        judge = jury.load(lpips)
        place = seat.sit(photo, model.net.config.image_px, aligned=aligned)
        made = find_photo.find(model, place, photo.name, config, judge, progress)
        sheet = find_photo.write(folder, made, model, f"selfsame invert {name} {photo.name} --space {space}")
    record = {"found": folder, "sheet": sheet, "measured": shared.plain(made.measured)}

    def words() -> None:
        for label, scores in made.scores:
            psnr, ssim, identity = (float(v) for v in (scores.psnr, scores.ssim, scores.identity))
            print(f"{label}: PSNR {psnr:.1f} dB, SSIM {ssim:.3f}, identity {identity:.3f}")
        print(f"The found photo: {folder}; its sheet: {sheet}")

    shared.say(record, json, words)


def load_model(name: str, run: str, people: Path, prior: str | None) -> "PersonalModel":
    """A person's 3D model; raises BadInput where there is none of this name, WrongUse for another kind."""
    from selfsame.jobs import history, showing

    folder = shared.model_folder(people, name, run)
    return showing.solid(showing.load(history.current(folder), prior))
