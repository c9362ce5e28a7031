"""What detectors hear of a clip: the sound about each run of frames, as samples and as log-mel spectrogram."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import soundtrack, video
from selfsame.tasks import clip_cache

QUIETEST = 1e-10  # power of a mel band; digital silence has none at all


@dataclass(frozen=True)
class SoundConfig:
    """Samples a second, seconds of sound about a run, and its spectrogram: mel bands, windows and hops in seconds."""

    rate_hz: int = 16_000
    seconds: float = 0.64
    mels: int = 80
    window_s: float = 0.025
    hop_s: float = 0.010


@dataclass(frozen=True, eq=False)
class Heard:
    """A clip's whole sound as mono samples (N,), and when the first is heard, in seconds after the first picture ()."""

    samples: Float[Tensor, "n"]
    begins_s: Float[Tensor, ""]


def read(path: Path, config: SoundConfig) -> Heard:
    """Decode a clip's sound at the rate asked for; raises BadInput where it has none or cannot be read."""
    sound = soundtrack.read(path, config.rate_hz)
    begins_s = torch.tensor(-video.begins_s(path), dtype=torch.float64)
    return Heard(torch.from_numpy(sound.samples), begins_s)


def cached(path: Path, digest: str, config: SoundConfig, folder: Path) -> Heard:
    """The sound of a clip with this digest from a folder of caches, made at the first call; raises BadInput as `read`.

    Windows of any runs are cut from it at once.
    """
    file = clip_cache.file_of(folder, digest, "sound", str(config.rate_hz))
    return clip_cache.kept(Heard, file, lambda: read(path, config))


def windows(heard: Heard, times_s: Float[Tensor, "s l"], config: SoundConfig) -> Float[Tensor, "s n"]:
    """The sound about the middle of each run, whose frames have these times after the first picture.

    Zero where the clip has no sound.
    """
    count = round(config.seconds * config.rate_hz)
    middles_s = (times_s[:, 0] + times_s[:, -1]).double() / 2 - heard.begins_s
    places = (middles_s * config.rate_hz).round().long()[:, None] - count // 2 + torch.arange(count)
    inside = (places >= 0) & (places < len(heard.samples))
    if not len(heard.samples):
        return torch.zeros(places.shape)
    return torch.where(inside, heard.samples[places.clamp(0, len(heard.samples) - 1)], 0.0)


def log_mel(waves: Float[Tensor, "s n"], config: SoundConfig) -> Float[Tensor, "s m t"]:
    """Natural logarithm of the power in mel bands, frame by frame; frame t is centred at t hops from the start."""
    width, hop = round(config.window_s * config.rate_hz), round(config.hop_s * config.rate_hz)
    window = torch.hann_window(width, device=waves.device)
    spectrum = torch.stft(waves, width, hop, window=window, pad_mode="constant", return_complex=True)
    bands = filterbank(width, config.rate_hz, config.mels).to(waves.device)
    return (bands @ spectrum.abs().square()).clamp_min(QUIETEST).log()


def filterbank(width: int, rate_hz: int, mels: int) -> Float[Tensor, "m f"]:
    """Triangles of height 1 that overlap by half and are equally wide in mel, over the bins of a transform of `width`.

    Mel is 2595 log10(1 + f / 700 Hz) [O'Shaughnessy 1987], the formula of HTK.
    """
    highest = 2595 * torch.log10(torch.tensor(1 + rate_hz / 2 / 700, dtype=torch.float64))
    corners = 700 * (10 ** (torch.linspace(0, 1, mels + 2, dtype=torch.float64) * highest / 2595) - 1)
    bins = torch.arange(width // 2 + 1) * rate_hz / width
    rising = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp_min(0).float()
