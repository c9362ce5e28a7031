"""Inversion: find the code, and if wanted the camera, with which a frozen generator shows a photo.

All photos are optimised side by side; they share nothing but the steps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import camera as cameras
from selfsame.core import rng
from selfsame.core.camera import Camera
from selfsame.core.errors import WrongUse
from selfsame.nets.triplane import TriPlane, pixel_centres
from selfsame.tasks.targets import Degrade, Features, Target
from selfsame.tasks.viewpoint import Viewpoint
from selfsame.train.devices import ALONE, Devices
from selfsame.train.optim import projector_lr, projector_noise, set_lr


@dataclass(frozen=True)
class InvertConfig:
    """How a photo is inverted.

    `space` "w" repeats one code over all layers, "w_plus" frees each. `start` "encoder" says that whoever calls should
    begin at the codes of the prior's W encoder, where it has one. `rays` compares that many random pixels a step
    instead of whole pictures (many times cheaper; no perceptual term then), through planes of `planes_px` (0: the whole
    ones). `noise` is the strength of the noise on w
    while the search is wide [PTI: 0.05], `to_mean` pulls w_plus towards the start.
    """

    space: Literal["w", "w_plus"] = "w"
    start: Literal["mean", "encoder"] = "mean"
    steps: int = 500
    lr: float = 0.01
    noise: float = 0.05
    pixel: float = 1.0
    perceptual: float = 1.0
    to_mean: float = 0.0
    rays: int = 0
    planes_px: int = 0
    depth_samples: int = 48
    importance_samples: int = 48
    refine_camera: bool = False
    camera_lr: float = 0.002
    seed: int = 0


AT_ONCE = 32  # photos whose rays are compared in one step
PAPER_W = InvertConfig(space="w", steps=500, lr=0.1, noise=0.0, pixel=0.0)  # the continual paper's 3D anchors
PAPER_W_PLUS = InvertConfig(space="w_plus", steps=1000, lr=0.01, noise=0.0, pixel=0.0)
QUICK = InvertConfig(
    space="w_plus", start="encoder", steps=40, lr=0.05, noise=0.0, perceptual=0.0, to_mean=0.002,
    rays=256, planes_px=64, depth_samples=10, importance_samples=10, refine_camera=True,
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
    degrade: Degrade | None = None,
    sketch_px: int = 0,
    devices: Devices = ALONE,
    on_step: Callable[[int], None] | None = None,
) -> Inversion:
    """Optimise codes from `start` (one w for all, or a w_plus each) until the net shows `images` from `camera`.

    `features` maps images to feature maps for the perceptual term, `degrade` stands between pictures and their
    comparison; with `sketch_px` raw renderings of that size are compared, without the perceptual term. The schedule is
    that of StyleGAN2's projector. Raises WrongUse for damage that single rays cannot show.
    """
    if degrade and config.rays:
        raise WrongUse("Damage is compared on pictures, not on single rays.", "Give a configuration without rays.")
    count, layers = len(images), net.num_ws
    begin = (start if start.ndim == 3 else start.expand(count, layers, -1)).detach().clone()
    free = layers if config.space == "w_plus" else 1
    offset = torch.zeros(count, free, begin.shape[-1], device=begin.device, requires_grad=True)
    adam = torch.optim.Adam([offset], lr=config.lr)
    view = Viewpoint(camera, config.refine_camera, config.camera_lr)
    target = Target(net, images, features if config.perceptual and not config.rays else None, degrade=degrade)
    loss = torch.zeros(count)
    for step in range(config.steps):
        set_lr(adam, projector_lr(step + 1, config.steps + 1, config.lr))
        if view.adam:
            set_lr(view.adam, projector_lr(step + 1, config.steps + 1, config.camera_lr))
        g = rng.generator(config.seed, "inversion", step)
        jitter = projector_noise(step, config.steps, w_std) * config.noise / 0.05
        w_plus = begin + offset + jitter * torch.randn(count, 1, begin.shape[-1], generator=g).to(begin.device)
        loss = _loss(net, w_plus, view.seen(), target, config, g, sketch_px, devices)
        loss = loss + config.to_mean * offset.square().mean((1, 2))
        moving = [adam, view.adam] if view.adam else [adam]
        for optimizer in moving:
            optimizer.zero_grad()
        torch.autograd.backward(loss.sum())
        for optimizer in moving:
            optimizer.step()
        if on_step:
            on_step(step + 1)
    with torch.no_grad():
        return Inversion((begin + offset).detach(), view.seen(), loss.detach())


def invert_all(
    net: TriPlane,
    images: Float[Tensor, "b 3 s s"],
    camera: Camera,
    start: Float[Tensor, "b l w"],
    config: InvertConfig,
    *,
    w_std: float = 1.0,
    features: Features | None = None,
    devices: Devices = ALONE,
    on_step: Callable[[int, int], None] | None = None,
) -> Inversion:
    """As `invert`, however many photos there are: AT_ONCE side by side, or one by one as whole pictures, for memory.

    `on_step` is told the steps done and all steps.
    """
    at_once = AT_ONCE if config.rays else 1
    total = config.steps * -(-len(images) // at_once)
    found: list[Inversion] = []
    for part in torch.arange(len(images)).split(at_once):
        before = config.steps * len(found)

        def report(done: int, before: int = before) -> None:
            if on_step:
                on_step(before + done, total)

        found.append(
            invert(
                net,
                images[part],
                camera[part],
                start[part],
                config,
                w_std=w_std,
                features=features,
                devices=devices,
                on_step=report,
            )
        )
    codes, losses = (torch.cat([getattr(f, name) for f in found]) for name in ("w_plus", "loss"))
    return Inversion(codes, cameras.cat([f.camera for f in found]), losses)


def _loss(
    net: TriPlane,
    w_plus: Tensor,
    camera: Camera,
    target: Target,
    config: InvertConfig,
    g: torch.Generator,
    sketch_px: int,
    devices: Devices,
) -> Float[Tensor, "b"]:
    if sketch_px:
        return config.pixel * target.sketch(w_plus, camera, sketch_px, config.depth_samples, config.importance_samples)
    if config.rays:
        return config.pixel * ray_loss(
            net, w_plus, camera, target.raw, config.rays, g,
            depth_samples=config.depth_samples, importance_samples=config.importance_samples,
            planes_px=config.planes_px or None, devices=devices,
        )  # fmt: skip
    made = net(
        w_plus, camera, depth_samples=config.depth_samples, importance_samples=config.importance_samples
    )  # the deterministic samples: an inversion must not chase the noise of the renderer
    return config.pixel * target.pixel(made) + config.perceptual * target.perceptual(made)


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
