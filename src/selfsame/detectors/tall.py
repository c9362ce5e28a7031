"""TALL: consecutive frames side by side in one picture, which an image transformer then sees in time [Xu et al. 2023].

A clip becomes a 2 x 2 thumbnail of four frames; a Swin transformer looks at it as at any picture.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.detectors.detector import IMAGENET, Detector, Sight
from selfsame.detectors.residual import ConvStem, in_time

FRAMES = 4


def thumbnail(clips: Float[Tensor, "b t 3 p p"]) -> Float[Tensor, "b 3 q q"]:
    """The frames of each clip row by row in one square picture; their number is a square [TALL, section 3.2]."""
    side = math.isqrt(clips.shape[1])
    rows = clips.unflatten(1, (side, side))
    return torch.cat([torch.cat(list(row.unbind(1)), -1) for row in rows.unbind(1)], -2)


def swin_base() -> Detector:
    """Four frames of 112 px for Swin-B [TALL, section 4.1], 86.7 million parameters."""
    import timm

    body = timm.create_model("swin_base_patch4_window7_224", num_classes=0)
    return Detector(body, Sight(112, FRAMES, *IMAGENET), "norm", arrange=thumbnail)


def small() -> Detector:
    """Four noise residuals of 112 px for a Swin of two stages behind a stem of convolutions, 0.3 million parameters."""
    from timm.models.swin_transformer import SwinTransformer

    body = SwinTransformer(
        224, 8, num_classes=0, embed_dim=48, depths=(1, 2), num_heads=(3, 6), window_size=7, drop_path_rate=0.0
    )
    body.patch_embed = ConvStem(224, 8, 3, 48, last=True)
    return Detector(body, Sight(112, FRAMES), "norm", arrange=lambda clips: thumbnail(in_time(clips)))
