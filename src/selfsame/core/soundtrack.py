"""The sound of a video: read as samples, and written from samples or taken over from another video."""

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from jaxtyping import Float

from selfsame.core.errors import BadInput

JUMP_S = 0.02  # containers round times; what differs by more is a pause
AAC_SAMPLES = 1024  # of one packet
AAC_BITS = 96_000  # a second and channel
AAC_RATES_HZ = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000})
COPIED = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus"})  # codecs whose packets players take from an MP4

Packets = Iterator[tuple[float, list[Any]]]
"""Encoded sound piece by piece, each with the time in seconds at which it ends."""


class Sound(NamedTuple):
    """Mono samples (S,) in [-1, 1], float32, and how many of them a second has."""

    rate_hz: int
    samples: Float[np.ndarray, "s"]


def read(path: Path, rate_hz: int | None = None) -> Sound:
    """The sound of a video as one channel from time 0 on, at another rate if asked for; raises BadInput where there is
    none.

    Samples stand where their times say, and pauses are zeros.
    """
    parts: list[tuple[int, np.ndarray]] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise BadInput(f"{path.name} has no sound.", "Give a video with a sound track.")
            stream = container.streams.audio[0]
            rate_hz = rate_hz or int(stream.rate)
            lasts_s = float((stream.duration or 0) * stream.time_base) or math.inf
            last_s = lasts_s + float((stream.start_time or 0) * stream.time_base)
            mono, end = av.AudioResampler(format="flt", layout="mono", rate=rate_hz), 0
            for frame in _frames(container):
                for part in mono.resample(frame):
                    samples, told = part.to_ndarray()[0], round((part.time or 0.0) * rate_hz)
                    first = told if not parts or abs(told - end) > JUMP_S * rate_hz else end
                    parts.append((first, samples))
                    end = first + len(samples)
    except (av.error.FFmpegError, OSError) as error:
        raise BadInput(f"The sound of {path.name} cannot be read ({error.strerror}).") from error
    length = max((first + len(samples) for first, samples in parts), default=0)
    whole = np.zeros(max(0, round(min(last_s * rate_hz, length))), np.float32)  # without the padding of the last packet
    for first, samples in parts:
        shown = samples[max(0, -first) :][: max(0, len(whole) - max(0, first))]
        whole[max(0, first) :][: len(shown)] = shown
    return Sound(rate_hz, whole)


def _frames(container: Any) -> Iterator[Any]:
    """The frames of the first sound, and None, upon which a resampler gives the rest."""
    yield from container.decode(audio=0)
    yield None


def spoken(container: Any, sound: Sound) -> Packets:
    """A new stream of `container`: samples as AAC."""
    stream = container.add_stream("aac", rate=sound.rate_hz, layout="mono")
    stream.bit_rate = AAC_BITS
    return _spoken(stream, sound)


def _spoken(stream: Any, sound: Sound) -> Packets:
    for first in range(0, len(sound.samples), AAC_SAMPLES):
        piece = sound.samples[first : first + AAC_SAMPLES].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(piece[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = sound.rate_hz, first, Fraction(1, sound.rate_hz)
        yield (first + len(piece)) / sound.rate_hz, stream.encode(frame)
    yield math.inf, stream.encode()


def kept(container: Any, source: Any) -> Packets:
    """A new stream of `container` for each sound of the opened `source`, at the times it has there.

    Packets are copied untouched where an MP4 can hold their codec; other sound becomes AAC. A source damaged in its
    middle gives what stands before.
    """
    copied = {s.index: container.add_stream_from_template(s) for s in source.streams.audio if _copies(s)}
    anew = {s.index: _aac(container, s) for s in source.streams.audio if not _copies(s)}
    return _kept(copied, anew, source) if copied or anew else iter(())


def _copies(stream: Any) -> bool:
    return stream.codec_context.name in COPIED


def _aac(container: Any, like: Any) -> Any:
    """A new AAC stream of the channels and, where AAC knows it, of the rate of another."""
    rate_hz = like.rate if like.rate in AAC_RATES_HZ else 48_000
    stream = container.add_stream("aac", rate=rate_hz, layout=like.layout.name)
    stream.bit_rate = AAC_BITS * like.channels
    return stream


def _kept(copied: dict[int, Any], anew: dict[int, Any], source: Any) -> Packets:
    ends_s = 0.0
    try:
        for packet in source.demux(*source.streams.audio):
            if packet.pts is not None:
                ends_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            stream = copied.get(packet.stream.index)
            if stream is None:
                yield ends_s, [p for frame in packet.decode() for p in anew[packet.stream.index].encode(frame)]
            elif packet.dts is not None:  # the last packet of a stream is empty
                packet.stream = stream
                yield ends_s, [packet]
    except av.error.FFmpegError:
        pass
    yield math.inf, [packet for stream in anew.values() for packet in stream.encode()]
