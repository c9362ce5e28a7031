"""`selfsame age fit`, `selfsame age render` and `selfsame age video`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from selfsame.commands import shared
from selfsame.commands.shared import DryRun, Json, People
from selfsame.core.errors import BadInput, WrongUse

if TYPE_CHECKING:
    from selfsame.tasks.time_machine import TimeMachine

RUN = "age"
OLDEST = 100

Sam = Annotated[str, Parameter(help="The global prior of aging: the starter set's SAM, or another by name or folder.")]
Prior = Annotated[
    str | None,
    Parameter(help="SAM's StyleGAN2; else the one imported with it, or the starter set's."),
]
Run = Annotated[str, Parameter(help="Name of this model among the person's models.")]
Detail = Annotated[
    float | None,
    Parameter(validator=Number(gte=0, lte=1), help="How much of what the network cannot draw stays, 0 to 1."),
]
Preset = Literal["starter-released", "starter-paper", "released", "paper"]


def fit(
    name: str,
    *,
    preset: Annotated[
        Preset, Parameter(help="The paper's losses or the released code's, for the starter SAM or at full size.")
    ] = "starter-paper",
    sam: Sam = "starter-sam",
    prior: Prior = None,
    lpips: shared.Lpips = None,
    identity_judge: shared.IdentityJudge = None,
    age_judge: shared.AgeJudge = None,
    steps: Annotated[int | None, shared.COUNT, Parameter(help="Fewer or more steps of training.")] = None,
    precision: Annotated[
        Literal["bf16", "no"], Parameter(help="bf16 takes about a third off where the processor knows it.")
    ] = "bf16",
    run: Run = RUN,
    people: People = shared.PEOPLE,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Learn from a person's album, photos of many years, how this person ages; writes a report.

    The same command again resumes, bit for bit.

    Example: selfsame age fit ada
    """
    from dataclasses import replace

    from selfsame.core.config import to_json
    from selfsame.faces.album import Album
    from selfsame.jobs import age_fit, age_pages, parts
    from selfsame.tasks import personal_aging
    from selfsame.train.devices import here

    config = personal_aging.PRESETS[preset]
    config = config if steps is None else replace(config, steps=steps)
    folder = shared.person_folder(people, name)
    album = Album.open(folder)
    where = folder / "models" / shared.checked(run)
    if dry_run:
        ages = [age for age in age_fit.whole_years(album.kept).tolist() if age >= 0]
        plan = {"photos": len(ages), "ages": ages, "sam": sam, "model": where, "config": asdict(config)}
        text = f"{len(ages)} photos of {name} with an age on {sam} into {where}, with\n{to_json(config)}"
        shared.say(plan, json, lambda: print(text, end=""))
        return
    with shared.progress(json) as progress:
        devices = here(precision)
        judge = parts.load_judge(lpips, identity_judge, devices.device)
        years = parts.load_age_judge(age_judge, devices.device)
        loaded = parts.load_sam(sam, prior, devices.device)
        made = age_fit.fit(album, loaded, judge, years, where, config, devices=devices, progress=progress)
        page = age_pages.fit_page(where, album, made)
    low, high = made.photos.span
    record = {
        "model": where, "report": page, "photos": len(made.photos.images), "years": [low, high],
        "measured": shared.plain(made.measured),
    }  # fmt: skip

    def words() -> None:
        shared.figures(made.measured)
        print(f"The model: {where}, from {len(made.photos.images)} photos at {low} to {high} years")
        print(f"The report: {page.resolve()}")

    shared.say(record, json, words)


def render(
    name: str,
    photo: Path,
    *,
    to: Annotated[str, Parameter(help="Ages: one (30), several (20,35,50), or from:to:step (20:80:10).")],
    out: Annotated[Path | None, Parameter(help="Folder to write into; else <photo>-ages beside here.")] = None,
    only_crop: Annotated[
        bool, Parameter(negative="", help="The face as the network draws it, not put back into the photo.")
    ] = False,
    detail: Detail = None,
    sam: Sam = "starter-sam",
    prior: Prior = None,
    run: Run = RUN,
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Show a photo of a person at other ages: pictures, a labelled strip, a page with a slider, a film.

    Without a model of the person the global prior is used, which ages everybody alike; the output says so.

    Example: selfsame age render ada photo.jpg --to 20:80:10
    """
    ages = parsed_ages(to)
    from selfsame.faces import paste
    from selfsame.jobs import age_render

    folder = out or Path(f"{photo.stem}-ages")
    with shared.progress(json) as progress:
        machine, by = load_machine(name, sam, prior, run, people)
        sitter = age_render.sit(photo, machine)
        title = f"{photo.name} at {ages[0]} to {ages[-1]} years, {by}"
        kept = paste.DETAIL if detail is None else detail
        made = age_render.render(
            machine, sitter, ages, folder, title, only_crop=only_crop, detail=kept, progress=progress
        )
    record = {"by": by, "ages": ages, **vars(made)}

    def words() -> None:
        print(f"By {by}.")
        print(f"{len(ages)} pictures, {made.strip.name}, {made.sheet.name} and {made.film.name} in {folder}")
        print(f"The page: {made.page.resolve()}")

    shared.say(record, json, words)


def video(
    name: str,
    clip: Path,
    *,
    to: Annotated[int, Parameter(help="The age, in whole years.")],
    out: Annotated[Path | None, Parameter(help="The film to write; else <clip>-<age>.mp4 here.")] = None,
    detail: Detail = None,
    tuning_steps: Annotated[
        int | None, Parameter(validator=Number(gte=0), help="Tune the network to this clip for so many steps.")
    ] = None,
    sam: Sam = "starter-sam",
    prior: Prior = None,
    run: Run = RUN,
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Show a clip of a person at another age: head, lips and sound as they were, every frame at its time.

    Without a model of the person the global prior is used, which ages everybody alike; the output says so.

    Example: selfsame age video ada clip.mp4 --to 30
    """
    (age,) = parsed_ages(str(to))
    path = out or Path(f"{clip.stem}-{age}.mp4")
    if path.suffix.lower() != ".mp4":
        raise WrongUse(f"{path.name} does not end in .mp4.", "Give --out another name.")
    from dataclasses import replace

    from selfsame.jobs import age_video

    config = age_video.VideoConfig()
    config = replace(config, detail=config.detail if detail is None else detail)
    config = replace(config, tuning_steps=config.tuning_steps if tuning_steps is None else tuning_steps)
    with shared.progress(json) as progress:
        machine, by = load_machine(name, sam, prior, run, people)
        made = age_video.age_video(machine, clip, age, path, config, progress)
    record = {"by": by, **vars(made)}
    shared.say(
        record, json, lambda: print(f"By {by}.\n{made.aged} of {made.frames} frames at {age} years: {made.file}")
    )


def load_machine(name: str, sam: str, prior: str | None, run: str, people: Path) -> tuple["TimeMachine", str]:
    """A person's time machine and whose it is in words: the global prior's where the person has none by default."""
    from selfsame.jobs import history, parts
    from selfsame.tasks import time_machine
    from selfsame.train.devices import here

    folder = shared.person_folder(people, name) / "models" / shared.checked(run)
    loaded = parts.load_sam(sam, prior, here().device)
    if folder.is_dir():
        machine = time_machine.load(history.current(folder), loaded)
        assert machine.personal is not None
        low, high = machine.personal.span
        return machine, f"the personal model of {name} (photos at {low} to {high} years)"
    if run != RUN:
        raise BadInput(f"{name} has no model called {run}.", f"Make one with `selfsame age fit {name} --run {run}`.")
    return time_machine.TimeMachine(
        loaded
    ), f"the global prior ({name} has no model; `selfsame age fit {name}` makes one)"


def parsed_ages(words: str) -> list[int]:
    """Whole years in rising order from "30", "20,35" or "20:80:10", both ends included."""
    mend = "Write --to 30, --to 20,35,50 or --to 20:80:10."
    try:
        if ":" in words:
            low, high, step = (int(part) for part in words.split(":"))
            ages = list(range(low, high + 1, step))
        else:
            ages = sorted({int(part) for part in words.split(",")})
    except ValueError as error:
        raise WrongUse(f"{words!r} tells no ages.", mend) from error
    if not ages or ages[0] < 0 or ages[-1] > OLDEST:
        raise WrongUse(f"{words!r} holds no age, or one outside 0 to {OLDEST}.", mend)
    return ages
