"""The frames of a video that an album gains most from: sharp, and as unlike in pose and expression as can be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from selfsame.core import camera, video
from selfsame.core.video import Frame
from selfsame.faces import align, detect, lids, pose, quality
from selfsame.faces.detect import Face

PER_SECOND = 6.0  # candidates; expressions last for a few tenths of a second
FEWEST, MOST = 2, 4  # candidates for one chosen frame
LEAST_SHARPNESS = 0.5  # of the median
ALIKE = 0.9  # candidates with this share of the largest distance are as good as the farthest: the sharper one is taken

# One unit of distance: a turn, and a root-mean-square change of light in the face, that the eye sees at once.
TURN_DEGREES, LOOK_CHANGE = 8.0, 0.35

# Shares of the side of an EG3D crop (rows, columns) in which eyes and mouth move, and to how many pixels they shrink.
EYES, MOUTH = ((0.30, 0.44), (0.29, 0.71)), ((0.57, 0.78), (0.34, 0.66))
PATCH_PX = (16, 8)


@dataclass(frozen=True, eq=False)
class Seen:
    """What is remembered of one candidate: its number in the video, pose in degrees, look (256) and sharpness."""

    number: int
    angles: Float[np.ndarray, "2"]
    look: Float[np.ndarray, "v"]
    sharpness: float


def choose(path: Path, count: int) -> Iterator[Frame]:
    """At most `count` frames in order of time: far apart in the pose of the head and in the look of eyes and mouth.

    Candidates are the sharpest frames of equal parts of the time; those in which the largest face is missing, odd, too
    small or far blurrier than the others are no choice. Where none is left, the sharpest frame of all comes alone, to
    be judged as a photo is. The video is decoded twice and no frame is kept. Raises BadInput as `video.frames` does.
    """
    seen = candidates(path, count)
    if not seen:
        yield from (frame for _, frame in video.sharp_frames(path, 1))
        return
    numbers = [seen[i].number for i in spread(distances(seen), [one.sharpness for one in seen], count)]
    yield from (frame for _, frame in video.picked(path, numbers))


def candidates(path: Path, count: int) -> list[Seen]:
    """The frames from which `count` are to be chosen, in order of time, described."""
    length_s = max(video.times_s(path), default=0.0)
    parts = round(min(MOST * count, max(FEWEST * count, PER_SECOND * length_s)))
    seen: list[Seen] = []
    face: Face | None = None
    for number, frame in video.sharp_frames(path, parts):
        face = _face(frame.pixels, face)
        described = face and describe(number, frame.pixels, face)
        if described:
            seen.append(described)
    if not seen:
        return []
    limit = LEAST_SHARPNESS * float(np.median([one.sharpness for one in seen]))
    return [one for one in seen if one.sharpness >= limit]


def describe(number: int, pixels: UInt8[np.ndarray, "h w 3"], face: Face) -> Seen | None:
    """Pose, look and sharpness of a face; None where an album would not take it, however it were chosen."""
    shares = _shares(face)
    found = pose.camera_from_landmarks(shares)
    if face.size_px < detect.MIN_FACE_PX or found.error > quality.MAX_POSE_ERROR:
        return None
    transform = align.eg3d_transform(face.landmarks, quality.STANDARD_PX)
    grey = cv2.cvtColor(align.warp(pixels, transform, quality.STANDARD_PX), cv2.COLOR_RGB2GRAY)
    angles = np.array([float(torch.rad2deg(angle)) for angle in camera.angles(found.camera)])
    if lids.shut(grey, shares[:2], float(angles[0]), lids.starter()) > quality.MAX_SHUT:  # a blink is a look of its own
        return None
    return Seen(number, angles, look(grey), quality.sharpness(grey))


def look(grey: quality.Grey) -> Float[np.ndarray, "v"]:
    """Eyes and mouth of an aligned crop, small, in standard deviations of the face's light: its brightness is gone."""
    face = grey[quality.FACE_SHARE, quality.FACE_SHARE].astype(np.float64)
    patches = []
    for (top, bottom), (left, right) in (EYES, MOUTH):
        rows, columns = (slice(round(a * len(grey)), round(b * len(grey))) for a, b in ((top, bottom), (left, right)))
        patches.append(cv2.resize(grey[rows, columns], PATCH_PX, interpolation=cv2.INTER_AREA).ravel())
    values: np.ndarray = (np.concatenate(patches) - face.mean()) / (face.std() + 1.0)
    return values


def distances(seen: Sequence[Seen]) -> Float[np.ndarray, "n n"]:
    """How unlike each two candidates are, in pose and look together."""
    angles, looks = np.stack([one.angles for one in seen]), np.stack([one.look for one in seen])
    turns = np.linalg.norm(angles[:, None] - angles, axis=-1) / TURN_DEGREES
    changes = np.stack([np.sqrt(np.square(looks - one).mean(-1)) for one in looks]) / LOOK_CHANGE
    apart: Float[np.ndarray, "n n"] = np.hypot(turns, changes)
    return apart


def spread(apart: Float[np.ndarray, "n n"], sharpness: Sequence[float], count: int) -> Int[np.ndarray, "k"]:
    """At most `count` positions, sorted: the sharpest, then again and again the farthest from all chosen ones.

    This is the greedy solution of k-center, at most twice as far from the best [Gonzalez 1985].
    """
    merit = np.array(sharpness)
    chosen = [int(merit.argmax())]
    while len(chosen) < min(count, len(merit)):
        nearest = apart[chosen].min(0)
        nearest[chosen] = -1.0
        far = nearest >= ALIKE * nearest.max()
        chosen.append(int(np.where(far, merit, -1.0).argmax()))
    return np.sort(chosen)


def _shares(face: Face) -> Float[np.ndarray, "5 2"]:
    """The landmarks in the face's crop as shares of its side, as the intake has them."""
    side = quality.STANDARD_PX
    shares: Float[np.ndarray, "5 2"] = (
        align.apply(align.eg3d_transform(face.landmarks, side), face.landmarks) + 0.5
    ) / side
    return shares


def _face(pixels: UInt8[np.ndarray, "h w 3"], before: Face | None) -> Face | None:
    """The face where it was a moment ago, which is quickly found, or else the largest one, refined."""
    found = detect.near(pixels, before) if before else None
    if found is None:
        faces = detect.detect(pixels)
        found = detect.refine(pixels, faces[0]) if faces else None
    return found
