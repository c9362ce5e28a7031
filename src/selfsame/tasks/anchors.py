"""Anchors: the codes of a person's training photos, which lie beside every personal model, and what they span."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor

from selfsame.core.camera import Camera
from selfsame.core.config import write_atomic
from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.tasks import hull, personal
from selfsame.tasks.prior import Net

ANCHORS_FILE = "anchors.safetensors"
LAYERS = "layers"  # of the network: how many w a code has, where it is stored as one; a tensor, see core/packing.py
OURS = "Apache-2.0"  # the starter set's licence


@dataclass(frozen=True, eq=False)
class Anchored(Generic[Net]):
    """A person's network, their anchors w_plus (N, L, w_dim) with the cameras of those photos, and the card."""

    net: Net
    anchors: Float[Tensor, "n l w"]
    camera: Camera
    card: Card

    def sample(self, count: int, seed: int = 0, variety: float = 1.0) -> Float[Tensor, "b l w"]:
        """Codes of new appearances from the person's hull; `variety` as `hull.sample` has it."""
        return hull.sample(self.anchors, count, seed, variety=variety)

    def interpolate(self, one: int, other: int, steps: int) -> Float[Tensor, "b l w"]:
        """Codes from one photo's look to another's."""
        self.check_anchor(one)
        self.check_anchor(other)
        return hull.interpolate(self.anchors[one], self.anchors[other], steps)

    def check_anchor(self, number: int) -> None:
        """Raise BadInput unless there is an anchor of this number."""
        if not 0 <= number < len(self.anchors):
            raise BadInput(f"There is no anchor {number}.", f"This model has 0 to {len(self.anchors) - 1}.")


def write(folder: Path, w_plus: Tensor, camera: Camera, photo_ids: Sequence[str]) -> None:
    """Write the codes and cameras of the training photos, in the order of their ids.

    Codes in W, which repeat one w for every layer, are stored once.
    """
    data = {"w_plus": w_plus.cpu().contiguous(), "camera": camera.pack().cpu().contiguous()}
    if torch.equal(w_plus, w_plus[:, :1].expand_as(w_plus)):
        data |= {"w_plus": data["w_plus"][:, 0].contiguous(), LAYERS: torch.tensor(w_plus.shape[1])}
    write_atomic(folder / ANCHORS_FILE, to_safetensors(data, {"photos": " ".join(photo_ids)}))


def read(folder: Path) -> tuple[Tensor, Camera]:
    """Codes (N, L, w_dim) and cameras of a model's training photos; raises BadInput where there are none."""
    try:
        with safe_open(folder / ANCHORS_FILE, framework="pt") as file:
            w_plus, camera = file.get_tensor("w_plus"), file.get_tensor("camera")
            if LAYERS in file.keys():  # noqa: SIM118 (no mapping)
                w_plus = w_plus[:, None].expand(-1, int(file.get_tensor(LAYERS)), -1)
        # Cloned: a tensor inside a file's bytes lies at any address, and the last bits of sums depend on alignment.
        return w_plus.clone(memory_format=torch.contiguous_format), Camera.unpack(camera.clone())
    except Exception as error:
        raise _without_anchors(folder) from error


def _without_anchors(folder: Path) -> BadInput:
    return BadInput(f"{folder / ANCHORS_FILE} is missing or damaged.", "Fit the model again.")


def ids_of(folder: Path) -> list[str]:
    """The ids of a model's training photos, in the order of its anchors; raises BadInput as `read`."""
    try:
        with safe_open(folder / ANCHORS_FILE, framework="pt") as file:
            return str(file.metadata()["photos"]).split()
    except Exception as error:
        raise _without_anchors(folder) from error


def card_of(kind: str, config: Any, prior_digest: str, data_digest: str, command: str, terms: str) -> Card:
    """The card of a personal model of a `kind`, trained by `config` (a dataclass with a seed).

    `terms` are the licence of the network that it stands on.
    """
    return Card(
        kind=kind, config=asdict(config), seed=config.seed, prior_digest=prior_digest, data_digest=data_digest,
        licence=licence_on(terms), command=command,
    )  # fmt: skip


def licence_on(terms: str) -> str:
    """The licence of a personal model: the person's, and that of the network it stands on where this is not ours."""
    person = "The photographed person's; ask for their consent before sharing."
    return person if terms == OURS else f"{person} It stands on a network under: {terms}"


def fill(wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Give a network's tensors the values from a model's folder; raises BadInput where they are another network's."""
    if wanted.keys() != tensors.keys() or any(tensors[name].shape != t.shape for name, t in wanted.items()):
        raise another_network(folder)
    personal.begin_at(wanted, tensors)


def another_network(folder: Path) -> BadInput:
    """What a folder whose tensors do not fit a network gets."""
    return BadInput(f"{folder} holds the weights of another network.", "Load it with the prior that it was made on.")
