"""TALL: consecutive frames side by side in one picture, which an image transformer then sees in time [Xu et al. 2023].

A clip becomes a 2 x 2 thumbnail of four frames, each marked by a learned vector; a Swin transformer looks at it as at
any picture. In training a block is masked at the same place of all frames.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsame.detectors.checkpoint import checked, one_logit
from selfsame.detectors.detector import IMAGENET, Detector, Lesson, Sight, cross_entropy
from selfsame.detectors.residual import ConvStem, in_time

FRAMES = 4
BLOCK = 16 / 112  # of the frame's side [the repository's cut-out]
NOT_LEARNED = re.compile(r"attn_mask$|relative_position_index$")


class Thumbnails(nn.Module):
    """A Swin that sees thumbnails of FRAMES frames, each marked by a vector that is added to its tokens."""

    def __init__(self, swin: Any) -> None:
        super().__init__()
        self.swin = swin
        self.num_features = int(swin.num_features)
        self.marks = nn.Parameter(0.02 * torch.randn(FRAMES, int(swin.patch_embed.proj.out_channels)))

    def forward_features(self, x: Float[Tensor, "b 3 q q"]) -> Float[Tensor, "b h w c"]:
        """The last map of thumbnails."""
        x = self.swin.patch_embed(x)
        side = math.isqrt(FRAMES)
        marks = self.marks.reshape(side, side, -1)
        for axis in (0, 1):
            marks = marks.repeat_interleave(x.shape[1 + axis] // side, axis)
        seen: Tensor = self.swin.norm(self.swin.layers(x + marks))
        return seen

    def forward_head(self, x: Float[Tensor, "b h w c"], pre_logits: bool) -> Float[Tensor, "b c"]:
        """The map's mean."""
        pooled: Tensor = self.swin.forward_head(x, pre_logits=pre_logits)
        return pooled


def thumbnail(clips: Float[Tensor, "b t 3 p p"]) -> Float[Tensor, "b 3 q q"]:
    """The frames of each clip row by row in one square picture; their number is a square [TALL, section 3.2]."""
    side = math.isqrt(clips.shape[1])
    rows = clips.unflatten(1, (side, side))
    return torch.cat([torch.cat(list(row.unbind(1)), -1) for row in rows.unbind(1)], -2)


def masked(clips: Float[Tensor, "b t 3 p p"], g: torch.Generator) -> Float[Tensor, "b t 3 p p"]:
    """The clips with a grey block at a random place, the same in all frames of one; at the border a part of it is seen
    [TALL, section 3.2].
    """
    side = clips.shape[-1]
    centre = (torch.rand(2, len(clips), 1, generator=g) * side).to(clips.device)
    inside = (torch.arange(side, device=clips.device) + 0.5 - centre).abs() <= BLOCK * side / 2
    block = inside[0][:, :, None] & inside[1][:, None, :]
    return clips.masked_fill(block[:, None, None], 0.0)


def lesson(net: Detector, clips: Tensor, fake: Tensor, g: torch.Generator) -> Tensor:
    """Cross entropy on masked clips."""
    return cross_entropy(net, masked(clips, g), fake, g)


def swin_base() -> Detector:
    """Four frames of 112 px for Swin-B [TALL, section 4.1] with the repository's windows of 14, 14, 14 and 7 and its
    marks, 86.9 million parameters.
    """
    import timm

    swin = timm.create_model("swin_base_patch4_window7_224", num_classes=0, window_size=14, drop_path_rate=0.1)
    return Detector(
        Thumbnails(swin), Sight(112, FRAMES, *IMAGENET), "swin.norm", arrange=thumbnail, rows=2,
        backbone="body.swin", lesson=Lesson(lesson),
    )  # fmt: skip


def small() -> Detector:
    """Four noise residuals of 112 px for a Swin of two stages behind a stem of convolutions, 0.3 million parameters."""
    from timm.models.swin_transformer import SwinTransformer

    swin = SwinTransformer(
        224, 8, num_classes=0, embed_dim=48, depths=(1, 2), num_heads=(3, 6), window_size=7, drop_path_rate=0.0
    )
    body = Thumbnails(swin)
    swin.patch_embed = ConvStem(224, 8, 3, 48, last=True)
    return Detector(
        body, Sight(112, FRAMES), "swin.norm", arrange=lambda clips: thumbnail(in_time(clips)), rows=2,
        lesson=Lesson(lesson),
    )  # fmt: skip


def published(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a checkpoint of rainy-xu/TALL4Deepfake under the names of `swin_base`;
    raises BadInput for another network's.

    timm begins a stage with the merging of patches that there ends the stage before.
    """
    named: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if NOT_LEARNED.search(name):
            continue
        if name == "frame_pos_embed":
            named["body.marks"] = tensor[0]
        elif name.startswith("head."):
            named[name] = one_logit(tensor)
        else:
            moved = re.sub(r"^layers\.(\d)\.downsample", lambda m: f"layers.{int(m[1]) + 1}.downsample", name)
            named[f"body.swin.{moved}"] = tensor
    return checked(named, swin_base, "tall-swin-b")
