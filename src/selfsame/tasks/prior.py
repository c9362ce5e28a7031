"""A pretrained generator with its card: what every personal model stands on."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import rng, store, weights
from selfsame.core.camera import from_angles
from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.nets.stylegan2 import StyleGAN2
from selfsame.nets.triplane import TriPlane, TriPlaneConfig

KIND, KIND_2D = "triplane-prior", "stylegan2-prior"
KINDS = (KIND, KIND_2D)
MEAN_SAMPLES = 600  # as the published projectors draw them


Net = TypeVar("Net", TriPlane, StyleGAN2)


@dataclass(frozen=True, eq=False)
class Pretrained(Generic[Net]):
    """A frozen generator, its card, and mean (w_dim) and mean spread of its codes w."""

    net: Net
    card: Card
    w_mean: Float[Tensor, "w"]
    w_std: float

    @property
    def digest(self) -> str:
        """What a personal model names its prior by."""
        return self.card.digest

    @property
    def middle(self) -> Float[Tensor, "l w"]:
        """The mean w for every layer."""
        return self.w_mean.expand(self.net.num_ws, -1)

    def draw(self, count: int, seed: int, psi: float = 0.7) -> Float[Tensor, "b l w"]:
        """Random codes w_plus (count, L, w_dim), pulled towards the mean by `psi`."""
        w_plus = random_codes(self.net, count, rng.generator(seed, "prior z"))
        return self.w_mean + psi * (w_plus - self.w_mean)


class Prior(Pretrained[TriPlane]):
    """A prior in three dimensions: a tri-plane generator."""


class Prior2D(Pretrained[StyleGAN2]):
    """A prior in two dimensions: a StyleGAN2."""


def frozen(net: Net, card: Card) -> tuple[Net, Card, Tensor, float]:
    """What a prior is made of: the network, frozen, with the statistics of 600 of its codes."""
    net = net.eval().requires_grad_(False)
    w = _some_codes(net)
    spread = (w - w.mean(0)).square().sum() / MEAN_SAMPLES
    return net, card, w.mean(0), float(spread.sqrt())


def mean_code(net: TriPlane | StyleGAN2) -> Float[Tensor, "w"]:
    """The mean of the codes w by which a prior's network truncates."""
    return _some_codes(net).mean(0)


def _some_codes(net: TriPlane | StyleGAN2) -> Float[Tensor, "b w"]:
    return random_codes(net, MEAN_SAMPLES, rng.generator(0, "w statistics"))[:, 0]


@torch.no_grad()
def random_codes(net: TriPlane | StyleGAN2, count: int, g: torch.Generator) -> Float[Tensor, "b l w"]:
    """The codes w_plus of random z; where the mapping takes a camera, one in front."""
    z = torch.randn(count, net.config.z_dim, generator=g)
    if isinstance(net, StyleGAN2):
        return net.map(z)
    return net.map(z, from_angles(torch.zeros(count), torch.zeros(count)) if net.config.c_dim else None)


def load_prior(where: str | Path = "starter-3d") -> Prior:
    """The prior of the starter set by name, or of a folder with `weights.safetensors` and its card.

    Raises BadInput where there is none, where it is damaged or of another kind.
    """
    return Prior(*frozen(*weights.load_net(folder_of(where), KIND, TriPlaneConfig, TriPlane)))


def folder_of(where: str | Path) -> Path:
    """The folder of a prior by its name (`store.find`), or itself; raises BadInput where there is none."""
    folder = store.find(where)
    if folder.is_dir():
        return folder
    if str(where) in store.STARTER:
        raise BadInput(
            f"{where} is not in this version of the package.",
            "Train one with `selfsame train prior`, or update selfsame.",
        )
    names = ", ".join(name for name, card in store.cards() if card.kind in KINDS)
    raise BadInput(f"There is no prior called {where}.", f"There are {names}; or give the folder of one.")


def save_prior(net: TriPlane, folder: Path, card: Card) -> Card:
    """Write a tri-plane network as a prior, in half precision; returns the card with its digest."""
    return weights.save(folder, net.state_dict(), card, half=True)


def prior_card(config: TriPlaneConfig, **facts: object) -> Card:
    """The card of a tri-plane prior; `facts` are the card's other fields."""
    return Card(kind=KIND, config=asdict(config), **facts)  # type: ignore[arg-type]
