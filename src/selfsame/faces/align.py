"""From five landmarks to the two crops the priors know: EG3D's in-the-wild crop and FFHQ's aligned square.

Landmarks are (5, 2) positions (x right, y down) in the order left eye, right eye, nose tip, left and right mouth
corner *as seen in the image*; x = 0 is the centre of the first pixel.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from selfsame.core import image

Points = Float[np.ndarray, "5 2"]
Affine = Float[np.ndarray, "2 3"]

# Five mean points in units of about 10 cm, x image right, y up, z to the camera [Deep3DFaceRecon, rounded, symmetric].
STANDARD_FACE = (
    (-0.311, 0.290, 0.133),
    (0.311, 0.290, 0.133),
    (0.0, -0.046, 0.552),
    (-0.250, -0.381, 0.223),
    (0.250, -0.381, 0.223),
)
UNIT = 300 / 700  # one unit of STANDARD_FACE as a share of the crop's side [EG3D: rescale factor 300, centre crop 700]

# Where the five points of STANDARD_FACE lie in its frontal crop, as shares of the side (u right, v down).
EG3D_LANDMARKS = (
    (0.36729, 0.37625),
    (0.63271, 0.37625),
    (0.5, 0.52049),
    (0.39235, 0.66406),
    (0.60765, 0.66406),
)


@dataclass(frozen=True, eq=False)
class Crop:
    """An aligned face: `image` (1, 3, S, S), the affine from photo to crop pixels, landmarks in crop pixels.

    `invented` is the share of the crop that lies outside the photo and was filled by reflection.
    """

    image: Float[Tensor, "1 3 s s"]
    transform: Affine
    landmarks: Points
    invented: float


def apply(transform: Affine, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Points (N, 2) moved by a 2x3 affine."""
    moved: Float[np.ndarray, "n 2"] = points @ transform[:, :2].T + transform[:, 2]
    return moved


def native_size_px(transform: Affine, size_px: int) -> int:
    """Side in photo pixels of the square that `transform` maps onto `size_px` crop pixels."""
    return math.floor(size_px / math.hypot(*transform[:, 0]))


def eg3d_transform(landmarks: Points, size_px: int, *, upright: bool = True) -> Affine:
    """Similarity from photo pixels to EG3D's crop of `size_px` [EG3D, crop_images_in_the_wild].

    Scale and centre come from the affine camera that fits STANDARD_FACE best, so a turned head keeps its size.
    EG3D never turns the photo (`upright=False`); standing the head upright first keeps to the views its prior knows.
    """
    axes, centre = _affine_camera(landmarks)
    unit_px = float(np.linalg.norm(axes[0]) + np.linalg.norm(axes[1])) / 2
    up = axes[:, 1]
    roll = math.atan2(up[0], -up[1]) if upright else 0.0
    return similarity(centre, UNIT * size_px / unit_px, roll, size_px)


def ffhq_transform(landmarks: Points, size_px: int) -> Affine:
    """Similarity from photo pixels to FFHQ's aligned square of `size_px` [StyleGAN, appendix A]."""
    left_eye, right_eye, _, left_mouth, right_mouth = landmarks
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    eye_to_eye, eye_to_mouth = right_eye - left_eye, mouth - eyes
    across = eye_to_eye - np.array([-eye_to_mouth[1], eye_to_mouth[0]])
    half_side = max(2.0 * float(np.linalg.norm(eye_to_eye)), 1.8 * float(np.linalg.norm(eye_to_mouth)))
    roll = math.atan2(across[1], across[0])
    return similarity(eyes + 0.1 * eye_to_mouth, size_px / (2 * half_side), roll, size_px)


Alignment = Literal["eg3d", "ffhq"]
TRANSFORMS: dict[Alignment, Callable[[Points, int], Affine]] = {"eg3d": eg3d_transform, "ffhq": ffhq_transform}


def warp(photo: UInt8[np.ndarray, "h w 3"], transform: Affine, size_px: int) -> UInt8[np.ndarray, "s s 3"]:
    """The 8-bit square of `size_px` that `transform` cuts from a photo: antialiased, borders reflected."""
    shrink = max(1, math.ceil(native_size_px(transform, size_px) / size_px))
    side = size_px * shrink
    pixels: UInt8[np.ndarray, "s s 3"] = cv2.warpAffine(
        photo, enlarge(transform, shrink), (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return cv2.resize(pixels, (size_px, size_px), interpolation=cv2.INTER_AREA) if shrink > 1 else pixels


def crop(photo: UInt8[np.ndarray, "h w 3"], landmarks: Points, transform: Affine, size_px: int) -> Crop:
    """The aligned face that `transform` cuts from an 8-bit photo, with its landmarks and the invented share."""
    inside = cv2.warpAffine(np.ones(photo.shape[:2], np.float32), transform, (size_px, size_px))
    pixels = image.from_uint8(warp(photo, transform, size_px))
    return Crop(pixels, transform, apply(transform, landmarks), max(0.0, 1 - float(inside.mean())))


def _affine_camera(landmarks: Points) -> tuple[Float[np.ndarray, "2 3"], Float[np.ndarray, "2"]]:
    """Image directions of the three axes of STANDARD_FACE (2, 3) and the image of its origin (2,), by least squares."""
    known = np.hstack([np.array(STANDARD_FACE), np.ones((5, 1))])
    solution = np.linalg.lstsq(known, landmarks, rcond=None)[0]
    return solution[:3].T, solution[3]


def similarity(centre: Float[np.ndarray, "2"], scale: float, roll: float, size_px: int) -> Affine:
    """The affine that turns by -roll, scales, and brings `centre` into the middle of the crop."""
    c, s = scale * math.cos(roll), scale * math.sin(roll)
    linear = np.array([[c, s], [-s, c]])
    middle = (size_px - 1) / 2
    return np.hstack([linear, (middle - linear @ centre)[:, None]])


def enlarge(transform: Affine, factor: float) -> Affine:
    """The same crop with `factor` times as many (or fewer) pixels a side; coordinates stand at pixel centres."""
    large = transform * factor
    large[:, 2] += (factor - 1) / 2
    return large
