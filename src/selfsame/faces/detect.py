"""Faces in a photo with MTCNN (the weights are in the facenet-pytorch wheel, nothing is downloaded)."""

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from selfsame.core.errors import BadInput
from selfsame.faces import align

SEARCH_SIDES_PX = (640, 1600)  # a larger photo is reduced to this before the search
REFINE_SIZES_PX = (96, 128)
MIRROR_ORDER = [1, 0, 2, 4, 3]
SHIFT_PX = 1.0  # MTCNN reports landmarks this far right (seen by mirroring) and below (assumed)
SMALLEST_PX = 16  # the search goes below MIN_FACE_PX so that a small face is named as such, not as no face
MIN_FACE_PX = 40
TOO_SMALL = "The face is {value:.0f} px wide, less than {threshold} px."
MIN_PROBABILITY = 0.9
LARGEST_SHIFT = 0.5  # of a face from frame to frame, in sides of its box
VIEWS = 2 * len(REFINE_SIZES_PX)
LEAST_VIEWS = 2  # of VIEWS
DOMINANCE = 2.0  # the largest face is the subject where its box has this many times the area of the next


class TooSmall(BadInput):
    """The largest face of a photo has too few pixels."""


@dataclass(frozen=True, eq=False)
class Face:
    """One found face in photo pixels: `box` (left, top, right, bottom), `landmarks` as in `faces.align`.

    `spread_px` is how far the views of `refine` disagree on the landmarks, root mean square; None before it.
    """

    box: Float[np.ndarray, "4"]
    probability: float
    landmarks: Float[np.ndarray, "5 2"]
    spread_px: float | None = None

    @property
    def size_px(self) -> float:
        """The shorter side of the box."""
        return float(min(self.box[2] - self.box[0], self.box[3] - self.box[1]))

    @property
    def area_px(self) -> float:
        """Box area."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))


def detect(photo: UInt8[np.ndarray, "h w 3"]) -> list[Face]:
    """Every face of an 8-bit RGB photo that MTCNN is 90 % sure of, the largest first.

    A coarse search comes first; only where it finds nothing does a fine one look for faces too small for it.
    """
    for side_px in SEARCH_SIDES_PX:
        faces = _search(photo, side_px)
        if faces:
            return sorted(faces, key=lambda face: -face.area_px)
    return []


def again(photo: UInt8[np.ndarray, "h w 3"], like: Face) -> list[Face]:
    """The faces of a photo, the largest first, that are at least about half as large as one known: half the cost of
    `detect`, which reads a pyramid of pictures down to the smallest face.
    """
    return sorted(_search(photo, SEARCH_SIDES_PX[0], like.size_px / 2), key=lambda face: -face.area_px)


def refine(photo: UInt8[np.ndarray, "h w 3"], face: Face) -> Face:
    """The same face with landmarks averaged over views of standard size, plain and mirrored: half the noise.

    MTCNN reads landmarks from 48 px; the search may have seen fewer. `probability` becomes the mean over the views, in
    which one without a face counts as 0.
    """
    seen = _views(photo, face)
    if not seen:
        return replace(face, probability=0.0, spread_px=0.0)
    points = np.array([one.landmarks for one in seen])
    return replace(
        face,
        landmarks=points.mean(0),
        probability=sum(one.probability for one in seen) / VIEWS,
        spread_px=spread(points),
    )


def near(photo: UInt8[np.ndarray, "h w 3"], face: Face) -> Face | None:
    """The face that a video's next frame shows about where this one was, refined; None where it is not seen again.

    A search of the whole frame would cost more and might find somebody else.
    """
    seen = [one for one in _views(photo, face) if shift(one, face) < LARGEST_SHIFT]
    if len(seen) < LEAST_VIEWS:
        return None
    return Face(*(np.mean([getattr(one, name) for one in seen], 0) for name in ("box", "probability", "landmarks")))


@contextmanager
def one_thread() -> Iterator[None]:
    """Run small torch operations on one thread: a second only waits (40 times slower where the cores are busy)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def the_face(faces: Sequence[Face]) -> Face:
    """The subject among the faces of a photo (largest first); raises BadInput for none, two alike or one too small."""
    if len(faces) > 1 and faces[0].area_px < DOMINANCE * faces[1].area_px:
        raise BadInput(f"Two faces of similar size ({faces[0].size_px:.0f} and {faces[1].size_px:.0f} px).")
    return large(faces)[0]


def large(faces: Sequence[Face]) -> list[Face]:
    """The faces of a photo (largest first) that are large enough; raises BadInput where there is none."""
    if not faces:
        raise BadInput("No face was found.")
    if faces[0].size_px < MIN_FACE_PX:
        raise TooSmall(TOO_SMALL.format(value=faces[0].size_px, threshold=MIN_FACE_PX))
    return [face for face in faces if face.size_px >= MIN_FACE_PX]


@functools.cache
def _mtcnn(min_face_px: int) -> Any:
    """The detector, made once a size; imported late because it pulls torchvision."""
    from facenet_pytorch import MTCNN

    return MTCNN(keep_all=True, min_face_size=min_face_px, device="cpu")


def _run(
    pixels: UInt8[np.ndarray, "h w 3"], min_face_px: int
) -> list[tuple[Float[np.ndarray, "2 2"], float, Float[np.ndarray, "5 2"]]]:
    """Box corners, probability and landmarks of what MTCNN finds, in pixel centres of this picture."""
    with one_thread():
        boxes, probabilities, points = _mtcnn(min_face_px).detect(pixels, landmarks=True)
    if boxes is None:
        return []
    corners, landmarks = boxes.astype(float).reshape(-1, 2, 2), points.astype(float) - SHIFT_PX
    return [(corners[i], float(probabilities[i]), landmarks[i]) for i in range(len(corners))]


def _search(photo: UInt8[np.ndarray, "h w 3"], side_px: int, least_px: float = 0.0) -> list[Face]:
    """Faces of at least about `least_px` found when the photo's longer side is reduced to `side_px`."""
    scale = min(1.0, side_px / max(photo.shape[:2]))
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    if min(size) < SMALLEST_PX:
        return []
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA) if scale < 1 else photo
    ratio = np.array([photo.shape[1] / size[0], photo.shape[0] / size[1]])
    smallest_px = SMALLEST_PX
    while 2 * smallest_px <= least_px * scale:  # powers of two, so that few detectors are made
        smallest_px *= 2
    return [
        Face(_grow(corners, ratio).ravel(), probability, _grow(landmarks, ratio))
        for corners, probability, landmarks in _run(small, smallest_px)
        if probability >= MIN_PROBABILITY
    ]


def _grow(points: Float[np.ndarray, "n 2"], ratio: Float[np.ndarray, "2"]) -> Float[np.ndarray, "n 2"]:
    """Positions in a reduced photo as positions in the photo, pixel centre to pixel centre."""
    grown: Float[np.ndarray, "n 2"] = (points + 0.5) * ratio - 0.5
    return grown


def spread(points: Float[np.ndarray, "v 5 2"]) -> float:
    """The root mean square distance of several views' landmarks from their means, in the unit of the points."""
    return float(np.sqrt(((points - points.mean(0)) ** 2).sum(-1).mean()))


def shift(face: Face, other: Face) -> float:
    """How far two boxes' middles lie apart, in sides of the second."""
    return float(np.linalg.norm(face.box.reshape(2, 2).mean(0) - other.box.reshape(2, 2).mean(0))) / other.size_px


def _views(photo: UInt8[np.ndarray, "h w 3"], face: Face) -> list[Face]:
    """What views of the face's surroundings show, of standard size, plain and mirrored; those with a face in them."""
    seen = [_view(photo, face, size, flip) for size in REFINE_SIZES_PX for flip in (False, True)]
    return [one for one in seen if one is not None]


def _view(photo: UInt8[np.ndarray, "h w 3"], face: Face, face_px: int, flip: bool) -> Face | None:
    """The face nearest to the middle of its surroundings at `face_px` a box, mirrored or not, in photo pixels."""
    side = 2 * face_px
    scale = face_px / face.size_px
    middle = (face.box[:2] + face.box[2:]) / 2
    view = np.array([[scale, 0, (side - 1) / 2 - scale * middle[0]], [0, scale, (side - 1) / 2 - scale * middle[1]]])
    if flip:
        view = np.array([[-1.0, 0], [0, 1]]) @ view + np.array([[0, 0, side - 1.0], [0, 0, 0]])
    found = _run(align.warp(photo, view, side), face_px // 2)
    if not found:
        return None
    corners, probability, landmarks = min(found, key=lambda one: float(np.linalg.norm(one[0].mean(0) - side / 2)))
    corners, landmarks = ((points - view[:, 2]) / np.diag(view[:, :2]) for points in (corners, landmarks))
    return Face(np.sort(corners, 0).ravel(), probability, landmarks[MIRROR_ORDER] if flip else landmarks)
