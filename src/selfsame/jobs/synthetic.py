"""Albums of synthetic people: one shoot each, and never a real person's."""

from pathlib import Path

from selfsame.core import files
from selfsame.core.errors import BadInput
from selfsame.faces.album import Album
from selfsame.world import album as world
from selfsame.world.album import Shoot

SIZE_PX = 256


def album_of(path: Path, shoot: Shoot) -> Album:
    """The album in `path` for the photos of a shoot, made where there is none; `add` takes them in.

    Raises BadInput where the album holds any other photo: its truth would be another person's.
    """
    if not (path / "album.json").exists():
        return Album.create(path, consent=world.NOBODY, birth_date=world.BORN, size_px=SIZE_PX)
    album = Album.open(path)
    if {record.digest for record in album.record.photos} - {files.digest(file) for file in shoot.files}:
        raise BadInput(f"{path} holds other photos than this shoot's.", "Choose another name, or another folder.")
    return album
