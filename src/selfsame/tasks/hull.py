"""A person's hull: the convex combinations of their anchors, dilated by beta [MyStyle, section 3]."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import rng
from selfsame.core.errors import WrongUse

SHARPNESS = 100.0  # of the softplus that keeps hull weights above -beta [MyStyle]


def sample(anchors: Float[Tensor, "n l w"], count: int, seed: int, among: int = 3) -> Float[Tensor, "b l w"]:
    """Random appearances: `among` anchors mixed by uniform weights that sum to one [MyStyle's P_0 sampling]."""
    if len(anchors) < 1:
        raise WrongUse("A hull needs at least one anchor.")
    g = rng.generator(seed, "hull samples")
    mixed = []
    for _ in range(count):
        chosen = torch.randperm(len(anchors), generator=g)[:among]
        share = torch.rand(len(chosen), generator=g)
        mixed.append(torch.einsum("n,nlw->lw", (share / share.sum()).to(anchors.device), anchors[chosen]))
    return torch.stack(mixed)


def interpolate(a: Float[Tensor, "l w"], b: Float[Tensor, "l w"], steps: int) -> Float[Tensor, "b l w"]:
    """Codes on the straight line from a to b, both ends included."""
    share = torch.linspace(0, 1, steps, device=a.device)[:, None, None]
    return (1 - share) * a + share * b


def combine(alpha: Float[Tensor, "b n"], anchors: Float[Tensor, "n l w"], beta: float = 0.03) -> Float[Tensor, "b l w"]:
    """Codes in the dilated hull of any weights `alpha`: kept above -beta by a soft bound, then summing to one."""
    bounded = F.softplus(alpha + beta, beta=SHARPNESS) - beta
    share = bounded / bounded.sum(-1, keepdim=True)
    return torch.einsum("bn,nlw->blw", share, anchors)
