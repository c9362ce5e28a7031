"""Who continual personalization is evaluated on: people of the world, in sessions of one look each.

The protocol is the continual paper's [facts, section 5.2]: T = 10 sessions of 20 photos to learn from and 20 to test
with. Sessions are told apart by hair, beard, glasses, make-up, light and backdrop; two years lie between them.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import Tensor

from selfsame.core import image
from selfsame.core.camera import Camera
from selfsame.core.config import write_atomic
from selfsame.world import life, person

FIRST = 950_100  # seeds that no recipe trains on and that chose no setting; those from 960,000 on did
SESSIONS, TRAIN, TEST = 10, 20, 20
PX = 64  # of the photos: the networks sum pictures of this size up on the way to the full one, at less cost


@dataclass(frozen=True, eq=False)
class Album:
    """One person's N = SESSIONS * (TRAIN + TEST) photos in order: pictures, the world's codes, the true cameras."""

    images: Float[Tensor, "n 3 s s"]
    looks: Float[Tensor, "n d"]
    camera: Camera


def album(seed: int, folder: Path) -> Album:
    """A person's photos of all sessions, taken at the first call and read back from `folder` at the others."""
    file = folder / "photos.safetensors"
    if not file.exists():
        taken = [life.session(seed, number, TRAIN + TEST) for number in range(SESSIONS)]
        pixels = image.to_uint8(image.resize(torch.cat([t.images for t in taken]), PX))
        looks = torch.cat([person.encode(t.look) for t in taken])
        camera = torch.cat([t.camera.pack() for t in taken])
        write_atomic(
            file, to_safetensors({"pixels": torch.from_numpy(pixels.copy()), "looks": looks, "camera": camera})
        )
    data = load_file(file)
    # Cloned: a tensor inside a file's bytes lies at any address, and the last bits of sums depend on alignment.
    return Album(image.from_uint8(data["pixels"].numpy()), data["looks"].clone(), Camera.unpack(data["camera"].clone()))


def train_photos(session: int) -> Int[Tensor, "n"]:
    """Which of an album's photos a session learns from."""
    return torch.arange(TRAIN) + session * (TRAIN + TEST)


def test_photos(session: int) -> Int[Tensor, "n"]:
    """Which of an album's photos a session is tested with."""
    return torch.arange(TRAIN, TRAIN + TEST) + session * (TRAIN + TEST)


def session_of(photos: Int[Tensor, "n"]) -> Int[Tensor, "n"]:
    """The sessions of an album's photos."""
    return photos // (TRAIN + TEST)
