"""The command `selfsame`: nouns and verbs, each in a file of `selfsame.commands` that is imported when it runs."""

import sys

from cyclopts import App

import selfsame
from selfsame.commands.shared import report_error
from selfsame.core.errors import SelfsameError

app = App(
    name="selfsame",
    help="Personal generative face models: make them, keep them, and measure them against the truth.",
    version=selfsame.__version__,
)
app.command(
    "selfsame.commands.demo:demo",
    name="demo",
    help="Make a synthetic person, photograph them, fit a personal 3D model, write a report.",
)
app.command("selfsame.commands.fit:fit", name="fit", help="Fit a personal 3D model on a person's album.")
app.command(
    "selfsame.commands.show:show", name="show", help="Show a personal model: orbit, samples, interpolation, mesh."
)

album = App(name="album", help="One person's photos: take them in, look at them.")
album.command("selfsame.commands.album:add", name="add", help="Take photos and videos of one person in.")
album.command("selfsame.commands.album:show", name="show", help="Say what an album holds and why photos were left out.")
app.command(album)

world = App(name="world", help="Synthetic people.")
world.command("selfsame.commands.world:album", name="album", help="Photograph a synthetic person and make their album.")
app.command(world)


def main() -> None:
    """Run one command; an error becomes one line, exit code 2 for wrong use, 1 for failed work, 130 when stopped."""
    try:
        app()
    except SelfsameError as error:
        sys.exit(report_error(error))
    except KeyboardInterrupt:
        print("selfsame: stopped; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)
