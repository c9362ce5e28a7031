"""What lies in a person's folder, file by file and by kind; links are told, never followed. No torch, no weights."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from selfsame.core.errors import BadInput
from selfsame.core.lock import LOCK_FILE
from selfsame.core.names import ALBUM_FILE, MODELS_FOLDER

Kind = Literal["album", "crops", "embeddings", "models", "latents", "buffers", "reports", "other"]
KINDS: dict[Kind, str] = {
    "album": "the album's record: consent, dates, ages, cameras, landmarks",
    "crops": "aligned crops of the photos",
    "embeddings": "identity embeddings",
    "models": "weights, their cards and what training left",
    "latents": "anchors: the codes of the photos",
    "buffers": "old photos kept for replay, with their codes",
    "reports": "reports, sheets and logs",
    "other": "other files",
}
REPORTS = (".html", ".jsonl", ".png", ".jpg", ".jpeg", ".webp", ".mp4", ".glb", ".ply", ".csv", ".md")


NO_FILE = "nothing (it is a pipe or a device)"


@dataclass(frozen=True)
class Item:
    """A file of a person: its path in their folder, its kind and bytes, and where it leads if it is no plain file."""

    path: str
    kind: Kind
    bytes: int
    link: str | None


@dataclass(frozen=True)
class Total:
    """All files of a kind: how many, and their bytes (a link counts its own few)."""

    kind: Kind
    files: int
    bytes: int


def items(folder: Path) -> list[Item]:
    """Everything in a person's folder but the lock, by path; raises BadInput where a part of it cannot be listed."""
    try:
        return sorted(_walk(folder, ""), key=lambda item: item.path)
    except OSError as error:
        raise BadInput(
            f"{error.filename} cannot be read ({error.strerror}).", "Mend its permissions first; nothing was done."
        ) from error


def totals(found: Iterable[Item]) -> tuple[Total, ...]:
    """Counts and bytes by kind, in the order of `KINDS`; kinds of which there is nothing are left out."""
    sizes: dict[Kind, list[int]] = {kind: [] for kind in KINDS}
    for item in found:
        sizes[item.kind].append(item.bytes)
    return tuple(Total(kind, len(each), sum(each)) for kind, each in sizes.items() if each)


def kind_of(path: str) -> Kind:
    """The kind of a file by its path in a person's folder."""
    place = PurePosixPath(path)
    top, folders = place.parts[0], place.parts[:-1]
    if path == ALBUM_FILE or (not folders and place.name.startswith(f".{ALBUM_FILE}.")):  # what a killed write left
        return "album"
    if "embed" in place.name or "identit" in place.name:
        return "embeddings"
    if top == "faces":
        return "crops"
    if "buffer" in folders:
        return "buffers"
    if place.name.startswith("anchors"):
        return "latents"
    if top == "album_files" or place.suffix.lower() in REPORTS:
        return "reports"
    return "models" if top == MODELS_FOLDER else "other"


def _walk(place: Path, before: str) -> Iterator[Item]:
    with os.scandir(place) as entries:
        for entry in entries:
            path = before + entry.name
            if path == LOCK_FILE:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{path}/")
                continue
            link = str(Path(entry.path).readlink()) if entry.is_symlink() else None
            if link is None and not entry.is_file():
                link = NO_FILE
            yield Item(path, kind_of(path), entry.stat(follow_symlinks=False).st_size, link)
