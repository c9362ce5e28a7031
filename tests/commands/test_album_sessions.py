"""`selfsame album sessions`: by dates, by folders and by hand, on disk at once; what cannot be done changes nothing."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from helpers import tiny_album, tiny_prior

from selfsame.cli import app
from selfsame.core.errors import BadInput, WrongUse
from selfsame.faces.album import Album


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Album:
    """Four photos of three days in two folders, the last without a date."""
    made = tiny_album(tmp_path / "people" / "ada", tiny_prior(), 4)
    days = (datetime(2020, 8, 1), datetime(2020, 8, 9), datetime(2020, 5, 1), None)
    photos = (
        replace(photo, taken=day, folder=folder, session=9)
        for photo, day, folder in zip(made.record.photos, days, ("new", "new", "old", "old"), strict=True)
    )
    made.rewrite(replace(made.record, photos=tuple(photos)))
    monkeypatch.chdir(tmp_path)
    return made


def run(*words: str) -> None:
    app(["album", "sessions", "ada", *words], result_action="return_value")


def numbers(album: Album) -> list[int]:
    return [photo.session for photo in Album.open(album.path).record.photos]


def test_each_way_is_written_and_told(album: Album, capsys: pytest.CaptureFixture[str]) -> None:
    run("--by", "dates")
    assert numbers(album) == [1, 1, 0, 2]
    assert capsys.readouterr().out.splitlines()[1] == "session 1: 2 of 2 photos kept, 2020-08-01 to 2020-08-09"
    run("--by", "dates", "--gap-days", "7.5")
    assert numbers(album) == [1, 2, 0, 3]
    capsys.readouterr()
    run("--by", "folders")
    assert numbers(album) == [0, 0, 1, 1]
    assert capsys.readouterr().out.splitlines()[-1] == "Session 1 begins on 2020-05-01, before session 0 (2020-08-01)."
    run("--number", "3", "new/0.png", album.record.photos[3].id, "--json")
    assert numbers(album) == [3, 0, 1, 3]
    said = json.loads(capsys.readouterr().out)
    assert [(row["number"], row["photos"]) for row in said["sessions"]] == [(0, 1), (1, 1), (3, 2)]
    assert said["warnings"] == [
        "Session 1 begins on 2020-05-01, before session 0 (2020-08-09).",
        "Session 3 begins on 2020-08-01, before session 0 (2020-08-09).",
    ]


@pytest.mark.parametrize(
    "words",
    [(), ("0.png",), ("--by", "dates", "0.png"), ("--by", "dates", "--number", "1", "0.png"), ("--number", "1"),
     ("--by", "folders", "--gap-days", "3")],
)  # fmt: skip
def test_calls_that_say_too_little_or_too_much(words: tuple[str, ...], album: Album) -> None:
    with pytest.raises(WrongUse):
        run(*words)
    assert numbers(album) == [9] * 4


def test_nothing_changes_where_a_photo_is_unknown_or_an_add_was_cut_short(album: Album) -> None:
    with pytest.raises(BadInput, match=r"no photo 7\.png"):
        run("--number", "1", "0.png", "7.png")
    album.rewrite(replace(album.record, unfinished_session=4))
    with pytest.raises(BadInput, match="cut short"):
        run("--by", "dates")
    assert numbers(album) == [9] * 4
