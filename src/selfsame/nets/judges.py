"""Frozen networks that measure: who is on a picture, and how alike two pictures look."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.core import weights
from selfsame.nets.iresnet import IResNet, IResNetConfig
from selfsame.nets.lpips import normalise
from selfsame.nets.ops import fast_layout

IDENTITY_JUDGE = "identity judge"
"""The `kind` on the card of an identity judge's weights."""


@dataclass(frozen=True)
class Seen:
    """What a judge saw in a batch: unit embeddings, and maps for `losses.image.perceptual`."""

    embedding: Float[Tensor, "b d"]
    features: list[Tensor]


class Frozen(nn.Module):
    """A network that never changes: always in evaluation mode, without gradients of its own weights.

    Gradients flow through it to the images.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.requires_grad_(False)
        super().train(False)

    def train(self, mode: bool = True) -> "Frozen":
        """Nothing: a judge stays as it is."""
        return self


class Judge(Frozen):
    """An identity network that never changes.

    It takes images of any size, clamped to [-1, 1] and averaged down to the
    network's size without a crop, as My3DGen does; for pSp and SAM, crop them first with `losses.age.face`.
    """

    network: IResNet

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Seen:
        """Embeddings and feature maps in one pass."""
        maps, embedding = self.network(fast_layout(prepare(images, self.network.config.size_px)))
        return Seen(embedding, [normalise(x) / len(maps) ** 0.5 for x in maps])

    def embed(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """The embeddings alone, of length 1."""
        seen: Seen = self(images)
        return seen.embedding

    def recognise(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """As `embed`: where there is one judge, it reports what training made of its own advice."""
        return self.embed(images)

    def features(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """The maps alone; their `perceptual` distance is the mean over layers of that of unit feature vectors."""
        seen: Seen = self(images)
        return seen.features


def prepare(images: Float[Tensor, "b 3 h w"], size_px: int) -> Float[Tensor, "b 3 s s"]:
    """Clamped to [-1, 1] and average-pooled to `size_px`; training a judge prepares alike."""
    return F.adaptive_avg_pool2d(images.clamp(-1, 1), size_px)


def save(folder: Path, network: IResNet, card: weights.Card, *, half: bool = False) -> weights.Card:
    """Write a network's weights with `card`, its kind and configuration filled in, for `load`."""
    return weights.save_net(folder, network, replace(card, kind=IDENTITY_JUDGE), half=half)


def load(folder: Path, device: torch.device | str = "cpu") -> Judge:
    """The identity judge that `save` wrote into a folder; raises BadInput where there is none."""
    network, _ = weights.load_net(folder, IDENTITY_JUDGE, IResNetConfig, IResNet)
    return Judge(network).to(device)
