import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from selfsame.losses.image import charbonnier, gradients, l1, mse, perceptual

Loss = Callable[[Tensor, Tensor], Tensor]


def features(images: Tensor) -> list[Tensor]:
    return [images * 0.5, images[:, :2, ::2, ::2]]


def perceptual_of_images(a: Tensor, b: Tensor) -> Tensor:
    return perceptual(features(a), features(b))


# One image differs from zero by 0.5 everywhere, the other by 2 in the right half (the step is at column 4 of 8).
CASES: list[tuple[Loss, list[float]]] = [
    (mse, [0.25, 2.0]),
    (l1, [0.5, 1.0]),
    (lambda a, b: charbonnier(a, b, width=0.5), [math.sqrt(0.5) - 0.5, (math.sqrt(4.25) - 0.5) / 2]),
    (gradients, [0.0, 2 / 7 + 2 / 3 + 2 / 1]),
    (perceptual_of_images, [3 * 0.0625 + 2 * 0.25, 3 * 0.5 + 2 * 2.0]),
]


def pair() -> tuple[Tensor, Tensor]:
    a = torch.zeros(2, 3, 8, 8)
    a[0] = 0.5
    a[1, :, :, 4:] = 2.0
    return a, torch.zeros(2, 3, 8, 8)


@pytest.mark.parametrize(("loss", "expected"), CASES)
def test_hand_computed_value(loss: Loss, expected: list[float]) -> None:
    a, b = pair()
    assert loss(a, b).tolist() == pytest.approx(expected)
    assert loss(b, a).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("loss", [case[0] for case in CASES])
def test_zero_at_equality(loss: Loss) -> None:
    x = torch.randn(2, 3, 8, 8)
    assert loss(x, x.clone()).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("loss", [case[0] for case in CASES])
def test_gradient(loss: Loss) -> None:
    a, b = (torch.randn(1, 3, 8, 8, dtype=torch.float64) for _ in range(2))
    assert torch.autograd.gradcheck(lambda x: loss(x, b), a.requires_grad_(), fast_mode=True)
