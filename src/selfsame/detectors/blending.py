"""Fakes made of a batch's own crops, with the box of what was changed: self-blended ones and windows of other fakes.

Self-blended: a real crop is blended with a changed copy of itself in a soft region [SBI, Shiohara and Yamasaki 2022],
so that nothing but the blending tells it from its source. Windows of fakes stand for the partial swaps of CADDM's
multi-scale facial swap. That one blends a fake with the very frame it was made from; a batch does not hold that frame,
so the real crop here is another person's, whose colour the window takes on; the window is drawn and not sought where
both differ most; and the whole face is not blended anew.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

SWAPPED = 0.2  # of fakes: a window of them in a real crop [CADDM's released code: partial swaps]
BLENDED = 0.3  # of fakes: replaced by a self-blended real crop; the rest stays as it is
SCALE, SHIFT, GAIN, TONE = 0.05, 0.03, 0.1, 0.15  # at most; of the picture, of contrast, of [-1, 1]
FLATTEST, ROUNDEST = 8.0, 2.0  # exponents of a region's outline: nearly a rectangle, an ellipse
SOFT = (0.1, 0.5)  # the width of a region's edge, of its radius
FAINT = 0.5  # at least this share of the changed copy in the region's middle


def pairs(
    clips: Float[Tensor, "b 1 3 p p"], fake: Float[Tensor, "b"], sizes: Sequence[tuple[float, float]],
    g: torch.Generator,
) -> tuple[Float[Tensor, "b 1 3 p p"], Float[Tensor, "b 2 4"], Bool[Tensor, "b 2"]]:  # fmt: skip
    """The batch with some of its fakes replaced, two boxes each, and which are there.

    The first box is the whole crop, of every fake (what generators make is all of it); the second the window of those
    made here, of one of the `sizes` (short, long), upright or lying. Without real clips nothing is replaced.
    """
    count, device = len(clips), clips.device
    kind, window = torch.rand(count, generator=g).to(device), windows(count, sizes, g).to(device)
    real = (fake < 0.5).nonzero().squeeze(1)
    touched = (fake > 0.5) & (kind < SWAPPED + BLENDED) & (len(real) > 0)
    if len(real):
        scene = clips.squeeze(1)[real[torch.randint(len(real), (count,), generator=g).to(device)]]
        share = region(window, clips.shape[-1], g)
        swapped = toned(clips.squeeze(1), scene, share)
        inside = torch.where((kind < SWAPPED)[:, None, None, None], swapped, changed(scene, g))
        made = scene + share * (inside - scene)
        clips = torch.where(touched[:, None, None, None, None], made[:, None], clips)
    whole = torch.tensor([0.0, 0.0, 1.0, 1.0], device=device).expand(count, 4)
    return clips, torch.stack([whole, window], 1), torch.stack([fake > 0.5, touched], 1)


def windows(count: int, sizes: Sequence[tuple[float, float]], g: torch.Generator) -> Float[Tensor, "n 4"]:
    """Corners of windows of the given sizes, anywhere in the picture."""
    size = torch.tensor(sizes)[torch.randint(len(sizes), (count,), generator=g)]
    size = torch.where(torch.rand(count, 1, generator=g) < 0.5, size, size.flip(1))
    low = torch.rand(count, 2, generator=g) * (1 - size)
    return torch.cat([low, low + size], 1)


def region(window: Float[Tensor, "b 4"], px: int, g: torch.Generator) -> Float[Tensor, "b 1 p p"]:
    """How much of the copy each pixel gets: 0 outside of the window, a soft edge, an outline between ellipse and
    rectangle.
    """
    count = len(window)
    drawn = torch.rand(4, count, 1, 1, generator=g).to(window)
    power = ROUNDEST + (FLATTEST - ROUNDEST) * drawn[0]
    at = (torch.arange(px, device=window.device) + 0.5) / px
    middle, half = (window[:, :2] + window[:, 2:]) / 2, (window[:, 2:] - window[:, :2]) / 2
    x, y = (((at - middle[:, i, None]) / half[:, i, None]).abs() for i in (0, 1))
    radius = (x[:, None, :] ** power + y[:, :, None] ** power) ** (1 / power)
    edge = SOFT[0] + (SOFT[1] - SOFT[0]) * drawn[1]
    return ((1 - radius) / edge).clamp(0, 1)[:, None] * (FAINT + (1 - FAINT) * drawn[2])[:, None]


def toned(
    pictures: Float[Tensor, "b 3 p p"], scene: Float[Tensor, "b 3 p p"], share: Float[Tensor, "b 1 p p"]
) -> Float[Tensor, "b 3 p p"]:
    """Pictures with the scene's mean colour in the region: another skin alone would give the swap away."""
    weight = share / share.sum((2, 3), keepdim=True).clamp_min(1e-6)
    return (pictures + ((scene - pictures) * weight).sum((2, 3), keepdim=True)).clamp(-1, 1)


def changed(pictures: Float[Tensor, "b 3 p p"], g: torch.Generator) -> Float[Tensor, "b 3 p p"]:
    """Copies a little larger or smaller, shifted, softer or sharper, of another contrast and tone."""

    def draw(*shape: int) -> Tensor:
        return (2 * torch.rand(len(pictures), *shape, generator=g) - 1).to(pictures)

    # By hand, since affine_grid multiplies matrices, and autocast would round where pixels are taken from.
    at = (2 * torch.arange(pictures.shape[-1], device=pictures.device) + 1) / pictures.shape[-1] - 1
    y, x = torch.meshgrid(at, at, indexing="ij")
    grid = torch.stack([x, y], -1) * (1 + SCALE * draw(1, 1, 1)) + 2 * SHIFT * draw(1, 1, 2)
    moved = F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
    smooth = F.avg_pool2d(F.pad(moved, (1, 1, 1, 1), mode="reflect"), 3, 1)
    sharp = moved + draw(1, 1, 1) * (moved - smooth)
    return ((1 + GAIN * draw(1, 1, 1)) * sharp + TONE * draw(3, 1, 1)).clamp(-1, 1)
