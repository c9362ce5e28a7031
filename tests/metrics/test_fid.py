import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from selfsame.metrics.fid import FeatureNet, fid, frechet, kid, moments, squared_mmd


class Twelve(nn.Module):
    """Features that torchmetrics takes: the pictures' own twelve numbers."""

    num_features = 12

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1).double()


def sides(n: int = 200, shift: float = 0.0) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(n, 3, 2, 2, generator=g), 1.3 * torch.randn(n + 40, 3, 2, 2, generator=g) + shift
    return a.double(), b.double()


def test_fid_equals_torchmetrics() -> None:
    a, b = sides(shift=0.3)
    oracle = FrechetInceptionDistance(feature=Twelve(), normalize=True, input_img_size=(3, 2, 2)).set_dtype(
        torch.float64
    )
    oracle.update(a, real=True)
    oracle.update(b, real=False)
    mine = frechet(moments(a.flatten(1).numpy()), moments(b.flatten(1).numpy()))
    assert mine == pytest.approx(float(oracle.compute()), rel=1e-6)


def test_kid_equals_torchmetrics() -> None:
    a, b = sides(shift=0.3)
    b = b[: len(a)]
    oracle = KernelInceptionDistance(feature=Twelve(), subsets=1, subset_size=len(a), normalize=True)
    oracle.update(a, real=True)
    oracle.update(b, real=False)
    assert squared_mmd(a.flatten(1).numpy(), b.flatten(1).numpy()) == pytest.approx(
        float(oracle.compute()[0]), rel=1e-5
    )


def test_normal_distributions_have_the_distance_known_by_hand() -> None:
    one, other = np.array([[1.0, 0], [-1, 0], [0, 2], [0, -2]]), np.array([[4.0, 0], [2, 0], [3, 2], [3, -2]])
    assert frechet(moments(one), moments(other)) == pytest.approx(9.0)
    assert frechet(moments(one), moments(one)) == pytest.approx(0.0, abs=1e-9)
    assert frechet(moments(one), moments(2 * one)) == pytest.approx(np.trace(np.cov(one, rowvar=False)))


def test_kid_of_the_same_distribution_is_zero_on_average_and_inside_its_interval() -> None:
    random = np.random.default_rng(0)
    figures = [kid("k", *random.normal(size=(2, 80, 6)), seed=i) for i in range(60)]
    assert abs(np.mean([f.mean for f in figures])) < 0.03
    assert sum(f.low <= 0 <= f.high for f in figures) >= 54
    far = kid("k", random.normal(size=(80, 6)), random.normal(size=(90, 6)) + 1)
    assert far.low > 0 and (far.n, far.better) == (80, "low")
    assert math.isnan(kid("k", random.normal(size=(5, 3)), random.normal(size=(9, 3))).low)


def test_fid_has_an_interval_that_shrinks() -> None:
    random = np.random.default_rng(0)
    few, many = (fid("f", random.normal(size=(n, 6)), random.normal(size=(n, 6)) + 1) for n in (60, 2000))
    assert many.low <= 6.0 <= many.high + 0.2
    assert few.high - few.low > 2 * (many.high - many.low)


def test_kernel_sums_do_not_depend_on_how_many_rows_are_done_at_once() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(1500, 3)), random.normal(size=(1100, 3))
    k = lambda x, y: (x @ y.T / 3 + 1) ** 3  # noqa: E731
    slow = (k(a, a).sum() - k(a, a).trace()) / (1500 * 1499) + (k(b, b).sum() - k(b, b).trace()) / (1100 * 1099)
    assert squared_mmd(a, b) == pytest.approx(slow - 2 * k(a, b).mean())


def test_features_come_in_double_and_in_order() -> None:
    net = FeatureNet("pixels", lambda images: images.flatten(1))
    images = torch.rand(5, 3, 2, 2)
    found = net.features(images, at_once=2)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, images.flatten(1).numpy())
