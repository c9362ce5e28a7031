"""A found photo: the code, camera and, after pivotal tuning, the network with which a person's model shows it."""

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import weights
from selfsame.core.camera import Camera
from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.nets.triplane import TriPlane
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.pivot import PivotConfig

KIND = "found-photo"
TUNED = "tuned."  # before the names of tuned tensors, in the file
Space = Literal["w", "w_plus", "hull"]


@dataclass(frozen=True)
class FoundConfig:
    """How a photo was found: its file's name, the space of its code, the hull's dilation, and the tuning, if any."""

    photo: str
    space: Space
    beta: float | None = None
    pivot: PivotConfig | None = None


@dataclass(frozen=True, eq=False)
class Found:
    """A code w_plus (1, L, w_dim), the camera of the photo, and the tensors that pivotal tuning moved, by name."""

    config: FoundConfig
    w_plus: Float[Tensor, "1 l w"]
    camera: Camera
    tuned: Mapping[str, Tensor] = field(default_factory=dict)

    def network(self, net: TriPlane) -> TriPlane:
        """The network that shows the photo: a copy of the model's with the tuned tensors, or that one itself."""
        if not self.tuned:
            return net
        own = copy.deepcopy(net)
        with torch.no_grad():
            for name, parameter in own.named_parameters():
                if name in self.tuned:
                    parameter.copy_(self.tuned[name])
        return own


def moved(before: TriPlane, after: TriPlane) -> dict[str, Tensor]:
    """The parameters in which a tuned network differs from the one it was tuned from."""
    old = dict(before.named_parameters())
    return {name: p.detach() for name, p in after.named_parameters() if not torch.equal(p, old[name])}


def save(folder: Path, found: Found, model: PersonalModel, photo_digest: str, command: str) -> Card:
    """Write a found photo, whole or not at all; it names its model and its photo by digest."""
    tensors = {"w_plus": found.w_plus, "camera": found.camera.pack()}
    tensors |= {TUNED + name: tensor for name, tensor in found.tuned.items()}
    card = Card(
        kind=KIND, config=asdict(found.config), seed=0, prior_digest=model.card.digest, data_digest=photo_digest,
        licence=model.card.licence, command=command,
    )  # fmt: skip
    return weights.save(folder, tensors, card)


def load(folder: Path, model: PersonalModel) -> Found:
    """The found photo in a folder; raises BadInput where it was found in another model, is damaged, or is none."""
    tensors, card = weights.load(folder, KIND)
    if card.prior_digest != model.card.digest:
        raise BadInput(
            f"{folder} was found in another model ({(card.prior_digest or '')[:12]}, not {model.card.digest[:12]}).",
            "Find the photo again with `selfsame invert`, or name the model with --run.",
        )
    tuned = {name.removeprefix(TUNED): t for name, t in tensors.items() if name.startswith(TUNED)}
    shapes = {name: p.shape for name, p in model.net.named_parameters()}
    if any(shapes.get(name) != tensor.shape for name, tensor in tuned.items()):
        raise BadInput(
            f"{folder} holds the weights of another network.", "Find the photo again with `selfsame invert`."
        )
    config = weights.config_of(card, FoundConfig)
    return Found(config, tensors["w_plus"], Camera.unpack(tensors["camera"]), tuned)
