"""Whether the eyes of an aligned face are shut, by a small network that looks at one eye at a time.

Five landmarks have no lids, and how dark an eye is does not tell light irises from skin. The network learned from
synthetic people (`recipes/lids_judge.py`); how it errs on them and on real faces stands in docs/album.md.
"""

from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsame.core import store, weights
from selfsame.faces.quality import STANDARD_PX, Grey

LIDS_JUDGE = "lids judge"
"""The `kind` on the card of the lids judge's weights."""

PATCH_PX = 24  # side of what the network sees of an eye, on a crop of quality.STANDARD_PX
TURNED_DEGREES = 20.0  # beyond this yaw the far eye is too narrow to be told


@dataclass(frozen=True)
class LidsConfig:
    """Channels of the three convolutions, each of which halves the patch."""

    channels: tuple[int, int, int]


STARTER_LIDS = LidsConfig((16, 32, 64))


class LidsNet(nn.Module):
    """Three convolutions of 3 x 3 and a linear layer; the patch comes grey, with mean 0 and deviation 1."""

    def __init__(self, config: LidsConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((1, *config.channels)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers)
        self.reads = nn.Linear(config.channels[-1] * (PATCH_PX // 8) ** 2, 1)

    def forward(self, patches: Float[Tensor, "b 1 p p"]) -> Float[Tensor, "b"]:
        """How sure it is that an eye is shut, as a logit."""
        found: Tensor = self.reads(self.body(prepare(patches)).flatten(1))[:, 0]
        return found


def prepare(patches: Float[Tensor, "b 1 p p"]) -> Float[Tensor, "b 1 p p"]:
    """Each patch without its brightness and contrast, which are the light's."""
    mean, deviation = patches.mean((2, 3), keepdim=True), patches.std((2, 3), keepdim=True)
    return (patches - mean) / (deviation + 1e-3)


def save(folder: Path, network: LidsNet, card: weights.Card) -> weights.Card:
    """Write a network's weights with `card`, its kind and configuration filled in, for `load`."""
    return weights.save_net(folder, network, replace(card, kind=LIDS_JUDGE), half=True)


def load(folder: Path) -> LidsNet:
    """The lids judge that `save` wrote into a folder; raises BadInput where there is none."""
    network, _ = weights.load_net(folder, LIDS_JUDGE, LidsConfig, LidsNet)
    return network.eval().requires_grad_(False)


@cache
def starter() -> LidsNet:
    """The starter set's judge, loaded once."""
    return load(store.starter("lids"))


def shut(grey: Grey, eyes: Float[np.ndarray, "2 2"], yaw_degrees: float, judge: LidsNet) -> float:
    """The probability that both eyes of an aligned grey crop are shut: that of the eye which looks more open.

    `eyes` are the left and the right one's middle as seen in the image, (u, v) as shares of the side. The far eye of a
    turned head is not asked.
    """
    asked = [i for i, far in enumerate((yaw_degrees > TURNED_DEGREES, yaw_degrees < -TURNED_DEGREES)) if not far]
    patches = torch.stack([_patch(grey, eyes[i] * STANDARD_PX - 0.5, mirrored=i == 1) for i in asked])
    with torch.no_grad():
        return float(torch.sigmoid(judge(patches)).min())


def _patch(grey: Grey, middle: Float[np.ndarray, "2"], mirrored: bool) -> Float[Tensor, "1 p p"]:
    """What lies around an eye, as if it were the left one in the picture."""
    pixels = cv2.getRectSubPix(grey, (PATCH_PX, PATCH_PX), (float(middle[0]), float(middle[1])))
    values = torch.from_numpy(pixels.astype(np.float32) / 255)[None]
    return values.flip(2) if mirrored else values
