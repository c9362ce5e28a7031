"""Sessions rise with the dates, follow folders in natural order, or are what a person said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from helpers import NO_PHOTO
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsame.core.errors import BadInput, WrongUse
from selfsame.faces import named, sessions
from selfsame.faces.records import PhotoRecord

ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-7))])
DATES = st.datetimes(datetime(1950, 1, 1), datetime(2030, 1, 1), timezones=ZONES)


def wall(time: datetime) -> datetime:
    return time.replace(tzinfo=None)


def photo(name: str, folder: str = "", taken: datetime | None = None, **more: object) -> PhotoRecord:
    return replace(NO_PHOTO, id=f"id of {folder} {name}", file=name, folder=folder, taken=taken, **more)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.lists(st.none() | DATES, max_size=12), st.floats(0.5, 4000), st.integers(0, 5))
def test_sessions_rise_with_the_dates_and_are_parted_by_gaps_alone(
    taken: list[datetime | None], gap_days: float, first: int
) -> None:
    numbers = sessions.by_dates(taken, gap_days, first)
    dated = sorted((wall(time), number) for time, number in zip(taken, numbers, strict=True) if time is not None)
    for (before, one), (after, other) in pairwise(dated):
        assert other - one == (after - before > timedelta(days=gap_days))
    assert set(numbers) == set(range(first, first + len(set(numbers))))
    undated = {number for time, number in zip(taken, numbers, strict=True) if time is None}
    assert not undated or (len(undated) == 1 and undated.isdisjoint(n for _, n in dated) and max(numbers) in undated)


def test_a_gap_is_more_than_its_days() -> None:
    days = [datetime(2020, 1, 1), datetime(2020, 3, 1), datetime(2020, 1, 31), None, datetime(2020, 3, 31, 0, 1)]
    assert sessions.by_dates(days, 30) == [0, 0, 0, 2, 1]
    assert sessions.by_dates(days, 29) == [0, 2, 1, 4, 3]
    assert sessions.by_dates([None, None], 30, first=3) == [3, 3]
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(WrongUse, match="parts nothing"):
            sessions.by_dates(days, wrong)
    assert sessions.by_dates(days, float("inf")) == [0, 0, 0, 1, 0]


def test_folders_come_in_natural_order() -> None:
    folders = ["2019", "10 holiday", "9 holiday", "Zoo", "album", "2019", "01", "1"]
    assert sessions.by_folders(folders) == [4, 3, 2, 6, 5, 4, 0, 1]
    assert sessions.by_folders(["", "a"], first=7) == [7, 8]


def test_records_get_new_numbers_and_keep_the_rest() -> None:
    photos = [
        photo("a.jpg", "b", datetime(2020, 5, 1), session=7),
        photo("b.jpg", "a", datetime(2019, 5, 1, tzinfo=UTC), session=7, why_left_out="Blurred."),
        photo("c.jpg", "b", None, session=7),
    ]
    assert [p.session for p in sessions.renumbered(photos, "dates")] == [1, 0, 2]
    assert [p.session for p in sessions.renumbered(photos, "dates", gap_days=1000, first=4)] == [4, 4, 5]
    made = sessions.renumbered(photos, "folders")
    assert [p.session for p in made] == [1, 0, 1]
    assert [replace(p, session=7) for p in made] == photos
    by_hand = sessions.by_hand(photos, {photos[2].id: 0})
    assert [p.session for p in by_hand] == [7, 7, 0] and replace(by_hand[2], session=7) == photos[2]
    with pytest.raises(BadInput, match="no photo nothing"):
        sessions.by_hand(photos, {"nothing": 1})


def test_the_summary_counts_and_tells_what_is_out_of_order() -> None:
    photos = [
        photo("a.jpg", taken=datetime(2020, 5, 1), session=0),
        photo("b.jpg", taken=datetime(2020, 7, 1, tzinfo=UTC), session=0, why_left_out="Blurred."),
        photo("c.jpg", session=1),
        photo("d.jpg", taken=datetime(2018, 1, 1), session=2),
        photo("e.jpg", taken=datetime(2019, 1, 1), session=3),
    ]
    found = sessions.summary(photos)
    assert [(s.number, s.kept, s.photos) for s in found] == [(0, 1, 2), (1, 1, 1), (2, 1, 1), (3, 1, 1)]
    assert (found[0].first, found[0].last) == (datetime(2020, 5, 1), datetime(2020, 7, 1))
    assert found[1].first is None
    assert sessions.out_of_order(found) == [
        "Session 2 begins on 2018-01-01, before session 0 (2020-05-01).",
        "Session 3 begins on 2019-01-01, before session 0 (2020-05-01).",
    ]
    assert sessions.out_of_order(sessions.summary(sessions.renumbered(photos, "dates"))) == []


def test_photos_are_named_by_id_file_or_path() -> None:
    photos = [photo("a.jpg", "old"), photo("a.jpg", "new"), photo("e\u0301.jpg", "new"), photo("z.jpg", "")]
    frames = [photo("v.mp4", "new", time_s=t, digest=str(t)) for t in (0.5, 1.5)]
    frames = [replace(frame, id=f"frame {frame.time_s}") for frame in frames]
    every = [*photos, *frames]
    assert named.ids(every, [photos[1].id, "é.jpg", "v.mp4"]) == (photos[1].id, photos[2].id, "frame 0.5", "frame 1.5")
    assert named.ids(every, ["pictures/old/a.jpg", "old/a.jpg"]) == (photos[0].id,)
    assert named.ids(every, ["anywhere/z.jpg"]) == (photos[3].id,)
    with pytest.raises(BadInput, match=r"a\.jpg lies in new and old"):
        named.ids(every, ["a.jpg"])
    for absent in ("b.jpg", "other/a.jpg", "", "/"):
        with pytest.raises(BadInput, match="has no photo"):
            named.ids(every, [absent])
