"""Video: what is written is read back, the sharp frames are chosen, broken files say so in one sentence."""

import weakref
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from selfsame.core import image, soundtrack, video
from selfsame.core.errors import BadInput, WrongUse


def ramp(frames: int, height: int = 48, width: int = 64) -> torch.Tensor:
    """Plain frames, each brighter than the last."""
    return torch.linspace(-0.8, 0.8, frames).reshape(-1, 1, 1, 1).expand(-1, 3, height, width).clone()


def test_written_frames_come_back_in_order_with_their_times(tmp_path: Path) -> None:
    video.write(tmp_path / "a.mp4", ramp(10), fps=20)
    back = list(video.frames(tmp_path / "a.mp4"))
    assert [round(f.time_s, 3) for f in back] == [round(i / 20, 3) for i in range(10)]
    means = [image.from_uint8(f.pixels).mean().item() for f in back]
    assert torch.allclose(torch.tensor(means), torch.linspace(-0.8, 0.8, 10), atol=0.03)


def test_odd_sides_grow_by_one(tmp_path: Path) -> None:
    video.write(tmp_path / "a.mp4", ramp(2, 31, 33))
    assert next(video.frames(tmp_path / "a.mp4")).pixels.shape == (32, 34, 3)


def test_the_sharp_frame_of_each_part_is_chosen(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 3)
    sharp = {3, 12, 16}
    frames = torch.cat([image.from_uint8(noise if i in sharp else blurred) for i in range(20)])
    video.write(tmp_path / "a.mp4", frames, fps=10)
    chosen = [round(f.time_s * 10) for _, f in video.sharp_frames(tmp_path / "a.mp4", 4)]
    assert len(chosen) == 4 and sharp < set(chosen) and chosen == sorted(chosen)
    assert [number for number, _ in video.sharp_frames(tmp_path / "a.mp4", 4)] == chosen


def test_the_times_of_frames_are_told_without_decoding(tmp_path: Path) -> None:
    filmed(tmp_path / "a.mkv", "aac", first_s=0.12)
    assert np.allclose(video.times_s(tmp_path / "a.mkv"), UNEVEN_S)
    (tmp_path / "b.mp4").write_bytes(b"nothing" * 50)
    assert video.times_s(tmp_path / "b.mp4") == []


def test_a_video_shorter_than_asked_gives_each_frame_once(tmp_path: Path) -> None:
    video.write(tmp_path / "a.mp4", ramp(3))
    assert len(list(video.sharp_frames(tmp_path / "a.mp4", 24))) == 3
    video.write(tmp_path / "b.mp4", ramp(1))
    assert len(list(video.sharp_frames(tmp_path / "b.mp4", 24))) == 1


def test_a_file_that_is_no_video_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"not a video at all" * 100)
    with pytest.raises(BadInput, match=r"a\.mp4 cannot be read as a video"):
        list(video.frames(tmp_path / "a.mp4"))
    with pytest.raises(BadInput, match="cannot be read"):
        list(video.sharp_frames(tmp_path / "a.mp4", 3))


def test_sound_without_pictures_says_so(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = 16000, 0, Fraction(1, 16000)
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(BadInput, match="no video stream"):
        list(video.sharp_frames(tmp_path / "a.mp4", 3))


def test_a_video_without_frames_says_so(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        container.start_encoding()
    with pytest.raises(BadInput, match=r"a\.mkv"):
        list(video.sharp_frames(tmp_path / "a.mkv", 3))


def test_a_truncated_video_yields_what_came_before(tmp_path: Path) -> None:
    torch.manual_seed(0)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for pixels in np.random.default_rng(0).integers(0, 255, (40, 64, 64, 3), dtype=np.uint8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    whole = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(whole[: len(whole) // 2])
    assert 5 < len(list(video.frames(tmp_path / "a.mkv"))) < 40


def test_a_full_disk_leaves_the_old_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video.write(tmp_path / "a.mp4", ramp(2))
    before = (tmp_path / "a.mp4").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(video, "_encode", full)
    with pytest.raises(BadInput, match="No space left"):
        video.write(tmp_path / "a.mp4", ramp(5))
    assert (tmp_path / "a.mp4").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def click(seconds: float, at_s: float, rate_hz: int = 24000) -> soundtrack.Sound:
    """Silence but for one short bump."""
    samples = np.zeros(round(seconds * rate_hz), np.float32)
    first = round(at_s * rate_hz)
    samples[first - 100 : first + 100] = 0.8 * np.hanning(200)
    return soundtrack.Sound(rate_hz, samples)


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30.0])
def test_sound_comes_back_where_it_was(fps: float, tmp_path: Path) -> None:
    sound = click(30 / fps, 0.5)
    video.write(tmp_path / "a.mp4", ramp(30), fps, sound=sound)
    rate_hz, samples = soundtrack.read(tmp_path / "a.mp4")
    assert rate_hz == 24000 and abs(len(samples) - len(sound.samples)) < 24
    assert abs(int(samples.argmax()) / rate_hz - 0.5) < 0.001
    assert float(np.abs(samples[:11000]).max()) < 0.05
    assert len(list(video.frames(tmp_path / "a.mp4"))) == 30


@pytest.mark.parametrize("sound_s", [0.01, 0.5, 3.0])
def test_sound_may_be_shorter_or_longer_than_the_pictures(sound_s: float, tmp_path: Path) -> None:
    video.write(
        tmp_path / "a.mp4", ramp(25), sound=soundtrack.Sound(16000, np.zeros(round(16000 * sound_s), np.float32))
    )
    assert len(soundtrack.read(tmp_path / "a.mp4").samples) == pytest.approx(16000 * sound_s, abs=16)
    assert len(list(video.frames(tmp_path / "a.mp4"))) == 25


def test_frames_are_taken_one_by_one_and_none_is_kept(tmp_path: Path) -> None:
    alive: list[weakref.ref[torch.Tensor]] = []
    most = 0

    def frames() -> Iterator[torch.Tensor]:
        nonlocal most
        for i in range(50):
            frame = torch.full((3, 32, 32), i / 50)
            alive.append(weakref.ref(frame))
            yield frame
            del frame
            most = max(most, sum(ref() is not None for ref in alive))

    video.write(tmp_path / "a.mp4", frames(), sound=click(2.0, 0.5))
    assert len(alive) == 50 and most <= 2


def test_a_video_needs_a_frame_and_an_interrupted_one_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[torch.Tensor]:
        yield torch.zeros(3, 32, 32)
        raise BadInput("The light went out.")

    with pytest.raises(WrongUse, match="at least one frame"):
        video.write(tmp_path / "a.mp4", iter(()), sound=click(1.0, 0.5))
    with pytest.raises(BadInput, match="light"):
        video.write(tmp_path / "a.mp4", broken(), sound=click(1.0, 0.5))
    assert not list(tmp_path.iterdir())


def test_a_video_without_sound_says_so(tmp_path: Path) -> None:
    video.write(tmp_path / "a.mp4", ramp(2))
    with pytest.raises(BadInput, match=r"a\.mp4 has no sound"):
        soundtrack.read(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(b"nothing" * 50)
    with pytest.raises(BadInput, match=r"b\.mp4 cannot be read"):
        soundtrack.read(tmp_path / "b.mp4")


def filmed(path: Path, codec: str, channels: str = "stereo", first_s: float = 0.0) -> None:
    """Ten frames at uneven times from `first_s` on, and half a second of a tone from 0 on, its right side silent."""
    rate_hz = 44100
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        heard = container.add_stream(codec, rate=rate_hz, layout=channels)
        tone = np.sin(2 * np.pi * 440 * np.arange(rate_hz // 2) / rate_hz)
        sides = np.stack([tone, 0 * tone][: 1 if channels == "mono" else 2], -1).reshape(1, -1)
        sound = av.AudioFrame.from_ndarray((sides * 20000).astype(np.int16), format="s16", layout=channels)
        sound.sample_rate, sound.pts, sound.time_base = rate_hz, 0, Fraction(1, rate_hz)
        container.mux(heard.encode(sound))
        container.mux(heard.encode())
        for i, picture in enumerate(image.to_uint8(ramp(10))):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(1000 * (first_s + UNEVEN_S[i])), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


UNEVEN_S = [0.0, 0.04, 0.07, 0.16, 0.2, 0.24, 0.31, 0.32, 0.4, 0.45]


def packets(path: Path) -> list[tuple[float, bytes]]:
    """The sound of a file, packet by packet: seconds and content."""
    with av.open(str(path)) as container:
        found = [p for p in container.demux(audio=0) if p.size]
        return [(float(p.pts * p.time_base), bytes(p)) for p in found]


def test_a_rewritten_clip_keeps_its_times_and_its_sound_byte_for_byte(tmp_path: Path) -> None:
    filmed(tmp_path / "a.mp4", "aac")
    darker = (video.Frame(f.time_s, f.pixels // 2) for f in video.frames(tmp_path / "a.mp4"))
    video.rewrite(tmp_path / "b.mp4", tmp_path / "a.mp4", darker)
    one, other = (list(video.frames(tmp_path / name)) for name in ("a.mp4", "b.mp4"))
    assert np.allclose([f.time_s for f in one], UNEVEN_S) and np.allclose([f.time_s for f in other], UNEVEN_S)
    assert abs(float(other[9].pixels.mean()) - float(one[9].pixels.mean()) / 2) < 3
    assert packets(tmp_path / "a.mp4") == packets(tmp_path / "b.mp4") != []


@pytest.mark.parametrize(("suffix", "codec"), [("mov", "pcm_s16le"), ("mkv", "flac")])
def test_sound_that_an_mp4_cannot_hold_becomes_aac(suffix: str, codec: str, tmp_path: Path) -> None:
    source = tmp_path / f"a.{suffix}"
    filmed(source, codec)
    video.rewrite(tmp_path / "b.mp4", source, video.frames(source))
    before, after = soundtrack.read(source), soundtrack.read(tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        heard = container.streams.audio[0]
        assert (heard.codec_context.name, heard.rate, heard.channels) == ("aac", 44100, 2)
    count = min(len(before.samples), len(after.samples))
    assert abs(len(before.samples) - len(after.samples)) < 2048
    assert float(np.corrcoef(before.samples[2000 : count - 2000], after.samples[2000 : count - 2000])[0, 1]) > 0.99


def test_pictures_that_begin_after_the_sound_stay_in_step(tmp_path: Path) -> None:
    filmed(tmp_path / "a.mkv", "aac", first_s=0.12)
    video.rewrite(tmp_path / "b.mp4", tmp_path / "a.mkv", video.frames(tmp_path / "a.mkv"))

    def ahead_s(path: Path) -> float:
        with av.open(str(path)) as container:
            return float(next(container.decode(video=0)).time) - packets(path)[1][0]

    assert ahead_s(tmp_path / "b.mp4") == pytest.approx(ahead_s(tmp_path / "a.mkv"), abs=0.003)


def test_colours_of_hd_video_stay(tmp_path: Path) -> None:
    """Read with one matrix and written with another, red would turn orange."""
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.colorspace = video.BT709
        red = av.VideoFrame.from_ndarray(np.full((64, 64, 3), (200, 60, 40), np.uint8), format="rgb24")
        red = red.reformat(format="yuv420p", dst_colorspace=video.Colorspace.ITU709)
        container.mux(stream.encode(red))
        container.mux(stream.encode())
    video.rewrite(tmp_path / "b.mp4", tmp_path / "a.mp4", video.frames(tmp_path / "a.mp4"))
    for name in ("a.mp4", "b.mp4"):
        with av.open(str(tmp_path / name)) as container:
            assert container.streams.video[0].codec_context.colorspace == video.BT709
        assert np.abs(next(video.frames(tmp_path / name)).pixels.mean((0, 1)) - (200, 60, 40)).max() < 6


def test_a_silent_clip_is_rewritten_and_an_interrupted_one_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[video.Frame]:
        yield next(video.frames(tmp_path / "a.mp4"))
        raise BadInput("The light went out.")

    video.write(tmp_path / "a.mp4", ramp(5))
    video.rewrite(tmp_path / "b.mp4", tmp_path / "a.mp4", video.frames(tmp_path / "a.mp4"))
    assert video.count(tmp_path / "b.mp4") == 5
    with pytest.raises(BadInput, match="light"):
        video.rewrite(tmp_path / "c.mp4", tmp_path / "a.mp4", broken())
    with pytest.raises(BadInput, match=r"no\.mp4 cannot be read"):
        video.rewrite(tmp_path / "c.mp4", tmp_path / "no.mp4", iter(()))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]
    assert video.count(tmp_path / "no.mp4") == 0
