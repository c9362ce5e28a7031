"""Losses about age of SAM and of MyTimeMachine: pure functions, one value per sample [Alaluf et al. 2021; Qi et al.
2025; and the released code of both].

Their other terms are `image.mse`, `image.perceptual`, `latent.identity` and `latent.w_norm`.
"""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

FACE = (35, 223, 32, 220)  # rows and columns of the face in FFHQ's crop of 256 px [pSp, identity loss]
FACE_OF_PX = 256
NEAR_YEARS = 3


def aging(years: Float[Tensor, "b"], target: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
    """Squared error of a judged age, in centuries."""
    return ((years - target) / 100).square()


def identity_weight(years_apart: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
    """How much identity counts when a face is made this much older or younger: 1 at no years, 0.75 at 50."""
    return 0.25 * torch.cos(math.pi / 100 * years_apart.abs()) + 0.75


def references(
    photo_years: Int[Tensor, "n"], target: Int[Tensor, "b"], rule: Literal["window", "nearest"] = "window"
) -> Bool[Tensor, "b n"]:
    """Which photos say how the person looked at each target age: those within three whole years of it [MyTM, 4].

    "nearest" counts the three years from the photos' age that is nearest to the target, as the released code does; of
    two ages equally near it takes the younger. So each target has photos, however far they are.
    """
    apart = (photo_years - target[:, None]).abs()
    if rule == "nearest":
        # Doubled, so that a tie goes to the younger age whatever the order of the photos.
        order = 2 * apart + (photo_years > target[:, None])
        apart = (photo_years - photo_years[order.argmin(1)][:, None]).abs()
    return apart <= NEAR_YEARS


def personal_identity(
    embedding: Float[Tensor, "b d"], known: Float[Tensor, "n d"], mask: Bool[Tensor, "b n"]
) -> Float[Tensor, "b"]:
    """1 - the largest cosine with the person's photos that `mask` allows; 0 where it allows none [MyTM, equation 5].

    The largest and not the mean, so that light or style of single photos does not matter.
    """
    cosines = F.normalize(embedding, dim=1) @ F.normalize(known, dim=1).T
    best = cosines.masked_fill(~mask, -1).amax(1)
    return torch.where(mask.any(1), 1 - best, torch.zeros_like(best))


def adaptive_norm_weight(years_apart: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
    """How much the distance to the mean code counts when a face is moved by these years: 0 at none, 2 at a hundred.

    1 - cos(pi years / 100) [MyTM, equation 7]; the released code has a quarter of it, times its lambda.
    """
    return 1 - torch.cos(math.pi / 100 * years_apart)


def face(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """The middle of FFHQ's crop, where the face is: rows 35 to 223 and columns 32 to 220 of 256, scaled to the size."""
    top, bottom = (round(edge * images.shape[2] / FACE_OF_PX) for edge in FACE[:2])
    left, right = (round(edge * images.shape[3] / FACE_OF_PX) for edge in FACE[2:])
    return images[:, :, top:bottom, left:right]
