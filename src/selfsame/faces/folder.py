"""The folder of an album as it lies on disk: its record and its crops, and how both are changed."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image, lock
from selfsame.core.config import to_json, write_atomic
from selfsame.core.errors import BadInput
from selfsame.faces import align, records
from selfsame.faces.records import AlbumRecord, PhotoRecord

SAVE_EVERY_S, SAVING_SHARE = 2.0, 0.05  # at most how much of a long intake may go into writing album.json


def read(folder: Path) -> AlbumRecord:
    """The record of the album in a folder; raises BadInput where there is none or album.json is not valid."""
    file = folder / "album.json"
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"There is no readable album in {folder}.", "Make one with `selfsame album add`.") from error
    return records.read(text, str(file))


class Folder:
    """A person's photos on disk; `record` equals album.json but during an `add`, which writes it every few seconds."""

    def __init__(self, path: Path, record: AlbumRecord) -> None:
        self.path = path
        self.record = record
        self._saved_s, self._saving_s = -1e9, 0.0

    @property
    def kept(self) -> tuple[PhotoRecord, ...]:
        """The photos that may be used, in the order in which they came."""
        return tuple(photo for photo in self.record.photos if photo.why_left_out is None)

    def face(self, photo: PhotoRecord) -> Path:
        """Where the aligned crop of a photo lies; there is none of photos without a face or of another person."""
        return self.path / "faces" / f"{photo.id}.png"

    def image(self, photo: PhotoRecord, size_px: int, alignment: align.Alignment = "eg3d") -> Float[Tensor, "1 3 s s"]:
        """The crop of one photo, kept or not; raises BadInput where it is missing or damaged."""
        try:
            crop = image.load(self.face(photo))
            if alignment == "eg3d" or photo.landmarks is None:
                return image.resize(crop, size_px)
            points = np.array(photo.landmarks) * crop.shape[-1] - 0.5
            pixels = align.warp(image.to_uint8(crop)[0], align.TRANSFORMS[alignment](points, size_px), size_px)
            return image.from_uint8(pixels)
        except OSError as error:
            raise BadInput(f"{self.face(photo)} is missing or damaged.", f"Add {photo.file} to a new album.") from error

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Be the only run that changes the album, which is read anew; raises BadInput where another does."""
        with lock.holding(self.path, f"{what} {self.record.name}"):
            self.record = read(self.path)
            yield

    def rewrite(self, record: AlbumRecord) -> None:
        """Make another record the album's, on disk too."""
        begun_s = time.monotonic()
        write_atomic(self.path / "album.json", to_json(record))
        self.record = record
        self._saved_s = time.monotonic()
        self._saving_s = self._saved_s - begun_s

    def note(self, photos: Iterable[PhotoRecord]) -> None:
        """Append photos; album.json follows when it is due, as writing it for each of thousands would take longer."""
        self.record = replace(self.record, photos=(*self.record.photos, *photos))
        if time.monotonic() - self._saved_s > max(SAVE_EVERY_S, self._saving_s / SAVING_SHARE):
            self.rewrite(self.record)

    def leave(self, digest: str) -> None:
        """Take the records of a source out, for new ones to come in their place."""
        self.record = replace(self.record, photos=tuple(p for p in self.record.photos if p.digest != digest))

    def change(self, changed: Mapping[str, PhotoRecord]) -> tuple[PhotoRecord, ...]:
        """Put other records in the places of those with their ids; returns the new ones."""
        photos = tuple(changed.get(photo.id, photo) for photo in self.record.photos)
        self.rewrite(replace(self.record, photos=photos))
        return tuple(changed.values())
