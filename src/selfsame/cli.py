"""The command `selfsame`: nouns and verbs, one file each in `selfsame.commands`; torch comes in when one runs."""

import sys

from cyclopts import App

import selfsame
from selfsame.commands import (
    age,
    album,
    album_export,
    album_sessions,
    bench,
    bench_detectors,
    demo,
    detect,
    edit,
    fit,
    forget,
    invert,
    lifelong,
    people,
    repair,
    reproduce,
    show,
    together,
    train,
    weights,
    world,
)
from selfsame.commands.shared import report_error
from selfsame.core.errors import SelfsameError

app = App(
    name="selfsame",
    help="Personal generative face models: make them, keep them, and measure them against the truth.",
    version=selfsame.__version__,
    suppress_keyboard_interrupt=False,  # `main` says how to go on; cyclopts would stop without a word
)
app.command(demo.demo)
app.command(fit.fit)
app.command(show.show)
app.command(invert.invert)
app.command(repair.repair)
app.command(together.together)
app.command(people.people)
app.command(forget.forget)
app.command(edit.edit)
app.command(lifelong.update)
app.command(lifelong.history)
app.command(lifelong.rollback)
albums = App(name="album", help="One person's photos: take them in, look at them.")
albums.command(album.add)
albums.command(album.show)
albums.command(album.keep)
albums.command(album.drop)
albums.command(album.refine)
albums.command(album_export.export)
albums.command(album_sessions.sessions)
app.command(albums)
ages = App(name="age", help="Make a face older or younger, as one person ages or as people do in general.")
ages.command(age.fit)
ages.command(age.render)
ages.command(age.video)
app.command(ages)
app.command(detect.detect)
benches = App(name="bench", help="Detectors of talking-head deepfakes: their clips, training and judgement.")
benches.command(bench.index)
benches.command(bench.audit)
benches.command(bench.normalize)
benches.command(bench.perturb)
benches.command(bench_detectors.train)
benches.command(bench_detectors.run)
benches.command(bench_detectors.board)
benches.command(bench_detectors.explain)
app.command(benches)
reproductions = App(name="reproduce", help="The evaluations of the published papers, with intervals.")
reproductions.command(reproduce.my3dgen)
reproductions.command(reproduce.mytm)
reproductions.command(reproduce.continual)
reproductions.command(reproduce.talkingheadbench)
app.command(reproductions)
worlds = App(name="world", help="Synthetic people.")
worlds.command(world.album)
worlds.command(world.clip)
worlds.command(world.benchmark)
app.command(worlds)
stores = App(name="weights", help="Published weights: read safely, converted once, exported again.")
stores.command(weights.import_, name="import")
stores.command(weights.list_, name="list")
stores.command(weights.show)
stores.command(weights.verify)
stores.command(weights.where)
stores.command(weights.export)
app.command(stores)
trainings = App(name="train", help="Networks of your own.")
trainings.command(train.prior)
app.command(trainings)


def main() -> None:
    """Run one command; an error becomes one line, exit code 2 for wrong use, 1 for failed work, 130 when stopped."""
    try:
        app()
    except SelfsameError as error:
        sys.exit(report_error(error))
    except KeyboardInterrupt:
        print("selfsame: stopped; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)
