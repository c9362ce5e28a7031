"""Perturbations of clips: DeeperForensics's seven at five levels as their code does them, the same as their names say,
and real codecs [Jiang et al. 2020; facts, section 9].

Frames are 8-bit RGB. Chance is a function of the seed, the clip and the frame: a perturbed set can be made again.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from selfsame.core import rng, video
from selfsame.core.errors import WrongUse
from selfsame.core.video import Codec, Frame

Pixels = UInt8[np.ndarray, "h w 3"]
FrameEffect = Callable[[Pixels, float, np.random.Generator], Pixels]
LEVELS = 5
NEARLY_LOSSLESS = 10  # CRF with which changed frames are written: what is tested is the change
BLOCK_PX = 8
LUMA, CHROMA = (219.0, 16.0), (224.0, 16.0)  # studio range: factor and offset


def saturation_as_coded(frame: Pixels, factor: float, random: np.random.Generator) -> Pixels:
    """Chroma pulled to the middle; the cast to 8 bit wraps around, as in the published code."""
    studio = _to_studio(frame)
    studio[..., 1:] = 0.5 + (studio[..., 1:] - 0.5) * factor
    made: Pixels = np.trunc(_from_studio(studio)).astype(np.int64).astype(np.uint8)
    return made


def saturation(frame: Pixels, factor: float, random: np.random.Generator) -> Pixels:
    """Colours mixed with their grey."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float64)
    return _rounded(grey + (frame - grey) * factor)


def contrast_as_coded(frame: Pixels, factor: float, random: np.random.Generator) -> Pixels:
    """All values times the factor: a darkening."""
    return (frame * np.float32(factor)).astype(np.uint8)


def contrast(frame: Pixels, factor: float, random: np.random.Generator) -> Pixels:
    """Values pulled to the frame's mean."""
    mean = frame.mean()
    return _rounded(mean + (frame - mean) * factor)


def blocks_as_coded(frame: Pixels, count: float, random: np.random.Generator) -> Pixels:
    """Grey squares of 8 px: min(height, width) // 256 times the count, so none on frames below 256 px."""
    return _with_blocks(frame, min(frame.shape[:2]) // 256 * int(count), random)


def blocks(frame: Pixels, count: float, random: np.random.Generator) -> Pixels:
    """Grey squares of 8 px, as many a pixel as the published code has on 256 px."""
    return _with_blocks(frame, round(count * frame.shape[0] * frame.shape[1] / 256**2), random)


def noise_as_coded(frame: Pixels, variance: float, random: np.random.Generator) -> Pixels:
    """Gaussian noise on all three planes of YCbCr in studio range."""
    studio = _to_studio(frame)
    noisy = studio / 255 + np.sqrt(variance) * random.standard_normal(studio.shape)
    return np.asarray(np.clip(_from_studio(noisy * 255), 0, 255), dtype=np.uint8)


def noise(frame: Pixels, variance: float, random: np.random.Generator) -> Pixels:
    """Gaussian noise of this variance on RGB in [0, 1]."""
    return _rounded(frame + 255 * np.sqrt(variance) * random.standard_normal(frame.shape))


def blur(frame: Pixels, side: float, random: np.random.Generator) -> Pixels:
    """A Gaussian of `side` px, with a sixth of it as standard deviation."""
    return np.asarray(cv2.GaussianBlur(frame, (int(side), int(side)), side / 6), dtype=np.uint8)


def pixelation(frame: Pixels, factor: float, random: np.random.Generator) -> Pixels:
    """Smaller and back, bilinear: what the published code calls JPEG."""
    height, width = frame.shape[:2]
    small = cv2.resize(frame, (int(width / factor), int(height / factor)))
    return np.asarray(cv2.resize(small, (width, height)), dtype=np.uint8)


def jpeg(frame: Pixels, quality: float, random: np.random.Generator) -> Pixels:
    """JPEG of a quality."""
    data = io.BytesIO()
    Image.fromarray(frame).save(data, "JPEG", quality=int(quality))
    return np.asarray(Image.open(data), dtype=np.uint8)


@dataclass(frozen=True)
class Perturbation:
    """Its five levels from weak to strong, and what it does to a frame, or the codec whose CRF they are."""

    levels: tuple[float, float, float, float, float]
    frame: FrameEffect | None = None
    codec: Codec | None = None


AS_CODED: Mapping[str, Perturbation] = {
    "CS": Perturbation((0.4, 0.3, 0.2, 0.1, 0.0), saturation_as_coded),
    "CC": Perturbation((0.85, 0.725, 0.6, 0.475, 0.35), contrast_as_coded),
    "BW": Perturbation((16, 32, 48, 64, 80), blocks_as_coded),
    "GNC": Perturbation((0.001, 0.002, 0.005, 0.01, 0.05), noise_as_coded),
    "GB": Perturbation((7, 9, 13, 17, 21), blur),
    "JPEG": Perturbation((2, 3, 4, 5, 6), pixelation),
    "VC": Perturbation((30, 32, 35, 38, 40), codec="libx264"),
}
AS_NAMED: Mapping[str, Perturbation] = {
    "saturation": Perturbation(AS_CODED["CS"].levels, saturation),
    "contrast": Perturbation(AS_CODED["CC"].levels, contrast),
    "blocks": Perturbation(AS_CODED["BW"].levels, blocks),
    "noise": Perturbation(AS_CODED["GNC"].levels, noise),
    "blur": Perturbation(AS_CODED["GB"].levels, blur),
    "jpeg": Perturbation((80, 60, 40, 20, 10), jpeg),
    "h264": Perturbation((23, 28, 33, 38, 43), codec="libx264"),
    "h265": Perturbation((23, 28, 33, 38, 43), codec="libx265"),
}
PERTURBATIONS: Mapping[str, Perturbation] = {**AS_CODED, **AS_NAMED}


def checked(name: str, level: int) -> tuple[Perturbation, float]:
    """A perturbation and the value of a level from 1 to 5; raises WrongUse where there is no such one."""
    if name not in PERTURBATIONS:
        raise WrongUse(f"There is no perturbation {name}.", f"Give one of {', '.join(PERTURBATIONS)}.")
    if not 1 <= level <= LEVELS:
        raise WrongUse(f"There is no level {level}.", f"Levels are 1 to {LEVELS}.")
    chosen = PERTURBATIONS[name]
    return chosen, chosen.levels[level - 1]


def frames(source: Path, name: str, level: int, seed: int = 0, unit: str | None = None) -> Iterator[Frame]:
    """The frames of a clip, perturbed one by one; as they are where the perturbation is a codec's.

    `unit` (by default the file's name) keeps the randomness of a clip its own.
    """
    chosen, value = checked(name, level)
    for number, frame in enumerate(video.frames(source)):
        if chosen.frame is None:
            yield frame
        else:
            random = np.random.default_rng(rng.key(seed, "perturbation", name, level, unit or source.name, number))
            yield Frame(frame.time_s, chosen.frame(frame.pixels, value, random))


def write(source: Path, path: Path, name: str, level: int, seed: int = 0, unit: str | None = None) -> None:
    """Write a perturbed clip, every frame at its time and the sound as it was, whole or not at all."""
    chosen, value = checked(name, level)
    pictures = frames(source, name, level, seed, unit)
    video.rewrite(
        path, source, pictures, crf=int(value) if chosen.codec else NEARLY_LOSSLESS, codec=chosen.codec or "libx264"
    )


def _with_blocks(frame: Pixels, count: int, random: np.random.Generator) -> Pixels:
    made = frame.copy()
    for _ in range(count):
        top, left = (int(random.integers(0, side - BLOCK_PX)) for side in frame.shape[:2])
        made[top : top + BLOCK_PX, left : left + BLOCK_PX] = 128
    return made


def _to_studio(frame: Pixels) -> Float[np.ndarray, "h w 3"]:
    """Y, Cb, Cr in studio range of values from 0 to 255, by OpenCV's floating point formula [as DeeperForensics]."""
    ycc = cv2.cvtColor(frame.astype(np.float32), cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]].astype(np.float64)
    return np.concatenate(
        [(ycc[..., :1] * LUMA[0] + LUMA[1]) / 255, (ycc[..., 1:] * CHROMA[0] + CHROMA[1]) / 255], -1
    )  # fmt: skip


def _from_studio(studio: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    luma, chroma = (studio[..., :1] * 255 - LUMA[1]) / LUMA[0], (studio[..., 1:] * 255 - CHROMA[1]) / CHROMA[0]
    ycc = np.concatenate([luma, chroma], -1).astype(np.float32)[..., [0, 2, 1]]
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(ycc), cv2.COLOR_YCrCb2RGB), dtype=np.float64)


def _rounded(values: Float[np.ndarray, "h w 3"]) -> Pixels:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
