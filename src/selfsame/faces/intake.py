"""From a file to measured, aligned crops: every photo ends as a crop or as a sentence that says why not."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from selfsame.core import alike, camera, files, video
from selfsame.core.errors import BadInput
from selfsame.faces import align, detect, photo, pose, quality
from selfsame.faces.align import Affine
from selfsame.faces.quality import Quality


@dataclass(frozen=True, eq=False)
class Source:
    """One photo or video frame before anybody looked for a face; `problem` says why there are no `pixels`.

    `folder` is the name of the folder or archive that the file lies in.
    """

    file: str
    folder: str
    digest: str
    time_s: float | None
    taken: datetime | None
    pixels: UInt8[np.ndarray, "h w 3"] | None
    problem: str | None = None


@dataclass(frozen=True, eq=False)
class Measured:
    """An aligned `image` (1, 3, S, S), EG3D's label of its camera, its landmarks as shares of the side, its quality.

    `transform` leads from the pixels of the photo to those of the image.
    """

    image: Float[Tensor, "1 3 s s"]
    label: tuple[float, ...]
    landmarks: tuple[tuple[float, float], ...]
    quality: Quality
    transform: Affine


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The given files and, sorted, the unhidden ones inside given folders; raises BadInput if one is missing."""
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise BadInput(f"{path} does not exist.")
        inside = (
            sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
            if path.is_dir()
            else [path]
        )
        files += inside
    return files


def is_video(path: Path) -> bool:
    """Whether the name says that a file is a video."""
    return path.suffix.lower() in video.SUFFIXES


def sources(path: Path, known: frozenset[str], frames_per_video: int) -> Iterator[Source]:
    """The photo or the chosen frames of one file; pixels stay unread where the digest is `known` already."""
    named = path.name, path.absolute().parent.name
    try:
        digest = files.digest(path)
    except BadInput as error:
        yield Source(*named, _text_digest(f"unreadable {path}"), None, None, None, error.what)
        return
    if digest in known:
        yield Source(*named, digest, None, None, None)
        return
    try:
        if is_video(path):
            yield from _frames(path, digest, known, frames_per_video)
        else:
            read = photo.read(path)
            yield Source(*named, digest, None, read.taken, read.pixels)
    except BadInput as error:
        yield Source(*named, digest, None, None, None, error.what)


def measure(pixels: UInt8[np.ndarray, "h w 3"], size_px: int) -> Measured:
    """The subject's aligned crop, at most `size_px` a side and no larger than the photo shows it, with its camera.

    Raises BadInput where there is no single, large enough face.
    """
    face = detect.refine(pixels, detect.the_face(detect.detect(pixels)))
    native_px = 1 / float(np.linalg.norm(align.eg3d_transform(face.landmarks, 1)[:, 0]))
    side = min(size_px, align.native_size_px(align.eg3d_transform(face.landmarks, size_px), size_px))
    crop = align.crop(pixels, face.landmarks, align.eg3d_transform(face.landmarks, side), side)
    shares = (crop.landmarks + 0.5) / side
    found = pose.camera_from_landmarks(shares)
    yaw, pitch = (float(torch.rad2deg(angle)) for angle in camera.angles(found.camera))
    with detect.one_thread():
        small = quality.standard(crop.image)
        lids = quality.lids(crop.image, shares[:2], yaw)
    grey = quality.grey(small)
    measures = Quality(
        sharpness=round(quality.sharpness(grey), 2),
        exposure=round(quality.exposure(grey), 4),
        face_px=round(face.size_px, 1),
        yaw_degrees=round(yaw, 2),
        pitch_degrees=round(pitch, 2),
        pose_error=round(found.error, 5),
        invented=round(crop.invented, 4),
        hash=alike.perceptual_hash(grey),
        saturation=round(quality.saturation(small), 4),
        scatter=round(quality.scatter((face.spread_px or 0.0) / native_px, face.probability, yaw), 5),
        lids=None if lids is None else round(lids, 3),
    )
    landmarks = tuple((round(float(u), 6), round(float(v), 6)) for u, v in shares)
    return Measured(crop.image, tuple(found.camera.pack()[0].tolist()), landmarks, measures, crop.transform)


def _frames(path: Path, digest: str, known: frozenset[str], count: int) -> Iterator[Source]:
    taken = video.recorded(path)
    for frame in video.sharp_frames(path, count):
        frame_digest = _text_digest(f"{digest} {frame.time_s:.3f}")
        pixels = None if frame_digest in known else frame.pixels
        yield Source(path.name, path.absolute().parent.name, frame_digest, round(frame.time_s, 3), taken, pixels)


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
