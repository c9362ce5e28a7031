"""What can be given to an album: folders, files, archives, live photos; each ends as pixels or as a sentence."""

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from selfsame.core import video
from selfsame.core.errors import BadInput
from selfsame.faces import archive, frames, photo, sources
from selfsame.faces.sources import Source


def jpeg(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 24, 3), dtype=np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def clip(path: Path, seconds: float) -> Path:
    """Plain frames at 10 a second, of which `seconds` lie between the first and the last."""
    count = round(seconds * 10) + 1
    video.write(path, torch.linspace(-0.8, 0.8, count).reshape(-1, 1, 1, 1).expand(-1, 3, 32, 32), fps=10)
    return path


def packed(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


def taken_in(*paths: Path, known: frozenset[str] = frozenset(), count: int = 3) -> list[Source]:
    return [one for file in sources.files_of(paths) for one in sources.sources(file, known, count)]


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are chosen by time alone, so that no face is sought."""
    monkeypatch.setattr(frames, "choose", lambda path, count: (f for _, f in video.sharp_frames(path, count)))


def test_folders_pass_over_what_is_hidden_and_what_is_no_photo_but_a_name_given_is_answered(tmp_path: Path) -> None:
    inside = tmp_path / "a"
    for name in ("b.jpg", "x/a.jpg", ".hidden.jpg", ".thumbnails/c.jpg", "__MACOSX/d.jpg", "b.jpg.json", "B.AAE"):
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        (inside / name).write_bytes(jpeg())
    (inside / "notes.doc").write_text("words")
    assert sources.files_of([inside]) == [inside / "b.jpg", inside / "notes.doc", inside / "x" / "a.jpg"]
    found = taken_in(inside, inside / "B.AAE")
    assert [(one.file, one.folder) for one in found] == [
        ("b.jpg", "a"),
        ("notes.doc", "a"),
        ("a.jpg", "x"),
        ("B.AAE", "a"),
    ]
    assert found[1].problem == "notes.doc is not a picture of a known format." and found[1].pixels is None
    assert found[0].pixels is not None and found[0].digest == hashlib.sha256(jpeg()).hexdigest()
    (tmp_path / "c.txt").write_text("words")
    assert "not a picture" in (taken_in(tmp_path / "c.txt")[0].problem or "")
    with pytest.raises(BadInput, match="does not exist"):
        sources.files_of([tmp_path / "nowhere"])


def test_a_photo_in_an_archive_is_the_photo_outside(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    export = packed(
        tmp_path / "export.zip",
        {
            "2019/Summer/a.jpg": jpeg(1),
            "top.jpg": jpeg(2),
            "2019/.DS_Store": b"x",
            "__MACOSX/2019/._a.jpg": b"x",
            "2019/Summer/a.jpg.json": b"{}",
            "2019/empty/": b"",
        },
    )
    (outside,), inside = taken_in(tmp_path / "a.jpg"), taken_in(export)
    assert [(one.file, one.folder) for one in inside] == [("a.jpg", "Summer"), ("top.jpg", "export")]
    assert inside[0].digest == outside.digest and np.array_equal(inside[0].pixels, outside.pixels)
    assert sources.expected(export, 24) == 2
    again = taken_in(export, known=frozenset({outside.digest}))
    assert [one.pixels is None for one in again] == [True, False] and again[0].problem is None


def test_names_that_lead_out_of_the_archive_lead_nowhere(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    export = packed(
        inside / "e.zip", {"../../evil.jpg": jpeg(1), "/tmp/e.jpg": jpeg(2), "a\\b.jpg": jpeg(3), "..": jpeg(4)}
    )
    found = taken_in(export)
    assert [(one.file, one.folder, one.problem) for one in found] == [
        ("evil.jpg", "e", None),
        ("e.jpg", "tmp", None),
        ("b.jpg", "a", None),
    ]
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["e.zip", "in"]


def encrypted(path: Path, name: str) -> None:
    """Set the flag of encryption of one member, in its own header and in the directory."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as made:
        content[made.getinfo(name).header_offset + 6] |= 1
    at = content.rindex(name.encode()) - 46
    assert content[at : at + 4] == b"PK\x01\x02"
    content[at + 8] |= 1
    path.write_bytes(content)


def test_a_bad_member_gets_its_sentence_and_the_rest_goes_on(tmp_path: Path) -> None:
    inner = packed(tmp_path / "inner.zip", {"a.jpg": jpeg(5)}).read_bytes()
    files = {"a.jpg": jpeg(0), "b.jpg": jpeg(1), "c.jpg": jpeg(2), "d.zip": inner, "e.jpg": jpeg(3)[:200]}
    export = packed(tmp_path / "export.zip", files)
    content = export.read_bytes()
    export.write_bytes(content.replace(jpeg(1)[-60:-50], bytes(10)))
    encrypted(export, "c.jpg")
    a, b, c, d, e = taken_in(export)
    assert a.problem is None and a.pixels is not None
    assert (b.problem or "").startswith("b.jpg in export.zip is damaged or incomplete (Bad CRC")
    assert c.problem == "c.jpg in export.zip is locked by a password; unpack the archive and give the folder."
    assert d.problem == "d.zip in export.zip is an archive in an archive; unpack it and give it by itself."
    assert (e.problem or "").startswith("e.jpg is damaged or incomplete")
    assert len({one.digest for one in (a, b, c, d, e)}) == 5
    assert [one.digest for one in taken_in(export)] == [one.digest for one in (a, b, c, d, e)]


def claiming(path: Path, size: int) -> None:
    """Let the directory of an archive of one member claim another size of its content."""
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24
    content[at : at + 4] = size.to_bytes(4, "little")
    path.write_bytes(content)


def test_bombs_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hollow = packed(tmp_path / "hollow.zip", {"a.tiff": bytes(40 * 2**20)}, zipfile.ZIP_DEFLATED)
    huge = packed(tmp_path / "huge.zip", {"a.mov": jpeg()})
    claiming(huge, 3 * 2**29)
    small = packed(tmp_path / "small.zip", {"a.bmp": bytes(20 * 2**20)}, zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("was read"))
    assert "a.tiff in hollow.zip claims over 200 times its packed size" in (taken_in(hollow)[0].problem or "")
    assert "a.mov in huge.zip claims 1.5 GiB" in (taken_in(huge)[0].problem or "")
    monkeypatch.undo()
    assert "not a picture" in (taken_in(small)[0].problem or "")


def test_a_member_gives_no_more_than_it_claims(tmp_path: Path) -> None:
    export = packed(tmp_path / "a.zip", {"a.bmp": bytes(2**20)}, zipfile.ZIP_DEFLATED)
    claiming(export, 1000)
    with pytest.raises(archive.Unreadable, match="damaged or incomplete"):
        next(iter(archive.members(export))).read()


def test_what_is_no_archive_or_overlaps_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"nothing")
    (found,) = taken_in(tmp_path / "a.zip")
    assert (found.file, found.folder) == ("a.zip", tmp_path.name)
    assert (found.problem or "").startswith("a.zip is damaged, or no zip archive (")
    assert sources.expected(tmp_path / "a.zip", 24) == 1
    twice = packed(tmp_path / "b.zip", {"a.jpg": bytes(5000)})
    with zipfile.ZipFile(twice, "a") as made:
        made.filelist += [made.filelist[0]] * 3
        made._didModify = True
    assert "its files overlap" in (taken_in(twice)[0].problem or "")


@pytest.mark.usefixtures("plain")
def test_a_video_in_an_archive_gives_the_frames_it_gives_outside(tmp_path: Path) -> None:
    path = clip(tmp_path / "VID_20190705_123011.mp4", 0.9)
    export = packed(tmp_path / "export.zip", {"x/VID_20190705_123011.mp4": path.read_bytes(), "x/b.mov": b"no video"})
    outside, inside = taken_in(path), taken_in(export)
    assert [one.time_s for one in outside] == [one.time_s for one in inside[:3]] and len(outside) == 3
    assert [one.digest for one in outside] == [one.digest for one in inside[:3]]
    assert {one.folder for one in inside} == {"x"} and outside[0].taken == datetime(2019, 7, 5, 12, 30, 11)
    assert inside[0].taken == outside[0].taken
    assert (inside[3].problem or "").startswith("b.mov cannot be read as a video")
    assert sources.expected(export, 24) == 48
    assert not list(Path(tempfile.gettempdir()).glob("selfsame-*/member.mp4"))


def test_a_video_taken_in_whole_is_not_looked_through_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = clip(tmp_path / "a.mp4", 2.0)
    monkeypatch.setattr(frames, "choose", lambda path, count: (f for _, f in video.sharp_frames(path, count)))
    first = taken_in(path)
    known = frozenset(one.digest for one in first)
    some = taken_in(path, known=known - {first[1].digest})
    assert [one.pixels is None for one in some] == [True, False, True]
    monkeypatch.setattr(frames, "choose", lambda *_: pytest.fail("looked again"))
    again = taken_in(path, known=known)
    assert [(one.digest, one.time_s) for one in again] == [(one.digest, one.time_s) for one in first]
    assert all(one.pixels is None and one.problem is None for one in again)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("zipped", [False, True])
def test_the_moving_part_of_a_live_photo_is_passed_over(tmp_path: Path, zipped: bool) -> None:
    short, long = clip(tmp_path / "IMG_1.MOV", 3.0), clip(tmp_path / "IMG_2.MOV", 5.0)
    files = {
        "IMG_1.HEIC": jpeg(1),
        "IMG_1.MOV": short.read_bytes(),
        "IMG_2.jpg": jpeg(2),
        "IMG_2.MOV": long.read_bytes(),
        "IMG_3.MOV": short.read_bytes(),
    }
    folder = tmp_path / "phone"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    given = packed(tmp_path / "phone.zip", files) if zipped else folder
    found = taken_in(given, count=2)
    assert [one.file for one in found] == [
        "IMG_1.HEIC",
        "IMG_1.MOV",
        "IMG_2.MOV",
        "IMG_2.MOV",
        "IMG_2.jpg",
        "IMG_3.MOV",
        "IMG_3.MOV",
    ]
    assert found[1].problem == "IMG_1.MOV is the moving part of IMG_1.HEIC." and found[1].pixels is None
    assert all(one.problem is None for one in (found[0], *found[2:]))


def test_the_name_dates_a_photo_only_where_the_camera_did_not(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags.get_ifd(0x8769)[0x9003] = "1986:11:19 12:00:00"
    picture = Image.new("RGB", (8, 8))
    picture.save(tmp_path / "IMG-20190705-WA0001.jpg")
    picture.save(tmp_path / "IMG_20190705_123011.jpg", exif=tags)
    picture.save(tmp_path / "IMG_1234.jpg")
    found = {one.file: one.taken for one in taken_in(tmp_path)}
    assert found == {
        "IMG-20190705-WA0001.jpg": datetime(2019, 7, 5),
        "IMG_20190705_123011.jpg": datetime(1986, 11, 19, 12),
        "IMG_1234.jpg": None,
    }


def test_members_are_read_one_at_a_time_and_twins_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = packed(tmp_path / "a.zip", {f"{i}.jpg": jpeg(i // 2) for i in range(6)})
    read: list[str] = []
    decode = photo.decode
    monkeypatch.setattr(photo, "decode", lambda content, name: read.append(name) or decode(content, name))
    known: dict[str, None] = {}
    counts: list[int] = []
    stream: Iterator[Source] = sources.sources(export, known.keys(), 3)
    for one in stream:
        known[one.digest] = None
        counts.append(len(read))
    assert read == ["0.jpg", "2.jpg", "4.jpg"] and counts == [1, 1, 2, 2, 3, 3]


def test_a_full_disk_ends_the_work_instead_of_losing_a_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = packed(tmp_path / "a.zip", {"a.mov": b"video"})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(BadInput, match="No space left on device"):
        list(sources.sources(export, frozenset(), 3))
