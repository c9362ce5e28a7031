"""The convolutional stem of MM-Det's hybrid transformer: a ResNet with a second way for what blurring takes away."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

BLURS = ((3, 0.8), (5, 1.3), (7, 1.8))  # kernel and sigma, both in cells of the stem's maps


class HybridResNet(nn.Module):
    """Three stages of timm's ResNetV2, as in ViT-B/16 hybrid, and a way beside the first [repository of MM-Det].

    The second way sees a stem's maps less themselves blurred, by three widths; a 1 x 1 convolution joins both.
    """

    channels = 1024

    def __init__(self) -> None:
        from timm.layers.create_norm_act import get_norm_act_layer
        from timm.layers.norm_act import GroupNormAct
        from timm.layers.std_conv import StdConv2dSame
        from timm.models.resnetv2 import Bottleneck, ResNetStage, ResNetV2, create_resnetv2_stem

        super().__init__()
        conv, group = partial(StdConv2dSame, eps=1e-8), partial(GroupNormAct, num_groups=32)
        net = ResNetV2(
            [3, 4, 9], num_classes=0, global_pool="", preact=False, stem_type="same", conv_layer=conv, norm_layer=group
        )
        self.stem, self.stages = net.stem, net.stages
        norm = get_norm_act_layer(group, act_layer=nn.ReLU)
        self.freq_stem = create_resnetv2_stem(3, 64, "same", preact=False, conv_layer=conv, norm_layer=norm)
        self.freq_stage = ResNetStage(
            64 * len(BLURS), 256, 1, 1, 3, act_layer=nn.ReLU, conv_layer=conv, norm_layer=norm, block_fn=Bottleneck
        )
        join = nn.Conv2d(512, 256, 1, bias=False)
        self.stems_transition_conv_1x1 = nn.Sequential(join, nn.BatchNorm2d(256), nn.ReLU())

    def forward(self, x: Float[Tensor, "b 3 p p"]) -> Float[Tensor, "b 1024 h w"]:
        """Maps of a sixteenth of the side."""
        first, *rest = self.stages
        fine = self.freq_stem(x)
        lost = torch.cat([fine - blurred(fine, *blur) for blur in BLURS], 1)
        y: Tensor = self.stems_transition_conv_1x1(torch.cat([first(self.stem(x)), self.freq_stage(lost)], 1))
        for stage in rest:
            y = stage(y)
        return y


def blurred(x: Float[Tensor, "b c h w"], size: int, sigma: float) -> Float[Tensor, "b c h w"]:
    """Maps blurred by a Gaussian of `size` cells, mirrored at the borders."""
    at = torch.arange(size, device=x.device, dtype=x.dtype) - size // 2
    line = torch.exp(-0.5 * (at / sigma) ** 2)
    line = (line / line.sum()).expand(x.shape[1], 1, 1, -1)
    wide = F.pad(x, (size // 2,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(wide, line, groups=x.shape[1]), line.transpose(2, 3), groups=x.shape[1])
