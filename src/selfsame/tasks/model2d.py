"""A personal model in two dimensions: a StyleGAN2 tuned to one person, and the codes of their photos [MyStyle]."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import store, weights
from selfsame.nets.stylegan2 import StyleGAN2
from selfsame.tasks import anchors, personal, personal2d
from selfsame.tasks.anchors import Anchored
from selfsame.tasks.reage import Sam

KIND = "personal-2d"
AT_ONCE = 8  # pictures that are drawn together


class PersonalModel2D(Anchored[StyleGAN2]):
    """A personal model in two dimensions; it does not turn heads, and the cameras of its photos only tell the pose."""

    def portraits(self, w_plus: Float[Tensor, "b l w"]) -> Float[Tensor, "b 3 s s"]:
        """Pictures of codes, in [-1, 1]."""
        return draw(self.net, w_plus)


@torch.no_grad()
def draw(net: StyleGAN2, w_plus: Float[Tensor, "b l w"]) -> Float[Tensor, "b 3 s s"]:
    """Pictures of codes in [-1, 1], a few at a time."""
    return torch.cat([personal2d.draw(net, part) for part in w_plus.split(AT_ONCE)]).clamp(-1, 1)


def save(folder: Path, model: PersonalModel2D, photo_ids: Sequence[str]) -> PersonalModel2D:
    """Write a model's tuned weights, card and anchors; returns it with the card's digest."""
    anchors.write(folder, model.anchors, model.camera, photo_ids)
    card = weights.save(folder, personal.unmapped(model.net), model.card)
    return PersonalModel2D(model.net, model.anchors, model.camera, card)


def load(folder: Path, prior: StyleGAN2, digest: str) -> PersonalModel2D:
    """The model in `folder` on its prior, a StyleGAN2 of this digest.

    Raises BadInput for another prior, or where it is damaged.
    """
    tensors, card = weights.load(folder, KIND)
    store.check_prior(card, digest)
    net = personal.unfrozen(prior)
    anchors.fill(personal.unmapped(net), tensors, folder)
    return PersonalModel2D(net.eval().requires_grad_(False), *anchors.read(folder), card)


def prior_digest(sam: Sam) -> str:
    """The digest of the StyleGAN2 that a SAM works with, which models tuned from it name."""
    return sam.inversion.card.prior_digest or ""
