"""The camera of an aligned crop from its five landmarks, in EG3D's world.

Accuracy: five points, four of them nearly in a plane, leave tilt poorly known. On 48 synthetic photos of known cameras
half of the angles are within 3.0 degrees (yaw) and 2.3 (pitch), nine tenths within 6.5 and 8.5, large angles read too
small; a smile can read as over 10 degrees of pitch. It is a start for joint refinement, not a measurement.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import least_squares

from selfsame.core import camera
from selfsame.core.camera import FACE_DISTANCE, FACE_PIVOT, FFHQ_FOCAL, FFHQ_RADIUS, Camera

# `align.STANDARD_FACE` in EG3D's world [EG3D preprocessing: times 0.27, plus (0, 0.006, 0.161)], then scaled so that
# the frontal camera of norm 2.7 sees what the crop shows: `project(facing(0, 0), MEAN_FACE) == EG3D_LANDMARKS`.
MEAN_FACE = (
    (-0.07831, 0.07861, 0.18363),
    (0.07831, 0.07861, 0.18363),
    (0.0, -0.00599, 0.28913),
    (-0.06295, -0.09034, 0.20629),
    (0.06295, -0.09034, 0.20629),
)

# Standard deviations of the least-squares problem: shares of the crop's side, radians, shares of the distance.
EYE_OR_NOSE, MOUTH = (0.012, 0.012), (0.025, 0.02)  # smiles and speech move the corners of the mouth
LANDMARK_SIGMAS = np.array([EYE_OR_NOSE, EYE_OR_NOSE, EYE_OR_NOSE, MOUTH, MOUTH])
YAW_SIGMA, PITCH_SIGMA, ROLL_SIGMA = math.radians(45), math.radians(12), math.radians(8)
CENTRE_SIGMA = 0.02  # the crop puts the pivot in its middle, up to noise
DISTANCE_SIGMA = 0.03
START_YAWS = (-50.0, 0.0, 50.0)
LIMITS = (math.radians(100), math.radians(50), math.radians(40), 0.2, 0.2, 0.5)  # same order as the parameters


@dataclass(frozen=True, eq=False)
class Pose:
    """A camera (batch of one) and how far the projected mean face misses (root mean square, share of the side)."""

    camera: Camera
    error: float


def camera_from_landmarks(landmarks: Float[np.ndarray, "5 2"], *, radius: float | None = FFHQ_RADIUS) -> Pose:
    """The most probable camera of an upright EG3D crop with `landmarks` as shares of its side (u right, v down).

    Perspective-n-point on MEAN_FACE with FFHQ's intrinsics: bounded least squares from several turns of the head, with
    priors on angles, centre and distance, since five near-planar points alone allow mirrored and far-tilted solutions.
    `radius` then rescales the position to that norm as EG3D's labels are ("orig"); None keeps the rigid position.
    """
    starts = [np.array([math.radians(yaw), 0, 0, 0, 0, 0]) for yaw in START_YAWS]
    bounds = (-np.array(LIMITS), np.array(LIMITS))
    fits = [least_squares(_residuals, start, args=(landmarks,), bounds=bounds) for start in starts]
    best = min(fits, key=lambda fit: fit.cost)
    rotation, position = _placement(best.x)
    error = float(np.sqrt(np.square(_project(rotation, position) - landmarks).sum(1).mean()))
    if radius is not None:
        position = position * radius / np.linalg.norm(position)
    matrix = torch.eye(4)
    matrix[:3, :3] = torch.from_numpy(rotation)
    matrix[:3, 3] = torch.from_numpy(position)
    return Pose(Camera(matrix[None], camera.pinhole(1)), error)


def _placement(parameters: Float[np.ndarray, "6"]) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """Rotation (columns right, down, forward) and position of (yaw, pitch, roll, shift x, shift y, log distance)."""
    yaw, pitch, roll, right_shift, down_shift, log_distance = parameters
    back = np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    right = np.array([math.cos(yaw), 0.0, -math.sin(yaw)])
    down = np.cross(-back, right)
    c, s = math.cos(roll), math.sin(roll)
    turned_right, turned_down = c * right + s * down, c * down - s * right
    distance = FACE_DISTANCE * math.exp(log_distance)
    position = np.array(FACE_PIVOT) + distance * back - right_shift * turned_right - down_shift * turned_down
    return np.stack([turned_right, turned_down, -back], 1), position


def _project(rotation: Float[np.ndarray, "3 3"], position: Float[np.ndarray, "3"]) -> Float[np.ndarray, "5 2"]:
    """Where the mean face falls in the crop, as shares of its side; `camera.project` for one camera, in float64."""
    local = (np.array(MEAN_FACE) - position) @ rotation
    seen: Float[np.ndarray, "5 2"] = 0.5 + FFHQ_FOCAL * local[:, :2] / local[:, 2:]
    return seen


def _residuals(parameters: Float[np.ndarray, "6"], landmarks: Float[np.ndarray, "5 2"]) -> Float[np.ndarray, "16"]:
    """Ten landmark residuals and six priors, each in standard deviations."""
    shift_sigma = CENTRE_SIGMA * FACE_DISTANCE / FFHQ_FOCAL
    sigmas = (YAW_SIGMA, PITCH_SIGMA, ROLL_SIGMA, shift_sigma, shift_sigma, DISTANCE_SIGMA)
    seen = _project(*_placement(parameters))
    return np.concatenate([((seen - landmarks) / LANDMARK_SIGMAS).ravel(), parameters / np.array(sigmas)])
