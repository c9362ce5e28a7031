"""Coverage: every photo is counted once in each way, and what is missing is said."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from helpers import NO_PHOTO
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsame.core import camera
from selfsame.faces.coverage import advice, coverage
from selfsame.faces.quality import Quality
from selfsame.faces.records import PhotoRecord

SEEN = Quality(
    sharpness=200, exposure=0.5, face_px=90, yaw_degrees=0, pitch_degrees=0, pose_error=0.01, invented=0, hash="0",
    saturation=None, scatter=None, shut=None,
)  # fmt: skip


def photo(
    age: float | None = None, yaw: float | None = 0.0, pitch: float = 0.0, estimated: bool = False
) -> PhotoRecord:
    quality = None if yaw is None else replace(SEEN, yaw_degrees=yaw, pitch_degrees=pitch)
    source = None if age is None else "estimated" if estimated else "told"
    return replace(NO_PHOTO, age_years=age, age_source=source, quality=quality)  # type: ignore[arg-type]


SAID = st.tuples(st.none() | st.floats(0, 120), st.none() | st.floats(-100, 100), st.floats(-50, 50), st.booleans())


@settings(max_examples=50, deadline=None)
@given(st.lists(SAID, max_size=12))
def test_every_photo_is_counted_once(said: list[tuple[float | None, float | None, float, bool]]) -> None:
    photos = [photo(*words) for words in said]
    found = coverage(photos)
    assert sum(one.count for one in found.ages) + found.without_age == len(photos) == found.photos
    for bins in (found.yaws, found.pitches):
        assert sum(one.count for one in bins) + found.without_view == len(photos)
    for bins, values in (
        (found.ages, [p.age_years for p in photos if p.age_years is not None]),
        (found.yaws, [p.quality.yaw_degrees for p in photos if p.quality]),
        (found.pitches, [p.quality.pitch_degrees for p in photos if p.quality]),
    ):
        assert [one.count for one in bins] == [sum(one.low <= v < one.high for v in values) for one in bins]
        assert all(one.high == other.low for one, other in pairwise(bins))
    assert found.estimated == sum(p.age_source == "estimated" for p in photos)
    assert all(0 <= one.estimated <= one.count for one in found.ages)


def test_bins_are_five_years_over_a_long_span_and_one_over_a_short() -> None:
    short = coverage([photo(30.2), photo(33.0), photo(45.1)]).ages
    assert [one.label for one in short] == [str(year) for year in range(30, 46)]
    long = coverage([photo(30.2), photo(30.9, estimated=True), photo(45.3)]).ages
    assert [(one.label, one.count, one.estimated) for one in long] == [
        ("30 to 34", 2, 1), ("35 to 39", 0, 0), ("40 to 44", 0, 0), ("45 to 49", 1, 0),
    ]  # fmt: skip


def test_views_are_named_by_the_side_of_the_person() -> None:
    """Yaw above 0 is a camera nearer to the person's left, which from the front is at the right of the picture."""
    left_ear = torch.tensor([[[0.25, 0.0, 0.0]]])
    assert camera.project(camera.facing(torch.zeros(1), torch.zeros(1)), left_ear)[0, 0, 0] > 0.5
    turned = camera.facing(torch.tensor([0.7]), torch.tensor([0.3]))
    place = turned.cam2world[0, :3, 3]
    assert (place - left_ear[0, 0]).norm() < (place + left_ear[0, 0]).norm() and place[1] > 0
    yaw, pitch = (float(torch.rad2deg(angle)) for angle in camera.angles(turned))
    found = coverage([photo(yaw=yaw, pitch=pitch)])
    assert [one.label for one in found.yaws if one.count] == ["far left"]
    assert [one.label for one in found.pitches if one.count] == ["from above"]
    views = coverage([photo(yaw=yaw) for yaw in (-26, -24, -9, 9, 11, 26, 80)]).yaws
    assert [(one.label, one.count) for one in views] == [
        ("far right", 1), ("right", 1), ("front", 2), ("left", 1), ("far left", 2),
    ]  # fmt: skip


def good() -> list[PhotoRecord]:
    """Of ages and views that lack nothing."""
    return [photo(20 + i, yaw=yaw) for i, yaw in zip(range(0, 36, 3), (-40, 0, 40) * 4, strict=True)]


@pytest.mark.parametrize(
    ("photos", "sentences"),
    [
        (good(), []),
        ([], ["There is no photo yet."]),
        (good()[:5] + good()[-1:],
         ["Only 6 photos; 10 to 50 are usual for a 3D model.", "Nothing between 32 and 53 years."]),
        (
            [photo(31.2), *(p for p in good() if p.age_years < 31 or p.age_years > 37.5), photo(38, yaw=40)],  # type: ignore[operator]
            ["Nothing between 31 and 38 years."],
        ),
        (
            [*good(), photo(), photo(30, estimated=True)],
            ["1 of 14 photos has no age; give --birth-date, a table or --age.",
             "1 of 13 ages is estimated by the age judge."],
        ),
        ([photo(p.age_years, yaw=abs(p.quality.yaw_degrees)) for p in good() if p.quality],
         ["No photo shows the right side of the face (yaw over 25 degrees)."]),
        ([photo(p.age_years, yaw=-abs(p.quality.yaw_degrees)) for p in good() if p.quality],
         ["No photo shows the left side of the face (yaw over 25 degrees)."]),
        ([p for p in good() * 2 if p.quality and p.quality.yaw_degrees],
         ["No photo is frontal (yaw within 10 degrees)."]),
        ([photo(20 + 3 * i, yaw=None) for i in range(10)], []),
        ([replace(p, age_years=30 + p.age_years / 10) for p in good()],  # type: ignore[operator]
         ["The ages span 3 years; personal re-aging wants 20 to 40, on about 50 photos."]),
    ],
)  # fmt: skip
def test_advice_says_what_is_missing(photos: list[PhotoRecord], sentences: list[str]) -> None:
    assert advice(coverage(photos)) == sentences
