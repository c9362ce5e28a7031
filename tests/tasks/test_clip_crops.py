"""Crops of clips: which frames, which face, what the cache keeps, and clips that promise more than they hold."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selfsame.core import video
from selfsame.core.errors import BadInput
from selfsame.faces import detect
from selfsame.faces.detect import Face
from selfsame.tasks import clip_crops
from selfsame.tasks.clip_crops import CropConfig

SMALL = CropConfig(px=24, segments=3, length=2, stride=2, margin=1.0)


@given(st.integers(1, 400), st.integers(1, 9), st.integers(1, 6), st.integers(1, 4))
def test_runs_lie_evenly_and_inside(count: int, segments: int, length: int, stride: int) -> None:
    numbers = clip_crops.numbers_of(count, CropConfig(segments=segments, length=length, stride=stride))
    assert numbers.shape == (segments, length) and numbers.min() >= 0 and numbers.max() < count
    reach = (length - 1) * stride + 1
    if count >= reach:
        assert (np.diff(numbers, axis=1) == stride).all()
        free = count - reach
        gaps = np.diff(numbers[:, 0])
        assert not len(gaps) or gaps.max() - gaps.min() <= 1
        assert abs(numbers[0, 0] - (free - numbers[-1, 0])) <= free / segments + 1


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twenty frames, each of a grey of its own with a white square that moves right; the detector finds the square."""
    frames = torch.full((20, 3, 64, 96), -1.0)
    for t in range(20):
        frames[t] += t / 20
        frames[t, :, 20:44, 10 + 2 * t : 34 + 2 * t] = 1.0
    path = tmp_path / "clip.mp4"
    video.write(path, frames, 20, crf=1)

    def white(pixels: np.ndarray) -> list[Face]:
        rows, columns = np.nonzero(pixels[..., 1] > 230)
        if len(rows) < 100:
            return []
        box = np.array([columns.min(), rows.min(), columns.max(), rows.max()], float)
        return [Face(box, 1.0, np.zeros((5, 2)))]

    monkeypatch.setattr(detect, "detect", white)
    monkeypatch.setattr(detect, "again", lambda pixels, like: detect.detect(pixels))
    return path


def test_the_chosen_frames_are_cut_where_the_face_is(clip: Path) -> None:
    made = clip_crops.read(clip, SMALL)
    assert made.pixels.shape == (3, 2, 24, 24, 3) and made.pixels.dtype == torch.uint8
    assert torch.equal(made.numbers, torch.tensor(clip_crops.numbers_of(20, SMALL)))
    torch.testing.assert_close(made.times_s, made.numbers.double() / 20, atol=1e-3, rtol=0)
    assert float(made.pixels[:, 0].float().mean()) > 240
    # The crop stands still within a run, so the square moves out of it by what it moved: four of 24 pixels.
    moved = (made.pixels[:, 1].float().mean((1, 3)) < 200).float().sum(1)
    assert all(3 <= float(x) <= 6 for x in moved)
    assert (made.boxes[1:, 0] > made.boxes[:-1, 0]).all()


def test_frames_are_picked_by_number_alone(clip: Path) -> None:
    every = [frame.pixels for frame in video.frames(clip)]
    found = dict(video.picked(clip, {3, 17}))
    assert list(found) == [3, 17] and all(np.array_equal(found[n].pixels, every[n]) for n in found)


def test_a_second_call_reads_the_cache_and_a_damaged_one_is_made_again(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    first = clip_crops.cached(clip, "d" * 64, SMALL, folder)
    (file,) = folder.iterdir()
    other = clip_crops.cached(clip, "d" * 64, CropConfig(px=16), folder)
    assert other.pixels.shape[-2] == 16 and len(list(folder.iterdir())) == 2
    file.write_bytes(b"damage")
    again = clip_crops.cached(clip, "d" * 64, SMALL, folder)
    monkeypatch.setattr(clip_crops, "read", lambda *_: pytest.fail("was read again"))
    kept = clip_crops.cached(clip, "d" * 64, SMALL, folder)
    for one in (again, kept):
        assert all(torch.equal(getattr(one, name), tensor) for name, tensor in vars(first).items())


def test_a_run_without_a_face_takes_the_nearest_box_and_a_clip_without_any_is_refused(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = clip_crops.read(clip, SMALL)
    find = detect.detect
    seen: list[int] = []

    def blind_once(pixels: np.ndarray) -> list[Face]:
        seen.append(1)
        return [] if len(seen) == 1 else find(pixels)

    monkeypatch.setattr(detect, "detect", blind_once)
    made = clip_crops.read(clip, SMALL)
    assert torch.equal(made.boxes[0], whole.boxes[1]) and torch.equal(made.boxes[1:], whole.boxes[1:])
    monkeypatch.setattr(detect, "detect", lambda _: [])
    with pytest.raises(BadInput, match=r"No face was found in clip.mp4"):
        clip_crops.read(clip, SMALL)


def test_a_container_that_promises_too_much_is_read_to_its_end(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "count", lambda _: 200)
    made = clip_crops.read(clip, SMALL)
    assert torch.equal(made.numbers, torch.tensor(clip_crops.numbers_of(20, SMALL)))


def test_a_face_is_followed_by_the_cheap_search_and_looked_for_anew_where_that_loses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another person who is found where the face is not is nobody to follow; the nearest of all is."""

    def at(left: float, side: float = 20.0) -> Face:
        return Face(np.array([left, 0.0, left + side, side]), 1.0, np.zeros((5, 2)))

    small = np.zeros((30, 90, 3), np.uint8)
    monkeypatch.setattr(detect, "detect", lambda _: [at(60.0, 29.0), at(12.0)])
    monkeypatch.setattr(detect, "again", lambda _, like: [at(60.0, 29.0), at(3.0)])
    assert [face.box[0] for face in clip_crops._faces(small, None)] == [60.0, 12.0]
    assert [face.box[0] for face in clip_crops._faces(small, at(0.0))] == [3.0]
    monkeypatch.setattr(detect, "again", lambda _, like: [at(60.0, 29.0)])
    assert [face.box[0] for face in clip_crops._faces(small, at(0.0))] == [12.0, 60.0]


@pytest.mark.parametrize("side", [8, 24, 37, 60])
def test_a_cut_shows_each_place_where_it_is(side: int) -> None:
    """In a picture whose values are its places, inside and where it is continued by its mirror."""
    rows, columns = np.mgrid[:50, :80].astype(np.uint8)
    picture = np.ascontiguousarray(np.stack([2 * rows, 2 * columns, 0 * rows], -1))
    square = clip_crops._square(np.array([40.0, 25.0, 39.0 + side, 24.0 + side]) - side / 4, side / (side - 1))
    assert square[2] - square[0] == square[3] - square[1] == side and (square == np.rint(square)).all()
    places = square[:2, None] + (np.arange(16) + 0.5) * side / 16 - 0.5
    inside = [(p > 1) & (p < end - 2) for p, end in zip(places, (80, 50), strict=True)]
    made = clip_crops._cut(picture, square, 16).astype(float)
    assert np.abs(made[8, :, 1] / 2 - places[0])[inside[0]].max() < 0.6
    assert np.abs(made[:, 8, 0] / 2 - places[1])[inside[1]].max() < 0.6
    beyond = clip_crops._cut(picture, square - 45.0, side)
    bordered = cv2.copyMakeBorder(picture, 60, 60, 60, 60, cv2.BORDER_REFLECT_101)
    left, top, right, bottom = (square + 15).astype(int)
    assert np.array_equal(beyond, bordered[top:bottom, left:right])


def test_whole_frames_are_squares_inside_that_follow_the_face_and_their_sound_comes_last(clip: Path) -> None:
    config = CropConfig(px=24, segments=2, length=2, whole=True, sound=True)
    made = clip_crops.read(clip, config)
    assert made.pixels.shape == (2, 3, 24, 24, 3) and made.numbers.shape == (2, 2)
    assert not made.pixels[:, -1].any()  # the clip is silent
    sides = made.boxes[:, 2:] - made.boxes[:, :2]
    assert (sides == 64).all() and (made.boxes[:, 1] == 0).all() and (made.boxes[:, 2] <= 96).all()
    assert made.boxes[1, 0] > made.boxes[0, 0]
    assert config.shown == clip_crops.WHOLE and SMALL.shown == SMALL.margin
