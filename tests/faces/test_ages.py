"""Where ages come from: names, dates and tables, who is believed, and that nothing is settled silently."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsame.core.errors import BadInput
from selfsame.faces import ages
from selfsame.faces.ages import OLDEST, SAME_YEARS, SAYS, Aged, settle
from selfsame.faces.records import AgeSource

SOURCES: tuple[AgeSource, ...] = get_args(AgeSource)
YEARS = st.floats(0, OLDEST)


def test_trust_has_every_source_and_ends_with_the_estimate() -> None:
    assert set(SAYS) == set(SOURCES) and list(SAYS)[-1] == "estimated"


@settings(deadline=None)
@given(st.sampled_from(SOURCES), YEARS)
def test_a_lone_source_is_believed_as_it_is(source: AgeSource, years: float) -> None:
    assert settle({source: years}) == Aged(years, source, None)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(SOURCES), YEARS, min_size=1))
def test_the_most_trusted_is_used_whatever_the_order_and_a_conflict_is_told(known: dict[AgeSource, float]) -> None:
    aged = settle(known)
    assert aged == settle(dict(reversed(known.items())))
    assert aged.age_source == next(source for source in SAYS if source in known)
    assert aged.age_years == known[aged.age_source]
    firm = [years for source, years in known.items() if source != "estimated"]
    if any(abs(a - b) > SAME_YEARS for a in firm for b in firm):
        assert aged.age_conflict
    elif "estimated" not in known:
        assert aged.age_conflict is None


@pytest.mark.parametrize(
    ("known", "years", "source", "conflict"),
    [
        ({}, None, None, None),
        (
            {"birth date": 31.2, "table": 34.0}, 34.0, "table",
            "The table says 34.0 years, birth date and date say 31.2.",
        ),
        ({"birth date": 35.4, "name": 34.0}, 34.0, "name", None),
        (
            {"told": 40.0, "name": 40.0, "birth date": 44.0}, 40.0, "told",
            "--age says 40.0 years, the file's name says 40.0, birth date and date say 44.0.",
        ),
        ({"birth date": -3.25}, None, None, "By its date the photo was taken 3.2 years before the birth."),
        (
            {"birth date": -0.3, "estimated": 5.0}, 5.0, "estimated",
            "By its date the photo was taken less than a year before the birth.",
        ),
        ({"birth date": 140.0}, None, None, "Birth date and date say 140.0 years, which cannot be."),
        ({"told": -2.0, "table": 9.0}, 9.0, "table", "--age says -2.0 years, which cannot be."),
        ({"table": 34.0, "estimated": 48.9}, 34.0, "table", None),
        (
            {"table": 34.0, "estimated": 49.1}, 34.0, "table",
            "The age judge estimates 49 years, far from the 34.0 that the table gave.",
        ),
        ({"told": float("nan")}, None, None, "--age says nan years, which cannot be."),
    ],
)  # fmt: skip
def test_conflicts_and_doubts(
    known: dict[AgeSource, float], years: float | None, source: AgeSource | None, conflict: str | None
) -> None:
    assert settle(known) == Aged(years, source, conflict)


@pytest.mark.parametrize(
    ("name", "years"),
    [
        ("34_0003.jpg", 34), ("34.5_2.png", 34.5), ("0_1.JPG", 0), ("07_12.webp", 7), ("120_1.png", 120),
        ("104_2.png", 104),
        ("IMG_1234.jpg", None), ("20190705_1200.jpg", None), ("2019_07.jpg", None), ("121_1.jpg", None),
        ("100_0042.JPG", None),  # a camera's folder and counter
        ("x34_1.jpg", None), ("34_1_2.jpg", None), ("34_1", None), ("34-1.jpg", None), ("-3_1.jpg", None),
        ("34_a.jpg", None), ("34_1.tar.gz", None), ("٣٤_1.jpg", None), ("34..5_1.jpg", None), ("34_1.jpg\n", None),
    ],
)  # fmt: skip
def test_names(name: str, years: float | None) -> None:
    assert ages.of_name(name) == years


def test_all_that_is_known_of_a_photo() -> None:
    taken = datetime(2020, 12, 10, 23, tzinfo=UTC)
    assert ages.known("34_1.jpg", taken, date(1990, 12, 10), 30.0, 31.0) == {
        "told": 30.0, "table": 31.0, "name": 34.0, "birth date": 30.0,
    }  # fmt: skip
    assert ages.known("a.jpg", None, date(1990, 12, 10)) == {}
    assert ages.known("a.jpg", taken, date(2021, 12, 10)) == {"birth date": -1.0}
    assert ages.known("a.jpg", taken, None, told=0.0) == {"told": 0.0}


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "ages.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("file,age\na.jpg,34\nold/b é.jpg,7.5\n", "utf-8"),
        ("File, Age\r\na.jpg, 34\r\n\r\nold\\b é.jpg,7.5\r\n", "utf-8-sig"),
        ("age;note;file\n34;x;a.jpg\n7,5;;2019/old/b é.jpg", "utf-8-sig"),
        ('file,age\n"a.jpg","34"\n./old/b e\u0301.jpg,7.5\na.jpg,34.0\n', "utf-8"),
    ],
)
def test_tables_as_spreadsheets_write_them(text: str, encoding: str, tmp_path: Path) -> None:
    read = ages.read_table(table(tmp_path, text, encoding))
    assert read == {"a.jpg": 34.0, "old/b é.jpg": 7.5}
    assert ages.of_table(read, "b e\u0301.jpg", "old") == 7.5  # as macOS names it
    assert ages.of_table(read, "b é.jpg", "new") is None
    assert ages.of_table(read, "a.jpg", "anywhere") == ages.of_table(read, "a.jpg", "") == 34.0
    assert ages.unmatched(read, [("a.jpg", "x"), ("b é.jpg", "new")]) == ["old/b é.jpg"]
    assert ages.unmatched(read, [("a.jpg", "x"), ("b é.jpg", "old")]) == []


def test_a_name_with_its_folder_goes_before_the_name_alone(tmp_path: Path) -> None:
    read = ages.read_table(table(tmp_path, "file,age\na.jpg,34\nold/a.jpg,7\n"))
    assert [ages.of_table(read, "a.jpg", folder) for folder in ("old", "new")] == [7, 34]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", "no columns file and age"),
        ("name,years\na.jpg,3\n", "no columns file and age"),
        ("file,age,age\na.jpg,3,4\n", "no columns file and age"),
        ("file,age\na.jpg,3\nb.jpg,\n", "line 3: '' is no age"),
        ("file,age\na.jpg,three\n", "line 2: 'three' is no age"),
        ("file,age\n\na.jpg,nan\n", "line 3: 'nan' is no age"),
        ("file,age\na.jpg,121\n", "line 2: '121' is no age"),
        ("file,age\na.jpg\n", "line 2: '' is no age"),
        ("file,age\n ,3\n", "line 2: it names no file"),
        ("file,age\na.jpg,34,5\n", "line 2: it has more cells"),
        ('file,age\n"a.jpg,3\n', "line 2: it is not a line of a CSV"),
        (
            "file,age\na.jpg,3\nb.jpg,3\nx/../a.jpg,3\na.jpg,4\n",
            r"line 5: a.jpg has another age here \(4\) than in line 2",
        ),
    ],
)
def test_bad_tables_are_told_by_line(text: str, answer: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=answer):
        ages.read_table(table(tmp_path, text))


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be opened"):
        ages.read_table(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="not in UTF-8"):
        ages.read_table(table(tmp_path, "file,age\né.jpg,3\n", "latin-1"))
