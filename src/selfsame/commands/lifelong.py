"""`selfsame update`, `selfsame history` and `selfsame rollback`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from selfsame.commands import shared
from selfsame.commands.shared import DryRun, Json, People

Run = Annotated[str, Parameter(help="Which of the person's models; `age fit` makes one called age.")]


def update(
    name: str,
    paths: Annotated[list[Path], Parameter(help="The session's photos, videos, or folders of them.")],
    *,
    buffer: Annotated[
        int, Parameter(validator=Number(gte=0), help="How many old photos are kept for the next session.")
    ] = 3,
    buffer_bytes: Annotated[
        int, Parameter(validator=Number(gte=0), help="Bytes that they may take with their codes; 0: any.")
    ] = 0,
    buffer_quality: Annotated[
        int,
        Parameter(
            validator=Number(gte=0, lte=100), help="How they are stored: 0 as PNG, 1 to 100 as WebP of that quality."
        ),
    ] = 0,
    select: Annotated[
        str,
        Parameter(help="Which are kept: random, hull, kmeans, gdumb, reservoir, all or none."),
    ] = "hull",
    steps: Annotated[int | None, shared.COUNT, Parameter(help="Fewer or more steps of inversion and training.")] = None,
    age: Annotated[float | None, Parameter(help="Age in years on these photos, where no date tells it.")] = None,
    prior: shared.MadeOn = None,
    sam: Annotated[
        str, Parameter(help="The SAM whose encoder a 2D model was made with, or that an age model stands on.")
    ] = "starter-sam",
    lpips: shared.Lpips = None,
    identity_judge: shared.IdentityJudge = None,
    age_judge: shared.AgeJudge = None,
    run: Run = "main",
    people: People = shared.PEOPLE,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Teach a person's model the looks of new photos without forgetting the old ones.

    Takes the photos into the album as a session, trains on them and on the few old photos of the buffer, and renews the
    buffer. Every earlier state stays. The same command again resumes, bit for bit. Models in 3D, in 2D and of age learn
    alike; `--run age` is what `age fit` made.

    Example: selfsame update ada birthday/*.jpg --buffer 3 --select hull
    """
    from selfsame.core.config import to_json
    from selfsame.faces.album import Album
    from selfsame.jobs import learners, lifelong, pages, parts
    from selfsame.replay import select as rules

    rules.checked(select)
    person = shared.person_folder(people, name)
    folder = person / "models" / shared.checked(run)
    album = Album.open(person)
    settings = learners.settings(folder, steps)
    prior = prior or learners.prior_of(folder)
    config = lifelong.BufferConfig(select, buffer, buffer_bytes, buffer_quality)
    if dry_run:
        whole = lifelong.UpdateSettings(settings, config)
        plan = {"model": folder, "prior": prior, "config": asdict(whole)}
        shared.say(plan, json, lambda: print(f"The model {folder} on {prior or sam}, with\n{to_json(whole)}", end=""))
        return
    with shared.progress(json) as progress:
        learner = learners.load(
            settings, prior=prior, sam=sam, lpips=lpips, identity_judge=identity_judge, age_judge=age_judge
        )
        records = album.add(
            paths, age=age, judge=parts.person_judge(identity_judge),
            progress=lambda done, total, _: progress("taking photos in", done, total),
        )  # fmt: skip
        made = lifelong.update(album, folder, records, learner, config, progress)
        page = pages.update_page(album, made)
    state = made.history.now
    record = {
        "state": state.number, "model": made.folder, "report": page, "new": made.new, "replayed": made.replayed,
        "buffer": state.buffer, "measured": shared.plain(made.measured),
    }  # fmt: skip

    def words() -> None:
        shared.figures(made.measured)
        print(
            f"State {state.number} of {name}: {made.new} new photos, {made.replayed} replayed, {len(state.buffer)} kept"
        )
        print(f"The report: {page.resolve()}")

    shared.say(record, json, words)


def history(name: str, *, run: Run = "main", people: People = shared.PEOPLE, json: Json = False) -> None:
    """Say which states a person's model has, which one is used, and what they take on disk.

    Example: selfsame history ada
    """
    from selfsame.jobs import history as states
    from selfsame.jobs import lifelong

    folder = shared.person_folder(people, name) / "models" / shared.checked(run)
    found = states.read(folder)
    sizes = lifelong.stored(folder, found)

    def words() -> None:
        for state, size in zip(found.states, sizes, strict=True):
            mark = "*" if state.number == found.current else " "
            origin = "fitted" if state.parent is None else f"from {state.parent}, {len(state.photos)} new photos"
            print(
                f"{mark} {state.number}  {state.made:%Y-%m-%d %H:%M}  {origin}; buffer {len(state.buffer)} photos, "
                f"{size.buffer / 1e3:.0f} kB; in all {size.total / 1e6:.1f} MB"
            )

    shared.say(
        {"current": found.current, "states": [asdict(s) | asdict(z) for s, z in zip(found.states, sizes, strict=True)]},
        json,
        words,
    )


def rollback(
    name: str,
    *,
    to: Annotated[int | None, Parameter(help="Number of the state; else the one before the current.")] = None,
    run: Run = "main",
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Use an earlier state of a person's model again; nothing is deleted, and `--to` leads forward too.

    Example: selfsame rollback ada --to 0
    """
    from selfsame.jobs import history as states

    found = states.rollback(shared.person_folder(people, name) / "models" / shared.checked(run), to)
    shared.say({"current": found.current}, json, lambda: print(f"{name} uses state {found.current} now."))
