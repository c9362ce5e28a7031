"""`selfsame world album`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import Json, People


def album(
    name: str,
    *,
    seed: Annotated[int, Parameter(help="Which synthetic person.")] = 0,
    photos: Annotated[int, shared.COUNT, Parameter(help="How many photos are taken.")] = 30,
    years: Annotated[tuple[float, float], Parameter(help="Youngest and oldest age on the photos.")] = (33.0, 36.0),
    out: Annotated[Path, Parameter(help="Folder that the photos go into, one folder a person.")] = Path("photos"),
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Photograph a synthetic person and make an album of the photos, as from a phone.

    Example: selfsame world album ada --seed 3 --photos 20 --years 30 60
    """
    from selfsame.jobs import synthetic
    from selfsame.world import album as world

    folder = shared.person_folder(people, name)
    with shared.progress(json) as progress:
        shoot = world.shoot(seed, photos, out / name, years)
        made = synthetic.album_of(folder, shoot)
        made.add(shoot.files, progress=lambda done, total, _: progress("taking photos in", done, total))
    record = {"album": folder, "photos": out / name, "kept": len(made.kept)}
    shared.say(record, json, lambda: print(f"{len(made.kept)} of {photos} photos kept in {folder}."))
