"""A W encoder: a photo to the code w with which a prior shows about that photo [MyStyle: anchors from a W encoder].

It is where an inversion begins; what it misses, optimisation finds.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsame.core import weights
from selfsame.nets.iresnet import IResNet, IResNetConfig, enlarged
from selfsame.nets.judges import Frozen, prepare
from selfsame.nets.ops import fast_layout

W_ENCODER = "W encoder"
"""The `kind` on the card of a W encoder's weights."""


@dataclass(frozen=True)
class WEncoderConfig:
    """The residual trunk and the width of the prior's w."""

    residual: IResNetConfig
    w_dim: int


STARTER_W = WEncoderConfig(
    IResNetConfig(
        stem=24, stages=((24, 1), (48, 2), (96, 2), (160, 2)), squeeze=8, size_px=64, embedding=256, dropout=0.1
    ),
    w_dim=256,
)


class WNetwork(nn.Module):
    """An improved residual network whose embedding leads to w; `w_mean` is the prior's, where an untrained one is."""

    w_mean: Tensor

    def __init__(self, config: WEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = IResNet(config.residual)
        self.head = nn.Linear(config.residual.embedding, config.w_dim)
        self.register_buffer("w_mean", torch.zeros(config.w_dim))

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Codes of images in [-1, 1] of any size; the unit embedding is enlarged so that its numbers are about 1."""
        _, embedding = self.trunk(fast_layout(prepare(images, self.config.residual.size_px)))
        moved: Tensor = self.head(enlarged(embedding))
        return self.w_mean + moved


class WEncoder(Frozen):
    """A W encoder that never changes."""

    network: WNetwork

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Codes w of EG3D crops in [-1, 1]."""
        w: Tensor = self.network(images)
        return w


def save(folder: Path, network: WNetwork, card: weights.Card, *, half: bool = False) -> weights.Card:
    """Write a network's weights with `card`, which names its prior by digest; its kind and configuration filled in."""
    return weights.save_net(folder, network, replace(card, kind=W_ENCODER), half=half)


def load(folder: Path, device: torch.device | str = "cpu") -> tuple[WEncoder, weights.Card]:
    """The W encoder that `save` wrote into a folder, and its card; raises BadInput where there is none."""
    network, card = weights.load_net(folder, W_ENCODER, WEncoderConfig, WNetwork)
    return WEncoder(network).to(device), card
