"""Clips brought to one format, so that neither size, frame rate, codec, bits nor sound can tell a generator."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from selfsame.clips import media
from selfsame.core import image, soundtrack, video
from selfsame.core.errors import BadInput
from selfsame.core.soundtrack import Sound
from selfsame.core.video import Frame
from selfsame.faces import detect

LOOKED_AT = 5  # frames in which the face is looked for


@dataclass(frozen=True)
class NormalConfig:
    """The format: a square of `px`, frames a second, seconds from the start (0: the whole clip), H.264's CRF, and sound
    of `sound_hz` (0: none at all; otherwise clips without sound become silent).
    """

    px: int = 512
    fps: float = 25.0
    seconds: float = 9.0
    crf: int = 23
    sound_hz: int = 0

    def fits(self, seconds: float) -> bool:
        """Whether a clip is long enough; a frame less is forgiven."""
        return seconds > self.seconds - 1 / self.fps - 1e-6


def write(source: Path, path: Path, config: NormalConfig) -> None:
    """Write a clip in the format, whole or not at all; raises BadInput where it cannot be read or is too short.

    The square is as large as the picture allows and lies about the face, or in the middle where none is found.
    """
    if not config.fits(media.probe(source).seconds):
        raise BadInput(f"{source.name} is shorter than {config.seconds:g} seconds.", "Ask for fewer seconds.")
    middle = _middle(source)
    pictures = (image.from_uint8(_square(frame.pixels, middle, config.px))[0] for frame in _timed(source, config))
    video.write(path, pictures, config.fps, crf=config.crf, sound=_sound(source, config))


def _timed(source: Path, config: NormalConfig) -> Iterator[Frame]:
    """What is shown at each tick of the new rate: the last frame at or before it."""
    most = round(config.seconds * config.fps) or math.inf
    number, shown = 0, None
    for frame in video.frames(source):
        while shown is not None and number < most and number / config.fps < frame.time_s - 1e-6:
            yield Frame(number / config.fps, shown.pixels)
            number += 1
        if number >= most:
            return
        shown = frame
    # The last frame; where a length is asked for, it fills what a clip that ends a frame early leaves open.
    while shown is not None and number < (most if config.seconds else number + 1):
        yield Frame(number / config.fps, shown.pixels)
        number += 1
        if not config.seconds:
            return


def _middle(source: Path) -> Float[np.ndarray, "2"]:
    """Where the face is on average, as shares of width and height."""
    count = max(1, video.count(source))
    numbers = np.linspace(0, count - 1, LOOKED_AT).astype(int).tolist()
    found = []
    for _, frame in video.picked(source, numbers):
        faces = detect.detect(frame.pixels)
        if faces:
            size = np.array([frame.pixels.shape[1], frame.pixels.shape[0]])
            found.append((faces[0].box[:2] + faces[0].box[2:]) / 2 / size)
    return np.mean(found, 0) if found else np.array([0.5, 0.5])


def _square(
    pixels: UInt8[np.ndarray, "h w 3"], middle: Float[np.ndarray, "2"], px: int
) -> UInt8[np.ndarray, "1 p p 3"]:
    height, width = pixels.shape[:2]
    side = min(height, width)
    left, top = (
        int(np.clip(round(share * whole - side / 2), 0, whole - side))
        for share, whole in zip(middle, (width, height), strict=True)
    )
    cut = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    way = cv2.INTER_AREA if side > px else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(cut, (px, px), interpolation=way) if side != px else cut, dtype=np.uint8)[None]


def _sound(source: Path, config: NormalConfig) -> Sound | None:
    if not config.sound_hz:
        return None
    length = round((config.seconds or media.probe(source).seconds) * config.sound_hz)
    try:
        heard = soundtrack.read(source)
    except BadInput:
        return Sound(config.sound_hz, np.zeros(length, np.float32))
    from scipy.signal import resample_poly

    samples = resample_poly(heard.samples, config.sound_hz, heard.rate_hz).astype(np.float32)[:length]
    return Sound(config.sound_hz, np.pad(samples, (0, length - len(samples))))
