"""Where in the picture a detector finds what it judges by: Grad-CAM in numbers that compare, and its mass by region."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsame.detectors.detector import Detector

Evidence = Literal["fake", "real", "both"]
REGIONS = ("face", "ring", "background")
FACE_WIDTH = 0.76  # of its height: the median of MTCNN's boxes in 32 clips of talking heads
RING = 1.6  # times the face: hair above, neck below
FINE = 16  # points along a cell of the map by which a region's share of it is counted


def grad_cam(
    detector: Detector, clips: Float[Tensor, "b k 3 p p"], evidence: Evidence = "fake"
) -> Float[Tensor, "b f h w"]:
    """The evidence for fake (or for real) at each place of each frame: Grad-CAM on `tap` [Selvaraju et al. 2017].

    Values are in the logit's unit and not negative; of "both" what speaks for real is. They are not stretched, so maps
    of one detector compare. Where a thumbnail shows several frames its map is cut back into theirs. The detector is
    asked in the mode that it is in, and neither its gradients nor its hooks change.
    """
    from captum.attr import LayerGradCam

    # The gradient begins at the tap: what lies before needs none, and may be frozen.
    begun = detector.tap.register_forward_pre_hook(_begin)
    try:
        raw = LayerGradCam(detector, detector.tap).attribute(clips)
    finally:
        begun.remove()
    assert isinstance(raw, Tensor)
    return of(_by_frame(raw.detach().squeeze(1), len(clips), detector.sight.frames, detector.rows), evidence)


def of(both: Float[Tensor, "*n h w"], evidence: Evidence) -> Float[Tensor, "*n h w"]:
    """One side's evidence from maps of both."""
    return both if evidence == "both" else (both if evidence == "fake" else -both).clamp_min(0)


def regions(margin: float, height: int, width: int) -> Float[Tensor, "3 h w"]:
    """How much of each cell of a map lies in the face, in the ring about it (hair and neck), in the background.

    Pure geometry of a square crop that is `margin` times the longer side of the face's box: the face is the ellipse in
    the middle as high as that side and FACE_WIDTH as wide, the ring what an ellipse RING times as large has beyond it,
    the background the rest.
    """
    y, x = (2 * (torch.arange(n * FINE) + 0.5) / (n * FINE) - 1 for n in (height, width))
    radius = margin * torch.hypot(x[None, :] / FACE_WIDTH, y[:, None])
    inside = torch.stack([radius <= 1, (radius > 1) & (radius <= RING), radius > RING]).float()
    cells: Tensor = inside.unflatten(-2, (height, FINE)).unflatten(-1, (width, FINE)).mean((-3, -1))
    return cells


def shares(maps: Float[Tensor, "*n h w"], margin: float) -> Float[Tensor, "*n 3"]:
    """The share of each map's mass in the three regions, in the order of REGIONS; NaN for a map that is zero."""
    mass = torch.einsum("...hw,rhw->...r", maps, regions(margin, *maps.shape[-2:]).to(maps))
    return mass / mass.sum(-1, keepdim=True)


def area_shares(margin: float, height: int, width: int) -> Float[Tensor, "3"]:
    """The regions' shares of the picture, in the order of REGIONS: what evidence spread evenly would have."""
    return regions(margin, height, width).mean((-2, -1))


def _begin(tap: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    return (inputs[0].detach().requires_grad_(),)


def _by_frame(maps: Float[Tensor, "n *d"], clips: int, frames: int, rows: int) -> Float[Tensor, "b f k l"]:
    """Maps by frame: of single frames; of volumes, where a map of several frames counts in each; of thumbnails of so
    many rows, cut into their frames (a cell that two frames share counts in both); or of all frames at once.
    """
    if maps.ndim == 4:
        return maps.repeat_interleave(math.ceil(frames / maps.shape[1]), 1)[:, :frames]
    if len(maps) == clips * frames:
        return maps.reshape(clips, frames, *maps.shape[1:])
    if rows == 1:
        return maps[:, None].expand(-1, frames, -1, -1)
    if maps.shape[-1] % rows:
        maps = maps.repeat_interleave(rows, -2).repeat_interleave(rows, -1)
    return torch.stack(torch.stack(maps.chunk(rows, -2), 1).chunk(rows, -1), 2).flatten(1, 2)
