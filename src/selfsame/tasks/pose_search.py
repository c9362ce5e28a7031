"""The camera of a crop that nobody measured: searched from several sides, the one that explains the picture best."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core.camera import Camera, facing
from selfsame.nets.triplane import TriPlane
from selfsame.tasks import invert
from selfsame.tasks.invert import InvertConfig
from selfsame.tasks.targets import Degrade

YAWS = (-0.45, 0.0, 0.45)  # radians: a crop turned further than the next is wide is found from there
STEPS = 25
SKETCH_PX = 32
SEARCH = InvertConfig(
    space="w", steps=STEPS, lr=0.05, noise=0.0, perceptual=0.0, depth_samples=16, importance_samples=0,
    refine_camera=True, camera_lr=0.02,
)  # fmt: skip


def search(
    net: TriPlane,
    picture: Float[Tensor, "1 3 s s"],
    start: Float[Tensor, "1 l w"],
    config: InvertConfig = SEARCH,
    *,
    degrade: Degrade | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Camera:
    """The camera (1) from which the network shows `picture` best, its code free in W about `start`.

    Squared error of small raw renderings decides; `degrade` stands before it.
    """
    many = len(YAWS)
    sides = facing(torch.tensor(YAWS), torch.zeros(many)).to(start.device)
    found = invert.invert(
        net, picture.expand(many, -1, -1, -1), sides, start.expand(many, -1, -1), config,
        degrade=degrade, sketch_px=SKETCH_PX, on_step=on_step,
    )  # fmt: skip
    return found.camera[int(found.loss.argmin())]
