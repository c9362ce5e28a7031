"""A personal model in three dimensions: what training leaves behind for one person, and what it can show."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import store, weights
from selfsame.core.camera import Camera, facing, most_frontal, orbit
from selfsame.core.weights import Card
from selfsame.nets.triplane import Rendering, TriPlane, joined
from selfsame.tasks import anchors, personal
from selfsame.tasks.anchors import Anchored
from selfsame.tasks.personal import PersonalConfig
from selfsame.tasks.prior import Prior

KIND = "personal-3d"


class PersonalModel(Anchored[TriPlane]):
    """A personal model in three dimensions."""

    def portraits(self, w_plus: Float[Tensor, "b l w"]) -> Float[Tensor, "b 3 s s"]:
        """Pictures of codes seen from the front, in [-1, 1]."""
        return self.render(w_plus, facing(torch.zeros(1), torch.zeros(1))).image

    def render(self, w_plus: Float[Tensor, "b l w"], camera: Camera) -> Rendering:
        """Pictures (B, 3, s, s) in [-1, 1] with depth and alpha; one code or one camera is repeated to fit."""
        count = max(len(w_plus), len(camera))
        w_plus = w_plus.expand(count, -1, -1)
        view = camera[[0] * count] if len(camera) == 1 else camera
        with torch.no_grad():
            return joined([self.net(w_plus[i : i + 8], view[i : i + 8]) for i in range(0, count, 8)])

    def orbit(self, frames: int, anchor: int = 0) -> Rendering:
        """One photo's look seen along EG3D's standard orbit."""
        self.check_anchor(anchor)
        return self.render(self.anchors[anchor : anchor + 1], orbit(frames))

    def most_frontal(self) -> int:
        """The anchor whose photo was taken most nearly from the front."""
        return most_frontal(self.camera)


def save(
    folder: Path, model: PersonalModel, config: PersonalConfig, photo_ids: Sequence[str], *, half: bool = False
) -> PersonalModel:
    """Write a model's weights, card and anchors; returns it with the card's digest.

    With `half` the person's numbers are stored in 16 bits, low-rank ones packed, and the model's own are rounded so
    too: what is in memory stays what a load gives.
    """
    anchors.write(folder, model.anchors, model.camera, photo_ids)
    tensors = personal.trained_tensors(model.net, config)
    card = weights.save(folder, tensors, model.card, half=half, packed=half and config.low_rank is not None)
    if half:
        personal.begin_at(tensors, {name: tensor.half() for name, tensor in tensors.items()})
    return PersonalModel(model.net, model.anchors, model.camera, card)


def model_card(config: PersonalConfig, prior: Prior, data_digest: str, command: str) -> Card:
    """The card of a personal model: it names its prior and its photos by digest."""
    return anchors.card_of(KIND, config, prior.digest, data_digest, command, prior.card.licence)


def load(folder: Path, prior: Prior) -> PersonalModel:
    """The personal model in `folder` on its own prior; raises BadInput for another prior, or where it is damaged."""
    tensors, card = weights.load(folder, KIND)
    store.check_prior(card, prior.digest)
    config = weights.config_of(card, PersonalConfig)
    net = personal.prepare(prior.net, config)
    wanted = personal.trained_tensors(net, config)
    anchors.fill(wanted, tensors, folder)
    return PersonalModel(net.eval().requires_grad_(False), *anchors.read(folder), card)
