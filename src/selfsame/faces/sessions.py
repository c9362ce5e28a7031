"""Which photos of an album belong to one session, the unit in which continual models learn."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from selfsame.core.errors import BadInput, WrongUse
from selfsame.faces.records import PhotoRecord, wall_clock

Way = Literal["dates", "folders"]

GAP_DAYS = 30.0


@dataclass(frozen=True)
class Session:
    """One session of an album: how many of its photos are kept, of how many, and from when to when they are dated."""

    number: int
    kept: int
    photos: int
    first: datetime | None
    last: datetime | None


def by_dates(taken: Sequence[datetime | None], gap_days: float, first: int = 0) -> list[int]:
    """A session number for each photo: a new session begins where nothing was taken for more than `gap_days`.

    Numbers rise with the dates, from `first`. Photos without a date are one session, the last, as nothing tells when
    they were taken. Raises WrongUse for a gap that is not above 0.
    """
    if not gap_days > 0:
        raise WrongUse(f"A gap of {gap_days:g} days parts nothing.", "Give a number above 0.")
    times = sorted({wall_clock(time) for time in taken if time is not None})
    gap = timedelta(days=min(gap_days, timedelta.max.days))
    number: dict[datetime | None, int] = dict.fromkeys(times[:1], first)
    for before, after in pairwise(times):
        number[after] = number[before] + (after - before > gap)
    number[None] = number[times[-1]] + 1 if times else first
    return [number[None if time is None else wall_clock(time)] for time in taken]


def by_folders(folders: Sequence[str], first: int = 0) -> list[int]:
    """A session number for each photo by the name of its folder, in natural order: "9" comes before "10"."""
    order = {name: first + i for i, name in enumerate(sorted(set(folders), key=_natural))}
    return [order[name] for name in folders]


def renumbered(
    photos: Sequence[PhotoRecord], way: Way, gap_days: float = GAP_DAYS, first: int = 0
) -> tuple[PhotoRecord, ...]:
    """The photos in new sessions. Those left out count too: each may be put back by hand and has its session then."""
    if way == "dates":
        numbers = by_dates([photo.taken for photo in photos], gap_days, first)
    else:
        numbers = by_folders([photo.folder for photo in photos], first)
    return tuple(replace(photo, session=number) for photo, number in zip(photos, numbers, strict=True))


def by_hand(photos: Sequence[PhotoRecord], numbers: Mapping[str, int]) -> tuple[PhotoRecord, ...]:
    """The photos, those whose ids are in `numbers` in these sessions; raises BadInput for an id of no photo."""
    if missing := numbers.keys() - {photo.id for photo in photos}:
        raise BadInput(
            f"The album has no photo {min(missing)}.", "Name it by its id or its file, as `album show` does."
        )
    return tuple(replace(photo, session=numbers.get(photo.id, photo.session)) for photo in photos)


def summary(photos: Iterable[PhotoRecord]) -> list[Session]:
    """The sessions of some photos in the order of their numbers; times are wall clocks, without a zone."""
    of: dict[int, list[PhotoRecord]] = {}
    for photo in photos:
        of.setdefault(photo.session, []).append(photo)
    return [
        Session(
            number=number,
            kept=sum(photo.why_left_out is None for photo in found),
            photos=len(found),
            first=min(_times(found), default=None),
            last=max(_times(found), default=None),
        )
        for number, found in sorted(of.items())
    ]


def out_of_order(found: Sequence[Session]) -> list[str]:
    """A sentence for each session that begins before an earlier one: models learn them in the order of numbers."""
    sentences: list[str] = []
    latest: tuple[datetime, int] | None = None
    for session in found:
        if session.first is None:
            continue
        if latest and session.first < latest[0]:
            begins = f"Session {session.number} begins on {session.first:%Y-%m-%d}"
            sentences.append(f"{begins}, before session {latest[1]} ({latest[0]:%Y-%m-%d}).")
        latest = max(latest or (session.first, session.number), (session.first, session.number))
    return sentences


def _times(photos: Iterable[PhotoRecord]) -> list[datetime]:
    return [wall_clock(photo.taken) for photo in photos if photo.taken is not None]


def _natural(name: str) -> tuple[list[str | int], str]:
    """Numbers in a name count as numbers; the name itself parts "1" from "01"."""
    parts = re.split(r"(\d+)", name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name
