"""EG3D's volume rendering as pure functions: samples along rays, densities to weights, weighted sums.

A ray has S samples at increasing depths; the S - 1 intervals between them carry density and colour, each the mean of
its two ends. Because that mean is linear, sums over intervals are taken as sums over samples: colours need no sorting.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import rng

Field = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Points (b, n, 3) to features (b, n, f) and raw density (b, n, 1)."""


@dataclass(frozen=True)
class RayOutput:
    """What rays saw: composited features, expected depth in world units, and alpha = 1 - residual transmittance."""

    features: Float[Tensor, "b r f"]
    depth: Float[Tensor, "b r 1"]
    alpha: Float[Tensor, "b r 1"]


def draws(
    batch: int, rays: int, samples: int, generator: rng.Source | None, device: torch.device, *, spread: bool
) -> Float[Tensor, "b r s"]:
    """Uniform draws in [0, 1). Without a generator: (j + 0.5) / samples if `spread`, else 0.5 (EG3D's parity mode)."""
    if generator is not None:
        return rng.uniform(generator, (batch, rays, samples)).to(device)
    middle = torch.full((samples,), 0.5, device=device)
    row = (torch.arange(samples, device=device) + middle) / samples if spread else middle
    return row.expand(batch, rays, samples)


def stratified_depths(jitter: Float[Tensor, "b r s"], near: float, far: float) -> Float[Tensor, "b r s"]:
    """One depth in each of S steps of (far - near) / (S - 1), moved by its draw; the last may pass `far`."""
    samples = jitter.shape[-1]
    start = torch.linspace(near, far, samples, dtype=jitter.dtype, device=jitter.device)
    return start + jitter * ((far - near) / (samples - 1))


def interval_weights(sigma: Float[Tensor, "b r s"], depths: Float[Tensor, "b r s"]) -> Float[Tensor, "b r s-1"]:
    """Share of each interval in what the ray shows; raw sigma becomes density by softplus(sigma - 1) at the middle."""
    density = F.softplus((sigma[..., 1:] + sigma[..., :-1]) / 2 - 1)
    passed = torch.exp(-density * (depths[..., 1:] - depths[..., :-1]))
    before = torch.cumprod(torch.cat([torch.ones_like(passed[..., :1]), passed + 1e-10], -1), -1)
    return (1 - passed) * before[..., :-1]


def sample_shares(weights: Float[Tensor, "b r gaps"]) -> Float[Tensor, "b r gaps+1"]:
    """Share of each sample: half of either neighbouring interval's weight."""
    return (F.pad(weights, (1, 0)) + F.pad(weights, (0, 1))) / 2


def importance_depths(
    depths: Float[Tensor, "b r s"], weights: Float[Tensor, "b r gaps"], uniform: Float[Tensor, "b r n"]
) -> Float[Tensor, "b r n"]:
    """More depths where the weights are large, by inverting their smoothed cumulative sum at the `uniform` draws.

    EG3D's rule: maximum, then mean of neighbours, plus 0.01; the first and last weight left out, the bins the middles.
    """
    larger = F.pad(weights, (1, 1)).unfold(-1, 2, 1).amax(-1)
    smooth = (larger[..., 1:] + larger[..., :-1]) / 2 + (0.01 + 1e-5)
    share = smooth[..., 1:-1] / smooth[..., 1:-1].sum(-1, keepdim=True)
    total = F.pad(share.cumsum(-1), (1, 0))
    upper = torch.searchsorted(total, uniform.contiguous(), right=True)
    low, high = (upper - 1).clamp_min(0), upper.clamp_max(total.shape[-1] - 1)
    middles = (depths[..., 1:] + depths[..., :-1]) / 2
    start, width = _from_to(total, low, high)
    place, step = _from_to(middles, low, high)
    return place + (uniform - start) / width.masked_fill(width < 1e-5, 1) * step


def _from_to(values: Tensor, low: Int[Tensor, "b r n"], high: Int[Tensor, "b r n"]) -> tuple[Tensor, Tensor]:
    first = values.gather(-1, low)
    return first, values.gather(-1, high) - first


def expected_depth(weights: Float[Tensor, "b r gaps"], depths: Float[Tensor, "b r s"]) -> Float[Tensor, "b r 1"]:
    """Weighted mean of the intervals' middles; the last sample where a ray meets nothing at all."""
    total = weights.sum(-1, keepdim=True)
    summed = (weights * (depths[..., 1:] + depths[..., :-1])).sum(-1, keepdim=True) / 2
    empty = total <= 0
    mean = torch.where(empty, depths[..., -1:], summed / total.masked_fill(empty, 1))
    return torch.minimum(torch.maximum(mean, depths[..., :1]), depths[..., -1:])


def render_rays(
    field: Field,
    origins: Float[Tensor, "b r 3"],
    directions: Float[Tensor, "b r 3"],
    depths: Float[Tensor, "b r s"],
    uniform: Float[Tensor, "b r n"],
) -> RayOutput:
    """Render rays through `field`: at `depths`, and at n more chosen by importance (n may be 0), as EG3D does.

    Where samples are put carries no gradient; everything else does. Features come as the field gives them.
    """
    features, sigma = _sample(field, origins, directions, depths)
    if uniform.shape[-1] == 0:
        return _composite(interval_weights(sigma, depths), depths, [features], None)
    with torch.no_grad():
        fine = importance_depths(depths, interval_weights(sigma, depths), uniform)
    fine_features, fine_sigma = _sample(field, origins, directions, fine)
    both, order = torch.cat([depths, fine], -1).sort(-1)
    weights = interval_weights(torch.cat([sigma, fine_sigma], -1).gather(-1, order), both)
    return _composite(weights, both, [features, fine_features], order)


def _sample(
    field: Field, origins: Tensor, directions: Tensor, depths: Tensor
) -> tuple[Float[Tensor, "b r s f"], Float[Tensor, "b r s"]]:
    points = origins[:, :, None] + depths[..., None] * directions[:, :, None]
    features, sigma = field(points.flatten(1, 2))
    return features.unflatten(1, depths.shape[1:]), sigma[..., 0].unflatten(1, depths.shape[1:])


def _composite(weights: Tensor, depths: Tensor, features: list[Tensor], order: Tensor | None) -> RayOutput:
    shares = sample_shares(weights)
    if order is not None:
        shares = torch.zeros_like(shares).scatter(-1, order, shares)
    parts = shares.split([f.shape[2] for f in features], -1)
    summed = sum((s[..., None, :] @ f)[..., 0, :] for s, f in zip(parts, features, strict=True))
    assert isinstance(summed, Tensor)
    return RayOutput(summed, expected_depth(weights, depths), weights.sum(-1, keepdim=True))
