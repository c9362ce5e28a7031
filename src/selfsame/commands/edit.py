"""`selfsame edit`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from selfsame.commands import shared
from selfsame.commands.shared import Json, People
from selfsame.core.errors import WrongUse

if TYPE_CHECKING:
    from selfsame.jobs.edit import Sweep
    from selfsame.tasks.directions import Direction

STEPS = 7  # of a sweep whose ends alone are given


def edit(
    name: str,
    *,
    direction: Annotated[str | None, Parameter(help="What to change: smile, age, glasses, light, mouth_open.")] = None,
    list_: Annotated[
        bool, Parameter(name="--list", negative="", help="Show the directions and how well each was found.")
    ] = False,
    by: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True,
            help="How far, in standard deviations among random people: -3:3, -3:3:7 with a number of steps, or 2.",
        ),
    ] = None,
    preset: Annotated[
        Literal["quick", "paper-3d", "paper-2d"] | None,
        Parameter(help="Instead of --by: the quick sweep, or a published one, whose lengths are in units of W."),
    ] = None,
    policy: Annotated[
        Literal["continue", "stop", "project", "free"],
        Parameter(
            help="Mixtures of the person's photos, which at their hull's border go on, stop, or are taken back to it; "
            "free knows no hull."
        ),
    ] = "free",
    beta: Annotated[float, Parameter(validator=Number(gte=0), help="By how much the hull is dilated.")] = 0.03,
    alone: Annotated[
        bool, Parameter(negative="", help="Without what the direction shares with the other directions.")
    ] = False,
    anchor: Annotated[int | None, Parameter(help="Which photo's look is edited; else the most frontal one's.")] = None,
    orbit: Annotated[bool, Parameter(negative="", help="Also a film in which the edited looks turn.")] = False,
    frames: Annotated[int, shared.COUNT, Parameter(help="How many frames the film has.")] = 96,
    out: Annotated[Path | None, Parameter(help="A .png, or a folder; else <name>-<direction>.png here.")] = None,
    samples: Annotated[
        int | None, shared.COUNT, Parameter(help="How many random people are judged to find the directions.")
    ] = None,
    published: Annotated[
        bool, Parameter(negative="", help="Find the directions from 500,000 people, as published: for a GPU and days.")
    ] = False,
    prior: shared.MadeOn = None,
    run: shared.Run = "main",
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Edit a look of a personal 3D model: more or less of a smile, age, glasses, or light from the other side.

    The first call of a model judges random people to find its directions (minutes), and keeps them beside the model.

    Example: selfsame edit ada --direction smile --by -3:3
    """
    if (direction is None) != list_:
        raise WrongUse("Ask for one thing.", "Give --direction smile, or --list.")
    if by is not None and preset is not None:
        raise WrongUse("--by and --preset both say how far.", "Give one of them.")
    asked = None if by is None else parsed(by)
    from dataclasses import replace

    import torch

    from selfsame.core.camera import facing
    from selfsame.jobs import edit as job
    from selfsame.jobs import history, parts, showing
    from selfsame.tasks import directions
    from selfsame.tasks.edit import PRESETS

    if direction is not None and direction not in parts.ATTRIBUTES:
        raise WrongUse(f"There is no direction called {direction}.", f"There are {', '.join(parts.ATTRIBUTES)}.")
    strip, film = job.places(out, f"{name}-{direction}", orbit)
    folder = shared.model_folder(people, name, run)
    config = directions.PRESETS["paper" if published else "quick"]
    config = config if samples is None else replace(config, samples=samples)
    with shared.progress(json) as progress:
        state = history.current(folder)
        model = job.solid(showing.load(state, prior))
        number = model.most_frontal() if anchor is None else anchor
        model.check_anchor(number)
        scorer = parts.load_scorer()
        found = job.find(model, state, scorer, config, progress)
        if direction is None:
            shared.say({"directions": [vars(d.figures) for d in found.values()]}, json, lambda: listed(found))
            return
        way = PRESETS[preset or "quick"]
        thetas, unit = (way.thetas, way.unit) if asked is None else (asked, "spread")
        length = found[direction].figures.spread if unit == "spread" else 1.0
        swept = job.sweep(
            model, model.anchors[number : number + 1], facing(torch.zeros(1), torch.zeros(1)),
            directions.alone(found, direction) if alone else found[direction], direction, thetas,
            parts.load_judge(), scorer, policy, beta, unit=length,
        )  # fmt: skip
        made = job.write(model, swept, direction, policy, strip, film=film, frames=frames, progress=progress)
    record = {**vars(made), "anchor": number, "unit_in_w": length, "steps": [vars(s) for s in made.steps]}
    shared.say({**record, "stopped": made.stopped}, json, lambda: words(made))


def parsed(text: str) -> list[float]:
    """Steps from "-3:3", "-3:3:7" or "2", in rising order and with 0 among them."""
    try:
        parts = text.split(":")
        if len(parts) == 1:
            found = [float(parts[0])]
        else:
            low, high, count = float(parts[0]), float(parts[1]), int(parts[2]) if len(parts) > 2 else STEPS
            if len(parts) > 3 or count < 2 or not low < high:
                raise ValueError
            found = [low + (high - low) * i / (count - 1) for i in range(count)]
        if not all(abs(x) < 1e6 for x in found):
            raise ValueError
    except ValueError as error:
        raise WrongUse(f"{text!r} tells no edits.", "Write --by -3:3, --by -3:3:7 or --by 2.") from error
    return sorted({0.0, *(0.0 if abs(x) < 1e-9 else x for x in found)})


def listed(found: "dict[str, Direction]") -> None:
    """A table of the directions."""
    from rich.console import Console
    from rich.table import Table

    table = Table("direction", "accuracy", "AUC", "held out", "least", "most", "spread in W", box=None, pad_edge=False)
    for f in (d.figures for d in found.values()):
        numbers = (f"{f.accuracy:.3f}", f"{f.auc:.3f}", str(f.held_out), f"{f.low:.2f}", f"{f.high:.2f}")
        table.add_row(f.name, *numbers, f"{f.spread:.2f}")
    Console().print(table)


def words(made: "Sweep") -> None:
    """A table of the steps, what the hull leaves of the direction, and the files."""
    from rich.console import Console
    from rich.table import Table

    table = Table("by", f"{made.direction}", "identity kept", "lowest weight", box=None, pad_edge=False)
    for s in made.steps:
        lowest = "-" if s.lowest is None else f"{s.lowest:.2f}"
        table.add_row(f"{s.theta:+.2f}", f"{s.score:.2f}", f"{s.identity:.3f}", lowest)
    Console().print(table)
    if made.policy != "free":
        print(f"{made.kept:.0%} of the direction's length lies in what this person's photos span.")
    if made.stopped:
        print(f"Stopped at the border of the hull: {', '.join(f'{t:+.2f}' for t in made.stopped)}")
    print(f"The strip: {made.strip}" + (f"\nThe film: {made.film}" if made.film else ""))
