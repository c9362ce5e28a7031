"""`selfsame together`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import Json, People


def together(
    names: Annotated[list[str], Parameter(help="Two people or more, or one person several times.")],
    /,
    *,
    out: Annotated[Path, Parameter(help="A sheet (.png) or a film along EG3D's orbit (.mp4).")] = Path("together.png"),
    frames: Annotated[
        int | None, shared.COUNT, Parameter(help="How many views of the orbit; else 5 on a sheet and 96 in a film.")
    ] = None,
    prior: Annotated[
        str | None,
        Parameter(help="The prior that the models were made on, where this machine has none of its digest by a name."),
    ] = None,
    run: Annotated[str, Parameter(help="Which of each person's models.")] = "main",
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Show several people side by side in the same views, all of them in one forward pass a view.

    Each is shown as on the photo that was taken most nearly from the front. Their models must be low-rank ones of one
    rank on one prior.

    Example: selfsame together ada bo --out together.mp4
    """
    from selfsame.jobs import history
    from selfsame.jobs import together as job

    folders = [shared.model_folder(people, name, run) for name in names]
    with shared.progress(json) as progress:
        states = [history.current(folder) for folder in folders]
        path = job.draw(names, states, out, frames, prior, progress)
    shared.say({"file": path, "people": names}, json, lambda: print(path))
