"""The zip that a person gets: every byte that is held, explained, and the same bytes again for the same folder."""

import hashlib
import json
import os
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from helpers import tiny_album, tiny_prior
from person_toys import contents, modelled

from selfsame.cli import app
from selfsame.core import lock
from selfsame.core.config import to_json
from selfsame.core.errors import BadInput, WrongUse
from selfsame.faces.album import Album
from selfsame.jobs import album_export
from selfsame.jobs.export_words import Held
from selfsame.jobs.holdings import Item


@pytest.fixture
def ada(people: Path) -> Album:
    """An album of which much is known, a model, a hidden file, an empty one, and a link."""
    album = tiny_album(people / "ada", tiny_prior(), count=3)
    modelled(album)
    first, second, third = album.record.photos
    known = replace(
        first, folder="holiday", taken=datetime(2020, 7, 1, 12, tzinfo=UTC), age_years=30.5, age_source="birth date",
        session=2, landmarks=((0.5, 0.5),) * 5, similarity=0.87, by_hand=True,
    )  # fmt: skip
    left = replace(second, why_left_out="The photo is blurred.", age_years=12.0, age_source="estimated")
    record = replace(album.record, birth_date=date(1990, 1, 1), photos=(known, left, third))
    (album.path / "album.json").write_text(to_json(record))
    (album.path / "faces" / ".x.png.tmp").write_bytes(b"half a crop")
    (album.path / "empty").write_bytes(b"")
    (album.path / "link").symlink_to(people / "secret")
    (people / "secret").write_text("another's")
    return album


def test_every_byte_is_in_it(ada: Album, tmp_path: Path) -> None:
    about = album_export.export(ada.path, tmp_path / "out" / "ada.zip")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["ada.zip"]
    held = contents(ada.path)
    held.pop("link"), held.pop(lock.LOCK_FILE)
    with zipfile.ZipFile(tmp_path / "out" / "ada.zip") as archive:
        assert archive.testzip() is None
        inside = {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(inside.pop("about.json"))
    readme = inside.pop("README.txt").decode()
    assert inside == {f"files/{path}": data for path, data in held.items()} and len(held) == 15
    assert list(inside) == sorted(inside)
    assert {f["path"]: f["sha256"] for f in told["files"]} == {
        name: hashlib.sha256(data).hexdigest() for name, data in inside.items()
    }
    assert told["links"] == {"link": str(ada.path.parent / "secret")} and about.problems == ()
    assert told["album"] == json.loads(held["album.json"])
    assert told["models"]["models/main"] == json.loads(held["models/main/card.json"])
    assert "another's" not in readme and "is a link to" in readme


def test_the_readme_tells_it_in_words(ada: Album, tmp_path: Path) -> None:
    album_export.export(ada.path, tmp_path / "ada.zip")
    with zipfile.ZipFile(tmp_path / "ada.zip") as archive:
        text = archive.read("README.txt").decode()
    first, second, third = (line for line in text.splitlines() if line.startswith("- ") and "session" in line)
    ids = [photo.id for photo in ada.record.photos]
    assert first == (
        f"- {ids[0]}: holiday/0.png; taken 2020-07-01; age 30.5 (from your birth date and the photo's date); "
        "session 2; camera, landmarks and quality measured; likeness to the other photos 0.87; used; "
        f"so decided by hand; its crop: files/faces/{ids[0]}.png"
    )
    assert "age 12 (estimated" in second and "left out: The photo is blurred." in second
    assert "date not known; age not known; session 0" in third
    assert '"Nobody: a toy.", written down on' in text and "Birth date: 01 January 1990." in text
    assert "3 were looked at, 2 are used" in text and "identity embeddings" not in text
    assert "- crops: 4 files" in text and "- buffers: 3 files" in text
    assert "models/main: a model of your face in 3D" in text and "Made by `selfsame fit ada`" in text
    assert "Licence: Ada's." in text
    assert f"- models/main/anchors.safetensors: 3 photos ({', '.join(ids)})" in text
    assert f"- models/main/buffer/buffer.json: 1 photos ({ids[0]})" in text


def test_the_same_folder_gives_the_same_bytes(ada: Album, tmp_path: Path) -> None:
    os.utime(ada.path / "empty", (0, 0))  # before the years that a zip knows
    for name in ("one", "two"):
        album_export.export(ada.path, tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_what_stops_it_leaves_nothing(ada: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out" / "ada.zip"
    for place, answer in ((tmp_path / "ada.tar", "does not end in .zip"), (ada.path / "ada.zip", "lies in the folder")):
        with pytest.raises(WrongUse, match=answer):
            album_export.export(ada.path, place)
    with pytest.raises(BadInput, match="Nobody called bo is in"):
        album_export.export(ada.path.parent / "bo", out)
    honest = album_export._pack

    def grown(archive: zipfile.ZipFile, folder: Path, item: Item) -> Held:
        if item.path == "models/main/weights.safetensors":
            with (folder / item.path).open("ab") as file:
                file.write(b"more")
        return honest(archive, folder, item)

    with monkeypatch.context() as patched:
        patched.setattr(album_export, "_pack", grown)
        with pytest.raises(BadInput, match="changed while it was exported"):
            album_export.export(ada.path, out)
    assert list(out.parent.iterdir()) == []
    album_export.export(ada.path, out)
    before = out.read_bytes()
    with pytest.raises(BadInput, match="is there already"):
        album_export.export(ada.path, out)
    assert out.read_bytes() == before


def test_what_cannot_be_understood_is_in_it_all_the_same(ada: Album, tmp_path: Path) -> None:
    (ada.path / "album.json").write_bytes(b"\xff{")
    (ada.path / "models" / "main" / "card.json").write_text("{}")
    os.mkfifo(ada.path / "pipe")
    about = album_export.export(ada.path, tmp_path / "ada.zip")
    assert about.album is None and about.models == {} and len(about.problems) == 2 and "pipe" in about.links
    with zipfile.ZipFile(tmp_path / "ada.zip") as archive:
        assert archive.read("files/album.json") == b"\xff{"
        assert "no readable album" in archive.read("README.txt").decode()


def test_large_files_are_streamed(ada: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (ada.path / "models" / "main" / "large.safetensors").open("wb") as file:
        file.truncate(50 * album_export.CHUNK + 1)
    asked: list[int] = []
    honest = Path.open

    class Watched:
        def __init__(self, file: object) -> None:
            self.file = file

        def read(self, size: int = -1) -> bytes:
            asked.append(size)
            return self.file.read(size)  # type: ignore[attr-defined,no-any-return]

        def __enter__(self) -> "Watched":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()  # type: ignore[attr-defined]

    def opened(path: Path, mode: str = "r", *more: object, **named: object) -> object:
        file = honest(path, mode, *more, **named)  # type: ignore[call-overload]
        return Watched(file) if path.name == "large.safetensors" else file

    monkeypatch.setattr(Path, "open", opened)
    about = album_export.export(ada.path, tmp_path / "ada.zip")
    assert len(asked) == 52 and set(asked) == {album_export.CHUNK}
    assert max(held.bytes for held in about.files) == 50 * album_export.CHUNK + 1


def test_the_command_lists_and_writes(
    ada: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    app(["album", "export", "ada", "--dry-run"], result_action="return_value")
    assert "Nothing was written; it would be ada.zip." in capsys.readouterr().out
    assert not (tmp_path / "ada.zip").exists()
    app(["album", "export", "ada", "--json"], result_action="return_value")
    answer = json.loads(capsys.readouterr().out)
    assert (answer["file"], answer["written"], answer["files"]) == ("ada.zip", True, 15)
    assert zipfile.is_zipfile(tmp_path / "ada.zip")
