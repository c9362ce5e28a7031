"""Which ages and which views of the face an album shows, and what is missing from it."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from selfsame.faces.records import PhotoRecord

WIDE_YEARS = 15.0  # over a longer span ages are counted in bins of WIDE_BIN years, else of one
WIDE_BIN = 5

# EG3D's signs: yaw above 0 shows the person's own left side, pitch above 0 the face from above.
YAWS = ("far right", "right", "front", "left", "far left")
YAW_EDGES = (-25.0, -10.0, 10.0, 25.0)
PITCHES = ("from below", "level", "from above")
PITCH_EDGES = (-10.0, 10.0)

FEWEST, USUAL = 10, 50  # photos of a person [My3DGen: as few as 10 (v1), about 50 (v4)]
NEAR_YEARS = 3  # photos within 3 years of an age tell who the person is then [MyTM, equation 8]
SPAN_YEARS, SPAN_PHOTOS = (20, 40), 50  # what a personal re-aging is trained on [MyTM: 30 to 70 or 50 to 70]


@dataclass(frozen=True)
class Bin:
    """How many photos have a value from `low` to below `high` (years or degrees), and how many of these by estimate."""

    label: str
    low: float
    high: float
    count: int
    estimated: int = 0


@dataclass(frozen=True)
class Coverage:
    """Photos counted by age, by yaw and by pitch; those of unknown age or view stand apart.

    `span` holds the lowest and highest age, `gaps` the neighbouring ages (years) so far apart that no photo is near
    what lies between.
    """

    photos: int
    without_age: int
    without_view: int
    span: tuple[float, float] | None
    gaps: tuple[tuple[float, float], ...]
    ages: tuple[Bin, ...]
    yaws: tuple[Bin, ...]
    pitches: tuple[Bin, ...]

    @property
    def estimated(self) -> int:
        """How many ages are the age judge's estimate."""
        return sum(one.estimated for one in self.ages)


def coverage(photos: Sequence[PhotoRecord]) -> Coverage:
    """Count photos (an album's kept ones, say) by age, yaw and pitch.

    Ages are in bins of five years where they span more than 15, else of one. Views are the angles of `quality`, from
    five landmarks: large turns read 16 % and tilts 45 % too small (docs/album.md).
    """
    aged = [(photo.age_years, photo.age_source == "estimated") for photo in photos if photo.age_years is not None]
    seen = [photo.quality for photo in photos if photo.quality is not None]
    years = sorted(age for age, _ in aged)
    return Coverage(
        photos=len(photos),
        without_age=len(photos) - len(aged),
        without_view=len(photos) - len(seen),
        span=(years[0], years[-1]) if years else None,
        gaps=tuple((low, high) for low, high in pairwise(years) if high - low > 2 * NEAR_YEARS),
        ages=_age_bins(aged),
        yaws=_view_bins(YAWS, YAW_EDGES, (one.yaw_degrees for one in seen)),
        pitches=_view_bins(PITCHES, PITCH_EDGES, (one.pitch_degrees for one in seen)),
    )


def advice(found: Coverage) -> list[str]:
    """What is missing, a sentence each, by what the published systems are trained on; nothing where nothing is."""
    if not found.photos:
        return ["There is no photo yet."]
    return [*_of_number(found), *_of_ages(found), *_of_views(found)]


def _age_bins(aged: Sequence[tuple[float, bool]]) -> tuple[Bin, ...]:
    if not aged:
        return ()
    years = [age for age, _ in aged]
    width = WIDE_BIN if max(years) - min(years) > WIDE_YEARS else 1
    first, last = (math.floor(age / width) for age in (min(years), max(years)))
    bins = []
    for number in range(first, last + 1):
        here = [estimate for age, estimate in aged if math.floor(age / width) == number]
        low, high = number * width, (number + 1) * width
        label = str(low) if width == 1 else f"{low} to {high - 1}"
        bins.append(Bin(label, low, high, len(here), sum(here)))
    return tuple(bins)


def _view_bins(labels: Sequence[str], edges: Sequence[float], degrees: Iterable[float]) -> tuple[Bin, ...]:
    places = [bisect_right(edges, angle) for angle in degrees]
    limits = pairwise((-math.inf, *edges, math.inf))
    return tuple(
        Bin(label, low, high, places.count(number))
        for number, (label, (low, high)) in enumerate(zip(labels, limits, strict=True))
    )


def _of_number(found: Coverage) -> list[str]:
    if found.photos >= FEWEST:
        return []
    return [f"Only {_photos(found.photos)}; {FEWEST} to {USUAL} are usual for a 3D model."]


def _of_ages(found: Coverage) -> list[str]:
    said = []
    if found.without_age:
        have = "has" if found.without_age == 1 else "have"
        said.append(
            f"{found.without_age} of {_photos(found.photos)} {have} no age; give --birth-date, a table or --age."
        )
    if found.estimated:
        are = "is" if found.estimated == 1 else "are"
        said.append(f"{found.estimated} of {found.photos - found.without_age} ages {are} estimated by the age judge.")
    said += [f"Nothing between {low:.0f} and {high:.0f} years." for low, high in found.gaps]
    if found.span and found.span[1] - found.span[0] < SPAN_YEARS[0]:
        spread = f"The ages span {found.span[1] - found.span[0]:.0f} years"
        said.append(
            f"{spread}; personal re-aging wants {SPAN_YEARS[0]} to {SPAN_YEARS[1]}, on about {SPAN_PHOTOS} photos."
        )
    return said


def _of_views(found: Coverage) -> list[str]:
    if found.without_view == found.photos:
        return []
    said = []
    right, *_, left = found.yaws
    for side, one in (("right", right), ("left", left)):
        if not one.count:
            said.append(f"No photo shows the {side} side of the face (yaw over {YAW_EDGES[-1]:.0f} degrees).")
    if not found.yaws[YAWS.index("front")].count:
        said.append(f"No photo is frontal (yaw within {YAW_EDGES[2]:.0f} degrees).")
    return said


def _photos(count: int) -> str:
    return f"{count} photo" if count == 1 else f"{count} photos"
