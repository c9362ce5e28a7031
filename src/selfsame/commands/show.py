"""`selfsame show`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import Json, People
from selfsame.core.errors import BadInput, WrongUse


def show(
    name: str,
    *,
    orbit: Annotated[bool, Parameter(negative="", help="A video along EG3D's orbit.")] = False,
    sample: Annotated[
        int | None, shared.COUNT, Parameter(help="A sheet of so many new appearances from the person's hull.")
    ] = None,
    interpolate: Annotated[
        tuple[int, int] | None, Parameter(help="A video from one photo's look to another's.")
    ] = None,
    mesh: Annotated[bool, Parameter(negative="", help="A mesh with vertex colours.")] = False,
    anchor: Annotated[int, Parameter(help="Which photo's look the orbit and the mesh show.")] = 0,
    seed: Annotated[int, Parameter(help="Which samples.")] = 0,
    frames: Annotated[int, shared.COUNT, Parameter(help="How many frames a video has.")] = 96,
    out: Annotated[Path | None, Parameter(help="File to write: .mp4, .png, .glb or .ply.")] = None,
    prior: Annotated[
        str | None,
        Parameter(help="The prior that the model was made on, where this machine has none of its digest by a name."),
    ] = None,
    run: Annotated[str, Parameter(help="Which of the person's models.")] = "main",
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Show a personal model: an orbit, samples, an interpolation, or a mesh; exactly one of them.

    A 2D model has samples and interpolations alone.

    Example: selfsame show ada --orbit --out ada.mp4
    """
    if sum((orbit, sample is not None, interpolate is not None, mesh)) != 1:
        raise WrongUse("Ask for one thing to show.", "Give one of --orbit, --sample N, --interpolate A B, --mesh.")
    from selfsame.jobs import history, showing

    folder = shared.person_folder(people, name) / "models" / shared.checked(run)
    if not folder.is_dir():
        raise BadInput(f"{name} has no model called {run}.", f"Make one with `selfsame fit {name} --run {run}`.")
    with shared.progress(json) as progress:
        progress("drawing", 0, 1)
        made = showing.load(history.current(folder), prior)
        if orbit:
            path = showing.orbit(made, out or Path(f"{name}-orbit.mp4"), frames, anchor)
        elif sample is not None:
            path = showing.samples(made, out or Path(f"{name}-samples.png"), sample, seed)
        elif interpolate is not None:
            path = showing.interpolation(made, out or Path(f"{name}-interpolation.mp4"), *interpolate, frames)
        else:
            path = showing.mesh(made, out or Path(f"{name}.glb"), anchor)
        progress("drawing", 1, 1)
    shared.say({"file": path}, json, lambda: print(path))
