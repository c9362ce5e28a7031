"""The README.txt of an export: what is held about a person, in their words and not in ours."""

from collections.abc import Iterator
from dataclasses import dataclass

from selfsame.core import store
from selfsame.core.weights import Card
from selfsame.faces.records import AlbumRecord, PhotoRecord
from selfsame.jobs import holdings
from selfsame.jobs.holdings import Kind

MODELS = {
    "personal-3d": "a model of your face in 3D: it can show you from other sides and with other looks",
    "personal-2d": "a model of your face in pictures: it can show you with other looks",
    "personal-aging": "a model of how your face ages: it can show you younger and older",
    "found-photo": "one photo, found in a model of your face",
}
AGES = {
    "told": "it was told",
    "table": "from a table",
    "name": "from the file's name",
    "birth date": "from your birth date and the photo's date",
    "estimated": "estimated from the picture by a network, and may be wrong",
}


@dataclass(frozen=True)
class Held:
    """A file as it lies in the zip: its path there, its kind, bytes and sha256."""

    path: str
    kind: Kind
    bytes: int
    sha256: str


@dataclass(frozen=True)
class About:
    """What about.json holds: the album's record, the cards of all models by their folder, every file, every link.

    `codes` are the ids of the photos whose codes a file of anchors holds, `buffers` of those that a buffer keeps.
    `problems` tells what could not be read, and lies in the zip all the same. A link is told, its target is not taken.
    """

    format: int
    made_by: str
    person: str
    album: AlbumRecord | None
    models: dict[str, Card]
    codes: dict[str, list[str]]
    buffers: dict[str, list[str]]
    files: tuple[Held, ...]
    links: dict[str, str]
    problems: tuple[str, ...]


def readme(about: About) -> str:
    """What is held, as a text of plain sentences."""
    return "\n".join(_lines(about)) + "\n"


def _lines(about: About) -> Iterator[str]:
    yield f"What is held about {about.person}"
    yield ""
    yield f"Written by {about.made_by}. The folder files/ holds every file as it lies on the machine. about.json says"
    yield "the same as this text, and more, for programs: the sha256 of each file and all that was measured."
    yield ""
    if about.album is None:
        yield "There is no readable album: no record of photos and consent."
    else:
        yield from _album(about.album, {held.path for held in about.files})
    yield ""
    yield from _kinds(about)
    yield ""
    yield from _models(about)
    for path, target in about.links.items():
        yield f"{path} is a link to {target}; what it leads to is not in here."
    for problem in about.problems:
        yield f"Not understood, and in here as it is: {problem}"
    yield ""
    yield "Not in here: the photos' own files, which were not copied, and what was written to other places (pictures,"
    yield "films, pages, exported models)."
    yield f"To have all of this removed: selfsame forget {about.person}"


def _album(album: AlbumRecord, files: set[str]) -> Iterator[str]:
    yield "CONSENT"
    yield f'"{album.consent.statement}", written down on {album.consent.recorded:%d %B %Y at %H:%M} (UTC).'
    if album.birth_date:
        yield f"Birth date: {album.birth_date:%d %B %Y}."
    yield ""
    kept = sum(photo.why_left_out is None for photo in album.photos)
    yield f"PHOTOS: {len(album.photos)} were looked at, {kept} are used."
    for photo in album.photos:
        yield f"- {_photo(photo)}" + (f"; its crop: {crop}" if (crop := f"files/faces/{photo.id}.png") in files else "")


def _photo(photo: PhotoRecord) -> str:
    name = f"{photo.folder}/{photo.file}" if photo.folder else photo.file
    parts = [f"{photo.id}: {name}" if photo.time_s is None else f"{photo.id}: {name} at {photo.time_s:g} s"]
    parts.append(f"taken {photo.taken:%Y-%m-%d}" if photo.taken else "date not known")
    if photo.age_years is None:
        parts.append("age not known")
    else:
        parts.append(f"age {photo.age_years:g} ({AGES.get(photo.age_source or '', 'source not recorded')})")
    if photo.age_conflict:
        parts.append(photo.age_conflict)
    parts.append(f"session {photo.session}")
    if photo.camera:
        parts.append("camera, landmarks and quality measured" if photo.landmarks else "camera known")
    if photo.similarity is not None:
        parts.append(f"likeness to the other photos {photo.similarity:.2f}")
    parts.append("used" if photo.why_left_out is None else f"left out: {photo.why_left_out}")
    if photo.by_hand:
        parts.append("so decided by hand")
    return "; ".join(parts)


def _kinds(about: About) -> Iterator[str]:
    yield "FILES"
    for kind, meaning in holdings.KINDS.items():
        sizes = [held.bytes for held in about.files if held.kind == kind]
        if sizes:
            yield f"- {kind}: {len(sizes)} files, {sum(sizes):,} bytes. {meaning[0].upper()}{meaning[1:]}."


def _models(about: About) -> Iterator[str]:
    yield f"MODELS: {len(about.models)}"
    for place, card in about.models.items():
        yield f"- {place}: {_card(card)}"
    for title, found in (
        ("CODES of your photos in a network, from which it draws you", about.codes),
        ("BUFFERS, old photos kept so that updates do not forget them", about.buffers),
    ):
        if found:
            yield ""
            yield f"{title}:"
            yield from (f"- {path}: {len(ids)} photos ({', '.join(ids)})" for path, ids in found.items())
    yield ""


def _card(card: Card) -> str:
    what = MODELS.get(card.kind, f"weights of the kind {card.kind}")
    made = f" Made by `{card.command}`." if card.command else ""
    on = f" It stands on {store.called(card.prior_digest)}." if card.prior_digest else ""
    return f"{what}.{made}{on} Licence: {card.licence}"
