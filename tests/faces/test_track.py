"""Following a face: where it is, that it is the same one, gaps short and long, cuts."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from selfsame.core.video import Frame
from selfsame.faces import align, detect, track
from selfsame.faces.track import Track

FACE = astronaut()[0:220, 110:330]  # 220 px a side
BLANK = np.full((240, 360, 3), 90, np.uint8)
TEMPLATE = np.array(align.EG3D_LANDMARKS)


def at(x: int, y: int = 10) -> np.ndarray:
    """A frame with the face there."""
    frame = BLANK.copy()
    frame[y : y + 220, x : x + 220] = FACE
    return frame


def film(frames: list[np.ndarray], fps: float = 25.0) -> Iterator[Frame]:
    return (Frame(i / fps, pixels) for i, pixels in enumerate(frames))


@pytest.fixture(scope="module")
def moving() -> Track:
    return track.follow(film([at(10 + 4 * i) for i in range(6)]))


def test_landmarks_move_as_the_face_does(moving: Track) -> None:
    assert moving.seen.all() and moving.shot.tolist() == [0] * 6
    still = moving.landmarks - np.stack([4.0 * np.arange(6), np.zeros(6)], 1)[:, None]
    assert np.abs(still - still.mean(0)).max() < 1.5
    whole = detect.refine(at(10), detect.detect(at(10))[0]).landmarks
    assert np.abs(moving.landmarks[0] - whole).max() < 1e-6


def test_the_whole_frame_is_searched_only_where_the_face_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []
    search = detect.detect
    monkeypatch.setattr(detect, "detect", lambda pixels: searched.append(1) or search(pixels))
    found = track.follow(film([at(40)] * 3 + [BLANK] * 20 + [at(40)] * 6, fps=20))
    assert found.seen[:3].all() and not found.seen[3:23].any() and found.seen[-2:].all()
    assert len(searched) < 16


def test_a_cut_begins_a_new_shot() -> None:
    dark = (at(120) // 3).astype(np.uint8)
    assert track.follow(film([at(20)] * 2 + [dark] * 2)).shot.tolist() == [0, 0, 1, 1]


def placed(places: list[tuple[float, float] | None], fps: float = 25.0) -> Track:
    """A track of the template, 100 px a side, at these places."""
    landmarks = [np.full((5, 2), np.nan) if p is None else TEMPLATE * 100 + np.array(p) for p in places]
    return Track(np.arange(len(places)) / fps, np.array(landmarks), np.zeros(len(places), int))


def middles(found: Track, sigma_s: float) -> np.ndarray:
    """Where the crops' middles lie, NaN where there is none."""
    inverse = [None if t is None else cv2.invertAffineTransform(t) for t in track.crops(found, 64, sigma_s)]
    return np.array([[np.nan] * 2 if t is None else align.apply(t, np.array([[31.5, 31.5]]))[0] for t in inverse])


def test_without_smoothing_crops_are_those_of_the_frames() -> None:
    found = placed([(10.0, 20.0), (14.0, 20.0), (30.0, 25.0)])
    for transform, landmarks in zip(track.crops(found, 64, 0.0), found.landmarks, strict=True):
        assert transform is not None
        assert np.allclose(transform, align.eg3d_transform(landmarks, 64))


def test_jitter_is_steadied_and_motion_kept() -> None:
    jitter = np.random.default_rng(0).standard_normal((50, 2))
    path = np.stack([40 + 3.0 * np.arange(50), 50 + 20 * np.sin(np.arange(50) / 8)], 1)
    found = placed([tuple(p) for p in path + jitter])
    off = {sigma: middles(found, sigma) - middles(placed([tuple(p) for p in path]), 0.0) for sigma in (0.0, 0.08)}
    assert off[0.08].std() < 0.65 * off[0.0].std()
    assert np.abs(np.diff(off[0.08], axis=0)).mean() < 0.3 * np.abs(np.diff(off[0.0], axis=0)).mean()


def test_short_gaps_are_bridged_and_long_ones_left() -> None:
    short = middles(placed([(10.0, 10.0), *[None] * 5, (22.0, 10.0)]), 0.0)
    assert np.allclose(np.diff(short[:, 0]), 2)
    long = middles(placed([(10.0, 10.0), *[None] * 15, (22.0, 10.0), None]), 0.0)
    assert np.isnan(long[:, 0]).tolist() == [False, *[True] * 15, False, True]


def test_nobody_is_nowhere() -> None:
    found = track.follow(film([BLANK] * 4))
    assert not found.seen.any() and track.crops(found, 64, 0.1) == [None] * 4
