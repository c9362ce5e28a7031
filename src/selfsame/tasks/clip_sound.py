"""What detectors hear of a clip: the sound about each run of frames, as samples and as log-mel spectrogram."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
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


def pictures(heard: Heard, times_s: Float[Tensor, "s l"], px: int, config: SoundConfig) -> UInt8[Tensor, "s p p 3"]:
    """The sound of each run of frames as a square picture, as LipFD paints it: time to the right, low bands on top.

    Colours go from the quietest to the loudest place of the clip's whole spectrogram in decibels; a clip without sound
    is black.
    """
    import matplotlib

    if not len(heard.samples):
        return torch.zeros(len(times_s), px, px, 3, dtype=torch.uint8)
    mel = log_mel(heard.samples[None], config)[0]
    shade = (mel - mel.min()) / (mel.max() - mel.min()).clamp_min(torch.finfo().tiny)
    painted = (matplotlib.colormaps["viridis"](shade.numpy())[..., :3] * 255).round().astype(np.uint8)
    lasts_s = float(times_s[0, -1] - times_s[0, 0]) * times_s.shape[1] / max(1, times_s.shape[1] - 1)
    made = []
    for begin_s in (times_s[:, 0] - heard.begins_s).tolist():
        first, end = (min(max(0, round(at / config.hop_s)), mel.shape[1] - 1) for at in (begin_s, begin_s + lasts_s))
        part = np.ascontiguousarray(painted[:, first : max(first + 1, end)])
        made.append(cv2.resize(part, (px, px), interpolation=cv2.INTER_LINEAR))
    return torch.from_numpy(np.stack(made))


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
