"""What a video's container says of it, without decoding a frame: also what gives generators away."""

from dataclasses import dataclass
from pathlib import Path

import av

from selfsame.core.config import STRICT
from selfsame.core.errors import BadInput


@dataclass(frozen=True)
class Media:
    """The picture's size in pixels, frames a second, frames, seconds, codecs, bits a second of the picture, and samples
    a second of the sound (0: there is none).
    """

    __pydantic_config__ = STRICT

    width: int
    height: int
    fps: float
    frames: int
    seconds: float
    codec: str
    bit_rate: float
    audio_codec: str
    audio_hz: int


def probe(path: Path) -> Media:
    """What the container of a video says; raises BadInput where it is none, or has no picture or no frame.

    Bits a second are those of the picture's packets where the container says nothing.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise BadInput(f"{path.name} has no picture.")
            video = container.streams.video[0]
            audio = container.streams.audio[0] if container.streams.audio else None
            sizes = [] if video.frames and video.bit_rate else [p.size for p in container.demux(video) if p.size]
            frames = video.frames or len(sizes)
            rate = float(video.average_rate or video.guessed_rate or 0)
            seconds = float(video.duration * video.time_base) if video.duration and video.time_base else 0.0
            seconds = seconds or (frames / rate if rate else 0.0)
            if not frames or not seconds:
                raise BadInput(f"{path.name} holds no frame.")
            codecs = [s.codec_context.codec.canonical_name if s else "" for s in (video, audio)]
            return Media(
                width=video.width, height=video.height, fps=round(rate, 3), frames=frames, seconds=round(seconds, 3),
                codec=codecs[0], bit_rate=round(video.bit_rate or 8 * sum(sizes) / seconds),
                audio_codec=codecs[1], audio_hz=audio.rate if audio else 0,
            )  # fmt: skip
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise BadInput(f"{path.name} cannot be read as a video.", "Copy it again from where it came from.") from error
