"""What a face shows besides who it is and how old: a smile, glasses, the side of the light, an open mouth.

The published directions were found by AnyCost-GAN's predictor of 40 attributes. This one is small and told the truth of
synthetic people; wherever scores are wanted, any function from images to named scores will do (`Scores`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsame.core import weights
from selfsame.nets.iresnet import STARTER_JUDGE, IResNet, IResNetConfig, enlarged
from selfsame.nets.judges import Frozen, prepare
from selfsame.nets.ops import fast_layout

ATTRIBUTES_JUDGE = "attributes judge"
"""The `kind` on the card of an attributes judge's weights."""

NAMES = ("smile", "glasses", "light", "mouth_open")
MIRRORED = {"light": -1.0}  # what becomes of an attribute in the mirror, where it changes

Scores = Callable[[Float[Tensor, "b 3 h w"]], Mapping[str, Float[Tensor, "b"]]]
"""Any judge of attributes: faces in [-1, 1] to one number a face under each name, high for more of it."""


@dataclass(frozen=True)
class AttributesConfig:
    """The sizes of the residual network below the attributes."""

    residual: IResNetConfig


STARTER_ATTRIBUTES = AttributesConfig(replace(STARTER_JUDGE, embedding=64))


class AttributesResNet(nn.Module):
    """An improved residual network whose embedding is read linearly, one number an attribute of `NAMES`."""

    def __init__(self, config: AttributesConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = IResNet(config.residual)
        self.reads = nn.Linear(config.residual.embedding, len(NAMES))

    def prepare(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 s s"]:
        """As the identity judge's images."""
        return prepare(images, self.config.residual.size_px)

    def forward(self, x: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b n"]:
        """The attributes in the order of `NAMES`, glasses as a logit."""
        _, embedding = self.trunk(x)
        found: Tensor = self.reads(enlarged(embedding))
        return found


class AttributesJudge(Frozen):
    """An attributes network that never changes."""

    network: AttributesResNet

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "b"]]:
        """Of each face in [-1, 1], by name.

        `smile` from -0.25 (corners down) to 1, `glasses` the probability of a pair, `light` the yaw of the key light in
        radians about the head (0 in front, positive from the person's left, which is the picture's right), `mouth_open`
        from 0 to 0.9; the units are the world's.
        """
        found = dict(zip(NAMES, self.network(fast_layout(self.network.prepare(images))).unbind(1), strict=True))
        return {**found, "glasses": torch.sigmoid(found["glasses"])}


def save(folder: Path, network: AttributesResNet, card: weights.Card, *, half: bool = False) -> weights.Card:
    """Write a network's weights with `card`, its kind and configuration filled in, for `load`."""
    return weights.save_net(folder, network, replace(card, kind=ATTRIBUTES_JUDGE), half=half)


def load(folder: Path, device: torch.device | str = "cpu") -> AttributesJudge:
    """The attributes judge that `save` wrote into a folder; raises BadInput where there is none."""
    network, _ = weights.load_net(folder, ATTRIBUTES_JUDGE, AttributesConfig, AttributesResNet)
    return AttributesJudge(network).to(device)
