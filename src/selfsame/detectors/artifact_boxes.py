"""Boxes about artifacts: anchors of several scales, which of them a box is the target of, and the loss of both
[SSD, Liu et al. 2016; CADDM, section 4.1 and its released code].

Boxes are shares of the picture: corners are (x0, y0, x1, y1), anchors (x, y, width, height) about their middle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

MATCHED = 0.5  # of intersection over union, from which on an anchor answers for a box
NEGATIVES = 2  # the hardest anchors without an artifact that count, for each that has one
VARIANCES = (0.1, 0.2)  # units of offsets and of the logarithms of sizes


@dataclass(frozen=True)
class Scale:
    """The anchors of one map: `side` x `side` places that are `step` apart, at each an upright box and a lying one."""

    side: int
    step: float
    short: float
    long: float


def anchors(scales: Sequence[Scale]) -> Float[Tensor, "a 4"]:
    """All anchors in the order of the maps' outputs: by scale, row, column, then the upright one first."""
    made = []
    for scale in scales:
        middle = (torch.arange(scale.side) + 0.5) * scale.step
        y, x = torch.meshgrid(middle, middle, indexing="ij")
        for_size = torch.tensor([[scale.short, scale.long], [scale.long, scale.short]])
        middles = torch.stack([x, y], -1).reshape(-1, 1, 2).expand(-1, 2, 2)
        made.append(torch.cat([middles, for_size.expand(len(middles), 2, 2)], -1).reshape(-1, 4))
    return torch.cat(made).clamp(0, 1)


def overlap(boxes: Float[Tensor, "*#b 4"], others: Float[Tensor, "*#b 4"]) -> Float[Tensor, "..."]:
    """Intersection over union of corners, broadcast; 0 for boxes of no area."""
    low, high = torch.maximum(boxes[..., :2], others[..., :2]), torch.minimum(boxes[..., 2:], others[..., 2:])
    shared = (high - low).clamp_min(0).prod(-1)
    areas = sum((x[..., 2:] - x[..., :2]).prod(-1) for x in (boxes, others))
    return shared / (areas - shared).clamp_min(1e-9)


def match(
    boxes: Float[Tensor, "b k 4"], there: Bool[Tensor, "b k"], prior: Float[Tensor, "a 4"]
) -> tuple[Float[Tensor, "b a 4"], Bool[Tensor, "b a"]]:
    """What each anchor should say: the offsets to its box, and whether it has one.

    An anchor has the box that it overlaps most, from MATCHED on; the anchor that fits a box best has it in any case.
    Of `boxes` count those that are `there`.
    """
    corners = torch.cat([prior[:, :2] - prior[:, 2:] / 2, prior[:, :2] + prior[:, 2:] / 2], 1)
    shared = overlap(boxes[:, :, None], corners).masked_fill(~there[:, :, None], -1.0)
    best, which = shared.max(1)
    for k in range(boxes.shape[1]):
        own = F.one_hot(shared[:, k].argmax(1), len(prior)).bool() & there[:, k, None]
        best, which = best.masked_fill(own, 2.0), which.masked_fill(own, k)
    box = boxes.gather(1, which[:, :, None].expand(-1, -1, 4))
    size = (box[..., 2:] - box[..., :2]).clamp_min(1e-6)
    offset = ((box[..., :2] + box[..., 2:]) / 2 - prior[:, :2]) / (VARIANCES[0] * prior[:, 2:])
    return torch.cat([offset, (size / prior[:, 2:]).log() / VARIANCES[1]], -1), best >= MATCHED


def loss(
    location: Float[Tensor, "b a 4"], confidence: Float[Tensor, "b a 2"],
    offsets: Float[Tensor, "b a 4"], artifact: Bool[Tensor, "b a"],
) -> Float[Tensor, ""]:  # fmt: skip
    """Smooth L1 of the offsets of anchors with an artifact, and cross entropy of these and of NEGATIVES times as many
    of the hardest others in the same picture; both by anchor with an artifact. A real picture has none, so that it adds
    nothing, as in the released code.
    """
    where = F.smooth_l1_loss(location[artifact].float(), offsets[artifact], reduction="sum")
    each = F.cross_entropy(confidence.float().transpose(1, 2), artifact.long(), reduction="none")
    hardest = each.detach().masked_fill(artifact, 0.0).argsort(1, descending=True).argsort(1)
    counted = artifact | (hardest < (NEGATIVES * artifact.sum(1, keepdim=True)).clamp_max(artifact.shape[1] - 1))
    return (where + each[counted].sum()) / artifact.sum().clamp_min(1)
