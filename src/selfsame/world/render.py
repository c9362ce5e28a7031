"""Pictures of lit solids: rays marched to the surface, with soft silhouettes."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import camera as cameras
from selfsame.core.camera import Camera
from selfsame.world.surface import CENTRE, Surface, field, nearest

REACH = 0.95  # world units: everything that is drawn lies within this distance of the head's centre
STEPS = 60
COARSE = 6  # rays of the first, coarse march lie this many fine pixels apart


@dataclass(frozen=True)
class Picture:
    """What a synthetic camera sees: image (B, 3, s, s) in [-1, 1], depth (world units along the ray, 0 where there is
    none), mask (share of the pixel covered), and the camera itself."""

    image: Float[Tensor, "b 3 s s"]
    depth: Float[Tensor, "b 1 s s"]
    mask: Float[Tensor, "b 1 s s"]
    camera: Camera


@torch.no_grad()
def render(s: Surface, camera: Camera, size_px: int = 128, oversample: int = 2) -> Picture:
    """Photograph each solid with its camera (B of both); `oversample`**2 rays a pixel."""
    fine = size_px * oversample
    origins, directions = cameras.rays(camera, fine)
    width = 1 / (fine * camera.intrinsics[:, 0, 0])
    starts = _starts(s, camera, fine)
    parts = [march(s[i : i + 1], origins[i], directions[i], width[i], starts[i]) for i in range(len(s))]
    depth, cover, colour = (torch.stack(column) for column in zip(*parts, strict=True))
    behind = backdrop(s, fine).flatten(2)
    pixels = colour * cover[:, None] + behind * (1 - cover[:, None])
    image = F.avg_pool2d(pixels.unflatten(2, (fine, fine)), oversample)
    mask = F.avg_pool2d(cover.unflatten(1, (fine, fine))[:, None], oversample)
    centre = oversample // 2
    seen = depth.unflatten(1, (fine, fine))[:, None, centre::oversample, centre::oversample]
    return Picture(image.clamp(0, 1) * 2 - 1, seen, mask, camera)


def _starts(s: Surface, camera: Camera, fine: int) -> Float[Tensor, "b n"]:
    """Where each ray may begin: a march of one ray for COARSE x COARSE, stopped a coarse pixel before the surface.

    The nearest of a ray's coarse neighbours counts, so that what is thinner than a coarse pixel is not passed over.
    """
    size = -(-fine // COARSE)
    origins, directions = cameras.rays(camera, size)
    width = 1 / (size * camera.intrinsics[:, 0, 0])
    found = [_approach(s[i : i + 1], origins[i], directions[i], width[i]) for i in range(len(s))]
    depth = -F.max_pool2d(-torch.stack(found).unflatten(1, (size, size))[:, None], 3, 1, 1)
    return F.interpolate(depth, (fine, fine), mode="nearest")[:, 0].flatten(1)


def _approach(s: Surface, origin: Tensor, direction: Tensor, pixel: Tensor) -> Tensor:
    """Depth (N,) at which a ray comes within 1.5 pixels of the solid; beyond everything where it never does."""
    t, far = _reach(origin, direction)
    reached, active = far.clone(), torch.arange(len(t), device=t.device)
    for _ in range(STEPS):
        step = nearest(s, (origin[active] + t[:, None] * direction[active])[None])[0]
        margin = 1.5 * t * pixel
        arrived = step < margin
        reached[active[arrived]] = (t - margin)[arrived]
        going = ~arrived & (t < far[active])
        t, active = (t + step.clamp_max(0.25) - 0.5 * margin)[going], active[going]
        if not len(active):
            break
    return reached


def _reach(origin: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays (N, 3) enter and leave the ball that holds everything; the nearest point twice where they miss it."""
    centre = torch.tensor(CENTRE, device=origin.device)
    middle = ((centre - origin) * direction).sum(-1)
    gap2 = (origin + middle[:, None] * direction - centre).square().sum(-1)
    half = (REACH**2 - gap2).clamp_min(0).sqrt()
    return middle - half, middle + half


def backdrop(s: Surface, size_px: int) -> Float[Tensor, "b 3 s s"]:
    """The soft fade behind everybody, from top to bottom and from side to side."""
    share = torch.linspace(0, 1, size_px, device=s.top.device)
    top, bottom = s.top[..., None, None], s.bottom[..., None, None]
    across = s.side[..., None, None] * (2 * share - 1)
    return (top + (bottom - top) * share[:, None] + across).clamp(0, 1)


def march(
    s: Surface, origin: Float[Tensor, "n 3"], direction: Float[Tensor, "n 3"], pixel: Tensor, start: Float[Tensor, "n"]
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"], Float[Tensor, "3 n"]]:
    """Depth (0 where nothing is hit), coverage in [0, 1] and lit colour (3, N) in [0, 1] of one solid along rays.

    `pixel` is the width of a pixel at distance 1; a ray that misses by less than a pixel covers part of it. Rays begin
    at `start`; those that have arrived or left are not marched on.
    """
    _, far = _reach(origin, direction)
    least, best = torch.full_like(start, 1.0), start.clone()
    active = torch.nonzero(start < far).flatten()
    t = start[active]
    for _ in range(STEPS):
        if not len(active):
            break
        step = nearest(s, (origin[active] + t[:, None] * direction[active])[None])[0]
        width = t * pixel
        closer = step < least[active]
        least[active[closer]], best[active[closer]] = step[closer], t[closer]
        going = (step > 0.1 * width) & (t < far[active])
        # Grazing rays would creep along the silhouette: go at least half a pixel; what went too far comes back below.
        t = (t + torch.maximum(0.95 * step, 0.6 * width).clamp_max(0.25))[going]
        active = active[going]
    cover = (1.1 - least / (best * pixel)).clamp(0, 1)
    best = best + least.clamp_max(0)
    colour = torch.zeros(3, len(start), device=start.device)
    hit = cover > 0
    colour[:, hit] = field(s, (origin[hit] + best[hit, None] * direction[hit])[None])[1][0]
    return torch.where(cover > 0.5, best, 0.0), cover, colour
