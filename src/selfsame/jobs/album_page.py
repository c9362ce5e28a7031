"""The review page of an album: `album.html` with every photo, what was found on it, and why some were left out."""

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from selfsame.core.config import write_atomic
from selfsame.faces import sessions
from selfsame.faces.adding import ANOTHER_PERSON, STRANGER
from selfsame.faces.album import Album
from selfsame.faces.draw import AXIS_COLOURS
from selfsame.faces.records import AlbumRecord, PhotoRecord, wall_clock
from selfsame.faces.sessions import Session
from selfsame.jobs import album_cards, album_similarity, album_thumbs
from selfsame.jobs.album_cards import Card
from selfsame.jobs.album_thumbs import Progress

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Group:
    """Cards that share a fate: `rule` is what left them out, None of those kept."""

    rule: str | None
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class SessionRow:
    """A session's number, its photos, those kept, the span of days and of ages, and the folders it came from."""

    number: int
    photos: int
    kept: int
    days: str
    ages: str
    folders: str


def write(
    album: Album,
    out: Path,
    *,
    chart_svg: str = "",
    advice: Sequence[str] = (),
    threshold: float | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the page to `out` and its thumbnails to a folder beside it (`album_files` of `album.html`).

    The same call again makes only what changed. `chart_svg` is the chart of ages and views and is trusted as it is,
    `advice` are the sentences below it, `threshold` the least similarity of the person's photos. Raises BadInput where
    the disk fails; then the page is the one before.
    """
    folder = out.parent / f"{out.stem}_files"
    names = album_thumbs.sync(album, folder, progress)
    pictures = {key: f"{quote(folder.name)}/{quote(name)}" for key, name in names.items()}
    write_atomic(out, render(album.record, album.path, pictures, chart_svg, advice, threshold))


def render(
    record: AlbumRecord,
    person: Path,
    pictures: dict[str, str],
    chart_svg: str = "",
    advice: Sequence[str] = (),
    threshold: float | None = None,
) -> str:
    """The page's HTML; `person` is the album's folder, `pictures` the address of the thumbnail of each photo's id.

    The page may load pictures from beside it and nothing else, and run its own script and no other: its policy says so.
    """
    import jinja2

    cards = [album_cards.card(photo, pictures.get(photo.id), person, threshold) for photo in in_order(record.photos)]
    likeness = album_similarity.histogram(*_similarities(record.photos), threshold)
    script = (HERE / "album_page.js").read_text()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    options = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True}
    template = jinja2.Environment(**options).from_string((HERE / "album.html.j2").read_text())  # type: ignore[arg-type]
    return template.render(
        record=record,
        line=album_cards.one_line,
        cards=cards,
        groups=_groups(cards),
        sessions=_sessions(record.photos),
        conflicts=[card for card in cards if card.photo.age_conflict],
        reference=next((card for card in cards if card.photo.digest == record.reference), None),
        measures=album_cards.MEASURES,
        likeness=likeness,
        threshold=threshold,
        chart_svg=chart_svg,
        advice=advice,
        axis_colours=AXIS_COLOURS,
        style=(HERE / "album_page.css").read_text(),
        script=script,
        script_digest=digest,
        thumb_px=album_thumbs.THUMB_PX,
    )


def in_order(photos: Sequence[PhotoRecord]) -> list[PhotoRecord]:
    """By the camera's date (as its clock showed it), those without one last; then by file and time."""
    # As text: dates with and without a time zone cannot be compared as such.
    return sorted(photos, key=lambda p: (p.taken is None, _clock(p), p.folder, p.file, p.time_s or 0.0))


def _clock(photo: PhotoRecord) -> str:
    return wall_clock(photo.taken).isoformat() if photo.taken else ""


def _groups(cards: Sequence[Card]) -> list[Group]:
    """Those kept first, then the rules by how many photos they left out."""
    counts = Counter(album_cards.rule_of(card.photo) for card in cards)
    rules = sorted(counts, key=lambda rule: (rule is not None, -counts[rule], rule or ""))
    by_rule: dict[str | None, list[Card]] = {rule: [] for rule in rules}
    for card in cards:
        by_rule[album_cards.rule_of(card.photo)].append(card)
    return [Group(rule, tuple(found)) for rule, found in by_rule.items()]


def _sessions(photos: Sequence[PhotoRecord]) -> list[SessionRow]:
    return [
        _session(found, [photo for photo in photos if photo.session == found.number])
        for found in sessions.summary(photos)
    ]


def _session(found: Session, photos: Sequence[PhotoRecord]) -> SessionRow:
    days = [f"{time:%Y-%m-%d}" for time in (found.first, found.last) if time]
    years = [photo.age_years for photo in photos if photo.age_years is not None]
    folders = sorted({album_cards.one_line(photo.folder) for photo in photos if photo.folder})
    more = f" and {len(folders) - 3} more" if len(folders) > 3 else ""
    ages = _span([f"{min(years):.1f}", f"{max(years):.1f}"]) if years else "unknown"
    return SessionRow(found.number, found.photos, found.kept, _span(days), ages, ", ".join(folders[:3]) + more)


def _span(values: Sequence[str]) -> str:
    """From the first to the last of sorted values."""
    if not values:
        return "unknown"
    return values[0] if values[0] == values[-1] else f"{values[0]} to {values[-1]}"


def _similarities(photos: Sequence[PhotoRecord]) -> tuple[list[float], list[float]]:
    """Of the photos kept, and of those left out as another person's."""
    kept = [p.similarity for p in photos if p.similarity is not None and p.why_left_out is None]
    others = [
        p.similarity
        for p in photos
        if p.similarity is not None and (p.rule == STRANGER or p.why_left_out == ANOTHER_PERSON)
    ]
    return kept, others
