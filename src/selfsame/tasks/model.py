"""A personal model: what training leaves behind for one person, and what it can show."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import Tensor

from selfsame.core import weights
from selfsame.core.camera import Camera, angles, orbit
from selfsame.core.config import write_atomic
from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.nets.triplane import Rendering, TriPlane
from selfsame.tasks import hull, personal
from selfsame.tasks.personal import PersonalConfig
from selfsame.tasks.prior import Prior

KIND = "personal-3d"
ANCHORS_FILE = "anchors.safetensors"


@dataclass(frozen=True, eq=False)
class PersonalModel:
    """A person's network, their anchors w_plus (N, L, w_dim) with the cameras of those photos, and the card."""

    net: TriPlane
    anchors: Float[Tensor, "n l w"]
    camera: Camera
    card: Card

    def render(self, w_plus: Float[Tensor, "b l w"], camera: Camera) -> Rendering:
        """Pictures (B, 3, s, s) in [-1, 1] with depth and alpha; one code or one camera is repeated to fit."""
        count = max(len(w_plus), len(camera))
        w_plus = w_plus.expand(count, -1, -1)
        view = camera[[0] * count] if len(camera) == 1 else camera
        with torch.no_grad():
            parts = [self.net(w_plus[i : i + 8], view[i : i + 8]) for i in range(0, count, 8)]
        return Rendering(**{name: torch.cat([getattr(p, name) for p in parts]) for name in vars(parts[0])})

    def orbit(self, frames: int, anchor: int = 0) -> Rendering:
        """One photo's look seen along EG3D's standard orbit."""
        self.check_anchor(anchor)
        return self.render(self.anchors[anchor : anchor + 1], orbit(frames))

    def most_frontal(self) -> int:
        """The anchor whose photo was taken most nearly from the front."""
        yaw, pitch = angles(self.camera)
        return int((yaw.abs() + pitch.abs()).argmin())

    def sample(self, count: int, seed: int = 0) -> Float[Tensor, "b l w"]:
        """Codes of new appearances from the person's hull."""
        return hull.sample(self.anchors, count, seed)

    def interpolate(self, one: int, other: int, steps: int) -> Float[Tensor, "b l w"]:
        """Codes from one photo's look to another's."""
        self.check_anchor(one)
        self.check_anchor(other)
        return hull.interpolate(self.anchors[one], self.anchors[other], steps)

    def check_anchor(self, number: int) -> None:
        """Raise BadInput unless there is an anchor of this number."""
        if not 0 <= number < len(self.anchors):
            raise BadInput(f"There is no anchor {number}.", f"This model has 0 to {len(self.anchors) - 1}.")


def save(folder: Path, model: PersonalModel, config: PersonalConfig, photo_ids: Sequence[str]) -> PersonalModel:
    """Write a model's weights, card and anchors; returns it with the card's digest."""
    write_anchors(folder, model.anchors, model.camera, photo_ids)
    tensors = personal.trained_tensors(model.net, config)
    card = weights.save(folder, tensors, model.card)
    return PersonalModel(model.net, model.anchors, model.camera, card)


def write_anchors(folder: Path, w_plus: Tensor, camera: Camera, photo_ids: Sequence[str]) -> None:
    """Write the codes and cameras of the training photos, in the order of their ids."""
    data = {"w_plus": w_plus.contiguous(), "camera": camera.pack().contiguous()}
    write_atomic(folder / ANCHORS_FILE, to_safetensors(data, {"photos": " ".join(photo_ids)}))


def read_anchors(folder: Path) -> tuple[Tensor, Camera]:
    """Codes (N, L, w_dim) and cameras of a model's training photos; raises BadInput where there are none."""
    try:
        data = load_file(folder / ANCHORS_FILE)
        # Cloned: a tensor inside a file's bytes lies at any address, and the last bits of sums depend on alignment.
        return data["w_plus"].clone(), Camera.unpack(data["camera"].clone())
    except Exception as error:
        raise _without_anchors(folder) from error


def _without_anchors(folder: Path) -> BadInput:
    return BadInput(f"{folder / ANCHORS_FILE} is missing or damaged.", "Fit the model again.")


def anchor_ids(folder: Path) -> list[str]:
    """The ids of a model's training photos, in the order of its anchors; raises BadInput as `read_anchors`."""
    try:
        with safe_open(folder / ANCHORS_FILE, framework="pt") as file:
            return str(file.metadata()["photos"]).split()
    except Exception as error:
        raise _without_anchors(folder) from error


def model_card(config: PersonalConfig, prior: Prior, data_digest: str, command: str) -> Card:
    """The card of a personal model: it names its prior and its photos by digest."""
    return Card(
        kind=KIND,
        config=asdict(config),
        seed=config.seed,
        licence="The photographed person's; ask for their consent before sharing.",
        prior_digest=prior.digest,
        data_digest=data_digest,
        command=command,
    )


def load(folder: Path, prior: Prior) -> PersonalModel:
    """The personal model in `folder` on its own prior; raises BadInput for another prior, or where it is damaged."""
    tensors, card = weights.load(folder, KIND)
    weights.check_prior(card, prior.digest)
    config = weights.config_of(card, PersonalConfig)
    net = personal.prepare(prior.net, config)
    wanted = personal.trained_tensors(net, config)
    if wanted.keys() != tensors.keys() or any(tensors[name].shape != t.shape for name, t in wanted.items()):
        raise BadInput(f"{folder} holds the weights of another network.", "Load it with the prior that it was made on.")
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(tensors[name])
    anchors, camera = read_anchors(folder)
    return PersonalModel(net.eval().requires_grad_(False), anchors, camera, card)
