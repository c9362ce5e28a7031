"""Perturbed copies of a set: whole, resumable, and with what was known of each clip."""

from pathlib import Path

import pytest
import torch

from selfsame.clips import index
from selfsame.clips.index import Index
from selfsame.core import video
from selfsame.core.errors import WrongUse
from selfsame.jobs import bench_index, bench_perturb


@pytest.fixture
def found(tmp_path: Path) -> Index:
    """Two readable clips and a broken one; one is no MP4 by its name."""
    for name in ("real/RmxqK1np7rY_2.mp4", "fake/Hallo/test/00023--7lHr2ZNlULA_4--Hallo.m4v"):
        video.write(tmp_path / "talks" / name, torch.rand(4, 3, 32, 32) * 2 - 1)
    (tmp_path / "talks" / "real" / "broken.mp4").write_bytes(b"no video")
    return bench_index.make(tmp_path / "talks", tmp_path / "bench")


def test_every_readable_clip_is_there_with_what_was_known(found: Index, tmp_path: Path) -> None:
    made = bench_perturb.make(found, tmp_path / "bench", "blur", 5)
    assert [clip.path for clip in made.clips] == [
        "fake/Hallo/test/00023--7lHr2ZNlULA_4--Hallo.mp4", "real/RmxqK1np7rY_2.mp4"
    ]  # fmt: skip
    for before, after in zip(found.usable, made.clips, strict=True):
        own = {"path", "digest", "size_bytes", "modified_ns", "media"}
        assert {k: v for k, v in vars(before).items() if k not in own} == {
            k: v for k, v in vars(after).items() if k not in own
        }
        assert before.digest != after.digest and after.media and after.media.frames == 4
    folder = bench_perturb.folder_of(tmp_path / "bench", "blur", 5)
    assert index.read(folder / bench_index.INDEX_FILE).clips == made.clips


def test_what_is_there_is_kept_and_what_is_missing_is_made(found: Index, tmp_path: Path) -> None:
    made = bench_perturb.make(found, tmp_path / "bench", "noise", 2)
    kept, lost = (made.file(clip) for clip in made.clips)
    stamp = kept.stat().st_mtime_ns
    lost.unlink()
    again = bench_perturb.make(found, tmp_path / "bench", "noise", 2)
    assert kept.stat().st_mtime_ns == stamp and [c.digest for c in again.clips] == [c.digest for c in made.clips]


def test_an_unknown_perturbation_is_refused(found: Index, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no perturbation"):
        bench_perturb.make(found, tmp_path / "bench", "fog", 1)
    assert not (tmp_path / "bench" / bench_perturb.FOLDER).exists()
