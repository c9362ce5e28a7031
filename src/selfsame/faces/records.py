"""What album.json holds: typed, strict records (an unknown or a missing key is an error)."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from selfsame.core.config import STRICT
from selfsame.faces.quality import Quality

FORMAT: Literal[1] = 1


@dataclass(frozen=True)
class Consent:
    """Who agreed to the making of a model and when, in their words, and when that was written down (UTC)."""

    __pydantic_config__ = STRICT

    statement: str
    recorded: datetime


@dataclass(frozen=True)
class PhotoRecord:
    """One photo or video frame (`time_s` seconds into the video), kept or left out for a reason.

    `camera` is EG3D's label of 25 numbers, `landmarks` five (u, v) as shares of the crop's side, `digest` the sha256 of
    the file (of the video's digest and the time for a frame). `size_px`, `camera`, `landmarks` and `quality` are null
    where no face was measured.
    """

    __pydantic_config__ = STRICT

    id: str
    file: str
    time_s: float | None
    digest: str
    taken: datetime | None
    age_years: float | None
    session: int
    size_px: int | None
    camera: tuple[float, ...] | None
    landmarks: tuple[tuple[float, float], ...] | None
    quality: Quality | None
    why_left_out: str | None


@dataclass(frozen=True)
class AlbumRecord:
    """A person's album: consent first, then the photos in the order in which they came.

    `unfinished_session` is the session of an `add` that was cut short; the next one goes on with it.
    """

    __pydantic_config__ = STRICT

    format: Literal[1]
    name: str
    consent: Consent
    birth_date: date | None
    size_px: int
    unfinished_session: int | None
    photos: tuple[PhotoRecord, ...]


def age_years(birth_date: date | None, taken: datetime | None) -> float | None:
    """Years between birth and photo; None where either is unknown or the camera's clock was before the birth."""
    if birth_date is None or taken is None or taken.date() < birth_date:
        return None
    return round((taken.date() - birth_date).days / 365.2425, 2)
