"""A clip re-aged from file to file with a toy machine: what changes, what stays, and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from encoder_toys import sam_card, tiny_encoder, tiny_image_prior, tiny_inversion

from selfsame.core import video
from selfsame.core.errors import BadInput
from selfsame.core.video import Frame
from selfsame.faces import paste, track
from selfsame.jobs import age_video
from selfsame.jobs.age_video import VideoConfig
from selfsame.tasks.reage import Sam
from selfsame.tasks.time_machine import TimeMachine
from selfsame.world import clip, truth

COUNT = 9


@pytest.fixture(scope="module")
def machine() -> TimeMachine:
    prior = tiny_image_prior()
    return TimeMachine(Sam(tiny_encoder(channels=4, seed=3), tiny_inversion(prior), prior.net, sam_card()), None)


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return truth.write_clip(clip.talk(3, COUNT / 25), tmp_path_factory.mktemp("clip"), "ada", 192).video


def sound(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(audio=0) if p.size]


def test_a_clip_is_re_aged_with_its_times_and_sound(machine: TimeMachine, talking: Path, tmp_path: Path) -> None:
    stages: dict[str, tuple[int, int]] = {}

    def progress(stage: str, done: int, total: int) -> None:
        stages[stage] = (done, total)

    config = VideoConfig(samples=4, tuning_steps=2)
    made = age_video.age_video(machine, talking, 60, tmp_path / "b.mp4", config, progress)
    assert (made.file, made.frames, made.aged) == (tmp_path / "b.mp4", COUNT, COUNT)
    before, after = list(video.frames(talking)), list(video.frames(made.file))
    assert [f.time_s for f in after] == pytest.approx([f.time_s for f in before])
    assert sound(made.file) == sound(talking) != []
    found = track.follow(video.frames(talking))
    for one, other, at in zip(before, after, track.crops(found, 32, config.steady_s), strict=True):
        assert at is not None
        moved = np.abs(one.pixels.astype(float) - other.pixels).mean(-1)
        weight = paste.mask(at, 32, one.pixels.shape)
        assert moved[weight == 0].mean() < 2  # what encoding anew costs
    assert stages.pop("tuning the decoder") == (2, 2)
    assert set(stages.values()) == {(COUNT, COUNT)} and len(stages) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["b.mp4"]


def test_frames_without_a_face_pass_unchanged(machine: TimeMachine, talking: Path, tmp_path: Path) -> None:
    seen = [f.pixels for f in video.frames(talking)][:4]
    blank = np.full_like(seen[0], 90)
    frames = [*seen, *[blank] * 14, *seen]
    source = tmp_path / "gap.mp4"
    video.rewrite(source, talking, (Frame(i / 25, pixels) for i, pixels in enumerate(frames)))
    made = age_video.age_video(machine, source, 60, tmp_path / "out.mp4", VideoConfig(samples=2))
    assert made.frames == 22 and made.aged == 8
    middle = list(video.frames(made.file))[4:18]
    assert max(np.abs(f.pixels.astype(float) - 90).mean() for f in middle) < 3


def test_an_offset_moves_what_the_mask_covers_and_none_moves_nothing(
    machine: TimeMachine, talking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paste, "ALIEN", 10.0)  # a toy decoder draws nothing like the film
    placed = track.crops(track.follow(video.frames(talking)), 32, 0.1)
    read = age_video.read_codes(machine, talking, placed, 4)
    assert len(read.w_plus) == COUNT and len(read.crops) == 4 and read.sampled == [0, 3, 5, 8]
    torch.testing.assert_close(read.w_plus[read.sampled], machine.invert(read.crops))
    none, some = torch.zeros_like(read.w_plus[0]), torch.ones_like(read.w_plus[0])
    films = [age_video.show(machine, talking, placed, read.w_plus, offset, 1.0) for offset in (none, some)]
    for before, same, moved, at in zip(video.frames(talking), *films, placed, strict=True):
        assert np.array_equal(before.pixels, same.pixels)
        weight = paste.mask(at, 32, before.pixels.shape)
        assert np.array_equal(before.pixels[weight == 0], moved.pixels[weight == 0])
        assert np.abs(before.pixels.astype(float) - moved.pixels)[weight == 1].mean() > 3


def test_what_cannot_be_re_aged_says_so_and_leaves_nothing(machine: TimeMachine, tmp_path: Path) -> None:
    video.write(tmp_path / "blank.mp4", torch.zeros(5, 3, 96, 96))
    (tmp_path / "text.mp4").write_bytes(b"no video" * 99)
    before = sorted(tmp_path.iterdir())
    refusals = {"blank.mp4": "No face was found in blank", "text.mp4": "text.mp4 cannot be read", "no.mp4": "no.mp4"}
    for name, words in refusals.items():
        with pytest.raises(BadInput, match=words):
            age_video.age_video(machine, tmp_path / name, 60, tmp_path / "out.mp4")
    assert sorted(tmp_path.iterdir()) == before


def test_a_killed_run_leaves_the_old_file(
    machine: TimeMachine, talking: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> Iterator[Frame]:
        yield next(video.frames(talking))
        raise KeyboardInterrupt

    monkeypatch.setattr(age_video, "show", dies)
    (tmp_path / "out.mp4").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        age_video.age_video(machine, talking, 60, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
