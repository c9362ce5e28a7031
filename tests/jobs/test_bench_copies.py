"""Copies of a set: whole, resumable, and with what was known of each clip."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from selfsame.clips import index
from selfsame.clips.index import Index
from selfsame.clips.media import probe as media_of
from selfsame.core import video
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.soundtrack import Sound
from selfsame.jobs import bench_copies, bench_index
from selfsame.tasks import clip_normal
from selfsame.tasks.clip_normal import NormalConfig


@pytest.fixture
def found(tmp_path: Path) -> Index:
    """Two readable clips and a broken one; one is no MP4 by its name."""
    for name in ("real/RmxqK1np7rY_2.mp4", "fake/Hallo/test/00023--7lHr2ZNlULA_4--Hallo.m4v"):
        video.write(tmp_path / "talks" / name, torch.rand(4, 3, 32, 32) * 2 - 1)
    (tmp_path / "talks" / "real" / "broken.mp4").write_bytes(b"no video")
    return bench_index.make(tmp_path / "talks", tmp_path / "bench")


def test_every_readable_clip_is_there_with_what_was_known(found: Index, tmp_path: Path) -> None:
    made = bench_copies.perturbed(found, tmp_path / "bench", "blur", 5)
    assert [clip.path for clip in made.clips] == [
        "fake/Hallo/test/00023--7lHr2ZNlULA_4--Hallo.mp4", "real/RmxqK1np7rY_2.mp4"
    ]  # fmt: skip
    for before, after in zip(found.usable, made.clips, strict=True):
        own = {"path", "digest", "size_bytes", "modified_ns", "media"}
        assert {k: v for k, v in vars(before).items() if k not in own} == {
            k: v for k, v in vars(after).items() if k not in own
        }
        assert before.digest != after.digest and after.media and after.media.frames == 4
    folder = bench_copies.perturbed_folder(tmp_path / "bench", "blur", 5)
    assert index.read(folder / bench_index.INDEX_FILE).clips == made.clips


def test_what_is_there_is_kept_and_what_is_missing_is_made(found: Index, tmp_path: Path) -> None:
    made = bench_copies.perturbed(found, tmp_path / "bench", "noise", 2)
    kept, lost = (made.file(clip) for clip in made.clips)
    stamp = kept.stat().st_mtime_ns
    lost.unlink()
    again = bench_copies.perturbed(found, tmp_path / "bench", "noise", 2)
    assert kept.stat().st_mtime_ns == stamp and [c.digest for c in again.clips] == [c.digest for c in made.clips]


def test_an_unknown_perturbation_is_refused(found: Index, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no perturbation"):
        bench_copies.perturbed(found, tmp_path / "bench", "fog", 1)
    assert not (tmp_path / "bench" / bench_copies.PERTURBED).exists()


def test_one_format_leaves_containers_nothing_to_tell(tmp_path: Path) -> None:
    """Clips of other sizes, rates and sound; the face is not found in noise, so squares lie in the middle."""
    sound = Sound(22_050, np.zeros(22_050, np.float32))
    shapes = {
        "real/RmxqK1np7rY_2.mp4": (48, 80, 30.0, None),
        "fake/Hallo/test/00023--7lHr2ZNlULA_4.mp4": (64, 64, 12.0, sound),
    }
    for name, (height, width, fps, heard) in shapes.items():
        frames = torch.linspace(-1, 1, round(fps)).reshape(-1, 1, 1, 1).expand(-1, 3, height, width)
        video.write(tmp_path / "talks" / name, frames, fps, crf=1, sound=heard)
    found = bench_index.make(tmp_path / "talks", tmp_path / "bench")
    config = NormalConfig(px=32, fps=10.0, seconds=0.9, sound_hz=16_000)
    made = bench_copies.normal(found, tmp_path / "bench", config)
    media = [clip.media for clip in made.clips]
    assert all(media) and len({(m.width, m.height, m.fps, m.frames, m.codec, m.audio_hz) for m in media if m}) == 1
    assert media[0] and (media[0].width, media[0].fps, media[0].frames, media[0].audio_hz) == (32, 10.0, 9, 16_000)
    for clip in made.clips:  # brightness rises by what a second has: the new frames show their own times
        shown = [float(frame.pixels.mean()) for frame in video.frames(made.file(clip))]
        assert np.diff(shown) == pytest.approx(255 / 10, abs=22) and shown == sorted(shown)
    with pytest.raises(BadInput, match="another format"):
        bench_copies.normal(found, tmp_path / "bench", replace(config, px=64))
    with pytest.raises(BadInput, match=r"shorter than 2 seconds, the shortest 1: "):
        bench_copies.normal(found, tmp_path / "other", replace(config, seconds=2.0))


def test_a_whole_clip_keeps_its_length(tmp_path: Path) -> None:
    video.write(tmp_path / "a.mp4", torch.rand(15, 3, 32, 32) * 2 - 1, 15)
    clip_normal.write(tmp_path / "a.mp4", tmp_path / "b.mp4", NormalConfig(px=32, fps=30.0, seconds=0))
    made = media_of(tmp_path / "b.mp4")
    assert made.frames == pytest.approx(30, abs=2) and made.audio_codec == ""
