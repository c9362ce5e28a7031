"""What was made of a person and lies outside their folder, as far as its format says so.

Cards, anchors, buffers and exports name photos and models by digest, or the person by the command that made them.
Pictures, films, meshes and pages name nobody: at most their file's name tells. Read here are small records and the
headers of tensor files alone; no link is followed.
"""

import json
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfsame.core import files
from selfsame.core.names import ALBUM_FILE, CARD_FILE, HISTORY_FILE, MODELS_FOLDER, STATES_FOLDER, WEIGHTS_FILE

PERSONAL = ("personal-3d", "personal-2d", "personal-aging", "found-photo")  # kinds of cards
ADAPTER_FILE, ADAPTER_CARD = "adapter_model.safetensors", "adapter_config.json"  # of PEFT
ANCHORS_FILE, PLAN_FILE, SOURCE_FILE = "anchors.safetensors", "fit.json", "source.json"
BUFFER_FILE, CODES_FILE = "buffer.json", "codes.safetensors"
ABOUT_FILE = "about.json"  # in an export
RUN_FILE = "plan.json"  # of an evaluation over albums
OURS = (
    WEIGHTS_FILE, CARD_FILE, ANCHORS_FILE, ADAPTER_FILE, ADAPTER_CARD, PLAN_FILE, SOURCE_FILE, HISTORY_FILE,
    "report.html", "found.png", "directions.safetensors", "directions.part.safetensors",
)  # fmt: skip
OURS_BELOW = ("training", STATES_FOLDER, "buffer", "new")
IMPORTED_BELOW = ("sam", "prior", "inversion")  # beside source.json: an import made the folder whole
SHOWN = (".png", ".jpg", ".mp4", ".glb", ".ply", ".html")
CHECKPOINTS = (".pt", ".pth")
MOST = 2**26  # bytes of a record that are read
ID = 12  # hexadecimal digits of a photo's digest that are its id


@dataclass(frozen=True)
class Marks:
    """What tells that something is of a person: their name, their photos' ids, digests of their models and data."""

    name: str
    photos: frozenset[str]
    digests: frozenset[str]


@dataclass(frozen=True)
class Trace:
    """Something outside a person's folder: where, what it is, why it is thought theirs, what removing it would delete.

    Nothing is deleted of what is listed without `files`.
    """

    place: Path
    what: str
    why: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class _Seen:
    """What a place says of itself: digests of its data, of what it stands on and its own, photos, who, a command."""

    place: Path
    what: str
    data: frozenset[str] = frozenset()
    stands_on: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    photos: tuple[str, ...] = ()
    person: str | None = None
    command: str = ""
    files: tuple[Path, ...] = ()
    otherwise: str = ""  # why it is listed where nothing matches


def marks_of(name: str, folders: Sequence[Path]) -> Marks:
    """The marks of a person from their folder, or what is left of it."""
    photos: set[str] = set()
    digests: set[str] = set()
    for root in folders:
        for place, names in _places(root, ()):
            photos |= set(_photos(place / ALBUM_FILE)) if ALBUM_FILE in names else set()
            for seen in _model(place, names):
                photos |= set(seen.photos)
                if seen.what in PERSONAL:  # and no published network that somebody put there
                    digests |= seen.own | seen.data
            if PLAN_FILE in names:
                digests |= {str(_json(place / PLAN_FILE).get("data_digest") or "")}
    return Marks(name, frozenset(photos), frozenset(digests - {""}))


def find(marks: Marks, roots: Sequence[Path], own: Sequence[Path]) -> list[Trace]:
    """What lies below `roots` and seems to be of the person, by place; `own` are their folders, which are passed over.

    What was made from something found is found too. What lies in another person's folder is listed, never to delete.
    """
    seen: dict[Path, tuple[_Seen, str | None]] = {}
    for root in roots:
        for place, names in _places(root, own):
            for each in _everything(place, names, marks, own):
                if each.place not in seen:
                    seen[each.place] = (each, _owner(place))
    found: dict[Path, Trace] = {}
    digests = marks.digests
    while True:  # until nothing new was made from what is found
        for where, (each, owner) in seen.items():
            why = _why(each, marks, digests)
            if why and where not in found:
                others = owner is not None and owner != marks.name
                said = f"{why}; it lies in the folder of {owner}" if others else why
                found[where] = Trace(where, each.what, said, () if others else each.files)
        more = digests | {d for where in found for d in seen[where][0].own}
        if more == digests:
            break
        digests = more
    goes_with = {file: where for where, trace in found.items() for file in trace.files}
    inner = {w for w in found for place in (w, *w.parents) if goes_with.get(place, w) != w}
    listed = [Trace(e.place, e.what, e.otherwise, ()) for e, _ in seen.values() if e.otherwise and e.place not in found]
    return sorted([t for w, t in found.items() if w not in inner] + listed, key=lambda trace: str(trace.place))


def _why(seen: _Seen, marks: Marks, digests: frozenset[str]) -> str:
    if (seen.data | seen.stands_on) & digests:
        return "made from this person's photos or models, by digest"
    if seen.own & digests:
        return "a copy of this person's model, by digest"
    if seen.photos and 2 * sum(photo in marks.photos for photo in seen.photos) > len(seen.photos):
        return "holds this person's photos or their codes, by digest"
    if seen.person == marks.name:
        return "names this person"
    return "the command that made it names this person" if _names(seen.command, marks.name) else ""


def _names(command: str, name: str) -> bool:
    word = re.escape(name)
    made = re.match(rf"selfsame (?:age fit|fit|update|invert) {word}(?:\s|$)", command)
    return bool(made or re.search(rf"(?:^|[\s/]){word}/{MODELS_FOLDER}/", command))


def _everything(place: Path, names: set[str], marks: Marks, own: Sequence[Path]) -> Iterator[_Seen]:
    if ALBUM_FILE in names:
        person = str(_json(place / ALBUM_FILE).get("name"))
        # An album of another name is another person's, or this one's under another: for a person to decide.
        whole = (place,) if person == marks.name else ()
        yield _Seen(place, "album", photos=_photos(place / ALBUM_FILE), person=person, files=whole)
    else:
        yield from _model(place, names)
    for name in sorted(names):
        file, suffix = place / name, Path(name).suffix.lower()
        if suffix == ".zip":
            about = _about(file)
            if about is not None:
                yield _Seen(file, "album export", person=str(about.get("person")), files=(file,))
        elif suffix in CHECKPOINTS:
            text = _pickle(file)
            if b"data_digest" in text:  # a card of ours; an import of the file names it by the file's own digest
                named = frozenset(digest.decode() for digest in re.findall(rb"[0-9a-f]{64}", text))
                yield _Seen(file, "exported weights", named, own=frozenset({files.digest(file)}), files=(file,))
        elif suffix in SHOWN and re.match(rf"{re.escape(marks.name)}(?![A-Za-z0-9])", name):
            why = "only its file's name suggests it: look, and delete it yourself"
            yield _Seen(file, "picture, film, mesh or page", otherwise=why)
        elif name == RUN_FILE and any(str(folder.parent.absolute()) == _json(file).get("albums") for folder in own):
            why = "its scores and sheets may show this person: look, and delete it yourself"
            yield _Seen(place, "evaluation over these albums", otherwise=why)


def _model(place: Path, names: set[str]) -> Iterator[_Seen]:
    """What a folder with a card, an adapter, anchors or a buffer says of whom it was made."""
    card = _json(place / CARD_FILE) if CARD_FILE in names else {}
    if not card and WEIGHTS_FILE in names:
        card = _parsed(_header(place / WEIGHTS_FILE).get("card", ""))
    if not card and ADAPTER_CARD in names:
        inner = _json(place / ADAPTER_CARD).get("selfsame")
        card = inner if isinstance(inner, dict) else {}
    photos = coded_photos(place / ANCHORS_FILE) if ANCHORS_FILE in names else []
    kept = kept_photos(place / BUFFER_FILE) if BUFFER_FILE in names else []
    if not (card or photos or kept):
        return
    kind, data = str(card.get("kind", "")), str(card.get("data_digest") or "")
    unknown = kind in PERSONAL and (SOURCE_FILE in names or not data)
    below = (*OURS_BELOW, *(IMPORTED_BELOW if SOURCE_FILE in names else ()))
    stored = (CODES_FILE, BUFFER_FILE, *(f"{photo}{end}" for photo in kept for end in (".png", ".webp")))
    whole = [place / name for name in (*OURS, *(stored if kept else ())) if name in names]
    yield _Seen(
        place,
        kind or ("anchors" if photos else "buffer"),
        data=frozenset({data} - {""}),
        stands_on=frozenset({str(card.get("prior_digest") or "")} - {""}),
        own=frozenset({str(card.get("digest") or "")} - {""}),
        photos=tuple(photo[:ID] for photo in (*photos, *kept)),
        command=str(card.get("command", "")),
        files=(*whole, *(place / name for name in below if (place / name).is_dir())),
        otherwise="a personal model that does not say whose it is" if unknown else "",
    )


def _owner(place: Path) -> str | None:
    """Whose folder a place lies in, by the album there or above; None in nobody's."""
    whole = place.absolute()
    album = next((f / ALBUM_FILE for f in (whole, *whole.parents) if (f / ALBUM_FILE).is_file()), None)
    return None if album is None else str(_json(album).get("name"))


def _places(root: Path, passed_over: Sequence[Path]) -> Iterator[tuple[Path, set[str]]]:
    """Each folder below a root with the names of its files, links left out."""
    skipped = {folder.resolve() for folder in passed_over}
    for where, folders, names in os.walk(root):
        place = Path(where)
        folders[:] = sorted(
            name for name in folders if not name.startswith(".forgetting-") and (place / name).resolve() not in skipped
        )
        if place.resolve() not in skipped:
            yield place, {name for name in names if not (place / name).is_symlink()}


def _photos(album: Path) -> tuple[str, ...]:
    photos = _json(album).get("photos")
    return tuple(str(p.get("digest"))[:ID] for p in photos if isinstance(p, dict)) if isinstance(photos, list) else ()


def coded_photos(anchors: Path) -> list[str]:
    """The ids of the photos whose codes a file of anchors holds."""
    return _header(anchors).get("photos", "").split()


def kept_photos(record: Path) -> list[str]:
    """The ids of the photos that a buffer's record names."""
    kept = _json(record).get("kept")
    return [str(k.get("id")) for k in kept if isinstance(k, dict)] if isinstance(kept, list) else []


def _json(path: Path) -> dict[str, Any]:
    """A record of ours, or nothing where a file holds no such thing."""
    try:
        with path.open("rb") as file:
            return _parsed(file.read(MOST))
    except OSError:
        return {}


def _parsed(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _header(path: Path) -> dict[str, str]:
    """The metadata in the header of a safetensors file: its length in 8 bytes, then JSON."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            found = _parsed(file.read(length)).get("__metadata__") if length <= MOST else None
    except OSError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _about(path: Path) -> dict[str, Any] | None:
    """What an album's export says of itself; None of another zip."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(ABOUT_FILE) as file:
            found = _parsed(file.read(MOST))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return None
    return found if str(found.get("made_by", "")).startswith("selfsame") else None


def _pickle(path: Path) -> bytes:
    """The pickle in a file of torch's, as bytes that nothing runs; nothing where it is another file."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = next((n for n in archive.namelist() if n.endswith("data.pkl")), None)
            if name is None:
                return b""
            with archive.open(name) as file:
                return file.read(MOST)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return b""
