"""A pretrained generator with its card: what every personal model stands on."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import rng, weights
from selfsame.core.camera import from_angles
from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.nets.triplane import TriPlane, TriPlaneConfig

KIND = "triplane-prior"
STARTER_FOLDER = Path(__file__).parent.parent / "starter"
STARTER = {"starter-3d": STARTER_FOLDER / "triplane", "starter-2d": STARTER_FOLDER / "stylegan2"}
MEAN_SAMPLES = 600  # as the published projectors draw them


@dataclass(frozen=True, eq=False)
class Prior:
    """A frozen tri-plane generator, its card, and mean (w_dim) and mean spread of its codes w."""

    net: TriPlane
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
        frontal = from_angles(torch.zeros(count), torch.zeros(count)) if self.net.config.c_dim else None
        with torch.no_grad():
            w_plus = self.net.map(z, frontal)
        return self.w_mean + psi * (w_plus - self.w_mean)


def from_net(net: TriPlane, card: Card) -> Prior:
    """A prior of a network: frozen, with the statistics of its codes (600 samples seen from the front)."""
    net = net.eval().requires_grad_(False)
    z = torch.randn(MEAN_SAMPLES, net.config.z_dim, generator=rng.generator(0, "w statistics"))
    frontal = from_angles(torch.zeros(MEAN_SAMPLES), torch.zeros(MEAN_SAMPLES)) if net.config.c_dim else None
    with torch.no_grad():
        w = net.map(z, frontal)[:, 0]
    spread = (w - w.mean(0)).square().sum() / MEAN_SAMPLES
    return Prior(net, card, w.mean(0), float(spread.sqrt()))


def load_prior(where: str | Path = "starter-3d") -> Prior:
    """The prior of the starter set by name, or of a folder with `weights.safetensors` and its card.

    Raises BadInput where there is none, where it is damaged or of another kind.
    """
    tensors, card = weights.load(folder_of(where), KIND)
    net = TriPlane(weights.config_of(card, TriPlaneConfig))
    net.load_state_dict(tensors)
    return from_net(net, card)


def folder_of(where: str | Path) -> Path:
    """The folder of a prior by its name in the starter set, or itself; raises BadInput where there is none."""
    folder = STARTER.get(str(where), Path(where))
    if folder.is_dir():
        return folder
    if str(where) in STARTER:
        raise BadInput(
            f"{where} is not in this version of the package.",
            "Train one with `selfsame train prior`, or update selfsame.",
        )
    names = ", ".join(sorted(name for name, place in STARTER.items() if place.is_dir()))
    raise BadInput(f"There is no prior called {where}.", f"The package has {names}; or give the folder of one.")


def save_prior(net: TriPlane, folder: Path, card: Card) -> Card:
    """Write a tri-plane network as a prior, in half precision; returns the card with its digest."""
    return weights.save(folder, net.state_dict(), card, half=True)


def prior_card(config: TriPlaneConfig, **facts: object) -> Card:
    """The card of a tri-plane prior; `facts` are the card's other fields."""
    return Card(kind=KIND, config=asdict(config), **facts)  # type: ignore[arg-type]
