"""Pasting back: what was cut comes back unseen, what changed is shown, and nothing outside the mask moves."""

import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from selfsame.core import image
from selfsame.faces import align, paste

TEMPLATE = np.array(align.EG3D_LANDMARKS)
SIDE = 64


def photo(height: int = 150, width: int = 200) -> np.ndarray:
    """A picture with soft colours and one sharp grid."""
    row, column = np.mgrid[:height, :width]
    waves = [100 + 60 * np.sin(row / 17 + i) * np.cos(column / (23 + i)) for i in range(3)]
    grid = 30 * ((row % 8 == 0) | (column % 8 == 0))
    return (np.stack(waves, -1) + grid[..., None]).clip(0, 255).astype(np.uint8)


def placed(degrees: float, side: float, middle: tuple[float, float]) -> align.Affine:
    """The transform of a face whose crop has `side` px in the photo, turned, its middle there."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return align.eg3d_transform((TEMPLATE - 0.5) * side @ np.array([[c, s], [-s, c]]) + np.array(middle), SIDE)


def cut(picture: np.ndarray, transform: align.Affine) -> Tensor:
    return image.from_uint8(align.warp(picture, transform, SIDE))


@given(st.floats(-60, 60), st.floats(20, 400), st.floats(-80, 300), st.floats(-80, 250))
def test_nothing_outside_the_mask_moves_and_equal_pictures_change_nothing(
    degrees: float, side: float, x: float, y: float
) -> None:
    before, transform = photo(), placed(degrees, side, (x, y))
    as_is = cut(before, transform)
    assert np.array_equal(paste.back(before, transform, as_is, as_is, detail=1.0), before)
    torch.manual_seed(0)
    after = paste.back(before, transform, torch.randn_like(as_is), as_is, detail=0.3)
    free = paste.mask(transform, SIDE, before.shape) == 0
    assert np.array_equal(after[free], before[free])
    assert np.array_equal(before, photo())


@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_a_crop_that_replaces_itself_is_not_seen(degrees: float) -> None:
    """Where crop and photo are equally fine, even replacing (detail 0) gives the picture back."""
    row, column = np.mgrid[:150, :200]
    smooth = np.stack([120 + 80 * np.sin(row / 20 + i) * np.cos(column / 25) for i in range(3)], -1).astype(np.uint8)
    transform = placed(degrees, SIDE, (100.0, 75.0))
    as_is = cut(smooth, transform)
    after = paste.back(smooth, transform, as_is, as_is, detail=0.0)
    assert np.abs(after.astype(float) - smooth).mean() < 0.5
    assert np.abs(after.astype(float) - smooth).max() <= 3


def test_a_change_arrives_where_it_was_made_and_the_photo_stays_sharp() -> None:
    before, transform = photo(), placed(20, 120, (90.0, 80.0))
    as_is = cut(before, transform)
    soft = torch.nn.functional.avg_pool2d(as_is, 5, 1, 2, count_include_pad=False)
    spot = torch.zeros_like(soft)
    spot[:, :, 34:40, 20:26] = 0.4  # 51 of 255
    after = paste.back(before, transform, soft + spot, soft, detail=1.0).astype(float)
    change = after - before
    u, v = align.apply(cv2.invertAffineTransform(transform), np.array([[22.5, 36.5]]))[0]
    assert change[round(v), round(u)] == pytest.approx(51, abs=3)
    far = np.hypot(*(np.mgrid[:150, :200] - np.array([v, u])[:, None, None])) > 16
    assert np.abs(change[far]).max() <= 1


def test_tone_that_the_decoder_misses_is_put_back_whatever_becomes_of_the_detail() -> None:
    """A flat shift of colours is the decoder's, not the photo's; so is one that differs from place to place."""
    before, transform = photo(), placed(-10, 110, (100.0, 75.0))
    as_is = cut(before, transform)
    drift = torch.tensor([0.10, -0.08, 0.05]).reshape(1, 3, 1, 1) * torch.linspace(0.5, 1.5, SIDE)
    for detail in (0.0, 1.0):
        reference = paste.back(before, transform, as_is, as_is, detail=detail).astype(float)
        shifted = paste.back(before, transform, as_is + drift, as_is + drift, detail=detail)
        assert np.abs(shifted - reference).max() <= 3


def test_hair_that_greys_changes_the_hair_alone() -> None:
    before, transform = photo(), placed(0, 110, (100.0, 75.0))
    as_is = cut(before, transform)
    grey = as_is.clone()
    grey[:, :, :14] += 0.5
    after = paste.back(before, transform, grey, as_is, detail=1.0).astype(float) - before
    u, v = align.apply(cv2.invertAffineTransform(transform), np.array([[32.0, 40.0], [32.0, 10.0]])).round().T
    face, hair = after[v.astype(int), u.astype(int)].mean(-1)
    assert abs(face) <= 1 and hair > 40


def test_what_the_decoder_takes_for_something_else_is_left_alone() -> None:
    """Hair that is drawn before a bright street turns grey: the street does not, and hair that is hair does."""
    before, transform = photo(), placed(0, 110, (100.0, 75.0))
    as_is = cut(before, transform)
    as_is[:, :, :, :24] -= 1.2
    grey = as_is + 0.4
    after = paste.back(before, transform, grey, as_is).astype(float) - before
    u, v = align.apply(cv2.invertAffineTransform(transform), np.array([[12.0, 30.0], [48.0, 30.0]])).round().T
    street, hair = after[v.astype(int), u.astype(int)].mean(-1)
    assert abs(street) <= 2 and hair > 40


def test_a_face_beside_the_picture_changes_nothing() -> None:
    before, transform = photo(), placed(0, 60, (-200.0, 75.0))
    as_is = torch.zeros(1, 3, SIDE, SIDE)
    assert np.array_equal(paste.back(before, transform, as_is + 0.5, as_is), before)
