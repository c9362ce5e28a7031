"""The drawn axes are those of the head."""

import math

import pytest
import torch

from selfsame.core import camera
from selfsame.faces import draw


def axes(yaw: float, pitch: float) -> tuple[tuple[float, float], ...]:
    seen = camera.facing(torch.tensor([math.radians(yaw)]), torch.tensor([math.radians(pitch)]))
    return draw.axes(seen.pack()[0].tolist())


def test_a_frontal_head_has_x_to_the_right_y_up_and_z_towards_us() -> None:
    origin, x, y, z = axes(0, 0)
    side = camera.FFHQ_FOCAL * draw.AXIS_LENGTH / camera.FACE_DISTANCE  # a pinhole's enlargement
    assert origin == pytest.approx((0.5, 0.5), abs=1e-4)
    assert x == pytest.approx((0.5 + side, 0.5), abs=1e-4)
    assert y == pytest.approx((0.5, 0.5 - side), abs=1e-4)
    assert z == pytest.approx((0.5, 0.5), abs=1e-4)


def test_the_nose_points_away_from_the_side_the_camera_stands_on() -> None:
    assert axes(40, 0)[3][0] < 0.4 < 0.6 < axes(-40, 0)[3][0]
    assert axes(0, 30)[3][1] > 0.55
