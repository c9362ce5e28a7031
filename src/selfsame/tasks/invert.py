"""Inversion: find the code, and if wanted the camera, with which a frozen generator shows a photo.

All photos are optimised side by side; they share nothing but the steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import camera as cameras
from selfsame.core import image, rng
from selfsame.core.camera import FACE_PIVOT, Camera
from selfsame.losses import image as losses
from selfsame.nets.triplane import TriPlane, pixel_centres
from selfsame.train.devices import ALONE, Devices
from selfsame.train.optim import projector_lr, projector_noise, set_lr

Features = Callable[[Tensor], Sequence[Tensor]]


@dataclass(frozen=True)
class InvertConfig:
    """How a photo is inverted.

    `space` "w" repeats one code over all layers, "w_plus" frees each. `rays` compares that many random pixels a step
    instead of whole pictures (many times cheaper; no perceptual term then). `noise` is the strength of the noise on w
    while the search is wide [PTI: 0.05], `to_mean` pulls w_plus towards the start.
    """

    space: Literal["w", "w_plus"] = "w"
    steps: int = 500
    lr: float = 0.01
    noise: float = 0.05
    pixel: float = 1.0
    perceptual: float = 1.0
    to_mean: float = 0.0
    rays: int = 0
    depth_samples: int = 48
    importance_samples: int = 48
    refine_camera: bool = False
    camera_lr: float = 0.002
    seed: int = 0


PAPER_W = InvertConfig(space="w", steps=500, lr=0.1, noise=0.0, pixel=0.0)  # the continual paper's 3D anchors
PAPER_W_PLUS = InvertConfig(space="w_plus", steps=1000, lr=0.01, noise=0.0, pixel=0.0)
QUICK = InvertConfig(
    space="w_plus", steps=110, lr=0.05, noise=0.0, perceptual=0.0, to_mean=0.002,
    rays=256, depth_samples=20, importance_samples=0, refine_camera=True,
)  # fmt: skip
PRESETS = {"paper-w": PAPER_W, "paper-w-plus": PAPER_W_PLUS, "quick": QUICK}


@dataclass(frozen=True, eq=False)
class Inversion:
    """Codes w_plus (B, L, w_dim), the cameras (refined if asked for) and the loss of each photo at the last step."""

    w_plus: Float[Tensor, "b l w"]
    camera: Camera
    loss: Float[Tensor, "b"]


def invert(
    net: TriPlane,
    images: Float[Tensor, "b 3 s s"],
    camera: Camera,
    start: Float[Tensor, "w"] | Float[Tensor, "b l w"],
    config: InvertConfig,
    *,
    w_std: float = 1.0,
    features: Features | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Inversion:
    """Optimise codes from `start` (one w for all, or a w_plus each) until the net shows `images` from `camera`.

    `features` maps images to feature maps for the perceptual term. The schedule is that of StyleGAN2's projector.
    """
    count, layers = len(images), net.num_ws
    begin = (start if start.ndim == 3 else start.expand(count, layers, -1)).detach().clone()
    free = layers if config.space == "w_plus" else 1
    offset = torch.zeros(count, free, begin.shape[-1], device=begin.device, requires_grad=True)
    turn, shift = (torch.zeros(count, 3, device=begin.device, requires_grad=config.refine_camera) for _ in range(2))
    adam = torch.optim.Adam([offset], lr=config.lr)
    moving = torch.optim.Adam([turn, shift], lr=config.camera_lr) if config.refine_camera else None
    target = _Target(net, images, features if config.perceptual and not config.rays else None)
    loss = torch.zeros(count)
    for step in range(config.steps):
        set_lr(adam, projector_lr(step + 1, config.steps + 1, config.lr))
        if moving:
            set_lr(moving, projector_lr(step + 1, config.steps + 1, config.camera_lr))
        g = rng.generator(config.seed, "inversion", step)
        jitter = projector_noise(step, config.steps, w_std) * config.noise / 0.05
        w_plus = begin + offset + jitter * torch.randn(count, 1, begin.shape[-1], generator=g).to(begin.device)
        seen = cameras.nudge(camera, turn, shift, FACE_PIVOT) if moving else camera
        loss = _loss(net, w_plus, seen, target, config, g) + config.to_mean * offset.square().mean((1, 2))
        adam.zero_grad()
        if moving:
            moving.zero_grad()
        torch.autograd.backward(loss.sum())
        adam.step()
        if moving:
            moving.step()
        if on_step:
            on_step(step + 1)
    with torch.no_grad():
        refined = cameras.nudge(camera, turn, shift, FACE_PIVOT) if moving else camera
        return Inversion((begin + offset).detach(), refined, loss.detach())


class _Target:
    """The photos at both resolutions and their features, worked out once."""

    def __init__(self, net: TriPlane, images: Tensor, features: Features | None) -> None:
        self.image = image.resize(images, net.config.image_px)
        self.raw = image.resize(images, net.config.neural_px)
        self.features = features
        with torch.no_grad():
            self.seen = features(self.image) if features else []


def _loss(
    net: TriPlane, w_plus: Tensor, camera: Camera, target: _Target, config: InvertConfig, g: torch.Generator
) -> Float[Tensor, "b"]:
    if config.rays:
        return config.pixel * ray_loss(
            net, w_plus, camera, target.raw, config.rays, g,
            depth_samples=config.depth_samples, importance_samples=config.importance_samples,
        )  # fmt: skip
    made = net(
        w_plus, camera, depth_samples=config.depth_samples, importance_samples=config.importance_samples
    )  # the deterministic samples: an inversion must not chase the noise of the renderer
    loss = config.pixel * (losses.mse(made.image, target.image) + losses.mse(made.raw, target.raw))
    if target.features:
        loss = loss + config.perceptual * losses.perceptual(target.features(made.image), target.seen)
    return loss


def ray_loss(
    net: TriPlane,
    w_plus: Float[Tensor, "b l w"],
    camera: Camera,
    raw: Float[Tensor, "b 3 p p"],
    rays: int,
    source: rng.Source,
    *,
    depth_samples: int,
    importance_samples: int,
    planes_px: int | None = None,
    devices: Devices = ALONE,
) -> Float[Tensor, "b"]:
    """Charbonnier distance of random pixels of the raw rendering, the same places in every photo of the step."""
    size = net.config.neural_px
    which = torch.randint(size * size, (rays,), generator=rng.whole(source)).to(raw.device)
    origins, directions = cameras.rays(camera, size)
    uv = pixel_centres(size, raw.device)[which].expand(len(raw), -1, -1)
    with devices.autocast():
        planes = net.planes(w_plus, until_px=planes_px)
    seen = net.render_rays(
        planes.to(raw.dtype),
        w_plus[:, -1],
        origins[:, which],
        directions[:, which],
        uv,
        generator=source,
        depth_samples=depth_samples,
        importance_samples=importance_samples,
    )
    want = raw.flatten(2)[:, :, which].transpose(1, 2)
    return ((seen.features[..., :3] - want).square() + 1e-4).sqrt().mean((1, 2))
