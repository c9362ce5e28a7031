"""SAM's losses about age: pure functions, one value per sample [Alaluf et al. 2021, and the released code].

Its other terms are `image.mse`, `image.perceptual`, `latent.identity` and `latent.w_norm`.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

FACE = (35, 223, 32, 220)  # rows and columns of the face in FFHQ's crop of 256 px [pSp, identity loss]
FACE_OF_PX = 256


def aging(years: Float[Tensor, "b"], target: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
    """Squared error of a judged age, in centuries."""
    return ((years - target) / 100).square()


def identity_weight(years_apart: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
    """How much identity counts when a face is made this much older or younger: 1 at no years, 0.75 at 50."""
    return 0.25 * torch.cos(math.pi / 100 * years_apart.abs()) + 0.75


def face(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """The middle of FFHQ's crop, where the face is: rows 35 to 223 and columns 32 to 220 of 256, scaled to the size."""
    top, bottom = (round(edge * images.shape[2] / FACE_OF_PX) for edge in FACE[:2])
    left, right = (round(edge * images.shape[3] / FACE_OF_PX) for edge in FACE[2:])
    return images[:, :, top:bottom, left:right]
