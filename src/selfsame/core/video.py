"""Video files by PyAV (its wheels carry FFmpeg): read frames and sound, choose sharp frames, write H.264 and AAC."""

import math
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from selfsame.core import image
from selfsame.core.config import writing
from selfsame.core.errors import BadInput, WrongUse

SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".3gp"})
JUDGED_SIDE_PX = 320  # frames are reduced to this before their sharpness is compared
AAC_SAMPLES = 1024  # of one packet
AAC_BITS = 96_000  # a second


@dataclass(frozen=True, eq=False)
class Frame:
    """One upright 8-bit RGB frame (H, W, 3) and its time in seconds from the start."""

    time_s: float
    pixels: UInt8[np.ndarray, "h w 3"]


class Sound(NamedTuple):
    """Mono samples (S,) in [-1, 1], float32, and how many of them a second has."""

    rate_hz: int
    samples: Float[np.ndarray, "s"]


def frames(path: Path) -> Iterator[Frame]:
    """The frames of a video in order; raises BadInput where it cannot be opened, has no picture or no frame.

    A file damaged in its middle yields the frames before the damage.
    """
    return (Frame(time_s, _upright(frame)) for time_s, frame in _decoded(path))


def recorded(path: Path) -> datetime | None:
    """When the video was recorded, by its container's creation time (cameras write UTC)."""
    try:
        with av.open(str(path)) as container:
            return datetime.fromisoformat(container.metadata.get("creation_time", ""))
    except (av.error.FFmpegError, OSError, ValueError):
        return None


def sharp_frames(path: Path, count: int) -> Iterator[Frame]:
    """At most `count` frames in order: the sharpest of each of `count` equal parts of the time, rather from its middle.

    Raises BadInput as `frames` does.
    """
    step_s = _last_s(path) / count or math.inf

    def merit(timed: tuple[float, av.VideoFrame]) -> float:
        off_centre = abs(timed[0] / step_s % 1 - 0.5)
        return _sharpness(timed[1]) * (1 - off_centre)

    for _, part in groupby(_decoded(path), key=lambda timed: min(count - 1, int(timed[0] / step_s))):
        time_s, frame = max(part, key=merit)
        yield Frame(time_s, _upright(frame))


def read_audio(path: Path) -> Sound:
    """The sound of a video as one channel from time 0 on; raises BadInput where there is none."""
    parts: list[np.ndarray] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise BadInput(f"{path.name} has no sound.")
            stream = container.streams.audio[0]
            rate_hz, last_s = int(stream.rate), float((stream.duration or 0) * stream.time_base) or math.inf
            mono = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
            for frame in container.decode(audio=0):
                if not parts and frame.time:
                    parts.append(np.zeros(max(0, round(frame.time * rate_hz)), np.float32))
                parts += [part.to_ndarray()[0] for part in mono.resample(frame)]
    except (av.error.FFmpegError, OSError) as error:
        raise BadInput(f"The sound of {path.name} cannot be read ({error.strerror}).") from error
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    length = round(min(last_s * rate_hz, len(samples)))  # without the padding of the last packet
    return Sound(rate_hz, samples[:length])


def write(
    path: Path,
    images: Iterable[Float[Tensor, "3 h w"]],
    fps: float = 25.0,
    *,
    crf: int = 18,
    sound: Sound | None = None,
) -> None:
    """H.264 in MP4 of images in [-1, 1], with AAC where there is sound, whole or not at all.

    The images are a tensor (t, 3, h, w) or come one by one, in which case none is kept. Odd sides grow by one repeated
    pixel, as 4:2:0 needs.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            temporary = Path(folder) / "video.mp4"
            _encode(temporary, map(_even, images), fps, crf, sound)
            temporary.replace(path)


def _even(picture: Float[Tensor, "3 h w"]) -> UInt8[np.ndarray, "hh ww 3"]:
    pixels = image.to_uint8(picture[None])[0]
    height, width, _ = pixels.shape
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _encode(
    path: Path, pixels: Iterator[UInt8[np.ndarray, "h w 3"]], fps: float, crf: int, sound: Sound | None
) -> None:
    with av.open(str(path), "w") as container:
        rate = Fraction(fps).limit_denominator(1001)
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf)})
        heard = _packets(container.add_stream("aac", rate=sound.rate_hz, layout="mono"), sound) if sound else iter(())
        count, heard_s = 0, 0.0
        for array in pixels:
            if not count:
                stream.height, stream.width, stream.pix_fmt = array.shape[0], array.shape[1], "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24")))
            count += 1
            while heard_s < count / rate:  # in step with the pictures: what runs ahead waits in memory
                heard_s, packets = next(heard, (math.inf, []))
                container.mux(packets)
        if not count:
            raise WrongUse("A video needs at least one frame.")
        container.mux(stream.encode())
        for _, packets in heard:
            container.mux(packets)


def _packets(stream: Any, sound: Sound) -> Iterator[tuple[float, list[av.Packet]]]:
    """The sound as AAC, piece by piece, each with the time in seconds at which it ends."""
    stream.bit_rate = AAC_BITS
    for first in range(0, len(sound.samples), AAC_SAMPLES):
        piece = sound.samples[first : first + AAC_SAMPLES].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(piece[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = sound.rate_hz, first, Fraction(1, sound.rate_hz)
        yield (first + len(piece)) / sound.rate_hz, stream.encode(frame)
    yield math.inf, stream.encode()


def _decoded(path: Path) -> Iterator[tuple[float, av.VideoFrame]]:
    """Seconds since the first frame and the frame as the codec gave it."""
    first_s: float | None = None
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise BadInput(f"{path.name} has no video stream.")
            container.streams.video[0].thread_type = "AUTO"
            for number, frame in enumerate(container.decode(video=0)):
                time_s = frame.time if frame.time is not None else number / 25
                first_s = time_s if first_s is None else first_s
                yield time_s - first_s, frame
    except (av.error.FFmpegError, OSError) as error:
        if first_s is None:
            raise BadInput(f"{path.name} cannot be read as a video ({error.strerror}).") from error
    if first_s is None:
        raise BadInput(f"{path.name} has no frames.")


def _last_s(path: Path) -> float:
    """Seconds between the first and the last frame, from the packets: headers lie or are missing."""
    try:
        with av.open(str(path)) as container:
            times = [float(p.pts * p.time_base) for p in container.demux(video=0) if p.pts is not None and p.time_base]
            return max(times) - min(times) if times else 0.0
    except (av.error.FFmpegError, OSError, IndexError, ValueError):
        return 0.0  # `frames` says what is wrong with it


def _upright(frame: av.VideoFrame) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels turned as the phone was held (the display matrix says by how much)."""
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), quarter_turns))


def _sharpness(frame: av.VideoFrame) -> float:
    """Variance of the Laplacian of the reduced grey picture."""
    scale = min(1.0, JUDGED_SIDE_PX / max(frame.width, frame.height))
    small = frame.reformat(width=round(frame.width * scale), height=round(frame.height * scale), format="gray")
    return float(cv2.Laplacian(small.to_ndarray(), cv2.CV_64F).var())
