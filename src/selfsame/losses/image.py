"""How far images are apart: pure functions, one value per sample, zero at equality."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

CHARBONNIER_WIDTH = 1e-3


def mse(a: Float[Tensor, "b c h w"], b: Float[Tensor, "b c h w"]) -> Float[Tensor, "b"]:
    """Mean squared difference."""
    return (a - b).square().mean((1, 2, 3))


def l1(a: Float[Tensor, "b c h w"], b: Float[Tensor, "b c h w"]) -> Float[Tensor, "b"]:
    """Mean absolute difference."""
    return (a - b).abs().mean((1, 2, 3))


def charbonnier(
    a: Float[Tensor, "b c h w"], b: Float[Tensor, "b c h w"], width: float = CHARBONNIER_WIDTH
) -> Float[Tensor, "b"]:
    """Mean absolute difference, rounded off to a parabola below `width` [Charbonnier et al. 1994]."""
    return (((a - b).square() + width**2).sqrt() - width).mean((1, 2, 3))


def gradients(a: Float[Tensor, "b c h w"], b: Float[Tensor, "b c h w"], scales: int = 3) -> Float[Tensor, "b"]:
    """Mean absolute difference of neighbouring-pixel steps, summed over `scales` sizes that halve each time.

    Edges weigh more than in `l1` and flat errors of light weigh nothing. The size must allow the halvings.
    """
    difference = a - b
    total = difference.new_zeros(len(a))
    for scale in range(scales):
        if scale:
            difference = F.avg_pool2d(difference, 2)
        total = total + torch.diff(difference, dim=3).abs().mean((1, 2, 3))
        total = total + torch.diff(difference, dim=2).abs().mean((1, 2, 3))
    return total


def perceptual(a: Sequence[Float[Tensor, "b _ _ _"]], b: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b"]:
    """Squared distance of feature maps, summed over channels, averaged over places, summed over layers.

    With the features of `nets.lpips` this is LPIPS [Zhang et al. 2018, equation 1]; with those of a judge it is that
    judge's perceptual distance. The networks hand out maps that are already normalised and weighted.
    """
    layers = [(x - y).square().sum(1).mean((1, 2)) for x, y in zip(a, b, strict=True)]
    return torch.stack(layers).sum(0)
