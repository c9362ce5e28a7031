"""Alignment: the transform puts the landmarks where the layout says, and the pixels follow the transform."""

import math

import cv2
import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from selfsame.core import camera
from selfsame.faces import align, pose

TEMPLATE = np.array(align.EG3D_LANDMARKS)


def moved(degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """The template in a photo: scaled to `scale` px a side, turned clockwise, shifted."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return TEMPLATE * scale @ np.array([[c, s], [-s, c]]) + np.array(shift)


@given(st.floats(-60, 60), st.floats(50, 3000), st.floats(-500, 2000), st.floats(-500, 2000))
def test_landmarks_land_on_the_template(degrees: float, scale: float, x: float, y: float) -> None:
    points = moved(degrees, scale, (x, y))
    landed = align.apply(align.eg3d_transform(points, 512), points)
    assert np.abs((landed + 0.5) / 512 - TEMPLATE).max() < 1e-3


def test_as_published_the_photo_is_not_turned() -> None:
    transform = align.eg3d_transform(moved(20, 300, (0, 0)), 512, upright=False)
    assert transform[0, 1] == transform[1, 0] == 0


def test_a_turned_head_keeps_its_size() -> None:
    """A plain similarity to the frontal layout would enlarge a profile; the affine camera does not."""
    for degrees in (0, 20, 40, 60):
        view = camera.facing(torch.tensor([math.radians(degrees)]), torch.zeros(1))
        seen = camera.project(view, torch.tensor([pose.MEAN_FACE]))[0].double().numpy() * 512 - 0.5
        transform = align.eg3d_transform(seen, 512)
        assert abs(math.hypot(*transform[:, 0]) - 1) < 0.03
        assert np.abs(align.apply(transform, np.array([[255.5, 255.5]])) - 255.5).max() < 0.01 * 512


def test_pixels_follow_the_transform() -> None:
    """On a ramp every crop pixel must hold the position it came from, whether the photo is enlarged or reduced."""
    ramp = np.zeros((400, 500, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(500)[None] // 2, np.arange(400)[:, None] // 2
    for scale in (80.0, 250.0):
        points = moved(10, scale, (150, 100))
        transform = align.eg3d_transform(points, 96)
        crop = align.crop(ramp, points, transform, 96)
        column, row = np.meshgrid(np.arange(96.0), np.arange(96.0))
        back = cv2.invertAffineTransform(transform)
        expected = align.apply(back, np.stack([column.ravel(), row.ravel()], 1)).reshape(96, 96, 2) / 2
        got = (crop.image[0, :2].permute(1, 2, 0).numpy() + 1) * 127.5
        assert np.abs(got - expected)[5:-5, 5:-5].max() < 1.5
        assert crop.invented == 0


def test_what_lies_outside_the_photo_is_counted() -> None:
    photo = np.full((200, 200, 3), 100, np.uint8)
    points = moved(0, 200, (-100, 0))  # the left half of the crop is outside
    crop = align.crop(photo, points, align.eg3d_transform(points, 64), 64)
    assert abs(crop.invented - 0.5) < 0.03
    assert (crop.image - (100 / 127.5 - 1)).abs().max() < 1e-5


def test_native_size_is_the_side_in_photo_pixels() -> None:
    assert abs(align.native_size_px(align.eg3d_transform(moved(30, 300, (0, 0)), 512), 512) - 300) <= 2


def test_ffhq_square_follows_its_definition() -> None:
    """Eyes 40 px apart, mouth 50 px below: side 2 max(80, 90), centre a tenth of the way from eyes to mouth."""
    points = np.array([[80.0, 100], [120, 100], [100, 125], [85, 150], [115, 150]])
    landed = align.apply(align.ffhq_transform(points, 256), points)
    scale = 256 / 180
    assert np.allclose(landed[0] - 127.5, [-20 * scale, -5 * scale], atol=1e-6)
    turned = points @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    assert np.allclose(align.apply(align.ffhq_transform(turned, 256), turned), landed, atol=1e-6)
