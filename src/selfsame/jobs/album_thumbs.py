"""The small pictures beside an album's page: made once a photo, and gone when its crop is gone."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from selfsame.core.config import writing
from selfsame.faces.album import Album

THUMB_PX = 160
QUALITY = 82  # of WebP: about 4 kB a picture

Progress = Callable[[int, int], None]  # photos done, photos in all


def sync(album: Album, folder: Path, progress: Progress | None = None) -> Mapping[str, str]:
    """Bring the thumbnails in `folder` up to date; returns the name of its file for the id of each photo with a crop.

    Only what is new or was cut anew is made. Those of photos that left the album, or whose crop was deleted, are
    deleted: a person who never agreed must not stay in a small picture. Raises BadInput where the disk fails.
    """
    names: dict[str, str] = {}
    photos = album.record.photos
    for done, photo in enumerate(photos, 1):
        name = f"{quote(photo.id, safe='')}.webp"  # an id leads nowhere else, whoever wrote it into album.json
        if _make(album.face(photo), folder / name):
            names[photo.id] = name
        if progress is not None:
            progress(done, len(photos))
    with writing(folder):
        for path in folder.glob("*.webp*"):  # a killed run leaves a .webp.part
            if path.name not in names.values():
                path.unlink()
    return names


def _make(crop: Path, thumb: Path) -> bool:
    """Whether there is a crop that can be shown; its thumbnail then lies in `thumb` and bears the crop's time."""
    try:
        time = crop.stat().st_mtime_ns
    except OSError:
        return False
    with writing(thumb):
        if _is_of(thumb, time):
            return True
    try:
        with Image.open(crop) as picture:
            small = picture.convert("RGB").resize((THUMB_PX, THUMB_PX), Image.Resampling.LANCZOS)
    except (OSError, ValueError, SyntaxError):  # what Pillow says of a damaged PNG
        return False
    with writing(thumb):
        thumb.parent.mkdir(parents=True, exist_ok=True)
        # Not core.config.write_atomic: it waits for the disk, 40 s for 5,000 pictures that can be made again.
        part = thumb.with_name(f"{thumb.name}.part")
        small.save(part, "WEBP", quality=QUALITY)
        os.utime(part, ns=(time, time))
        part.replace(thumb)
    return True


def _is_of(thumb: Path, time: int) -> bool:
    """Whether a thumbnail is whole and bears the time of its crop; after a loss of power it may be empty."""
    try:
        found = thumb.stat()
    except FileNotFoundError:
        return False
    return found.st_mtime_ns == time and found.st_size > 0
