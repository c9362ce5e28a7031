"""What damage leaves of a picture: differentiable functions of pictures (B, 3, s, s) that keep the size.

Photo and rendering both pass through one of them before they are compared [MyStyle, section 4], so that a repair is
asked only for what the photo still tells.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsame.tasks.targets import Degrade

GREY = (0.299, 0.587, 0.114)  # Rec. 601 luma
BLUR = 0.012  # standard deviation as a share of the side
CONTRAST = 0.5  # what the standard deviation of a whole picture becomes
LEAST_CONTRAST = 0.02  # a picture of one tone has none to restore


def reduced(size_px: int) -> Degrade:
    """Averaged over areas down to `size_px` a side; shown at the old size in squares, so that judges see any size."""

    def apply(pictures: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b 3 s s"]:
        small = F.interpolate(pictures, (size_px, size_px), mode="area")
        return F.interpolate(small, pictures.shape[-2:], mode="nearest-exact")

    return apply


def masked(hole: Float[Tensor, "1 1 s s"]) -> Degrade:
    """Nothing but mid grey where `hole` is 1 [MyStyle: the masks of both are multiplied]."""

    def apply(pictures: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b 3 s s"]:
        return pictures * (1 - hole.to(pictures))

    return apply


def old(hole: Float[Tensor, "1 1 s s"] | None = None, blur: float = BLUR) -> Degrade:
    """Grey, blurred by `blur` (a share of the side), its contrast lost, scratched where `hole` is 1.

    How far a print has faded is not known, so tone is brought to one mean and one spread over what is left: a picture
    and its faded copy become the same.
    """

    def apply(pictures: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b 3 s s"]:
        luma = pictures.new_tensor(GREY)[:, None, None]
        sigma_px = blur * pictures.shape[-1]
        sharp = (pictures * luma).sum(1, keepdim=True)
        left = torch.ones_like(sharp[:1]) if hole is None else 1 - hole.to(sharp)
        # What lies in the hole must not bleed out of it: only what is left is averaged.
        grey = blurred(sharp * left, sigma_px) / blurred(left, sigma_px).clamp_min(1e-3)
        share = left / left.sum().clamp_min(1)
        mean = (grey * share).sum((1, 2, 3), keepdim=True)
        spread = ((grey - mean).square() * share).sum((1, 2, 3), keepdim=True)
        toned = (grey - mean) * CONTRAST / (spread + LEAST_CONTRAST**2).sqrt()
        return (toned * left).expand(-1, 3, -1, -1)

    return apply


def blurred(pictures: Float[Tensor, "b c h w"], sigma_px: float) -> Float[Tensor, "b c h w"]:
    """Convolved with a Gaussian, edges repeated; unchanged at 0."""
    if sigma_px <= 0:
        return pictures
    reach = min(max(1, round(3 * sigma_px)), pictures.shape[-1] - 1, pictures.shape[-2] - 1)
    places = torch.arange(-reach, reach + 1, device=pictures.device, dtype=pictures.dtype)
    line = torch.exp(-(places**2) / (2 * sigma_px**2))
    kernel = (line / line.sum()).expand(pictures.shape[1], 1, -1)
    padded = F.pad(pictures, (reach,) * 4, mode="replicate")
    across = F.conv2d(padded, kernel[:, :, None], groups=pictures.shape[1])
    return F.conv2d(across, kernel[:, :, :, None], groups=pictures.shape[1])
