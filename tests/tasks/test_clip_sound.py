"""Sound of clips: what is heard at a time stands there, whenever sound and picture begin; tones are in their bands."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from selfsame.core import soundtrack, video
from selfsame.core.errors import BadInput
from selfsame.tasks import clip_sound
from selfsame.tasks.clip_sound import Heard, SoundConfig

FPS, RATE_HZ = 10, 44_100


def filmed(path: Path, codec: str, waves: np.ndarray, picture_s: float = 0.0, sound_s: float = 0.0) -> Path:
    """Two seconds of grey from one time on, and samples from another on."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        heard = container.add_stream(codec, rate=RATE_HZ, layout="mono")
        for first in range(0, len(waves), 1024):
            part = (waves[None, first : first + 1024] * 32_000).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
            frame.pts = first + round(sound_s * RATE_HZ)
            container.mux(heard.encode(frame))
        container.mux(heard.encode())
        for i in range(2 * FPS):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(1000 * (picture_s + i / FPS)), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def click(at_s: float, seconds: float = 2.0) -> np.ndarray:
    waves = np.zeros(round(seconds * RATE_HZ))
    middle = round(at_s * RATE_HZ)
    waves[middle - 40 : middle + 41] = 0.9 * np.hanning(81)
    return waves


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "aac"), ("mkv", "aac"), ("mkv", "pcm_s16le"), ("mov", "pcm_s16le")]
)
@pytest.mark.parametrize(("picture_s", "sound_s"), [(0.0, 0.0), (0.0, 0.7), (0.5, 0.0), (0.3, 0.6)])
def test_a_click_is_heard_when_the_picture_of_its_time_is_seen(
    suffix: str, codec: str, picture_s: float, sound_s: float, tmp_path: Path
) -> None:
    """It is heard 0.6 s after the sound begins; the pictures' times count from the first of them."""
    config = SoundConfig(rate_hz=16_000, seconds=0.4)
    path = filmed(tmp_path / f"a.{suffix}", codec, click(0.6), picture_s, sound_s)
    seen_s = sound_s + 0.6 - picture_s
    heard = clip_sound.read(path, config)
    waves = clip_sound.windows(
        heard, torch.tensor([[seen_s - 0.2, seen_s + 0.2], [seen_s - 0.15, seen_s + 0.25]]), config
    )
    assert waves.shape == (2, 6400) and waves.dtype == torch.float32
    late = waves.abs().argmax(1).tolist()
    assert late[0] == pytest.approx(3200, abs=32) and late[0] - late[1] == pytest.approx(0.05 * 16_000, abs=1)
    assert waves.abs().amax() > 0.7


def test_a_pause_in_the_sound_does_not_move_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        heard = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for first_s, value in ((0.0, 8000), (0.75, 16_000)):
            frame = av.AudioFrame.from_ndarray(np.full((1, 2000), value, np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 8000, round(8000 * first_s), Fraction(1, 8000)
            container.mux(heard.encode(frame))
        container.mux(heard.encode())
    samples = soundtrack.read(path).samples
    assert len(samples) == pytest.approx(8000, abs=8)
    assert [round(float(samples[i]) * 32_768) for i in (1000, 3000, 5900, 6100)] == [8000, 0, 0, 16_000]


def test_where_there_is_no_sound_windows_are_zero() -> None:
    config = SoundConfig(rate_hz=100, seconds=1.0)
    ones = Heard(torch.ones(150), torch.tensor(0.25, dtype=torch.float64))
    waves = clip_sound.windows(ones, torch.tensor([[0.25, 0.25], [1.0, 1.5], [9.0, 9.0]]), config)
    assert [int(wave.sum()) for wave in waves] == [50, 100, 0]
    assert not waves[0, :50].any() and waves[0, 50:].all() and waves[1].all()
    nothing = Heard(torch.zeros(0), torch.tensor(0.0))
    assert clip_sound.windows(nothing, torch.zeros(2, 1), config).shape == (2, 100)


@pytest.mark.parametrize("tone_hz", [200.0, 1000.0, 3000.0, 7000.0])
def test_a_tone_is_loudest_in_its_band(tone_hz: float) -> None:
    """Bands are equally wide in mel by HTK's formula: 1000 Hz is 1000 mel, 8000 Hz is 2840."""
    config = SoundConfig(mels=40)
    times_s = torch.arange(round(config.seconds * config.rate_hz)) / config.rate_hz
    made = clip_sound.log_mel((0.5 * torch.sin(2 * torch.pi * tone_hz * times_s))[None], config)
    assert made.shape == (1, 40, 65)
    mel = 2595 * np.log10(1 + tone_hz / 700)
    assert abs(int(made[0].mean(1).argmax()) + 1 - mel / 2840 * 41) <= 0.75
    silence = clip_sound.log_mel(torch.zeros(1, 1000), config)
    assert bool(torch.isfinite(silence).all()) and float(silence.max()) < float(made.max()) - 20


def test_a_click_is_in_the_frame_of_its_time() -> None:
    config = SoundConfig()
    waves = torch.zeros(1, 10_240)
    waves[0, 5 * 160] = 1.0
    assert int(clip_sound.log_mel(waves, config).sum(1).argmax()) == 5


def test_the_filters_share_each_frequency() -> None:
    bands = clip_sound.filterbank(2048, 16_000, 40)
    assert bands.shape == (40, 1025) and float(bands.min()) == 0 and float(bands.max()) <= 1
    inside = bands.sum(0)[bands[0].argmax() : bands[-1].argmax()]
    torch.testing.assert_close(inside, torch.ones_like(inside))


def test_the_cache_gives_the_same_sound_without_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, config = filmed(tmp_path / "a.mp4", "aac", click(0.6), 0.2), SoundConfig()
    first = clip_sound.cached(path, "d" * 64, config, tmp_path / "cache")
    other = clip_sound.cached(path, "d" * 64, SoundConfig(rate_hz=8000), tmp_path / "cache")
    assert len(first.samples) == pytest.approx(2 * len(other.samples), abs=2)
    monkeypatch.setattr(clip_sound, "read", lambda *_: pytest.fail("was decoded again"))
    again = clip_sound.cached(path, "d" * 64, config, tmp_path / "cache")
    assert torch.equal(first.samples, again.samples) and first.begins_s == again.begins_s == pytest.approx(-0.2)


def test_a_clip_without_sound_is_refused_with_the_mend(tmp_path: Path) -> None:
    video.write(tmp_path / "a.mp4", torch.zeros(3, 3, 32, 32))
    with pytest.raises(BadInput, match=r"a\.mp4 has no sound\. Give a video with a sound track"):
        clip_sound.read(tmp_path / "a.mp4", SoundConfig())


def test_a_tone_is_painted_in_its_rows_while_it_sounds() -> None:
    config = SoundConfig()
    rate = config.rate_hz
    samples = 0.01 * torch.randn(2 * rate, generator=torch.Generator().manual_seed(0))
    samples[rate:] += torch.sin(2 * torch.pi * 500 * torch.arange(rate) / rate)
    heard = Heard(samples, torch.tensor(0.0))
    times_s = torch.tensor([[0.2, 0.24, 0.28], [0.98, 1.02, 1.06], [1.9, 1.94, 1.98]], dtype=torch.float64)
    before, turning, after = clip_sound.pictures(heard, times_s, 80, config)
    assert before.shape == (80, 80, 3)
    light = after.float().sum(-1)
    row = int(light.mean(1).argmax())
    mel = 2595 * np.log10(1 + 500 / 700) / (2595 * np.log10(1 + rate / 2 / 700))
    assert row == pytest.approx(80 * mel, abs=2)  # low bands on top
    assert light[row].mean() > before.float().sum(-1)[row].mean() + 100
    assert turning.float().sum(-1)[row, -8:].mean() > turning.float().sum(-1)[row, :8].mean() + 50
    assert not clip_sound.pictures(Heard(torch.zeros(0), torch.tensor(0.0)), times_s, 8, config).any()
