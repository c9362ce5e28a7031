"""From pixels to measured, aligned crops: every photo ends as a crop or as a sentence that says why not."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from selfsame.core import alike, camera
from selfsame.faces import align, detect, lids, pose, quality
from selfsame.faces.align import Affine
from selfsame.faces.detect import Face
from selfsame.faces.quality import Quality


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


def measure(pixels: UInt8[np.ndarray, "h w 3"], size_px: int) -> Measured:
    """As `measured`, of the photo's one subject; raises BadInput where there is no single, large enough face."""
    return measured(pixels, detect.the_face(detect.detect(pixels)), size_px)


def measured(pixels: UInt8[np.ndarray, "h w 3"], found: Face, size_px: int) -> Measured:
    """The aligned crop of a face, at most `size_px` a side and no larger than the photo shows it, with its camera."""
    face = detect.refine(pixels, found)
    native_px = 1 / float(np.linalg.norm(align.eg3d_transform(face.landmarks, 1)[:, 0]))
    side = min(size_px, align.native_size_px(align.eg3d_transform(face.landmarks, size_px), size_px))
    crop = align.crop(pixels, face.landmarks, align.eg3d_transform(face.landmarks, side), side)
    shares = (crop.landmarks + 0.5) / side
    placed = pose.camera_from_landmarks(shares)
    yaw, pitch = (float(torch.rad2deg(angle)) for angle in camera.angles(placed.camera))
    with detect.one_thread():
        small = quality.standard(crop.image)
        grey = quality.grey(small)
        shut = lids.shut(grey, shares[:2], yaw, lids.starter())
    measures = Quality(
        sharpness=round(quality.sharpness(grey), 2),
        exposure=round(quality.exposure(grey), 4),
        face_px=round(face.size_px, 1),
        yaw_degrees=round(yaw, 2),
        pitch_degrees=round(pitch, 2),
        pose_error=round(placed.error, 5),
        invented=round(crop.invented, 4),
        hash=alike.perceptual_hash(grey),
        saturation=round(quality.saturation(small), 4),
        scatter=round(quality.scatter((face.spread_px or 0.0) / native_px, face.probability, yaw), 5),
        shut=round(shut, 4),
    )
    landmarks = tuple((round(float(u), 6), round(float(v), 6)) for u, v in shares)
    return Measured(crop.image, tuple(placed.camera.pack()[0].tolist()), landmarks, measures, crop.transform)
