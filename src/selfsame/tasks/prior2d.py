"""Files of pretrained StyleGAN2s, and loading a prior of either kind."""

from dataclasses import asdict
from pathlib import Path

from selfsame.core import weights
from selfsame.core.weights import Card
from selfsame.nets.stylegan2 import StyleGAN2, StyleGAN2Config
from selfsame.tasks import prior
from selfsame.tasks.prior import Prior, Prior2D

KIND = prior.KIND_2D


def load_prior2d(where: str | Path = "starter-2d") -> Prior2D:
    """The 2D prior of the starter set by name, or of a folder with `weights.safetensors` and its card.

    Raises BadInput where there is none, where it is damaged or of another kind.
    """
    return Prior2D(*prior.frozen(*weights.load_net(prior.folder_of(where), KIND, StyleGAN2Config, StyleGAN2)))


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
    return load_prior2d(where) if is_2d(where) else prior.load_prior(where)


def is_2d(where: str | Path) -> bool:
    """Whether a prior's card says that it is a StyleGAN2; raises BadInput as `load`."""
    return weights.kind_of(prior.folder_of(where)) == KIND
