"""People's low-rank weights apart from their network: one prior in memory wears one person after another, or several.

A `PersonalModel` has a network of its own; here a prior's is prepared once, and a person is a quarter of a million
numbers that are put into it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import rng, store, weights
from selfsame.core.camera import Camera, most_frontal
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.weights import Card
from selfsame.nets import lora
from selfsame.nets.lora import LowRankConfig
from selfsame.nets.several import several
from selfsame.nets.triplane import Rendering
from selfsame.tasks import anchors, model
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import PersonalConfig
from selfsame.tasks.prior import Prior


@dataclass(frozen=True, eq=False)
class Adapter:
    """A person's low-rank weights without a network, with what lies beside them: anchors, cameras and the card."""

    tensors: dict[str, Tensor]
    low_rank: LowRankConfig
    anchors: Float[Tensor, "n l w"]
    camera: Camera
    card: Card

    def most_frontal(self) -> Float[Tensor, "1 l w"]:
        """The code of the photo that was taken most nearly from the front."""
        return self.anchors[[most_frontal(self.camera)]]


def read(folder: Path, prior: Prior) -> Adapter:
    """The low-rank weights of the personal model in `folder`, which was made on this prior.

    Raises BadInput for another prior, for a model tuned in full, or where it is damaged.
    """
    found = _read(folder, prior)
    if _shapes(found.tensors) != lora.shapes(prior.net, found.low_rank):
        raise anchors.another_network(folder)
    return found


def _read(folder: Path, prior: Prior) -> Adapter:
    tensors, card = weights.load(folder, model.KIND)
    store.check_prior(card, prior.digest)
    low_rank = weights.config_of(card, PersonalConfig).low_rank
    if low_rank is None:
        raise BadInput(f"{folder} was tuned in full and has no low-rank weights.", "Show it by itself.")
    return Adapter(tensors, low_rank, *anchors.read(folder), card)


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


class Wearer:
    """One network of a prior, prepared once for low-rank weights of one kind, in which people take turns.

    Many times as fast as loading the model of each. The models that `wear` gives share the network: each of them shows
    the person who was put on last.
    """

    def __init__(self, prior: Prior, low_rank: LowRankConfig = lora.MY3DGEN) -> None:
        self.prior = prior
        self.low_rank = low_rank
        prepared = lora.add_low_rank(prior.net, low_rank, rng.generator(0, "low-rank factors"))
        self._net = prepared.eval().requires_grad_(False)
        self._places = lora.trainable(self._net)
        self._wanted = _shapes(self._places)

    def wear(self, folder: Path) -> PersonalModel:
        """The person in a model's folder, in place; of who was there before nothing remains.

        Raises BadInput as `read`, and for another rank; then the person before stays whole.
        """
        return self._put_on(_read(folder, self.prior), folder)

    def put_on(self, adapter: Adapter) -> PersonalModel:
        """As `wear`, of what was read before."""
        store.check_prior(adapter.card, self.prior.digest)
        return self._put_on(adapter, Path("This adapter"))

    @torch.no_grad()
    def _put_on(self, adapter: Adapter, folder: Path) -> PersonalModel:
        if adapter.low_rank != self.low_rank:
            raise BadInput(
                f"These low-rank weights have {described(adapter.low_rank)}; this network was prepared for "
                f"{described(self.low_rank)}.",
                "Prepare one for theirs.",
            )
        if _shapes(adapter.tensors) != self._wanted:
            raise anchors.another_network(folder)
        for name, place in self._places.items():
            place.copy_(adapter.tensors[name])
        return PersonalModel(self._net, adapter.anchors, adapter.camera, adapter.card)


class Together:
    """Several people on one prior in memory, drawn in one forward pass: row n of a batch is person n."""

    def __init__(self, prior: Prior, adapters: Sequence[Adapter]) -> None:
        """Raises BadInput where the adapters are not of one rank, or not of this prior."""
        for adapter in adapters:
            store.check_prior(adapter.card, prior.digest)
            if adapter.low_rank != adapters[0].low_rank:
                raise BadInput(
                    f"These people's low-rank weights differ in kind: {described(adapters[0].low_rank)}, and "
                    f"{described(adapter.low_rank)}.",
                    "Fit all of them alike.",
                )
        self.adapters = tuple(adapters)
        low_rank = adapters[0].low_rank if adapters else lora.MY3DGEN
        self._net = several(prior.net, [adapter.tensors for adapter in adapters], low_rank).eval()

    @torch.no_grad()
    def render(self, w_plus: Float[Tensor, "p l w"], camera: Camera) -> Rendering:
        """One picture of each person, of their own code; one camera is all people's."""
        view = camera[[0] * len(self.adapters)] if len(camera) == 1 else camera
        if not len(w_plus) == len(view) == len(self.adapters):
            raise WrongUse(
                f"{len(w_plus)} codes and {len(view)} cameras do not fit {len(self.adapters)} people.",
                "Give one code and one camera for each, in the people's order.",
            )
        made: Rendering = self._net(w_plus, view)
        return made


def described(config: LowRankConfig) -> str:
    """A kind of low-rank weights in words."""
    return f"rank {config.rank}, alpha {config.alpha:g}, rule {config.rank_rule}"
