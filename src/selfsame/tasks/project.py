"""Projection into a person's dilated hull: the mixture of anchors that shows a photo [MyStyle, section 4].

Every layer has hull weights of its own, which a penalty keeps near those shared by all. What no mixture of the
person's looks can show is not learned from the photo, which is what repairs a damaged one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core.camera import Camera
from selfsame.nets.triplane import TriPlane
from selfsame.tasks import hull
from selfsame.tasks.targets import Degrade, Features, Target
from selfsame.tasks.viewpoint import Viewpoint
from selfsame.train.optim import projector_lr, set_lr

EARLY = 2 / 3  # of the layers: those whose deltas are held small [MyStyle: 12 of 18]


@dataclass(frozen=True)
class ProjectConfig:
    """How a photo is projected.

    `beta` None leaves the weights free [MyStyle]. `deltas` holds each early layer near the shared weights, `sums`
    holds the sums of raw weights near one. `ramp` lowers the learning rate at the end as the projectors do: deltas,
    whose penalty has a kink at zero, tremble about it by as much as one step. The first `sketch_steps` compare raw
    renderings of `sketch_px` alone.
    """

    beta: float | None = 0.03
    steps: int = 1000
    lr: float = 5e-3
    ramp: bool = False
    pixel: float = 1.0
    perceptual: float = 1.0
    deltas: float = 10.0
    sums: float = 10.0
    sketch_steps: int = 0
    sketch_px: int = 32
    depth_samples: int = 48
    importance_samples: int = 48
    refine_camera: bool = False
    camera_lr: float = 0.002


PAPER = ProjectConfig()
QUICK = ProjectConfig(
    steps=8, lr=0.05, ramp=True, deltas=1.0, sums=0.0, sketch_steps=50,
    depth_samples=16, importance_samples=12, refine_camera=True,
)  # fmt: skip
PRESETS = {"paper": PAPER, "quick": QUICK}


def with_steps(config: ProjectConfig, steps: int) -> ProjectConfig:
    """The configuration with so many steps, and no more of them before on raw renderings."""
    return replace(config, steps=steps, sketch_steps=min(steps, config.sketch_steps))


@dataclass(frozen=True, eq=False)
class Projection:
    """Codes w_plus, cameras, the hull weights of each layer, and each photo's loss at the last step."""

    w_plus: Float[Tensor, "b l w"]
    camera: Camera
    weights: Float[Tensor, "b l n"]
    loss: Float[Tensor, "b"]


def project(
    net: TriPlane,
    anchors: Float[Tensor, "n l w"],
    images: Float[Tensor, "b 3 s s"],
    camera: Camera,
    config: ProjectConfig,
    features: Features,
    *,
    degrade: Degrade | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Projection:
    """Mix `anchors`, each layer by weights of its own above -beta, until the net shows `images` from `camera`.

    With `degrade` photo and rendering are compared behind it.
    """
    count, (many, layers, _) = len(images), anchors.shape
    alpha = torch.full((count, 1, many), 1 / many, device=anchors.device, requires_grad=True)
    deltas = torch.zeros(count, layers, many, device=anchors.device, requires_grad=True)
    adam = torch.optim.Adam([alpha, deltas], lr=config.lr)
    view = Viewpoint(camera, config.refine_camera, config.camera_lr)
    target = Target(net, images, features, degrade=degrade)
    early = round(EARLY * layers)
    loss = torch.zeros(count)
    total = config.sketch_steps + config.steps
    for step in range(total):
        if config.ramp:
            set_lr(adam, projector_lr(step + 1, total + 1, config.lr))
        free = alpha + deltas
        w_plus = mixed(free, anchors, config.beta)
        held = deltas[:, :early].norm(dim=-1).sum(1)
        sums = (free.sum(-1) - 1).square().mean(1)
        loss = _distance(net, w_plus, view.seen(), target, config, step < config.sketch_steps)
        loss = loss + config.deltas * held + config.sums * sums
        for optimizer in filter(None, (adam, view.adam)):
            optimizer.zero_grad()
        torch.autograd.backward(loss.sum())
        for optimizer in filter(None, (adam, view.adam)):
            optimizer.step()
        if on_step:
            on_step(step + 1)
    with torch.no_grad():
        weights = shares(alpha + deltas, config.beta)
        seen = view.seen()
        return Projection(mixed(alpha + deltas, anchors, config.beta), seen, weights, loss.detach())


def shares(free: Float[Tensor, "b l n"], beta: float | None) -> Float[Tensor, "b l n"]:
    """Hull weights of free numbers: bounded and summing to one, or as they are without a beta."""
    return free if beta is None else hull.bounded(free, beta)


def mixed(free: Float[Tensor, "b l n"], anchors: Float[Tensor, "n l w"], beta: float | None) -> Float[Tensor, "b l w"]:
    """The code whose layers mix the anchors by the weights of `free` numbers."""
    return torch.einsum("bln,nlw->blw", shares(free, beta), anchors)


def _distance(
    net: TriPlane, w_plus: Tensor, camera: Camera, target: Target, config: ProjectConfig, sketch: bool
) -> Float[Tensor, "b"]:
    samples = {"depth_samples": config.depth_samples, "importance_samples": config.importance_samples}
    if sketch:
        return config.pixel * target.sketch(w_plus, camera, config.sketch_px, **samples)
    made = net(w_plus, camera, **samples)  # deterministic samples, as in inversion
    return config.pixel * target.pixel_picture(made) + config.perceptual * target.perceptual(made)
