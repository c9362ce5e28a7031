"""What damage leaves: area means, a hole, an old print; two photos that differ in what is lost become the same."""

import math

import pytest
import torch
from torch import Tensor

from selfsame.tasks import degrade


@pytest.fixture
def pictures() -> Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_reduction_keeps_the_mean_of_each_square(pictures: Tensor) -> None:
    left = degrade.reduced(4)(pictures)
    assert left.shape == pictures.shape
    for row in range(4):
        for column in range(4):
            here = (slice(None), slice(None), slice(4 * row, 4 * row + 4), slice(4 * column, 4 * column + 4))
            torch.testing.assert_close(left[here], pictures[here].mean((2, 3), keepdim=True).expand(-1, -1, 4, 4))
    torch.testing.assert_close(degrade.reduced(4)(left), left)
    torch.testing.assert_close(degrade.reduced(16)(pictures), pictures)


def test_what_lies_in_the_hole_does_not_count(pictures: Tensor) -> None:
    hole = torch.zeros(1, 1, 16, 16)
    hole[..., 4:9, 2:7] = 1
    other = torch.where(hole > 0, torch.flip(pictures, (0,)), pictures)
    for damage in (degrade.masked(hole), degrade.old(hole)):
        torch.testing.assert_close(damage(other), damage(pictures))
        assert not damage(pictures)[:, :, 4:9, 2:7].any()
    torch.testing.assert_close(degrade.masked(hole)(pictures)[..., 10:], pictures[..., 10:])


def test_a_faded_tinted_copy_is_the_same_old_photo(pictures: Tensor) -> None:
    grey = (pictures * torch.tensor(degrade.GREY)[:, None, None]).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    faded = 0.45 * grey + 0.2
    damage = degrade.old()
    torch.testing.assert_close(damage(faded), damage(pictures), atol=0.01, rtol=0)
    spread = damage(pictures)[:, 0].flatten(1).std(1, correction=0)
    torch.testing.assert_close(spread, torch.full((2,), degrade.CONTRAST), atol=0.02, rtol=0)


def test_a_picture_of_one_tone_stays_finite() -> None:
    flat = torch.full((1, 3, 16, 16), 0.3, requires_grad=True)
    left = degrade.old()(flat)
    left.square().sum().backward()
    assert left.isfinite().all()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


def test_the_blur_is_a_gaussian_of_its_width() -> None:
    point = torch.zeros(1, 1, 33, 33)
    point[..., 16, 16] = 1
    spread = degrade.blurred(point, 2.0)
    places = torch.arange(33.0) - 16
    line = spread[0, 0].sum(0)
    assert float(line.sum()) == pytest.approx(1, abs=1e-5)
    assert math.sqrt(float((line * places**2).sum())) == pytest.approx(2.0, rel=0.02)
    assert torch.equal(degrade.blurred(point, 0.0), point)


def test_all_damage_passes_gradients_on(pictures: Tensor) -> None:
    for damage in (degrade.reduced(4), degrade.masked(torch.zeros(1, 1, 16, 16)), degrade.old()):
        moving = pictures.clone().requires_grad_(True)
        (damage(moving) * pictures).sum().backward()
        assert moving.grad is not None
        assert (moving.grad.abs().sum((1, 2, 3)) > 0).all()
