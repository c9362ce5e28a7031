"""Cameras on the way from one to another."""

import math

import torch

from selfsame.core import camera as cameras
from selfsame.core.camera import FACE_PIVOT

A = cameras.facing(torch.tensor([-0.5]), torch.tensor([0.1]))
B = cameras.nudge(
    cameras.facing(torch.tensor([0.7]), torch.tensor([-0.2])),
    torch.tensor([[0.1, 0.0, 0.2]]),
    torch.tensor([[0.02, -0.01, 0.05]]),
    FACE_PIVOT,
)


def test_the_ends_are_the_two_cameras() -> None:
    found = cameras.between(A, B, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(found[0].pack(), A.pack(), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[1].pack(), B.pack(), atol=1e-5, rtol=0)


def test_every_camera_on_the_way_is_rigid_and_turns_evenly() -> None:
    found = cameras.between(A, B, torch.linspace(0, 1, 5))
    turns = found.cam2world[:, :3, :3]
    torch.testing.assert_close(turns @ turns.transpose(1, 2), torch.eye(3).expand(5, 3, 3), atol=1e-5, rtol=0)
    steps = turns[1:] @ turns[:-1].transpose(1, 2)
    torch.testing.assert_close(steps, steps[:1].expand(4, 3, 3), atol=1e-5, rtol=0)


def test_on_the_sphere_of_crops_the_face_stays_in_the_middle() -> None:
    level = cameras.facing(torch.tensor([0.6]), torch.tensor([0.1]))
    found = cameras.between(A, level, torch.linspace(0, 1, 7))
    pivot = torch.tensor(FACE_PIVOT).expand(7, 1, 3)
    torch.testing.assert_close(cameras.project(found, pivot), torch.full((7, 1, 2), 0.5), atol=1e-5, rtol=0)


def test_rotation_vectors_are_undone() -> None:
    turns = torch.tensor([[0.0, 0.0, 0.0], [1e-4, 0.0, 0.0], [0.3, -0.5, 0.9], [0.0, 0.9 * math.pi, 0.0]])
    torch.testing.assert_close(cameras.rotation_vector(cameras.rotation(turns)), turns, atol=2e-4, rtol=0)
