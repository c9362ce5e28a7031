"""A clip with its face at another age: the head moves and speaks as it did, pictures and sound stay in step."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import curves, image, video
from selfsame.core.errors import BadInput
from selfsame.core.video import Frame
from selfsame.faces import align, paste, track
from selfsame.faces.align import Affine
from selfsame.faces.track import Track
from selfsame.jobs.progress import Progress, silent
from selfsame.tasks import clip_aging
from selfsame.tasks.time_machine import TimeMachine

BATCH = 8  # frames in memory at a time


@dataclass(frozen=True)
class VideoConfig:
    """How a clip is re-aged.

    `detail` is the share of all that the decoder misses in a frame which is kept (see `faces.paste`); `steady_s` and
    `calm_s` are the standard deviations over which the crop's place and the codes are smoothed. The age offset is
    averaged over `samples` frames; with `tuning_steps` the decoder is first tuned to show those frames.
    """

    detail: float = paste.DETAIL
    steady_s: float = 0.16
    calm_s: float = 0.08
    samples: int = 32
    tuning_steps: int = 0
    crf: int = 16


@dataclass(frozen=True)
class AgedVideo:
    """The file written, how many frames it has, and in how many of them a face was re-aged."""

    file: Path
    frames: int
    aged: int


@dataclass(frozen=True, eq=False)
class Read:
    """What the machine reads from a clip: a code for each of N frames with a face, and some crops among them.

    `sampled` says which of the N frames the crops show.
    """

    w_plus: Float[Tensor, "n l w"]
    crops: Float[Tensor, "m 3 s s"]
    sampled: list[int]


def age_video(
    machine: TimeMachine,
    clip: Path,
    years: int,
    out: Path,
    config: VideoConfig = VideoConfig(),
    progress: Progress = silent,
) -> AgedVideo:
    """Write `clip` as an MP4 with its largest face at an age; raises BadInput where it has none or cannot be read.

    The clip is streamed three times (where is the face, what is its code, how does it look), so that memory stays flat.
    Frames without a face pass unchanged. The file is written whole or not at all.
    """
    total = video.count(clip)
    found = track.follow(video.frames(clip), lambda done: progress("following the face", done, total))
    if not found.seen.any():
        raise BadInput(f"No face was found in {clip.name}.", "Choose a clip that shows one from the front, and large.")
    placed = track.crops(found, machine.sam.decoder.config.image_px, config.steady_s, machine.sam.alignment)
    read = read_codes(machine, clip, placed, config.samples, progress)
    offset = clip_aging.offset(machine, read.crops, years)
    w_plus = calm(read.w_plus, found, config.calm_s)
    if config.tuning_steps:
        machine = clip_aging.tuned(
            machine, read.crops, w_plus[read.sampled], config.tuning_steps,
            lambda done: progress("tuning the decoder", done, config.tuning_steps),
        )  # fmt: skip
    video.rewrite(out, clip, show(machine, clip, placed, w_plus, offset, config.detail, progress), crf=config.crf)
    return AgedVideo(out, len(placed), len(w_plus))


def read_codes(
    machine: TimeMachine, clip: Path, placed: list[Affine | None], samples: int, progress: Progress = silent
) -> Read:
    """The codes of all crops as they are, and `samples` crops evenly spread over the clip."""
    size_px = machine.sam.decoder.config.image_px
    count = sum(place is not None for place in placed)
    chosen = {round(i) for i in np.linspace(0, count - 1, min(samples, count))}
    codes, kept, done = [], [], 0
    for part in _batches(clip, placed):
        cut = [image.from_uint8(align.warp(frame.pixels, at, size_px)) for frame, at in part if at is not None]
        if cut:
            crops = torch.cat(cut).to(machine.sam.w_mean.device)
            codes.append(machine.invert(crops))
            kept += [crop for i, crop in enumerate(crops, done) if i in chosen]
            done += len(crops)
        progress("reading the face", done, count)
    return Read(torch.cat(codes), torch.stack(kept), sorted(chosen))


def calm(w_plus: Float[Tensor, "n l w"], found: Track, sigma_s: float) -> Float[Tensor, "n l w"]:
    """The codes smoothed in time over `sigma_s` seconds, each unbroken appearance of the face by itself."""
    made, first = [], 0
    for part in track.stretches(found):
        codes = w_plus[first : first + len(part)].flatten(1).cpu().numpy()
        made.append(torch.from_numpy(curves.smooth(found.times_s[part], codes, sigma_s)))
        first += len(part)
    return torch.cat(made).reshape(w_plus.shape).to(w_plus)


def show(
    machine: TimeMachine,
    clip: Path,
    placed: list[Affine | None],
    w_plus: Float[Tensor, "n l w"],
    offset: Float[Tensor, "l w"],
    detail: float,
    progress: Progress = silent,
) -> Iterator[Frame]:
    """The frames of the clip with the re-aged face pasted back, as they are asked for."""
    shown = 0
    for part in _batches(clip, placed):
        codes = w_plus[shown : shown + sum(at is not None for _, at in part)]
        both = (machine.decode(codes + offset), machine.decode(codes)) if len(codes) else ()
        pictures = zip(*(pictures.split(1) for pictures in both), strict=True)
        for frame, at in part:
            if at is None:
                yield frame
            else:
                yield Frame(frame.time_s, paste.back(frame.pixels, at, *next(pictures), detail=detail))
        shown += len(codes)
        progress("showing the age", shown, len(w_plus))


def _batches(clip: Path, placed: list[Affine | None]) -> Iterator[list[tuple[Frame, Affine | None]]]:
    """Frames with the places of their crops, a few at a time."""
    frames = zip(video.frames(clip), placed, strict=False)
    while part := list(islice(frames, BATCH)):
        yield part
