"""How well one picture shows what another shows: one value per image, higher is better."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

STABLE = 1e-6  # DISTS's constants: what is constant in both pictures is alike


def psnr(a: Float[Tensor, "b 3 h w"], b: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b"]:
    """Peak signal-to-noise ratio in decibels of images in [-1, 1] (clamped); infinite at equality."""
    from torchmetrics.functional.image import peak_signal_noise_ratio  # takes seconds to import

    value: Tensor = peak_signal_noise_ratio(_unit(a), _unit(b), data_range=1.0, dim=(1, 2, 3), reduction="none")
    return value


def ssim(a: Float[Tensor, "b 3 h w"], b: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b"]:
    """Structural similarity of images in [-1, 1], Gaussian window of 11 px, sigma 1.5 [Wang et al. 2004].

    It is computed in [0, 1]: its constants suppose that black is zero.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    value = structural_similarity_index_measure(_unit(a), _unit(b), data_range=1.0, reduction="none")
    assert isinstance(value, Tensor)
    return value.reshape(len(a))  # torchmetrics drops the axis of a batch of one


def identity_similarity(a: Float[Tensor, "b d"], b: Float[Tensor, "b d"]) -> Float[Tensor, "b"]:
    """Cosine of the embeddings of two pictures by an identity judge, in [-1, 1]."""
    return F.cosine_similarity(a, b, dim=1)


def dists(a: Sequence[Float[Tensor, "b _ _ _"]], b: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b"]:
    """Distance of structure and texture of two pictures' feature maps, 0 at equality [Ding et al. 2020, equation 6].

    Each channel's means and variances over the whole picture are compared. All channels of a map weigh alike, and all
    maps: the published weights were learned for VGG16, so figures of other networks do not compare with published ones.
    """
    layers = []
    for x, y in zip(a, b, strict=True):
        x, y = x.flatten(2), y.flatten(2)
        mean_x, mean_y = x.mean(2), y.mean(2)
        covariance = (x * y).mean(2) - mean_x * mean_y
        variances = x.var(2, correction=0) + y.var(2, correction=0)
        texture = (2 * mean_x * mean_y + STABLE) / (mean_x.square() + mean_y.square() + STABLE)
        structure = (2 * covariance + STABLE) / (variances + STABLE)
        layers.append(1 - ((texture + structure) / 2).mean(1))
    return torch.stack(layers).mean(0)


def _unit(images: Tensor) -> Tensor:
    return torch.clamp(images.detach().float(), -1, 1) * 0.5 + 0.5
