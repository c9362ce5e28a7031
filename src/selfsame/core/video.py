"""Video files by PyAV (its wheels carry FFmpeg): read frames, choose sharp ones, write H.264."""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from selfsame.core import image
from selfsame.core.config import writing
from selfsame.core.errors import BadInput

SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".3gp"})
JUDGED_SIDE_PX = 320  # frames are reduced to this before their sharpness is compared


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


def write(path: Path, images: Float[Tensor, "t 3 h w"], fps: float = 25.0, *, crf: int = 18) -> None:
    """H.264 in MP4 of images in [-1, 1], whole or not at all; odd sides grow by one repeated pixel, as 4:2:0 needs."""
    pixels = image.to_uint8(images)
    _, height, width, _ = pixels.shape
    pixels = np.pad(pixels, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            temporary = Path(folder) / "video.mp4"
            _encode(temporary, pixels, fps, crf)
            temporary.replace(path)


def _encode(path: Path, pixels: UInt8[np.ndarray, "t h w 3"], fps: float, crf: int) -> None:
    with av.open(str(path), "w") as container:
        rate = Fraction(fps).limit_denominator(1001)
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf)})
        stream.height, stream.width, stream.pix_fmt = pixels.shape[1], pixels.shape[2], "yuv420p"
        for array in pixels:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24")))
        container.mux(stream.encode())


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
