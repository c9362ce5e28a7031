"""Whatever can be given to an album, one photo or video frame at a time: files, folders, archives, live photos."""

import hashlib
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath

import numpy as np
from jaxtyping import UInt8

from selfsame.core import files, video
from selfsame.core.errors import BadInput
from selfsame.faces import archive, frames, photo

# What exports lay beside photos: edits, places, previews, and Google's ".MP", the moving part of a photo.
SIDECARS = frozenset({
    ".json", ".aae", ".xmp", ".txt", ".db", ".ini", ".csv", ".pdf", ".thm", ".lrv", ".mp", ".html", ".htm", ".xml",
    ".plist", ".url", ".lnk", ".log", ".md", ".pp3", ".dop",
})  # fmt: skip
STILLS = (".heic", ".heif", ".jpg", ".jpeg")
LIVE_S = 4.0  # a live photo moves for three seconds


@dataclass(frozen=True, eq=False)
class Source:
    """One photo or video frame before anybody looked for a face; `problem` says why there are no `pixels`.

    `folder` is the name of the folder or archive that the file lies in.
    """

    file: str
    folder: str
    digest: str
    time_s: float | None
    taken: datetime | None
    pixels: UInt8[np.ndarray, "h w 3"] | None
    problem: str | None = None


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The given files and, sorted, what given folders hold but for hidden files and sidecars; archives stay whole.

    Raises BadInput if one is missing.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise BadInput(f"{path} does not exist.")
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if _wanted(p.relative_to(path)) and p.is_file())
        else:
            found.append(path)
    return found


def is_video(path: PurePath) -> bool:
    """Whether the name says that a file is a video."""
    return path.suffix.lower() in video.SUFFIXES


def expected(path: Path, frames_per_video: int) -> int:
    """About how many sources a file gives, for telling how far the work is."""
    if path.suffix.lower() != archive.SUFFIX:
        return frames_per_video if is_video(path) else 1
    try:
        return sum(frames_per_video if is_video(member.place) else 1 for member in _members(path)) or 1
    except archive.Unreadable:
        return 1


def sources(path: Path, known: Container[str], frames_per_video: int) -> Iterator[Source]:
    """The photo, the chosen frames or the members of one file, each read when it is asked for.

    Pixels stay unread where the digest is `known`; a container that grows meanwhile also spares twins in one archive.
    """
    if path.suffix.lower() == archive.SUFFIX:
        yield from _of_archive(path, known, frames_per_video)
        return
    named = path.name, path.absolute().parent.name
    still = _still(path, lambda name: path.with_name(name).exists()) if is_video(path) else None
    yield from _of_file(path, named, still, known, frames_per_video)


def _wanted(place: PurePath) -> bool:
    """Whether a file in a folder or archive is worth a word: neither hidden nor a sidecar."""
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in place.parts)
    return bool(place.parts) and not hidden and place.suffix.lower() not in SIDECARS


def _still(path: PurePath, exists: Callable[[str], bool]) -> str | None:
    """The name of the photo whose moving part a video may be: same folder, same stem."""
    names = (f"{path.stem}{suffix}" for still in STILLS for suffix in (still, still.upper()))
    return next((name for name in names if exists(name)), None)


def _of_file(
    path: Path, named: tuple[str, str], still: str | None, known: Container[str], count: int
) -> Iterator[Source]:
    """What one photo or video on disk shows, which is called (file, folder) whatever its path is."""
    try:
        digest = files.digest(path)
    except BadInput as error:
        yield _unreadable(named, str(path), error)
        return
    if digest in known:
        yield Source(*named, digest, None, None, None)
    elif is_video(path):
        yield from _of_video(path, named, digest, still, known, count)
    else:
        yield _of_photo(named, digest, lambda: photo.read(path))


def _of_photo(named: tuple[str, str], digest: str, read: Callable[[], photo.Photo]) -> Source:
    try:
        found = read()
    except BadInput as error:
        return Source(*named, digest, None, None, None, error.what)
    return Source(*named, digest, None, found.taken or photo.date_of_name(PurePath(named[0]).stem), found.pixels)


def _of_video(
    path: Path, named: tuple[str, str], digest: str, still: str | None, known: Container[str], count: int
) -> Iterator[Source]:
    times_s = video.times_s(path)
    if still and times_s and 0 < times_s[-1] <= LIVE_S:
        yield Source(*named, digest, None, None, None, f"{named[0]} is the moving part of {still}.")
        return
    taken = video.recorded(path) or photo.date_of_name(PurePath(named[0]).stem)
    # A video that was taken in whole is known by its frames, and need not be looked through again.
    old_s = [time_s for time_s in times_s if _frame_digest(digest, time_s) in known]
    if len(old_s) >= count:
        for time_s in old_s:
            yield Source(*named, _frame_digest(digest, time_s), round(time_s, 3), taken, None)
        return
    try:
        for frame in frames.choose(path, count):
            frame_digest = _frame_digest(digest, frame.time_s)
            pixels = None if frame_digest in known else frame.pixels
            yield Source(*named, frame_digest, round(frame.time_s, 3), taken, pixels)
    except BadInput as error:
        yield Source(*named, digest, None, None, None, error.what.replace(path.name, named[0], 1))


def _members(path: Path) -> Iterable[archive.Member]:
    return (member for member in archive.members(path) if _wanted(member.place))


def _of_archive(path: Path, known: Container[str], count: int) -> Iterator[Source]:
    try:
        places = frozenset(member.place for member in _members(path) if member.place.suffix.lower() in STILLS)
        for member in _members(path):
            yield from _of_member(member, places, known, count)
    except archive.Unreadable as error:
        yield _unreadable((path.name, path.absolute().parent.name), str(path), error)


def _of_member(
    member: archive.Member, stills: frozenset[PurePath], known: Container[str], count: int
) -> Iterator[Source]:
    named = member.file, member.folder
    try:
        if is_video(member.place):
            still = _still(member.place, lambda name: member.place.with_name(name) in stills)
            with member.copied() as copy:
                yield from _of_file(copy, named, still, known, count)
            return
        content = member.read()
    except archive.Unreadable as error:
        yield _unreadable(named, f"{member.archive.filename} {member.info.filename}", error)
        return
    digest = hashlib.sha256(content).hexdigest()
    if digest in known:
        yield Source(*named, digest, None, None, None)
    else:
        yield _of_photo(named, digest, lambda: photo.decode(content, member.file))


def _unreadable(named: tuple[str, str], place: str, error: BadInput) -> Source:
    """A source that only its place tells from others: once it can be read, it counts as a new one."""
    return Source(*named, _text_digest(f"unreadable {place}"), None, None, None, error.what)


def _frame_digest(digest: str, time_s: float) -> str:
    return _text_digest(f"{digest} {time_s:.3f}")


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
