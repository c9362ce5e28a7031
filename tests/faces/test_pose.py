"""Camera from landmarks: known cameras are found again, noise and mirrors included."""

import math

import numpy as np
import torch

from selfsame.core import camera
from selfsame.core.camera import Camera
from selfsame.faces import align, pose


def landmarks(view: Camera, noise: float = 0.0) -> np.ndarray:
    seen = camera.project(view, torch.tensor(pose.MEAN_FACE).expand(len(view), 5, 3))
    return (seen + noise * torch.randn(seen.shape)).double().numpy()


def test_the_frontal_camera_sees_the_published_layout() -> None:
    view = camera.facing(torch.zeros(1), torch.zeros(1))
    assert np.abs(landmarks(view)[0] - np.array(align.EG3D_LANDMARKS)).max() < 1e-4
    assert abs(view.cam2world[0, :3, 3].norm().item() - camera.FFHQ_RADIUS) < 1e-3


def errors_degrees(noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    yaw, pitch = (torch.rand(60) * 2 - 1) * math.radians(55), (torch.rand(60) * 2 - 1) * math.radians(20)
    points = landmarks(camera.facing(yaw, pitch), noise)
    found = camera.cat([pose.camera_from_landmarks(p).camera for p in points])
    found_yaw, found_pitch = camera.angles(found)
    return torch.rad2deg((found_yaw - yaw).abs()), torch.rad2deg((found_pitch - pitch).abs())


def test_known_cameras_are_found() -> None:
    yaw, pitch = errors_degrees(0.0)
    assert yaw.max() < 0.6 and pitch.max() < 2.5


def test_with_one_per_cent_of_noise_most_are_within_a_few_degrees() -> None:
    yaw, pitch = errors_degrees(0.01)
    assert yaw.median() < 3 and pitch.median() < 3.5
    assert yaw.max() < 15 and pitch.max() < 15


def test_the_whole_camera_comes_back_not_only_its_angles() -> None:
    view = camera.facing(torch.tensor([0.4]), torch.tensor([-0.1]), torch.tensor([0.05]))
    found = pose.camera_from_landmarks(landmarks(view)[0], radius=None)
    assert (found.camera.cam2world - view.cam2world).abs().max() < 0.03
    assert found.error < 0.003


def test_the_position_has_the_norm_of_eg3d() -> None:
    view = camera.facing(torch.tensor([0.7]), torch.tensor([0.1]))
    position = pose.camera_from_landmarks(landmarks(view)[0]).camera.cam2world[0, :3, 3]
    assert abs(position.norm().item() - 2.7) < 1e-5


def test_a_mirrored_photo_gives_the_mirrored_camera() -> None:
    points = landmarks(camera.facing(torch.tensor([0.5]), torch.tensor([0.2])), 0.005)[0]
    flipped = points[[1, 0, 2, 4, 3]] * np.array([-1, 1]) + np.array([1, 0])
    one, other = pose.camera_from_landmarks(points), pose.camera_from_landmarks(flipped)
    assert torch.allclose(camera.mirror(one.camera).cam2world, other.camera.cam2world, atol=1e-4)


def test_what_is_no_face_has_a_large_error() -> None:
    upside_down = np.array(align.EG3D_LANDMARKS) * np.array([1, -1]) + np.array([0, 1])
    assert pose.camera_from_landmarks(upside_down).error > 0.06
