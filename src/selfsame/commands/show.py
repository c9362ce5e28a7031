"""`selfsame show`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from selfsame.commands import shared
from selfsame.commands.shared import Json, People
from selfsame.core.errors import WrongUse


def show(
    name: str,
    *,
    orbit: Annotated[bool, Parameter(negative="", help="A video along EG3D's orbit.")] = False,
    turntable: Annotated[
        bool, Parameter(negative="", help="A video from -90 to 90 degrees with the shape beside; and the mesh.")
    ] = False,
    cameras: Annotated[Path | None, Parameter(help="Pictures from the cameras of a JSON file of EG3D labels.")] = None,
    sample: Annotated[
        int | None, shared.COUNT, Parameter(help="A sheet of so many new appearances from the person's hull.")
    ] = None,
    interpolate: Annotated[tuple[str, str] | None, Parameter(help="A video from one look to another.")] = None,
    mesh: Annotated[bool, Parameter(negative="", help="A mesh with vertex colours.")] = False,
    look: Annotated[
        str, Parameter(help="What is shown: a photo's number, or the folder of a photo found by `selfsame invert`.")
    ] = "0",
    pose: Annotated[
        bool, Parameter(negative="", help="Interpolate the photos' cameras too, as My3DGen does; else from the front.")
    ] = False,
    variety: Annotated[
        float,
        Parameter(
            validator=Number(gte=0), help="Of samples: 0 the middle of the hull, 1 as published, more is further."
        ),
    ] = 1.0,
    seed: Annotated[int, Parameter(help="Which samples.")] = 0,
    frames: Annotated[int, shared.COUNT, Parameter(help="How many frames a video has.")] = 96,
    out: Annotated[Path | None, Parameter(help="File to write: .mp4, .png, .glb or .ply; a folder for views.")] = None,
    prior: shared.MadeOn = None,
    run: shared.Run = "main",
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Show a personal model: new views, samples, an interpolation, or a mesh; exactly one of them.

    A look is a photo's number or the folder of a found photo. A 2D model has samples and interpolations alone.

    Example: selfsame show ada --orbit --out ada.mp4
    """
    if sum((orbit, turntable, cameras is not None, sample is not None, interpolate is not None, mesh)) != 1:
        raise WrongUse(
            "Ask for one thing to show.",
            "Give one of --orbit, --turntable, --cameras FILE, --sample N, --interpolate A B, --mesh.",
        )
    from selfsame.jobs import history, showing

    folder = shared.model_folder(people, name, run)
    with shared.progress(json) as progress:
        progress("drawing", 0, 1)
        made = showing.load(history.current(folder), prior)
        more: list[Path] = []
        if orbit:
            path = showing.orbit(made, out or Path(f"{name}-orbit.mp4"), frames, look)
        elif turntable:
            path, *more = showing.turntable(made, out or Path(f"{name}-turntable.mp4"), frames, look)
        elif cameras is not None:
            path = showing.views(made, out or Path(f"{name}-views"), cameras, look)
        elif sample is not None:
            path = showing.samples(made, out or Path(f"{name}-samples.png"), sample, seed, variety)
        elif interpolate is not None:
            path = showing.interpolation(made, out or Path(f"{name}-interpolation.mp4"), *interpolate, frames, pose)
        else:
            path = showing.mesh(made, out or Path(f"{name}.glb"), look)
        progress("drawing", 1, 1)
    record: dict[str, object] = {"file": path}
    if more:
        record["meshes"] = [str(file) for file in more]
    shared.say(record, json, lambda: print("\n".join(map(str, (path, *more)))))
