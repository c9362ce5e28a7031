"""The features whose distance is LPIPS [Zhang et al. 2018], over AlexNet or VGG16 with the user's weights, or over the
small network of the starter set.

The published weights come in through `convert`: the backbone's convolutions under torchvision's numbers
(`backbone.0.weight`) and the five linear heads as vectors (`heads.0` to `heads.4`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsame.core import weights

PERCEPTUAL_JUDGE = "perceptual judge"
"""The `kind` on the card of LPIPS weights."""

SHIFT = (-0.030, -0.088, -0.188)  # ImageNet's mean and deviation, moved from [0, 1] to [-1, 1]
SCALE = (0.458, 0.448, 0.450)

VGG_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
SMALL_BLOCKS = ((16, 1), (32, 2), (64, 2), (96, 2), (128, 2))
TAPS = {  # the rectifiers whose outputs are compared
    "alex": (1, 4, 7, 9, 11),
    "vgg": (3, 8, 15, 22, 29),
    "small": (1, 6, 11, 16, 21),
}
CHANNELS = {
    "alex": (64, 192, 384, 256, 256),
    "vgg": tuple(channels for channels, _ in VGG_BLOCKS),
    "small": tuple(channels for channels, _ in SMALL_BLOCKS),
}


@dataclass(frozen=True)
class LpipsConfig:
    """Which backbone: `alex` as the papers report, `vgg` as the projectors optimise, `small` of the starter set."""

    backbone: Literal["alex", "vgg", "small"] = "alex"


def alexnet() -> nn.Sequential:
    """The convolutions of AlexNet under torchvision's numbers [Krizhevsky 2014]."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, 1, 2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, 1, 1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, 1, 1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, 1, 1),
        nn.ReLU(),
    )


def blocks(sizes: tuple[tuple[int, int], ...]) -> nn.Sequential:
    """Blocks of 3 x 3 convolutions, (channels, how many) each, between them halvings.

    VGG_BLOCKS are the convolutions of VGG16 under torchvision's numbers [Simonyan and Zisserman 2015, configuration D].
    """
    layers: list[nn.Module] = []
    width = 3
    for channels, count in sizes:
        for _ in range(count):
            layers += [nn.Conv2d(width, channels, 3, 1, 1), nn.ReLU()]
            width = channels
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers[:-1])


def backbone(config: LpipsConfig) -> nn.Sequential:
    """The convolutions of a configuration, untrained."""
    made = {"alex": alexnet, "vgg": lambda: blocks(VGG_BLOCKS), "small": lambda: blocks(SMALL_BLOCKS)}
    return made[config.backbone]()


class Lpips(nn.Module):
    """A frozen network whose maps, compared by `losses.image.perceptual`, give the LPIPS distance."""

    shift: Tensor
    scale: Tensor

    def __init__(self, config: LpipsConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = backbone(config)
        self.heads = nn.ParameterList([torch.ones(channels) for channels in CHANNELS[config.backbone]])
        self.register_buffer("shift", torch.tensor(SHIFT)[:, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE)[:, None, None], persistent=False)
        self.requires_grad_(False)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """Five maps of images in [-1, 1], unit vectors at each place times the root of the heads' weights.

        The square of their distance is then the published weighted sum [equation 1].
        """
        heads = (head.clamp(min=0).sqrt()[:, None, None] for head in self.heads)
        return [normalise(x) * root for x, root in zip(self.activations(images), heads, strict=True)]

    def activations(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """The backbone's maps as they are, five of them, for `metrics.portrait.dists`."""
        x = (images - self.shift) / self.scale
        maps: list[Tensor] = []
        for index, layer in enumerate(self.backbone):
            x = layer(x)
            if index in TAPS[self.config.backbone]:
                maps.append(x)
        return maps


def normalise(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Each place's vector of channels at length 1; a place where all channels are zero keeps a finite gradient."""
    return features * (features.square().sum(1, keepdim=True) + 1e-10).rsqrt()


def load(folder: Path, device: torch.device | str = "cpu") -> Lpips:
    """LPIPS with the weights in a folder; raises BadInput where there are none."""
    return weights.load_net(folder, PERCEPTUAL_JUDGE, LpipsConfig, Lpips)[0].to(device)
