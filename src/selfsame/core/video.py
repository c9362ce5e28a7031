"""Video files by PyAV (its wheels carry FFmpeg): read frames, choose sharp frames, write H.264 with sound."""

import math
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import av
import cv2
import numpy as np
from av.video.reformatter import Colorspace
from jaxtyping import Float, UInt8
from torch import Tensor

from selfsame.core import image, soundtrack
from selfsame.core.config import writing
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.soundtrack import Packets, Sound

SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".3gp"})
JUDGED_SIDE_PX = 320  # frames are reduced to this before their sharpness is compared
TICKS = 90_000  # of a second, in which frames of uneven rates are timed
Codec = Literal["libx264", "libx265"]
BT709 = 1  # FFmpeg's number of HD video's colours


@dataclass(frozen=True, eq=False)
class Frame:
    """One upright 8-bit RGB frame (H, W, 3) and its time in seconds from the start."""

    time_s: float
    pixels: UInt8[np.ndarray, "h w 3"]


def frames(path: Path) -> Iterator[Frame]:
    """The frames of a video in order; raises BadInput where it cannot be opened, has no picture or no frame.

    A file damaged in its middle yields the frames before the damage.
    """
    return (Frame(time_s, _upright(frame)) for time_s, frame in _decoded(path))


def picked(path: Path, numbers: Collection[int]) -> Iterator[tuple[int, Frame]]:
    """Only the frames with these numbers (from 0, in order of time), each with its number; raises BadInput as `frames`.

    Nothing is decoded after the last of them, and the others are never turned into RGB.
    """
    wanted, last = frozenset(numbers), max(numbers, default=-1)
    for number, (time_s, frame) in enumerate(_decoded(path)):
        if number in wanted:
            yield number, Frame(time_s, _upright(frame))
        if number >= last:
            return


def count(path: Path) -> int:
    """About how many frames a video has, by its packets; 0 where it cannot be read."""
    return len(_packet_times_s(path))


def begins_s(path: Path) -> float:
    """When the first frame is shown, in seconds on the file's own clock, by its packets; 0 where it cannot be read."""
    return min(_packet_times_s(path), default=0.0)


def times_s(path: Path) -> list[float]:
    """When each frame is shown, in order, in seconds since the first, by the packets; none where it cannot be read."""
    times = sorted(_packet_times_s(path))
    return [time - times[0] for time in times]


def recorded(path: Path) -> datetime | None:
    """When the video was recorded, by its container's creation time (cameras write UTC)."""
    try:
        with av.open(str(path)) as container:
            return datetime.fromisoformat(container.metadata.get("creation_time", ""))
    except (av.error.FFmpegError, OSError, ValueError):
        return None


def sharp_frames(path: Path, count: int) -> Iterator[tuple[int, Frame]]:
    """At most `count` frames in order: the sharpest of each of `count` equal parts of the time, rather from its middle.

    Each comes with its number as in `picked`. Raises BadInput as `frames` does.
    """
    step_s = max(times_s(path), default=0.0) / count or math.inf

    def merit(counted: tuple[int, tuple[float, av.VideoFrame]]) -> float:
        time_s, frame = counted[1]
        return _sharpness(frame) * (1 - abs(time_s / step_s % 1 - 0.5))

    def part(counted: tuple[int, tuple[float, av.VideoFrame]]) -> int:
        return min(count - 1, int(counted[1][0] / step_s))

    for _, frames_of_part in groupby(enumerate(_decoded(path)), key=part):
        number, (time_s, frame) = max(frames_of_part, key=merit)
        yield number, Frame(time_s, _upright(frame))


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
    with _whole(path) as temporary, av.open(str(temporary), "w") as container:
        rate = Fraction(fps).limit_denominator(1001)
        stream = _coded(container, rate, 1 / rate, crf)
        timed = ((float(i / rate), _even(image.to_uint8(x[None])[0])) for i, x in enumerate(images))
        _encode(container, stream, timed, soundtrack.spoken(container, sound) if sound else iter(()))


def rewrite(path: Path, source: Path, pictures: Iterable[Frame], *, crf: int = 18, codec: Codec = "libx264") -> None:
    """H.264 (or H.265) in MP4 of pictures made from the frames of `source`, with its times, colours and sound.

    The pictures come one by one and none is kept; the file is written whole or not at all. Odd sides grow by one
    repeated pixel.
    """
    with _whole(path) as temporary, _opened(source) as read:
        if not read.streams.video:
            raise BadInput(f"{source.name} has no video stream.")
        stream = read.streams.video[0]
        first_s = float((stream.start_time or 0) * stream.time_base)
        with av.open(str(temporary), "w") as container:
            made = _coded(container, stream.average_rate or Fraction(25), Fraction(1, TICKS), crf, codec)
            for name in ("colorspace", "color_primaries", "color_trc"):
                setattr(made.codec_context, name, getattr(stream.codec_context, name))
            colours = Colorspace.ITU709 if stream.codec_context.colorspace == BT709 else None
            timed = ((first_s + frame.time_s, _even(frame.pixels)) for frame in pictures)
            _encode(container, made, timed, soundtrack.kept(container, read), colours)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The container of a video file; raises BadInput where it cannot be read as one."""
    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, OSError) as error:
        raise BadInput(f"{path.name} cannot be read as a video ({error.strerror}).") from error
    with container:
        yield container


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends well and is gone otherwise."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            temporary = Path(folder) / "video.mp4"
            yield temporary
            temporary.replace(path)


def _coded(container: Any, rate: Fraction, tick: Fraction, crf: int, codec: Codec = "libx264") -> Any:
    """A new stream of about `rate` frames a second, timed in `tick` seconds."""
    quiet = {"x265-params": "log-level=error"} if codec == "libx265" else {}
    stream = container.add_stream(codec, rate=rate, options={"crf": str(crf), **quiet})
    stream.codec_context.time_base = tick
    return stream


def _even(pixels: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "hh ww 3"]:
    height, width, _ = pixels.shape
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _encode(
    container: Any,
    stream: Any,
    timed: Iterable[tuple[float, UInt8[np.ndarray, "h w 3"]]],
    heard: Packets,
    colours: Colorspace | None = None,
) -> None:
    """Encode pictures, each with its time in seconds, and the sound in step with them."""
    tick, count, heard_s = stream.codec_context.time_base, 0, 0.0
    for time_s, array in timed:
        if not count:
            stream.height, stream.width, stream.pix_fmt = array.shape[0], array.shape[1], "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=colours)
        frame.pts, frame.time_base = round(time_s / tick), tick
        container.mux(stream.encode(frame))
        count += 1
        while heard_s < time_s:  # in step with the pictures: what runs ahead waits in memory
            heard_s, packets = next(heard, (math.inf, []))
            container.mux(packets)
    if not count:
        raise WrongUse("A video needs at least one frame.")
    container.mux(stream.encode())
    for _, packets in heard:
        container.mux(packets)


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


def _packet_times_s(path: Path) -> list[float]:
    """The times of a video's frames from its packets, in no order: headers lie or are missing."""
    try:
        with av.open(str(path)) as container:
            return [float(p.pts * p.time_base) for p in container.demux(video=0) if p.pts is not None and p.time_base]
    except (av.error.FFmpegError, OSError, IndexError, ValueError):
        return []  # `frames` says what is wrong with it


def _upright(frame: av.VideoFrame) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels turned as the phone was held (the display matrix says by how much)."""
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), quarter_turns))


def _sharpness(frame: av.VideoFrame) -> float:
    """Variance of the Laplacian of the reduced grey picture."""
    scale = min(1.0, JUDGED_SIDE_PX / max(frame.width, frame.height))
    small = frame.reformat(width=round(frame.width * scale), height=round(frame.height * scale), format="gray")
    return float(cv2.Laplacian(small.to_ndarray(), cv2.CV_64F).var())
