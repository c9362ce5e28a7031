"""A pretrained StyleGAN2 with its card: a prior in two dimensions."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import rng, weights
from selfsame.core.weights import Card
from selfsame.nets.stylegan2 import StyleGAN2, StyleGAN2Config
from selfsame.tasks import prior
from selfsame.tasks.prior import MEAN_SAMPLES, Prior

KIND = "stylegan2-prior"


@dataclass(frozen=True, eq=False)
class Prior2D:
    """A frozen StyleGAN2, its card, and mean (w_dim) and mean spread of its codes w."""

    net: StyleGAN2
    card: Card
    w_mean: Float[Tensor, "w"]
    w_std: float

    @property
    def digest(self) -> str:
        """What a personal model names its prior by."""
        return self.card.digest

    def draw(self, count: int, seed: int, psi: float = 0.7) -> Float[Tensor, "b l w"]:
        """Random codes w_plus (count, L, w_dim), pulled towards the mean by `psi`."""
        z = torch.randn(count, self.net.config.z_dim, generator=rng.generator(seed, "prior z"))
        with torch.no_grad():
            w_plus = self.net.map(z)
        return self.w_mean + psi * (w_plus - self.w_mean)


def from_net(net: StyleGAN2, card: Card) -> Prior2D:
    """A prior of a network: frozen, with the statistics of 600 of its codes."""
    net = net.eval().requires_grad_(False)
    z = torch.randn(MEAN_SAMPLES, net.config.z_dim, generator=rng.generator(0, "w statistics"))
    with torch.no_grad():
        w = net.map(z)[:, 0]
    spread = (w - w.mean(0)).square().sum() / MEAN_SAMPLES
    return Prior2D(net, card, w.mean(0), float(spread.sqrt()))


def load_prior2d(where: str | Path = "starter-2d") -> Prior2D:
    """The 2D prior of the starter set by name, or of a folder with `weights.safetensors` and its card.

    Raises BadInput where there is none, where it is damaged or of another kind.
    """
    tensors, card = weights.load(prior.folder_of(where), KIND)
    net = StyleGAN2(weights.config_of(card, StyleGAN2Config))
    net.load_state_dict(tensors)
    return from_net(net, card)


def save_prior2d(net: StyleGAN2, folder: Path, card: Card) -> Card:
    """Write a StyleGAN2 as a prior, in half precision; returns the card with its digest."""
    return weights.save(folder, net.state_dict(), card, half=True)


def prior2d_card(config: StyleGAN2Config, **facts: object) -> Card:
    """The card of a 2D prior; `facts` are the card's other fields."""
    return Card(kind=KIND, config=asdict(config), **facts)  # type: ignore[arg-type]


def load(where: str | Path = "starter-3d") -> Prior | Prior2D:
    """A prior of either kind, as its card says: by its name in the starter set, or from its folder.

    Raises BadInput where there is none, where it is damaged or something else.
    """
    if weights.kind_of(prior.folder_of(where)) == KIND:
        return load_prior2d(where)
    return prior.load_prior(where)
