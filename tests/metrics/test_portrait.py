import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio

from selfsame.metrics.portrait import dists, identity_similarity, psnr, ssim


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    a = torch.rand(3, 3, 24, 20) * 2 - 1
    return a, (a + 0.3 * torch.randn(3, 3, 24, 20)).clamp(-1, 1)


def test_psnr_per_image_equals_scikit_image() -> None:
    a, b = pictures()
    expected = [peak_signal_noise_ratio(x.numpy(), y.numpy(), data_range=2) for x, y in zip(a, b, strict=True)]
    assert psnr(a, b).tolist() == pytest.approx(expected, rel=1e-5)
    assert psnr(a[:1], a[:1] + 5).item() == pytest.approx(psnr(a[:1], torch.ones(1, 3, 24, 20)).item())
    assert psnr(a, a).tolist() == [math.inf] * 3
    assert psnr(torch.ones(1, 3, 4, 4), -torch.ones(1, 3, 4, 4)).tolist() == [0.0]


def slow_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """One channel in [0, 1] [Wang et al. 2004, equation 13, averaged over the picture]."""

    def blur(x: np.ndarray) -> np.ndarray:
        return gaussian_filter(x, 1.5, mode="mirror", radius=5)

    c1, c2 = 0.01**2, 0.03**2
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, covariance = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def test_ssim_per_image() -> None:
    a, b = pictures()
    one, two = (a.double().numpy() + 1) / 2, (b.double().numpy() + 1) / 2
    expected = [np.mean([slow_ssim(one[i, c], two[i, c]) for c in range(3)]) for i in range(3)]
    assert ssim(a, b).tolist() == pytest.approx(expected, abs=1e-5)
    assert ssim(a[:1], b[:1]).shape == (1,)
    assert ssim(a, a).tolist() == pytest.approx([1.0] * 3)


def test_identity_similarity() -> None:
    a = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    assert identity_similarity(a, torch.tensor([[3.0, 0.0], [0.0, -1.0]])).tolist() == [1.0, -1.0]


def slow_dists(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    """One picture's maps (c, h, w), channel by channel [Ding et al. 2020, equations 4 to 6]."""
    layers = []
    for x, y in zip(a, b, strict=True):
        alike = []
        for p, q in zip(x, y, strict=True):
            texture = (2 * p.mean() * q.mean() + 1e-6) / (p.mean() ** 2 + q.mean() ** 2 + 1e-6)
            covariance = ((p - p.mean()) * (q - q.mean())).mean()
            alike += [texture, (2 * covariance + 1e-6) / (p.var() + q.var() + 1e-6)]
        layers.append(1 - np.mean(alike))
    return float(np.mean(layers))


def test_dists_equals_a_slow_one_and_forgives_texture_that_is_only_moved() -> None:
    a = [torch.rand(2, 4, 8, 8), torch.rand(2, 6, 4, 4)]
    b = [x + 0.3 * torch.randn_like(x) for x in a]
    expected = [slow_dists([x[i].numpy() for x in a], [y[i].numpy() for y in b]) for i in range(2)]
    assert dists(a, b).tolist() == pytest.approx(expected, abs=1e-5)
    assert dists(a, a).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert (dists(a, [2 * x for x in a]) > 0.1).all()
