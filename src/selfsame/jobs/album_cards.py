"""What the page of an album says of one photo: plain words and numbers, escaped by the template that shows them."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from selfsame.core.errors import shown
from selfsame.faces import draw, quality
from selfsame.faces.quality import Quality
from selfsame.faces.records import PhotoRecord

UNNAMED_RULE = "no rule named"
BY_HAND = "by hand"
AGE_SOURCES = {
    "told": "told",
    "table": "table",
    "name": "file name",
    "birth date": "birth date",
    "estimated": "estimated",
}


@dataclass(frozen=True)
class Measure:
    """A number of `Quality`: its short name, what it is, how it is written, and the bounds of a usable photo."""

    name: str
    words: str
    of: Callable[[Quality], float | None]
    write: Callable[[float], str]
    low: float | None = None
    high: float | None = None


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _permille(value: float) -> str:
    return f"{100 * value:.1f} %"


def degrees(value: float) -> str:
    """An angle with its sign and without decimals; what rounds to nothing has no sign."""
    return f"{round(value):+d}°".replace("+0°", "0°").replace("-", "−")


def _whole(value: float) -> str:
    return f"{value:.0f}"


def _bounds(field: str) -> dict[str, float]:
    """Between what values a measure of quality may lie, by the rules."""
    sides = {"below": "low", "above": "high"}
    return {sides[rule.wrong]: rule.threshold for rule in quality.RULES if rule.measure == field}


MEASURES = (
    Measure("sharp", "variance of the Laplacian of the face at 128 px", lambda q: q.sharpness, _whole,
            **_bounds("sharpness")),
    Measure("light", "mean grey of the face, 100 % is white", lambda q: q.exposure, _percent,
            **_bounds("exposure")),
    Measure("face", "width of the face in pixels of the photo", lambda q: q.face_px, _whole,
            **_bounds("face_px")),
    Measure("misfit", "how far the landmarks lie from those of the camera that was found, of the crop's side",
            lambda q: q.pose_error, _permille, **_bounds("pose_error")),
    Measure("edge", "share of the crop that lies beyond the photo's edge", lambda q: q.invented, _percent,
            **_bounds("invented")),
    Measure("colour", "how far the colours depart from one tint; near 0 % is a grey photo", lambda q: q.saturation,
            _permille, **_bounds("saturation")),
    Measure("scatter", "how far the detector's views disagree on the landmarks, of the crop's side",
            lambda q: q.scatter, _permille, **_bounds("scatter")),
    Measure("shut", "probability that the eyes are closed", lambda q: q.shut, _percent, **_bounds("shut")),
)  # fmt: skip
"""In the order in which a card shows them."""


@dataclass(frozen=True)
class Number:
    """A number on a card: its name, itself, and the bound that it breaks ("< 12") or nothing."""

    name: str
    value: str
    beyond: str


@dataclass(frozen=True)
class Drawing:
    """The landmarks (u, v) and the paths of the head's axes x, y and z, in percent of the crop's side."""

    landmarks: tuple[tuple[float, float], ...]
    axes: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """One photo as the page shows it; `picture` is the thumbnail's address beside the page, or nothing."""

    photo: PhotoRecord
    picture: str | None
    file: str
    folder: str
    day: str
    age: str
    why: str
    numbers: tuple[Number, ...]
    drawing: Drawing | None
    command: str

    @property
    def kept(self) -> bool:
        """Whether the photo may be used."""
        return self.photo.why_left_out is None

    @property
    def alt(self) -> str:
        """The picture in words."""
        q = self.photo.quality
        turn = f", turned {degrees(q.yaw_degrees)} and tilted {degrees(q.pitch_degrees)}" if q else ""
        return f"Face cut from {self.file}{turn}"


def card(photo: PhotoRecord, picture: str | None, person: Path, threshold: float | None = None) -> Card:
    """The card of a photo of the person with this folder; a similarity under `threshold` is marked."""
    why = one_line(photo.why_left_out or "")
    if photo.why_left_out is None and picture is None:
        why = "The crop is missing or damaged."
    draws = picture is not None and photo.camera is not None and len(photo.camera) == 25
    return Card(
        photo=photo,
        picture=picture,
        file=one_line(photo.file) + ("" if photo.time_s is None else f" at {photo.time_s:.1f} s"),
        folder=one_line(photo.folder),
        day=photo.taken.date().isoformat() if photo.taken else "no date",
        age=_age(photo),
        why=why,
        numbers=_numbers(photo, threshold),
        drawing=_drawing(photo) if draws else None,
        command=command(photo, person),
    )


def rule_of(photo: PhotoRecord) -> str | None:
    """What left the photo out, None of one that is kept."""
    if photo.why_left_out is None:
        return None
    return BY_HAND if photo.by_hand else photo.rule or UNNAMED_RULE


def command(photo: PhotoRecord, person: Path) -> str:
    """What to type to put the photo back or to drop it, where people lie in the usual folder or elsewhere."""
    verb = "drop" if photo.why_left_out is None else "keep"
    words = ["selfsame", "album", verb, person.name, photo.id]
    if person.parent.resolve() != Path("people").resolve():
        words += ["--people", str(person.parent)]
    return one_line(shlex.join(words))


def one_line(text: str, most: int = 400) -> str:
    """Text of files and users on one line: nothing in it can break the page or turn the reading direction."""
    return shown(" ".join(text.split()), most)


def _age(photo: PhotoRecord) -> str:
    if photo.age_years is None:
        return "age unknown"
    source = AGE_SOURCES[photo.age_source] if photo.age_source else ""
    return f"{photo.age_years:.1f} years" + (f", {source}" if source else "")


def _numbers(photo: PhotoRecord, threshold: float | None) -> tuple[Number, ...]:
    made = []
    if photo.quality is not None:
        q = photo.quality
        made += [Number("yaw", degrees(q.yaw_degrees), ""), Number("pitch", degrees(q.pitch_degrees), "")]
        for m in MEASURES:
            value = m.of(q)
            if value is not None:
                made.append(Number(m.name, m.write(value), _beyond(value, m.low, m.high, m.write)))
    if photo.similarity is not None:
        beyond = _beyond(photo.similarity, threshold, None, "{:.2f}".format)
        made.append(Number("alike", f"{photo.similarity:.2f}", beyond))
    return tuple(made)


def _beyond(value: float, low: float | None, high: float | None, write: Callable[[float], str]) -> str:
    if low is not None and value < low:
        return f"< {write(low)}"
    return f"> {write(high)}" if high is not None and value > high else ""


def _drawing(photo: PhotoRecord) -> Drawing:
    assert photo.camera is not None
    origin, *tips = (f"{100 * u:.1f} {100 * v:.1f}" for u, v in draw.axes(photo.camera))
    points = tuple((round(100 * u, 1), round(100 * v, 1)) for u, v in photo.landmarks or ())
    return Drawing(points, tuple(f"M{origin}L{tip}" for tip in tips))
