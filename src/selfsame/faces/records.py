"""What album.json holds: typed, strict records (an unknown or a missing key is an error)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from selfsame.core.config import STRICT, from_json
from selfsame.faces.quality import Quality

FORMAT: Literal[3] = 3
CameraSource = Literal["landmarks", "rendering"]
AgeSource = Literal["told", "table", "name", "birth date", "estimated"]


@dataclass(frozen=True)
class Consent:
    """Who agreed to the making of a model and when, in their words, and when that was written down (UTC)."""

    __pydantic_config__ = STRICT

    statement: str
    recorded: datetime


@dataclass(frozen=True)
class PhotoRecord:
    """One photo or video frame (`time_s` seconds into the video), kept or left out for a reason.

    `folder` is the name of the folder or archive that it came from, `digest` the sha256 of the file (of the video's
    digest and the time for a frame). `camera` is EG3D's label of 25 numbers, found from the landmarks or refined by
    rendering (`camera_from`), `landmarks` five (u, v) as shares of the crop's side. `size_px`, `camera`, `landmarks`
    and `quality` are null where no face was measured. `similarity` is the cosine to the person's other photos by the
    identity judge. `age_source` says where `age_years` comes from, `age_conflict` what else was said. `rule` names what
    left the photo out; `by_hand` is whether a person decided, and then nothing else does.
    """

    __pydantic_config__ = STRICT

    id: str
    file: str
    folder: str
    time_s: float | None
    digest: str
    taken: datetime | None
    age_years: float | None
    age_source: AgeSource | None
    age_conflict: str | None
    session: int
    size_px: int | None
    camera: tuple[float, ...] | None
    camera_from: CameraSource | None
    landmarks: tuple[tuple[float, float], ...] | None
    quality: Quality | None
    similarity: float | None
    rule: str | None
    why_left_out: str | None
    by_hand: bool


Progress = Callable[[int, int, PhotoRecord], None]
"""Sources done, sources expected, the record just made."""


@dataclass(frozen=True)
class AlbumRecord:
    """A person's album: consent first, then the photos in the order in which they came.

    `unfinished_session` is the session of an `add` that was cut short; the next one goes on with it. `judge` names the
    identity judge that tells the person from others, `reference` the digest of the photo that was said to show them.
    """

    __pydantic_config__ = STRICT

    format: Literal[3]
    name: str
    consent: Consent
    birth_date: date | None
    size_px: int
    unfinished_session: int | None
    judge: str | None
    reference: str | None
    photos: tuple[PhotoRecord, ...]


def wall_clock(time: datetime) -> datetime:
    """What the clock showed where the photo was taken; most cameras note no zone, and times without one are that."""
    return time.replace(tzinfo=None)


def read(text: str, source: str) -> AlbumRecord:
    """The record of an album.json; raises BadInput where it is not valid. Albums of older formats get what is new."""
    try:
        raw = json.loads(text)
        if raw["format"] == 1:
            raw = _of_format_1(raw)
        if raw["format"] == 2:
            text = json.dumps(_of_format_2(raw))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass  # said in words by the strict reader
    return from_json(AlbumRecord, text, source)


def _of_format_1(raw: dict[str, Any]) -> dict[str, Any]:
    """Format 1 knew one source of ages, no rules' names and no photo that a person had put back."""
    return raw | {
        "format": 2,
        "judge": None,
        "reference": None,
        "photos": [
            photo
            | {
                "folder": "",
                "camera_from": photo["camera"] and "landmarks",
                "age_source": None if photo["age_years"] is None else "told",
                "age_conflict": None,
                "similarity": None,
                "rule": None if photo["why_left_out"] is None else "left out before rules had names",
                "by_hand": False,
                "quality": photo["quality"] and photo["quality"] | dict.fromkeys(("saturation", "scatter")),
            }
            for photo in raw["photos"]
        ],
    }


def _of_format_2(raw: dict[str, Any]) -> dict[str, Any]:
    """Format 2 did not ask whether eyes are shut."""
    photos = [photo | {"quality": photo["quality"] and photo["quality"] | {"shut": None}} for photo in raw["photos"]]
    return raw | {"format": 3, "photos": photos}
