"""Perturbations: what each level does to a frame, that all are seeded, and that clips keep their times and sound."""

from pathlib import Path

import numpy as np
import pytest
import torch

from selfsame.clips import media, perturb
from selfsame.clips.perturb import AS_CODED, AS_NAMED, PERTURBATIONS
from selfsame.core import video
from selfsame.core.errors import WrongUse
from selfsame.core.soundtrack import Sound

RANDOM = np.random.default_rng(0)
FRAME = RANDOM.integers(20, 236, (256, 320, 3), dtype=np.uint8)
GREY = np.full((512, 512, 3), 100, np.uint8)


def at(name: str, level: int, frame: np.ndarray = FRAME, seed: int = 0) -> np.ndarray:
    chosen, value = perturb.checked(name, level)
    assert chosen.frame is not None
    return chosen.frame(frame, value, np.random.default_rng(seed))


@pytest.mark.parametrize("name", [n for n, p in PERTURBATIONS.items() if p.frame])
def test_stronger_levels_change_more_and_the_same_seed_the_same(name: str) -> None:
    smooth = np.asarray(torch.nn.functional.interpolate(
        torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)), (256, 256), mode="bicubic"
    ).clamp(0, 1)[0].permute(1, 2, 0) * 255).astype(np.uint8)  # fmt: skip
    before = smooth.copy()
    changes = [np.abs(at(name, level, smooth).astype(float) - smooth).mean() for level in range(1, 6)]
    assert changes == sorted(changes) and changes[0] > 0
    assert np.array_equal(smooth, before)
    assert np.array_equal(at(name, 3, smooth), at(name, 3, smooth))


def test_saturation_ends_in_grey_and_keeps_brightness() -> None:
    for name in ("CS", "saturation"):
        made = at(name, 5).astype(int)
        assert np.ptp(made, axis=2).max() <= 3
        assert abs(made.mean() - FRAME.mean()) < 8


def test_the_published_cast_wraps_around() -> None:
    """A saturated blue: its green or red falls below zero or above 255 on the way, and comes out at the other end."""
    bright = np.zeros((16, 16, 3), np.uint8)
    bright[..., 2] = 255
    made = at("CS", 1, bright)
    assert made.shape == bright.shape and made.dtype == np.uint8


def test_contrast_as_coded_darkens_and_as_named_keeps_the_mean() -> None:
    assert np.array_equal(at("CC", 3), (FRAME * np.float32(0.6)).astype(np.uint8))
    named = at("contrast", 3)
    assert abs(named.mean() - FRAME.mean()) < 0.5 and named.std() == pytest.approx(0.6 * FRAME.std(), rel=0.02)


def test_blocks_are_grey_squares_whose_number_follows_the_published_rule() -> None:
    def share(name: str, side: int) -> float:
        frame = np.zeros((side, side, 3), np.uint8)
        return float((at(name, 2, frame) == 128).mean())

    assert share("BW", 255) == 0 and share("BW", 512) < share("BW", 256)
    assert share("BW", 256) == pytest.approx(32 * 64 / 256**2, rel=0.1)
    assert share("blocks", 128) == pytest.approx(share("blocks", 512), rel=0.2)
    made = at("BW", 5, np.zeros((512, 512, 3), np.uint8))
    assert not made[-1].any() and not made[:, -1].any()


def test_noise_has_the_published_strength() -> None:
    """After the way back from studio range the luma's deviation is 255 sqrt(v) 255 / 219 grey levels."""
    luma = at("GNC", 1, GREY) @ np.array([0.299, 0.587, 0.114])
    assert luma.std() == pytest.approx(255 * np.sqrt(0.001) * 255 / 219, rel=0.1)
    assert at("noise", 1, GREY).std() == pytest.approx(255 * np.sqrt(0.001), rel=0.05)


def test_what_is_called_jpeg_is_smooth_and_jpeg_is_blocky() -> None:
    edge = np.zeros((64, 64, 3), np.uint8)
    edge[:, 33:] = 255
    smooth, blocky = at("JPEG", 3, edge)[10, :, 0].astype(int), at("jpeg", 5, edge)[10, :, 0].astype(int)
    assert (np.diff(smooth) >= 0).all() and not (np.diff(blocky) >= 0).all()


def test_published_levels() -> None:
    assert list(AS_CODED) == ["CS", "CC", "BW", "GNC", "GB", "JPEG", "VC"]
    assert AS_CODED["VC"].levels == (30, 32, 35, 38, 40) and AS_CODED["GB"].levels == (7, 9, 13, 17, 21)
    assert set(AS_NAMED) >= {"jpeg", "h264", "h265"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of noise and half a second of sound; on less than 128 px x265 writes other bits on every run."""
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    sound = Sound(16_000, 0.3 * np.sin(np.arange(8000, dtype=np.float32) / 9))
    video.write(path, torch.rand(12, 3, 128, 128) * 2 - 1, 24, crf=10, sound=sound)
    return path


@pytest.mark.parametrize(("name", "codec"), [("GB", "h264"), ("VC", "h264"), ("h265", "hevc")])
def test_a_clip_keeps_its_frames_times_and_sound(clip: Path, tmp_path: Path, name: str, codec: str) -> None:
    perturb.write(clip, tmp_path / "b.mp4", name, 3)
    before, after = media.probe(clip), media.probe(tmp_path / "b.mp4")
    assert (after.frames, after.fps, after.width, after.height) == (before.frames, before.fps, 128, 128)
    assert after.codec == codec and after.audio_codec == "aac" and after.audio_hz == before.audio_hz
    times = [[frame.time_s for frame in video.frames(path)] for path in (clip, tmp_path / "b.mp4")]
    assert times[0] == pytest.approx(times[1], abs=1e-3)
    again = tmp_path / "c.mp4"
    perturb.write(clip, again, name, 3)
    for one, other in zip(video.frames(tmp_path / "b.mp4"), video.frames(again), strict=True):
        assert np.array_equal(one.pixels, other.pixels)


def test_clips_have_their_own_noise_and_seeds_matter(clip: Path) -> None:
    def first(seed: int, unit: str) -> np.ndarray:
        return next(perturb.frames(clip, "noise", 3, seed, unit)).pixels

    assert np.array_equal(first(0, "a"), first(0, "a"))
    assert not np.array_equal(first(0, "a"), first(0, "b")) and not np.array_equal(first(0, "a"), first(1, "a"))


def test_unknown_names_and_levels_are_refused() -> None:
    with pytest.raises(WrongUse, match="Give one of CS, CC"):
        perturb.checked("blurr", 1)
    with pytest.raises(WrongUse, match="1 to 5"):
        perturb.checked("GB", 6)
