"""Networks that tell a face's age, and the frozen judge that wraps one.

Both classify into the years 0 to 100 and tell the expected year [Rothe et al. 2018, DEX]. The published one is a VGG16
under its own tensor names; the starter one an improved residual network.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.core import weights
from selfsame.nets.iresnet import STARTER_JUDGE, IResNet, IResNetConfig, enlarged
from selfsame.nets.judges import Frozen, prepare
from selfsame.nets.lpips import VGG_BLOCKS
from selfsame.nets.ops import fast_layout

AGE_JUDGE = "age judge"
"""The `kind` on the card of an age judge's weights."""

AGES = 101
DEX_PX, DEX_HIDDEN = 224, 4096


@dataclass(frozen=True)
class AgeConfig:
    """Which network: the residual one of these sizes, or with `residual` None DEX's VGG16 (134.7 million numbers)."""

    residual: IResNetConfig | None = None


DEX = AgeConfig()
STARTER_AGE = AgeConfig(replace(STARTER_JUDGE, embedding=64))


class DexVgg(nn.Module):
    """VGG16 with 101 outputs."""

    def __init__(self) -> None:
        super().__init__()
        inputs = 3
        for block, (channels, count) in enumerate(VGG_BLOCKS, 1):
            for index in range(1, count + 1):
                setattr(self, f"conv{block}_{index}", nn.Conv2d(inputs, channels, 3, 1, 1))
                inputs = channels
        self.fc6 = nn.Linear(inputs * (DEX_PX // 2 ** len(VGG_BLOCKS)) ** 2, DEX_HIDDEN)
        self.fc7 = nn.Linear(DEX_HIDDEN, DEX_HIDDEN)
        self.fc8_101 = nn.Linear(DEX_HIDDEN, AGES)

    @property
    def config(self) -> AgeConfig:
        """The sizes of this network are fixed."""
        return DEX

    def prepare(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 s s"]:
        """Resized to 224 px; the published weights take images in [-1, 1] as they are [SAM, aging loss]."""
        return F.interpolate(images, (DEX_PX, DEX_PX), mode="bilinear", align_corners=False)

    def forward(self, x: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b n"]:
        """Logits of the years 0 to 100."""
        for block, (_, count) in enumerate(VGG_BLOCKS, 1):
            for index in range(1, count + 1):
                x = F.relu(getattr(self, f"conv{block}_{index}")(x))
            x = F.max_pool2d(x, 2)
        x = F.dropout(F.relu(self.fc6(x.flatten(1))), training=self.training)
        x = F.dropout(F.relu(self.fc7(x)), training=self.training)
        logits: Tensor = self.fc8_101(x)
        return logits


class AgeResNet(nn.Module):
    """An improved residual network whose embedding is classified into years."""

    def __init__(self, config: IResNetConfig) -> None:
        super().__init__()
        self.trunk = IResNet(config)
        self.classes = nn.Linear(config.embedding, AGES)

    @property
    def config(self) -> AgeConfig:
        """What stands on the card."""
        return AgeConfig(self.trunk.config)

    def prepare(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 s s"]:
        """As the identity judge's images."""
        return prepare(images, self.trunk.config.size_px)

    def forward(self, x: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b n"]:
        """Logits of the years 0 to 100; the unit embedding is enlarged so that its numbers are about 1."""
        _, embedding = self.trunk(x)
        logits: Tensor = self.classes(enlarged(embedding))
        return logits


class AgeJudge(Frozen):
    """An age network that never changes."""

    network: DexVgg | AgeResNet

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b"]:
        """The age in years of each face in [-1, 1]."""
        return expected_years(self.network(fast_layout(self.network.prepare(images))))


def expected_years(logits: Float[Tensor, "b n"]) -> Float[Tensor, "b"]:
    """The mean year under the softmax [DEX]."""
    return logits.softmax(1) @ torch.arange(logits.shape[1], dtype=logits.dtype, device=logits.device)


def build(config: AgeConfig) -> DexVgg | AgeResNet:
    """The untrained network of a configuration."""
    return DexVgg() if config.residual is None else AgeResNet(config.residual)


def save(folder: Path, network: DexVgg | AgeResNet, card: weights.Card, *, half: bool = False) -> weights.Card:
    """Write a network's weights with `card`, its kind and configuration filled in, for `load`."""
    return weights.save_net(folder, network, replace(card, kind=AGE_JUDGE), half=half)


def load(folder: Path, device: torch.device | str = "cpu") -> AgeJudge:
    """The age judge that `save` wrote into a folder; raises BadInput where there is none."""
    network, _ = weights.load_net(folder, AGE_JUDGE, AgeConfig, build)
    return AgeJudge(network).to(device)
