"""`selfsame world album` and `selfsame world clip`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import DryRun, Json, People


def album(
    name: str,
    *,
    seed: Annotated[int, Parameter(help="Which synthetic person.")] = 0,
    photos: Annotated[int, shared.COUNT, Parameter(help="How many photos are taken.")] = 30,
    years: Annotated[tuple[float, float], Parameter(help="Youngest and oldest age on the photos.")] = (33.0, 36.0),
    session: Annotated[
        int, Parameter(help="A later session, in another style: photos alone, for `selfsame update` to take in.")
    ] = 0,
    out: Annotated[Path, Parameter(help="Folder that the photos go into, one folder a person.")] = Path("photos"),
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Photograph a synthetic person and make an album of the photos, as from a phone.

    With --session 1 and more the photos of a later session are made, and no album.

    Example: selfsame world album ada --seed 3 --photos 20 --years 30 60
    """
    from selfsame.jobs import synthetic
    from selfsame.world import album as world

    folder = shared.person_folder(people, name)
    if session:
        where = out / f"{name}-{session}"
        world.shoot(seed, photos, where, years, session)
        shared.say({"photos": where}, json, lambda: print(f"{photos} photos of session {session} in {where}."))
        return
    with shared.progress(json) as progress:
        shoot = world.shoot(seed, photos, out / name, years)
        made = synthetic.album_of(folder, shoot)
        made.add(shoot.files, progress=lambda done, total, _: progress("taking photos in", done, total))
    record = {"album": folder, "photos": out / name, "kept": len(made.kept)}
    shared.say(record, json, lambda: print(f"{len(made.kept)} of {photos} photos kept in {folder}."))


def clip(
    name: str,
    *,
    seed: Annotated[int, Parameter(help="Which synthetic person.")] = 0,
    take: Annotated[int, Parameter(help="Another number: the same person says something else, elsewhere.")] = 0,
    seconds: Annotated[float, shared.ABOVE_ZERO, Parameter(help="Length of the clip.")] = 6.0,
    size: Annotated[int, shared.COUNT, Parameter(help="Side of the frames in pixels, an even number.")] = 256,
    fps: Annotated[float, shared.ABOVE_ZERO, Parameter(help="Frames a second.")] = 25.0,
    years: Annotated[float, Parameter(help="The person's age.")] = 35.0,
    out: Annotated[Path, Parameter(help="Folder that the clip and its truth go into.")] = Path("clips"),
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Film a synthetic person who talks: an MP4 with sound, and the truth of every frame beside it.

    The same command again makes the same clip.

    Example: selfsame world clip ada --seed 4 --seconds 6 --years 35
    """
    from selfsame.world import clip as world
    from selfsame.world import truth

    made = truth.files(out, shared.checked(name))
    record = {"video": made.video, "truth": made.truth, "header": made.header, "seed": seed, "take": take}
    truth.check_size(size)
    talk = world.talk(seed, seconds, fps, years, take)
    record |= {"frames": len(talk), "seconds": len(talk) / fps, "syllables": len(talk.speech.syllables)}
    if dry_run:
        words = f"{len(talk)} frames of {size} px of person {seed}, {len(talk) / fps:.2f} s, into {made.video}"
        shared.say({**record, **vars(talk.plan)}, json, lambda: print(words))
        return
    with shared.progress(json) as progress:
        truth.write_clip(talk, out, name, size, lambda done, total: progress("filming", done, total))
    shared.say(record, json, lambda: print(f"{made.video} and its truth, {made.header.name} and {made.truth.name}."))
