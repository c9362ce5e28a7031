"""pSp's encoder: a picture to one code for each layer of a StyleGAN2 [Richardson et al. 2021].

SAM's age encoder is the same network with a fourth channel, the target age. Attribute names are the published ones.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.nets.iresnet import STARTER_JUDGE, Stages, first_layer, residual_body, stage_maps
from selfsame.nets.layers import EqualizedLinear
from selfsame.nets.ops import fast_layout

COARSE, MEDIUM = (
    3,
    7,
)  # styles 0 to 2 come from the smallest map, 3 to 6 from the middle one, the others from the largest


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of the network; the defaults are the published pSp encoder (267 million numbers).

    `stages` are four, and the last three feed the styles. `head` is the width inside a style's head, published the same
    as `w_dim`; seven eighths of the published numbers are there, so a small encoder is one with narrow heads.
    """

    input_px: int = 256
    input_channels: int = 3
    styles: int = 18
    w_dim: int = 512
    stem: int = 64
    stages: Stages = ((64, 3), (128, 4), (256, 14), (512, 3))
    squeeze: int = 16
    head: int = 512


PSP = EncoderConfig()
SAM_AGE = EncoderConfig(input_channels=4)
STARTER_ENCODER = EncoderConfig(
    input_px=STARTER_JUDGE.size_px,
    styles=12,
    w_dim=256,
    stem=STARTER_JUDGE.stem,
    stages=STARTER_JUDGE.stages,
    squeeze=STARTER_JUDGE.squeeze,
    head=96,
)  # the layers of the starter's recognition network, as the published encoder has those of IR-SE50


class StyleHead(nn.Module):
    """A feature map to one code: strided convolutions down to one place, then a linear layer [pSp, map2style]."""

    def __init__(self, inputs: int, width: int, w_dim: int, side_px: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(int(math.log2(side_px))):
            layers += [nn.Conv2d(width if index else inputs, width, 3, 2, 1), nn.LeakyReLU()]
        self.convs = nn.Sequential(*layers)
        self.linear = EqualizedLinear(width, w_dim)

    def forward(self, x: Float[Tensor, "b c s s"]) -> Float[Tensor, "b w"]:
        """The code."""
        w: Tensor = self.linear(self.convs(x).flatten(1))
        return w


class GradualStyleEncoder(nn.Module):
    """Pictures of `config.input_px` in [-1, 1], with the plane of an age where there are four channels, to codes."""

    def __init__(self, config: EncoderConfig = PSP) -> None:
        super().__init__()
        self.config = c = config
        self.input_layer = first_layer(c.input_channels, c.stem)
        self.body = residual_body(c.stem, c.stages, c.squeeze)
        (large, _), (middle, _), (small, _) = c.stages[1:]
        sides = [c.input_px // (16 if i < COARSE else 8 if i < MEDIUM else 4) for i in range(c.styles)]
        self.styles = nn.ModuleList(StyleHead(small, c.head, c.w_dim, side_px) for side_px in sides)
        self.latlayer1 = nn.Conv2d(middle, small, 1)
        self.latlayer2 = nn.Conv2d(large, small, 1)

    def forward(self, x: Float[Tensor, "b c s s"]) -> Float[Tensor, "b l w"]:
        """Codes w_plus as offsets from the mean code."""
        _, c1, c2, c3 = stage_maps(self.input_layer(fast_layout(x)), self.body, self.config.stages)
        p2 = _enlarged_to(c2, c3) + self.latlayer1(c2)
        p1 = _enlarged_to(c1, p2) + self.latlayer2(c1)
        levels = [c3 if i < COARSE else p2 if i < MEDIUM else p1 for i in range(self.config.styles)]
        return torch.stack([head(level) for head, level in zip(self.styles, levels, strict=True)], 1)


def _enlarged_to(large: Tensor, small: Tensor) -> Tensor:
    return F.interpolate(small, large.shape[-2:], mode="bilinear", align_corners=True)


def with_age(images: Float[Tensor, "b 3 s s"], years: Float[Tensor, "b"]) -> Float[Tensor, "b 4 s s"]:
    """Images with a fourth channel that is the age everywhere, in centuries [SAM]."""
    plane = (years / 100)[:, None, None, None].expand(-1, 1, *images.shape[2:])
    return torch.cat([images, plane.to(images)], 1)
