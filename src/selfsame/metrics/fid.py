"""How far generated pictures are from real ones as a whole: FID and KID on the features of a named network.

Figures of different feature networks do not compare, and neither do figures of different numbers of pictures (FID falls
as there are more [Binkowski et al. 2018]; KID does not). Written out because numpy is all they take, and training must
go on where little else is installed; the tests hold them against torchmetrics.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import rng
from selfsame.core.results import Measured

RESAMPLES = 60
BLOCKS = 10  # independent parts that KID's spread is taken from
T_975 = (math.nan, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)  # Student's t of 0 to 9 degrees of freedom


@dataclass(frozen=True, eq=False)
class FeatureNet:
    """A frozen network by name: images (B, 3, H, W) in [-1, 1] to features (B, d)."""

    name: str
    embed: Callable[[Tensor], Tensor]

    @torch.no_grad()
    def features(self, images: Float[Tensor, "b 3 h w"], at_once: int = 64) -> Float[np.ndarray, "b d"]:
        """Features in float64, some images at a time."""
        return np.concatenate([self.embed(part).double().cpu().numpy() for part in images.split(at_once)])


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean (d,) of features and a factor F (k, d) of their unbiased covariance F^T F, k at most d; float64."""

    mean: Float[np.ndarray, "d"]
    factor: Float[np.ndarray, "k d"]


def moments(features: Float[np.ndarray, "n d"]) -> Moments:
    """The moments of features of at least two pictures."""
    x = features.astype(np.float64)
    factor = (x - x.mean(0)) / (len(x) - 1) ** 0.5
    return Moments(x.mean(0), factor if len(x) <= x.shape[1] else np.asarray(np.linalg.qr(factor, mode="r")))


def frechet(a: Moments, b: Moments) -> float:
    """Squared Frechet distance of two normal distributions [Heusel et al. 2017, equation 6].

    The trace of the root of S_a S_b is the sum of the singular values of F_a F_b^T: with few pictures a small matrix.
    """
    cross = np.linalg.svd(a.factor @ b.factor.T, compute_uv=False).sum()
    return float(((a.mean - b.mean) ** 2).sum() + (a.factor**2).sum() + (b.factor**2).sum() - 2 * cross)


def fid(name: str, real: Float[np.ndarray, "n d"], made: Float[np.ndarray, "m d"], seed: int = 0) -> Measured:
    """FID with an interval of 1.96 standard errors, by the bootstrap over pictures of both sides.

    The interval says how much the figure depends on which pictures were taken, not how far few pictures lift it.
    """
    value = frechet(moments(real), moments(made))
    g = np.random.default_rng(rng.key(seed, "FID"))
    again = [frechet(_resampled(real, g), _resampled(made, g)) for _ in range(RESAMPLES)]
    spread = 1.96 * float(np.std(again, ddof=1))
    return Measured(name, value, max(0.0, value - spread), value + spread, min(len(real), len(made)), "low")


def squared_mmd(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x y / d + 1)^3 [Binkowski et al. 2018]."""
    n, m = len(a), len(b)
    within_a, within_b = _kernel_sum(a, a) - _kernel(a, a), _kernel_sum(b, b) - _kernel(b, b)
    return within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * _kernel_sum(a, b) / (n * m)


def kid(name: str, real: Float[np.ndarray, "n d"], made: Float[np.ndarray, "m d"], seed: int = 0) -> Measured:
    """KID over all pairs, with an interval from up to BLOCKS disjoint parts, which are independent.

    The parts are smaller than the whole, so the interval is rather too wide; it is unknown (NaN) below 8 pictures.
    """
    g = np.random.default_rng(rng.key(seed, "KID"))
    count = min(BLOCKS, len(real) // 4, len(made) // 4)
    value, spread = squared_mmd(real, made), math.nan
    if count >= 2:
        parts = [np.array_split(x[g.permutation(len(x))], count) for x in (real, made)]
        values = [squared_mmd(one, other) for one, other in zip(*parts, strict=True)]
        spread = T_975[count - 1] * float(np.std(values, ddof=1)) / count**0.5
    return Measured(name, value, value - spread, value + spread, min(len(real), len(made)), "low")


def _resampled(features: np.ndarray, g: np.random.Generator) -> Moments:
    return moments(features[g.integers(0, len(features), len(features))])


def _kernel_sum(a: np.ndarray, b: np.ndarray, rows: int = 1024) -> float:
    """The kernel over all pairs, some rows at a time: large sets need no square matrix in memory."""
    return float(sum(((part @ b.T / a.shape[1] + 1) ** 3).sum() for part in np.array_split(a, -(-len(a) // rows))))


def _kernel(a: np.ndarray, b: np.ndarray) -> float:
    """The kernel of each picture with itself, summed."""
    return float((((a * b).sum(1) / a.shape[1] + 1) ** 3).sum())
