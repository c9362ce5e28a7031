"""A person's hull: the convex combinations of their anchors, dilated by beta [MyStyle, section 3]."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import rng
from selfsame.core.errors import WrongUse

BETA = 0.03  # how far the hull is dilated [MyStyle]
SHARPNESS = 100.0  # of the softplus that keeps hull weights above -beta [MyStyle]


def sample(
    anchors: Float[Tensor, "n l w"], count: int, seed: int, among: int = 3, variety: float = 1.0, beta: float = BETA
) -> Float[Tensor, "b l w"]:
    """Random appearances: `among` anchors mixed by uniform weights that sum to one [MyStyle's P_0 sampling].

    `variety` scales the weights about the middle of the hull: 0 is the middle itself, 1 the published sampling; beyond
    1 they go further out, but no further than the hull dilated by `beta`. Raises WrongUse below 0.
    """
    if len(anchors) < 1:
        raise WrongUse("A hull needs at least one anchor.")
    if variety < 0:
        raise WrongUse(
            f"A variety of {variety} is below zero.", "0 is the middle of the hull, 1 the published sampling."
        )
    g = rng.generator(seed, "hull samples")
    weights = torch.zeros(count, len(anchors))
    for row in weights:
        chosen = torch.randperm(len(anchors), generator=g)[:among]
        share = torch.rand(len(chosen), generator=g)
        row[chosen] = share / share.sum()
    if variety != 1:
        middle = 1 / len(anchors)
        weights = middle + variety * (weights - middle)
    if variety > 1:
        weights = nearest(weights, beta)
    # One by one: the first samples of many are then bit for bit those of few.
    return torch.stack([torch.einsum("n,nlw->lw", row, anchors) for row in weights.to(anchors.device)])


def interpolate(a: Float[Tensor, "l w"], b: Float[Tensor, "l w"], steps: int) -> Float[Tensor, "b l w"]:
    """Codes on the straight line from a to b, both ends included."""
    share = torch.linspace(0, 1, steps, device=a.device)[:, None, None]
    return (1 - share) * a + share * b


def combine(alpha: Float[Tensor, "b n"], anchors: Float[Tensor, "n l w"], beta: float = BETA) -> Float[Tensor, "b l w"]:
    """Codes in the dilated hull of any weights `alpha`: kept above -beta by a soft bound, then summing to one."""
    return torch.einsum("bn,nlw->blw", bounded(alpha, beta), anchors)


def bounded(alpha: Float[Tensor, "*b n"], beta: float = BETA) -> Float[Tensor, "*b n"]:
    """Hull weights near any numbers `alpha`: kept above -beta by a soft bound, then summing to one [MyStyle]."""
    soft = F.softplus(alpha + beta, beta=SHARPNESS) - beta
    return soft / soft.sum(-1, keepdim=True)


def nearest(alpha: Float[Tensor, "b n"], beta: float = BETA) -> Float[Tensor, "b n"]:
    """The hull weights nearest to `alpha`: at least -beta, sum one; an exact projection onto the dilated simplex.

    By sorting, as onto the simplex itself [Held, Wolfe and Crowder 1974].
    """
    total = 1 + beta * alpha.shape[-1]
    raised = alpha + beta
    falling = raised.sort(-1, descending=True).values
    rank = torch.arange(1, alpha.shape[-1] + 1, device=alpha.device)
    over = (falling.cumsum(-1) - total) / rank
    kept = (falling > over).sum(-1, keepdim=True)
    return (raised - over.gather(-1, kept - 1)).clamp_min(0) - beta
