"""Faces in a photo with MTCNN (the weights are in the facenet-pytorch wheel, nothing is downloaded)."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from selfsame.core.errors import BadInput

DETECT_SIDE_PX = 1024  # a larger photo is reduced to this before the search
SMALLEST_PX = 16  # the search goes below MIN_FACE_PX so that a small face is named as such, not as no face
MIN_FACE_PX = 40
MIN_PROBABILITY = 0.9
DOMINANCE = 2.0  # the largest face is the subject where its box has this many times the area of the next


@dataclass(frozen=True, eq=False)
class Face:
    """One found face in photo pixels: `box` (left, top, right, bottom), `landmarks` as in `faces.align`."""

    box: Float[np.ndarray, "4"]
    probability: float
    landmarks: Float[np.ndarray, "5 2"]

    @property
    def size_px(self) -> float:
        """The shorter side of the box."""
        return float(min(self.box[2] - self.box[0], self.box[3] - self.box[1]))

    @property
    def area_px(self) -> float:
        """Box area."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))


def detect(photo: UInt8[np.ndarray, "h w 3"]) -> list[Face]:
    """Every face of an 8-bit RGB photo that MTCNN is 90 % sure of, the largest first."""
    scale = min(1.0, DETECT_SIDE_PX / max(photo.shape[:2]))
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA) if scale < 1 else photo
    if min(small.shape[:2]) < SMALLEST_PX:
        return []
    boxes, probabilities, points = _mtcnn().detect(small, landmarks=True)
    if boxes is None:
        return []
    found = zip(boxes, probabilities, points, strict=True)
    faces = [Face(_grow(b, size, photo), float(p), _grow(x, size, photo)) for b, p, x in found if p >= MIN_PROBABILITY]
    return sorted(faces, key=lambda face: -face.area_px)


def the_face(faces: Sequence[Face]) -> Face:
    """The subject among the faces of a photo (largest first); raises BadInput for none, two alike or one too small."""
    if not faces:
        raise BadInput("No face was found.")
    if len(faces) > 1 and faces[0].area_px < DOMINANCE * faces[1].area_px:
        raise BadInput(f"Two faces of similar size ({faces[0].size_px:.0f} and {faces[1].size_px:.0f} px).")
    if faces[0].size_px < MIN_FACE_PX:
        raise BadInput(f"The face is {faces[0].size_px:.0f} px wide, less than {MIN_FACE_PX} px.")
    return faces[0]


@functools.cache
def _mtcnn() -> Any:
    """The detector, made once; imported late because it pulls torchvision."""
    from facenet_pytorch import MTCNN

    return MTCNN(keep_all=True, min_face_size=SMALLEST_PX, device="cpu")


def _grow(
    points: Float[np.ndarray, "..."], size: tuple[int, int], photo: UInt8[np.ndarray, "h w 3"]
) -> Float[np.ndarray, "..."]:
    """Positions in the reduced photo as positions in the photo, pixel centre to pixel centre."""
    ratio = np.array([photo.shape[1] / size[0], photo.shape[0] / size[1]])
    pairs = np.asarray(points, np.float64).reshape(-1, 2)
    grown: Float[np.ndarray, ...] = ((pairs + 0.5) * ratio - 0.5).reshape(np.shape(points))
    return grown
