"""Albums: consent, resuming, reasons, one person, atomic writes; on a real face from the scikit-image wheel."""

import errno
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from skimage.data import astronaut, cat

from selfsame.core import camera, image, lock, video
from selfsame.core.errors import BadInput, WrongUse
from selfsame.faces import embeddings, intake
from selfsame.faces.adding import ANOTHER_PERSON, UNCHECKED
from selfsame.faces.album import Album, mirrored
from selfsame.faces.identity import IdentityJudge
from selfsame.faces.records import PhotoRecord

CONSENT = "Eileen, 1 May 2026"


def face(variant: int = 0) -> np.ndarray:
    """The portrait, cut to its upper half, before another background each time."""
    photo = astronaut()[:320, 60:400].astype(float)
    spots = np.random.default_rng(variant).uniform(0, 255, (7, 7, 3)).astype(np.float32)
    background = cv2.resize(spots, (340, 320), interpolation=cv2.INTER_CUBIC)
    row, column = np.mgrid[:320, :340]
    is_face = (((column - 164) / 52) ** 2 + ((row - 118) / 70) ** 2 < 1)[..., None]
    return np.clip(np.where(is_face, photo, background), 0, 255).astype(np.uint8)


def save(folder: Path, name: str, pixels: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / name)
    return folder / name


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return Album.create(tmp_path / "people" / "eileen", consent=CONSENT, birth_date=date(1956, 11, 19), size_px=128)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for variant in range(4):
        save(tmp_path / "photos", f"{variant}.png", face(variant))
    return tmp_path / "photos"


def test_no_album_without_consent(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="consent"):
        Album.create(tmp_path / "a", consent="  ")
    assert not (tmp_path / "a").exists()


def test_an_album_is_not_made_twice_nor_opened_where_there_is_none(album: Album, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="already holds an album"):
        Album.create(album.path, consent=CONSENT)
    with pytest.raises(BadInput, match="no readable album"):
        Album.open(tmp_path / "nowhere")


def test_photos_become_crops_with_cameras(album: Album, photos: Path) -> None:
    records = album.add([photos])
    assert [r.why_left_out for r in records] == [None] * 4
    assert album.images().shape == (4, 3, 128, 128) and album.images(64).shape == (4, 3, 64, 64)
    yaw, pitch = camera.angles(album.cameras())
    assert yaw.abs().max() < 0.4 and pitch.abs().max() < 0.4
    eyes = torch.tensor(records[0].landmarks)[:2]
    assert (eyes - torch.tensor([[0.367, 0.376], [0.633, 0.376]])).abs().max() < 0.05
    assert Album.open(album.path).record == album.record
    assert album.sheet(96).shape[-1] > 96


def test_a_crop_is_no_larger_than_the_photo_shows_it(tmp_path: Path, photos: Path) -> None:
    album = Album.create(tmp_path / "b", consent=CONSENT, size_px=512)
    (record,) = album.add([photos / "0.png"])
    assert record.size_px is not None and 120 < record.size_px < 240
    assert image.load(album.face(record)).shape[-1] == record.size_px
    assert album.images().shape[-1] == 512


def test_age_comes_from_birth_and_capture_date(album: Album, tmp_path: Path) -> None:
    tags = Image.Exif()
    tags.get_ifd(0x8769)[0x9003] = "1986:11:19 12:00:00"
    Image.fromarray(face()).save(tmp_path / "dated.jpg", exif=tags, quality=95)
    assert album.add([tmp_path / "dated.jpg"])[0].age_years == pytest.approx(30, abs=0.01)
    assert album.add([save(tmp_path, "undated.png", face(2))])[0].age_years is None
    assert album.add([save(tmp_path, "told.png", face(3))], age=41)[0].age_years == 41


def test_each_bad_photo_keeps_its_reason_and_the_rest_goes_on(album: Album, photos: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff" + bytes(100))
    (photos / "notes.rtf").write_text("not a photo")
    (photos / "clip.mp4").write_bytes(b"not a video")
    (photos / ".hidden").write_text("nobody asked")
    save(photos, "cat.png", cat()[:, :300])
    save(photos, "couple.png", np.hstack([face(0), face(1)]))
    save(photos, "copy.webp", cv2.resize(face(1), (300, 282)))
    small = np.full((300, 300, 3), 60, np.uint8)
    small[:138, :138] = cv2.resize(astronaut(), (138, 138), interpolation=cv2.INTER_AREA)
    save(photos, "small.png", small)
    save(photos, "blurred.png", cv2.GaussianBlur(face(0), (0, 0), 6))
    reasons = {r.file: r.why_left_out for r in album.add([photos])}
    assert len(album.kept) == 4 and ".hidden" not in reasons
    expected = {
        "broken.jpg": "broken.jpg is",
        "notes.rtf": "notes.rtf is not a picture",
        "clip.mp4": "clip.mp4 cannot be read as a video",
        "cat.png": "No face",
        "couple.png": "Two faces",
        "copy.webp": "copy of 1.png",
        "small.png": "px wide, less than 40 px",
        "blurred.png": "blurred",
    }
    for file, sentence in expected.items():
        assert sentence in (reasons[file] or ""), file
    assert len(list((album.path / "faces").iterdir())) == 5  # that of the blurred one, which may be put back


def test_a_missing_path_stops_before_any_work(album: Album, photos: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        album.add([photos, photos / "nowhere.jpg"])
    assert not album.record.photos


def test_frames_of_a_video_are_taken_in(album: Album, tmp_path: Path) -> None:
    frames = torch.cat([image.from_uint8(face(v)) for v in (0, 1, 2, 3)]).repeat_interleave(5, 0)
    video.write(tmp_path / "clip.mp4", frames, fps=10, crf=10)
    records = album.add([tmp_path / "clip.mp4"], frames_per_video=4)
    assert len(album.kept) == 4
    assert [r.time_s for r in records] == sorted(r.time_s or 0.0 for r in records)


def test_adding_again_takes_in_only_what_is_new(album: Album, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    album.add([photos / "0.png", photos / "1.png"])
    measured: list[int] = []
    measure = intake.measured
    monkeypatch.setattr(intake, "measured", lambda *given: measured.append(1) or measure(*given))
    seen: list[tuple[int, int]] = []
    records = album.add([photos], progress=lambda done, total, _: seen.append((done, total)))
    assert len(measured) == 2 and len(records) == 4 and len(album.kept) == 4
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [r.session for r in records] == [0, 0, 1, 1]


def killed_after(photos_done: int) -> Callable[[int, int, PhotoRecord], None]:
    def progress(done: int, total: int, record: PhotoRecord) -> None:
        if done == photos_done:
            raise KeyboardInterrupt

    return progress


def test_a_killed_add_goes_on_where_it_stopped(tmp_path: Path, photos: Path) -> None:
    whole, cut = (Album.create(tmp_path / name / "a", consent=CONSENT, size_px=128) for name in ("whole", "cut"))
    whole.add([photos])
    with pytest.raises(KeyboardInterrupt):
        cut.add([photos], progress=killed_after(2))
    resumed = Album.open(cut.path)
    assert len(resumed.kept) == 2
    resumed.add([photos])
    assert resumed.record.photos == whole.record.photos
    assert torch.equal(resumed.images(), whole.images())


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_last_good_album(
    album: Album, photos: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    album.add([photos / "0.png"])
    before = (album.path / "album.json").read_text()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os if call == "fsync" else Path, call, full)
        with pytest.raises(BadInput, match="No space left on device"):
            album.add([photos])
    assert (album.path / "album.json").read_text() == before
    assert len(list((album.path / "faces").iterdir())) == 1
    assert [p.name for p in album.path.iterdir() if p.name.startswith(".")] == [lock.LOCK_FILE]
    album.add([photos])
    assert len(Album.open(album.path).kept) == 4


def strangers(*others: int) -> IdentityJudge:
    """A stub judge: of the crops that it is asked about, those at these places show somebody else."""
    asked = 0

    def embed(images: torch.Tensor) -> torch.Tensor:
        nonlocal asked
        assert images.shape[1:] == (3, 128, 128)
        places, asked = range(asked, asked + len(images)), asked + len(images)
        return torch.eye(2)[[int(place in others) for place in places]]

    return IdentityJudge("stub", embed, 0.5)


def test_another_person_is_left_out_and_their_crop_removed(album: Album, photos: Path) -> None:
    records = album.add([photos], judge=strangers(2))
    assert [r.why_left_out for r in records] == [None, None, ANOTHER_PERSON, None]
    assert not album.face(records[2]).exists() and album.face(records[1]).exists()


def test_two_people_stop_the_add_and_lose_nothing(album: Album, photos: Path, tmp_path: Path) -> None:
    album.add([save(tmp_path, "first.png", face(7))])
    kept = album.kept
    empty = Album.create(tmp_path / "b", consent=CONSENT, size_px=128)
    with pytest.raises(BadInput, match="two people about equally often"):
        empty.add([photos], judge=strangers(2, 3))
    assert [r.why_left_out for r in Album.open(empty.path).record.photos] == [UNCHECKED] * 4
    assert len(empty.add([photos / "0.png", photos / "1.png"], judge=strangers())) == 2 == len(empty.kept)
    album.add([photos], judge=strangers(3, 4))
    assert len(album.kept) == 3 and album.kept[0].id == kept[0].id


def test_a_split_is_stable_as_photos_arrive(album: Album, photos: Path) -> None:
    album.add([photos / "0.png", photos / "1.png", photos / "2.png"])
    held = {album.kept[i].id for i in album.split(0.5)[1].tolist()}
    early = {photo.id for photo in album.kept}
    album.add([photos])
    train, test = album.split(0.5)
    assert sorted([*train.tolist(), *test.tolist()]) == [0, 1, 2, 3]
    assert {album.kept[i].id for i in test.tolist()} & early == held
    assert len(album.split(0.0)[1]) == 0 and len(album.split(1.0)[0]) == 0


def test_mirrored_twice_is_the_same(album: Album, photos: Path) -> None:
    album.add([photos / "0.png"])
    images, cameras = album.images(), album.cameras()
    flipped, turned = mirrored(images, cameras)
    assert torch.equal(flipped[..., 0], images[..., -1])
    yaw, back = camera.angles(cameras)[0], camera.angles(turned)[0]
    assert torch.allclose(yaw, -back, atol=1e-6)
    again = mirrored(flipped, turned)
    assert torch.equal(again[0], images) and torch.equal(again[1].cam2world, cameras.cam2world)


@pytest.mark.parametrize("change", [{"surprise": 1}, {"format": 4}, {"name": None}])
def test_an_album_file_is_read_strictly(album: Album, change: dict[str, object]) -> None:
    file = album.path / "album.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(BadInput, match=r"album\.json is not valid"):
        Album.open(album.path)


def test_a_photo_record_is_read_strictly(album: Album, photos: Path) -> None:
    album.add([photos / "0.png"])
    file = album.path / "album.json"
    whole = json.loads(file.read_text())
    for broken in (
        {**whole["photos"][0], "surprise": 1},
        {k: v for k, v in whole["photos"][0].items() if k != "session"},
    ):
        file.write_text(json.dumps({**whole, "photos": [broken]}))
        with pytest.raises(BadInput, match="not valid"):
            Album.open(album.path)


def test_a_missing_crop_says_which(album: Album, photos: Path) -> None:
    (record,) = album.add([photos / "0.png"])
    album.face(record).unlink()
    with pytest.raises(BadInput, match=rf"{record.id}\.png is missing"):
        album.images()


def test_the_person_is_found_in_photos_of_several(album: Album, tmp_path: Path) -> None:
    """Each photo shows the portrait and, smaller or larger, another face: who is in all of them is the person."""
    pictures = tmp_path / "photos"
    for variant in range(3):
        save(pictures, f"{variant}.png", np.hstack([face(variant), face(variant + 3)[:, ::-1]]))

    order: list[int] = []

    def embed(images: torch.Tensor) -> torch.Tensor:
        order.extend(range(len(order), len(order) + len(images)))
        return torch.eye(4)[[0 if place % 2 else 1 + place // 2 for place in order[-len(images) :]]]

    records = album.add([pictures], judge=IdentityJudge("stub", embed, 0.5))
    assert [r.why_left_out for r in records] == [None] * 3 and all(r.id.endswith("-2") for r in records)
    assert sorted(p.name for p in (album.path / "faces").iterdir()) == sorted(f"{r.id}.png" for r in records)
    assert album.record.judge == "stub"


def test_a_reference_says_who_is_meant(album: Album, photos: Path, tmp_path: Path) -> None:
    alone = save(tmp_path, "alone.png", face(9))
    judge = strangers(1, 2)  # of the crops: the reference first, then the photos
    records = album.add([photos], judge=judge, reference=alone)
    assert [r.why_left_out is None for r in records] == [False, False, True, True]
    assert album.record.reference and Album.open(album.path).record.reference == album.record.reference


def test_photos_are_dropped_and_put_back_by_hand(album: Album, photos: Path) -> None:
    save(photos, "blurred.png", cv2.GaussianBlur(face(0), (0, 0), 6))
    records = {r.file: r for r in album.add([photos])}
    assert [r.rule for r in album.drop(["0.png", records["1.png"].id], "Squinting.")] == ["hand", "hand"]
    assert [p.file for p in album.kept] == ["2.png", "3.png"]
    assert {p.why_left_out for p in album.record.photos if p.file in ("0.png", "1.png")} == {"Squinting."}
    album.keep(["0.png", "blurred.png"])
    again = Album.open(album.path)
    assert [p.file for p in again.kept] == ["0.png", "2.png", "3.png", "blurred.png"]
    assert [p.by_hand for p in again.kept] == [True, False, False, True] and len(again.images(32)) == 4
    album.add([photos], judge=strangers())
    assert album.record.photos == again.record.photos  # decisions by hand stay
    with pytest.raises(BadInput, match=r"no photo nobody\.png"):
        album.keep(["nobody.png"])


def test_what_seemed_to_show_another_is_put_back_from_its_file(album: Album, photos: Path) -> None:
    album.add([photos], judge=strangers(2))
    with pytest.raises(BadInput, match=r"no crop to put back.*another person.*--mine"):
        album.keep(["2.png"])
    (record,) = album.add([photos / "2.png"], mine=True)
    assert record.by_hand and record.why_left_out is None and album.face(record).exists()
    assert len(album.record.photos) == 4 == len(album.kept)


def test_embeddings_are_kept_of_the_persons_photos_alone_and_made_once(album: Album, photos: Path) -> None:
    asked: list[int] = []

    def embed(images: torch.Tensor) -> torch.Tensor:
        asked.append(len(images))
        return torch.eye(2)[[0] * len(images)]

    judge = IdentityJudge("stub", embed, 0.5)
    album.add([photos / "0.png", photos / "1.png"], judge=judge)
    album.add([photos], judge=judge)
    assert asked == [2, 2]
    with safe_open(album.path / embeddings.FILE, "pt") as data:
        assert json.loads(data.metadata()["about"])["ids"] == [p.id for p in album.kept]
    album.add([save(photos, "5.png", face(5))], judge=replace(judge, name="another judge"))
    assert asked == [2, 2, 5]


def test_albums_of_older_formats_are_read(album: Album, photos: Path) -> None:
    album.add([photos / "0.png"], age=30)
    file = album.path / "album.json"
    whole = json.loads(file.read_text())
    second = whole["photos"][0]
    second["quality"].pop("shut")
    file.write_text(json.dumps({**whole, "format": 2, "photos": [second]}))
    (photo,) = Album.open(album.path).kept
    assert photo.age_source == "told" and photo.quality and photo.quality.scatter is not None
    assert photo.quality.shut is None
    new = ("folder", "camera_from", "age_source", "age_conflict", "similarity", "rule", "by_hand")
    first = {k: v for k, v in second.items() if k not in new}
    first["quality"] = {k: v for k, v in second["quality"].items() if k not in ("saturation", "scatter")}
    kept = {k: v for k, v in whole.items() if k not in ("judge", "reference")}
    file.write_text(json.dumps({**kept, "format": 1, "photos": [first]}))
    (photo,) = Album.open(album.path).kept
    assert photo.age_years == 30 and photo.age_source == "told" and not photo.by_hand
    assert photo.quality and photo.quality.scatter is None and photo.quality.shut is None


def test_two_runs_at_once_on_one_person(album: Album, photos: Path) -> None:
    """The second is told at once; what another run did between two calls is seen."""
    again = Album.open(album.path)

    def second(*_: object) -> None:
        with ThreadPoolExecutor(1) as pool, pytest.raises(BadInput, match="adding photos to eileen"):
            pool.submit(again.add, [photos]).result()

    album.add([photos / "0.png"], progress=second)
    assert [p.file for p in again.add([photos / "1.png"])] == ["1.png"]
    assert [p.file for p in again.kept] == ["0.png", "1.png"]
    album.drop(["0.png"])
    assert [p.file for p in album.kept] == ["1.png"]


def test_of_a_burst_one_photo_stays(album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfsame.core.alike.apart", lambda *_: 30)
    for number, second in enumerate((0, 2, 30)):
        tags = Image.Exif()
        tags.get_ifd(0x8769)[0x9003] = f"1986:11:19 12:00:{second:02d}"
        Image.fromarray(face(number)).save(tmp_path / f"{number}.jpg", exif=tags, quality=95)
    save(tmp_path, "undated.png", face(3))
    files = [tmp_path / name for name in ("0.jpg", "1.jpg", "2.jpg", "undated.png")]
    assert [r.rule for r in album.add(files)] == [None, "burst", None, None]
    album.keep(["1.jpg"])
    assert len(album.kept) == 4
