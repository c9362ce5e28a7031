"""What clips look like: copies are found whatever their size, rate and compression, others are not, once is enough."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from selfsame.clips import audit, index, looks
from selfsame.clips.index import Index
from selfsame.core import image, video
from selfsame.world import clip as world

Picture = Callable[[float], np.ndarray]


def passing(time_s: float) -> np.ndarray:
    """A photo that moves to the left, 256 px."""
    first = round(40 * time_s)
    return np.ascontiguousarray(astronaut()[:256, first : first + 256])


def write(path: Path, shown: Picture, fps: float = 10.0, seconds: float = 4.0, px: int = 256, crf: int = 18) -> None:
    pictures = (shown(i / fps) for i in range(round(fps * seconds)))
    small = (cv2.resize(x, (px, px), interpolation=cv2.INTER_AREA) for x in pictures)
    video.write(path, (image.from_uint8(x)[0] for x in small), fps, crf=crf)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """A clip in train, copies of it and others in test, and a broken one that still has a header."""
    root = tmp_path_factory.mktemp("talks")
    write(root / "real/train/first.mp4", passing)
    write(root / "real/test/stronger.mp4", passing, crf=38)
    write(root / "fake/Hallo/test/small.mp4", passing, fps=5.0, seconds=3.4, px=96)
    write(root / "real/train/again.mp4", passing, crf=25)
    write(root / "real/test/mirrored.mp4", lambda time_s: passing(time_s)[:, ::-1].copy())
    write(root / "real/test/later.mp4", lambda time_s: passing(time_s + 2.0))
    for seed in (1, 2):  # nothing but a head in both: as alike as different people can be
        frames = torch.stack(list(world.film(world.talk(seed, 4.0, fps=1.0), 64)))
        video.write(root / f"real/{('train', 'test')[seed - 1]}/person{seed}.mp4", frames, 1.0)
    broken = bytearray((root / "real/train/first.mp4").read_bytes())
    data, facts = broken.index(b"mdat") + 4, broken.index(b"moov")
    broken[data : facts - 4] = bytes(facts - 4 - data)
    (root / "real/test/broken.mp4").write_bytes(broken)
    return index.scan(root)


def test_copies_are_found_and_others_are_not(found: Index, tmp_path: Path) -> None:
    hashes, why = looks.known(found, tmp_path / "looks.jsonl")
    assert list(why) == ["real/test/broken.mp4"] and len(hashes) == len(found.usable) - 1
    same = looks.groups(found.usable, hashes)
    copies = ["fake/Hallo/test/small.mp4", "real/test/stronger.mp4", "real/train/again.mp4", "real/train/first.mp4"]
    assert same == dict.fromkeys(copies, copies[0])
    clips = [replace(clip, identity=None, driver=None, youtube=None) for clip in found.usable]
    (leak,) = audit.leaks(clips, same)
    assert (leak.kind, leak.splits, leak.clips) == ("looks alike", ("test", "train"), tuple(copies))
    assert audit.repeated(clips, same) == [tuple(copies)] and audit.repeated(clips) == []


def test_each_content_is_decoded_once(found: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, heard = tmp_path / "looks.jsonl", []
    twice = Index(found.root, (replace(found.clips[0], path="elsewhere.mp4"), *found.clips))
    hashes, _ = looks.known(twice, file, lambda *counted: heard.append(counted))
    assert heard[-1] == (len(found.usable), len(found.usable))
    file.write_text(file.read_text() + "damage")
    assert looks.known(found, file)[0] == hashes
    monkeypatch.setattr(looks, "of", lambda *_: pytest.fail("was decoded again"))
    whole = Index(found.root, tuple(clip for clip in found.clips if "broken" not in clip.path))
    assert looks.known(whole, file) == (hashes, {})


def test_the_same_bytes_alone_do_not_look_alike(found: Index, tmp_path: Path) -> None:
    """They are named as bytes already."""
    one = next(clip for clip in found.clips if "mirrored" in clip.path)
    hashes, _ = looks.known(Index(found.root, (one,)), tmp_path / "looks.jsonl")
    assert looks.groups([one, replace(one, path="elsewhere.mp4")], hashes) == {}
    assert looks.groups([], {}) == {}
