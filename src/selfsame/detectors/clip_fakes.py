"""Fake clips made of real ones: faults in time alone, or in space alone [AltFreezing, Wang et al. 2023].

The paper names temporal dropout, temporal repeat and clip-level blending; it does not say how often each is drawn, nor
how long a fault is. Those numbers are ours.
"""

import torch
from jaxtyping import Float
from torch import Tensor

LONGEST = 4  # a fault in time takes at most this part of the clip: 8 of 32 frames
RADII = (0.15, 0.4)  # of the blended ellipse, in parts of the picture
SOFT = (0.05, 0.3)  # of its edge, in parts of its radius


def mixed(
    clips: Float[Tensor, "b t 3 p p"], fake: Float[Tensor, "b"], share: float, g: torch.Generator
) -> Float[Tensor, "b t 3 p p"]:
    """The batch with about a `share` of its fakes replaced by fakes made of its real clips, in kinds drawn alike.

    Labels stay what they are, and so does the balance of the batch. Without real clips nothing is replaced.
    """
    real = [row for row, label in enumerate(fake.tolist()) if label < 0.5]
    made = list(clips.unbind(0))
    for row in range(len(made)):
        if row in real or not real or float(torch.rand((), generator=g)) >= share:
            continue
        own = _draw(0, len(real), g)
        others = [n for n in real if n != real[own]]
        kind = _draw(0, 3 if others else 2, g)
        if kind == 2:
            made[row] = blended(clips[real[own]], clips[others[_draw(0, len(others), g)]], g)
        else:
            made[row] = (dropped, repeated)[kind](clips[real[own]], g)
    return torch.stack(made)


def dropped(clip: Float[Tensor, "t 3 p p"], g: torch.Generator) -> Float[Tensor, "t 3 p p"]:
    """A few frames left out somewhere; the end plays back, as the authors' demo does with clips too short."""
    count = len(clip)
    lost = _draw(1, 1 + max(1, count // LONGEST), g)
    cut = _draw(1, max(2, count - 2 * lost), g)  # what plays back has not lost frames itself
    order = [*range(cut), *range(cut + lost, count)]
    return clip[order + order[-2::-1][:lost]]


def repeated(clip: Float[Tensor, "t 3 p p"], g: torch.Generator) -> Float[Tensor, "t 3 p p"]:
    """One frame that stands still for a few; what comes after is later, and the end is cut off."""
    count = len(clip)
    still, times = _draw(0, count - 1, g), _draw(1, 1 + max(1, count // LONGEST), g)
    return clip[([*range(still)] + [still] * times + [*range(still, count)])[:count]]


def blended(
    clip: Float[Tensor, "t 3 p p"], other: Float[Tensor, "t 3 p p"], g: torch.Generator
) -> Float[Tensor, "t 3 p p"]:
    """A soft ellipse of another real clip, in this one's colours, at one place in all frames: no fault in time."""
    x0, y0 = (0.3 + 0.4 * torch.rand(2, generator=g)).tolist()
    width, height = (RADII[0] + (RADII[1] - RADII[0]) * torch.rand(2, generator=g)).tolist()
    soft = SOFT[0] + (SOFT[1] - SOFT[0]) * float(torch.rand((), generator=g))
    at = (torch.arange(clip.shape[-1], device=clip.device) + 0.5) / clip.shape[-1]
    away = torch.hypot((at[None, :] - x0) / width, (at[:, None] - y0) / height)
    mask = torch.sigmoid((1 - away) / soft)
    return (clip + mask * (_coloured(other, clip) - clip)).clamp(-1, 1)


def _coloured(clip: Float[Tensor, "t 3 p p"], like: Float[Tensor, "t 3 p p"]) -> Float[Tensor, "t 3 p p"]:
    """A clip with another's mean and deviation of each channel."""
    own, wanted = (x.mean((0, 2, 3), keepdim=True) for x in (clip, like))
    spread, wide = (x.std((0, 2, 3), keepdim=True).clamp_min(1e-4) for x in (clip, like))
    coloured: Tensor = (clip - own) / spread * wide + wanted
    return coloured


def _draw(low: int, high: int, g: torch.Generator) -> int:
    return int(torch.randint(low, high, (), generator=g))
