"""Which photos of an album people mean by a file's name or a path, in tables and in commands."""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from selfsame.core.errors import BadInput, shown
from selfsame.faces.records import PhotoRecord


def place(text: str) -> str:
    """A path as albums know files: "folder/file" with the last folder alone, or "file" where none is named.

    Backslashes separate folders as slashes do. Accents are composed: macOS hands file names out in two pieces a letter,
    and spreadsheets in one.
    """
    path = PurePosixPath(unicodedata.normalize("NFC", text.strip()).replace("\\", "/"))
    parts = [part for part in path.parts if part not in ("/", "..")]
    return "/".join(parts[-2:])


def names(file: str, folder: str) -> tuple[str, ...]:
    """All that a photo may be called by its file, the most exact first."""
    return (place(f"{folder}/{file}"), place(file)) if folder else (place(file),)


def ids(photos: Sequence[PhotoRecord], words: Iterable[str]) -> tuple[str, ...]:
    """The ids of the photos that `words` name by id, file name or path; a video's name means all its frames.

    Raises BadInput for a word that names no photo, or files of several folders.
    """
    known: dict[str, list[PhotoRecord]] = {}
    for photo in photos:
        for name in (photo.id, *names(photo.file, photo.folder)):
            known.setdefault(name, []).append(photo)
    found: dict[str, None] = {}  # in the order in which they were named, each once
    for word in words:
        # Albums of format 1 know no folders: a path's file alone is looked for there.
        meant = known.get(word) or known.get(place(word)) or _of_no_folder(known, word)
        if not meant:
            raise BadInput(
                f"The album has no photo {shown(word)}.", "Name it by its id or its file, as `album show` does."
            )
        folders = sorted({photo.folder for photo in meant})
        if len(folders) > 1:
            both = f"{folders[0] or 'an unknown folder'} and {folders[1]}"
            raise BadInput(f"{shown(word)} lies in {both}.", "Write the folder before the name, or give the id.")
        found |= dict.fromkeys(photo.id for photo in meant)
    return tuple(found)


def _of_no_folder(known: dict[str, list[PhotoRecord]], word: str) -> list[PhotoRecord]:
    return [photo for photo in known.get(PurePosixPath(place(word)).name, []) if not photo.folder]
