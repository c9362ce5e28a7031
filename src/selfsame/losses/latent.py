"""Losses on embeddings and latent codes: pure functions, one value per sample."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

HULL_LAYERS = 12


def identity(a: Float[Tensor, "b d"], b: Float[Tensor, "b d"]) -> Float[Tensor, "b"]:
    """1 - cosine of two embeddings.

    The identity loss compares a rendering with its photo, the symmetry loss a rendering with the left-right flipped one
    from the mirrored camera [My3DGen v1, both].
    """
    return 1 - F.cosine_similarity(a, b, dim=1)


def distance_to_mean(w_plus: Float[Tensor, "b l d"], w_mean: Float[Tensor, "d"]) -> Float[Tensor, "b"]:
    """Distance of the codes from the mean code, averaged over layers: the same scale for any number of layers."""
    return _lengths(w_plus - w_mean).mean(1)


def w_norm(w_plus: Float[Tensor, "b l d"], w_mean: Float[Tensor, "d"] | Float[Tensor, "l d"]) -> Float[Tensor, "b"]:
    """Distance of the codes from the mean code over layers and dimensions together, not squared [pSp and SAM, w_norm].

    For codes equally far in each of L layers it is the root of L times `distance_to_mean`.
    """
    return _lengths((w_plus - w_mean).flatten(1))


def code(w_plus: Float[Tensor, "b l d"], known: Float[Tensor, "b l d"]) -> Float[Tensor, "b"]:
    """Mean squared difference from codes that are known; no published encoder has any."""
    return (w_plus - known).square().mean((1, 2))


def hull_spread(deltas: Float[Tensor, "b l n"], layers: int = HULL_LAYERS) -> Float[Tensor, "b"]:
    """Sum over the first `layers` layers of the length of each layer's own hull weights [MyStyle, projection]."""
    return _lengths(deltas[:, :layers]).sum(1)


def hull_sum(alpha: Float[Tensor, "b n"], deltas: Float[Tensor, "b l n"]) -> Float[Tensor, "b"]:
    """Squared distance from 1 of each layer's sum of hull weights, averaged over layers [MyStyle, projection]."""
    return ((alpha[:, None] + deltas).sum(2) - 1).square().mean(1)


def angular_margin(
    cosines: Float[Tensor, "b n"], labels: Int[Tensor, "b"], *, margin: float = 0.5, scale: float = 64.0
) -> Float[Tensor, "b"]:
    """ArcFace's loss [Deng et al. 2019, equation 3]: cross entropy after `margin` radians are added to the true angle.

    `cosines` are those between embeddings and class centres. Where the true angle plus the margin passes pi, the cosine
    is lowered along a line instead, so that the loss keeps growing with the angle [the authors' implementation].
    """
    true = cosines.gather(1, labels[:, None])
    sine = (1 - true.square()).clamp(min=1e-7).sqrt()  # the slope of the root is infinite at 0
    turned = true * math.cos(margin) - sine * math.sin(margin)
    lowered = torch.where(true > -math.cos(margin), turned, true - margin * math.sin(margin))
    return F.cross_entropy(scale * cosines.scatter(1, labels[:, None], lowered), labels, reduction="none")


def _lengths(vectors: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-1)  # its slope at zero is zero, not NaN
    return lengths
