"""ArcFace's improved residual network with squeeze and excitation: identity embeddings from faces.

Attribute names are the published ones, so that the weights of the IR-SE50 in SAM and pSp load under their own keys.
"""

from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Stages = tuple[tuple[int, int], ...]
"""The channels and the number of units of each stage; every stage halves the size once."""


@dataclass(frozen=True)
class IResNetConfig:
    """Sizes of the network; the defaults are the published IR-SE50 (43.8 million numbers, 112 px)."""

    stem: int = 64
    stages: Stages = ((64, 3), (128, 4), (256, 14), (512, 3))
    squeeze: int = 16
    size_px: int = 112
    embedding: int = 512
    dropout: float = 0.6


IR_SE50 = IResNetConfig()
STARTER_JUDGE = IResNetConfig(
    stem=24,
    stages=((24, 1), (48, 2), (96, 2), (160, 1)),
    squeeze=8,
    size_px=64,
    embedding=128,
    dropout=0.2,
)
# Of another size and shape, so that what a training does to please the judge need not please this one.
STARTER_REFEREE = IResNetConfig(
    stem=16, stages=((32, 1), (48, 1), (96, 2), (128, 1)), squeeze=8, size_px=80, embedding=96, dropout=0.2
)


def enlarged(embedding: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
    """Unit embeddings times the root of their width, so that their numbers are about 1."""
    larger: Tensor = embedding * embedding.shape[1] ** 0.5
    return larger


class SqueezeExcite(nn.Module):
    """Channels scaled by what the whole picture says of them [Hu et al. 2018]."""

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // squeeze, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // squeeze, channels, 1, bias=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The scaled channels."""
        hidden = F.relu(self.fc1(x.mean((2, 3), keepdim=True)))
        return x * torch.sigmoid(self.fc2(hidden))


class Unit(nn.Module):
    """One residual unit [ArcFace, section 2.2.2: BN, conv, BN, PReLU, conv, BN; here without the second BN]."""

    def __init__(self, inputs: int, outputs: int, stride: int, squeeze: int) -> None:
        super().__init__()
        if inputs == outputs:
            self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            SqueezeExcite(outputs, squeeze),
        )

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h2 w2"]:
        """Half the size where the stride is 2."""
        y: Tensor = self.shortcut_layer(x) + self.res_layer(x)
        return y


def first_layer(inputs: int, stem: int) -> nn.Sequential:
    """Pictures of `inputs` channels to `stem` channels of the same size."""
    return nn.Sequential(nn.Conv2d(inputs, stem, 3, 1, 1, bias=False), nn.BatchNorm2d(stem), nn.PReLU(stem))


def residual_body(stem: int, stages: Stages, squeeze: int) -> nn.Sequential:
    """The units of all stages in one row."""
    units: list[Unit] = []
    width = stem
    for channels, count in stages:
        for index in range(count):
            units.append(Unit(width, channels, 1 if index else 2, squeeze))
            width = channels
    return nn.Sequential(*units)


def stage_maps(x: Float[Tensor, "b c h w"], body: nn.Sequential, stages: Stages) -> list[Tensor]:
    """What comes out of each stage of `body`."""
    maps = []
    ends = set(accumulate(count for _, count in stages))
    for index, unit in enumerate(body, 1):
        x = unit(x)
        if index in ends:
            maps.append(x)
    return maps


class IResNet(nn.Module):
    """Faces of `config.size_px` in [-1, 1] to feature maps and a unit embedding."""

    def __init__(self, config: IResNetConfig = IR_SE50) -> None:
        super().__init__()
        self.config = config
        self.input_layer = first_layer(3, config.stem)
        self.body = residual_body(config.stem, config.stages, config.squeeze)
        width = config.stages[-1][0]
        side_px = config.size_px >> len(config.stages)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.Dropout(config.dropout),
            nn.Flatten(),
            nn.Linear(width * side_px**2, config.embedding),
            nn.BatchNorm1d(config.embedding),
        )

    def forward(self, faces: Float[Tensor, "b 3 s s"]) -> tuple[list[Tensor], Float[Tensor, "b d"]]:
        """The maps after the stem and after each stage, and the embedding, of length 1."""
        x = self.input_layer(faces)
        maps = [x, *stage_maps(x, self.body, self.config.stages)]
        return maps, F.normalize(self.output_layer(maps[-1]), dim=1)
