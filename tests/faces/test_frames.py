"""Frames of a video: the choice against hand-computed values and brute force, on a real face that moves its mouth."""

import functools
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.data import astronaut

from selfsame.core import image, video
from selfsame.faces import detect, frames
from selfsame.faces.frames import Seen


def seen(number: int, yaw: float, light: float = 0.0, sharpness: float = 1.0) -> Seen:
    return Seen(number, np.array([yaw, 0.0]), np.full(256, light), sharpness)


def test_distance_is_turn_and_look_together() -> None:
    both = seen(1, 3 * frames.TURN_DEGREES, 4 * frames.LOOK_CHANGE)
    apart = frames.distances([seen(0, 0.0), both, seen(2, 0.0, 4 * frames.LOOK_CHANGE)])
    assert np.allclose(apart, [[0, 5, 4], [5, 0, 3], [4, 3, 0]])


def test_the_farthest_come_first_and_the_sharper_of_two_alike() -> None:
    at = [0.0, 1.0, 50.0, 51.0, 100.0]
    apart = np.abs(np.subtract.outer(at, at))
    assert frames.spread(apart, [9, 1, 1, 1, 1], 2).tolist() == [0, 4]
    assert frames.spread(apart, [9, 1, 1, 2, 1], 3).tolist() == [0, 3, 4]
    assert frames.spread(apart, [9, 1, 2, 1, 1], 3).tolist() == [0, 2, 4]
    assert frames.spread(apart, [1, 1, 1, 1, 1], 9).tolist() == [0, 1, 2, 3, 4]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=9), st.integers(1, 4))
def test_nothing_lies_farther_from_the_choice_than_greedy_k_center_allows(
    points: list[tuple[int, int]], count: int
) -> None:
    """Gonzalez' bound of 2, widened by what ties may give away, against every possible choice."""
    at = np.array(points, float)
    apart = np.linalg.norm(at[:, None] - at, axis=-1)
    chosen = frames.spread(apart, [1.0] * len(at), count)
    assert len(set(chosen.tolist())) == len(chosen) == min(count, len(at)) and (np.diff(chosen) > 0).all()
    best = min(apart[list(some)].min(0).max() for some in itertools.combinations(range(len(at)), len(chosen)))
    assert apart[chosen].min(0).max() <= 2 / frames.ALIKE * best + 1e-9


def test_the_look_forgets_brightness_but_not_an_open_mouth() -> None:
    grey = cv2.resize(cv2.cvtColor(astronaut()[40:200, 140:300], cv2.COLOR_RGB2GRAY), (128, 128))
    dark = (grey * 0.5 + 20).astype(np.uint8)
    mouth = grey.copy()
    mouth[80:95, 50:78] = 20
    plain, darker, spoken = (frames.look(one) for one in (grey, dark, mouth))
    assert np.sqrt(np.square(plain - darker).mean()) < 0.08
    assert np.sqrt(np.square(plain - spoken).mean()) > 0.3
    eyes, mouth_itself = np.split(np.square(plain - spoken), 2)
    assert mouth_itself.mean() > 9 * eyes.mean()


@functools.cache
def portrait(open_by: int = 0, blur: float = 0.0) -> np.ndarray:
    """The portrait's head and shoulders; `open_by` pixels of dark between the lips."""
    photo = astronaut()[:256, 96:352].copy()
    if open_by:
        cv2.ellipse(photo, (128, 148), (14, open_by), 0, 0, 360, (40, 10, 10), -1)
    return cv2.GaussianBlur(photo, (0, 0), blur) if blur else photo


def filmed(path: Path, pictures: list[np.ndarray]) -> Path:
    video.write(path, torch.cat([image.from_uint8(one) for one in pictures]), fps=5, crf=8)
    return path


def test_rare_expressions_are_found_blurred_frames_are_not(tmp_path: Path) -> None:
    """Nine of ten frames show the same; equal steps would take them."""
    pictures = [portrait()] * 20
    pictures[7], pictures[8], pictures[13] = portrait(open_by=12), portrait(blur=5), portrait(open_by=6)
    path = filmed(tmp_path / "a.mp4", pictures)
    chosen = list(frames.choose(path, 3))
    numbers = [round(frame.time_s * 5) for frame in chosen]
    assert {7, 13} < set(numbers) and 8 not in numbers and numbers == sorted(numbers)
    assert all(frame.pixels.shape == (256, 256, 3) for frame in chosen)
    assert [frame.time_s for frame in frames.choose(path, 3)] == [frame.time_s for frame in chosen]


def test_a_video_without_a_face_gives_its_sharpest_frame(tmp_path: Path) -> None:
    grass = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = filmed(tmp_path / "a.mp4", [cv2.GaussianBlur(grass, (0, 0), 3)] * 4 + [grass] + [grass // 2] * 3)
    (frame,) = frames.choose(path, 3)
    assert round(frame.time_s * 5) == 4


def test_a_face_too_small_for_an_album_is_no_choice(tmp_path: Path) -> None:
    face = detect.detect(portrait())[0]
    assert frames.describe(3, portrait(), face) is not None
    small = cv2.resize(portrait(), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    tiny = detect.Face(face.box / 4, 1.0, face.landmarks / 4)
    assert tiny.size_px < detect.MIN_FACE_PX and frames.describe(3, small, tiny) is None


def test_the_number_of_candidates_follows_time_and_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(video, "sharp_frames", lambda path, count: asked.append(count) or iter(()))
    for length_s in (0.5, 2.5, 600.0):
        monkeypatch.setattr(video, "times_s", lambda path, last=length_s: [0.0, last])
        frames.candidates(tmp_path / "a.mp4", 5)
    assert asked == [10, 15, 20]
