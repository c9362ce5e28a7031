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
    depth, cover, colour = march(s, origins, directions, 1 / (fine * camera.intrinsics[:, 0, 0]))
    behind = backdrop(s, fine).flatten(2)
    pixels = colour * cover[:, None] + behind * (1 - cover[:, None])
    image = F.avg_pool2d(pixels.unflatten(2, (fine, fine)), oversample)
    mask = F.avg_pool2d(cover.unflatten(1, (fine, fine))[:, None], oversample)
    centre = oversample // 2
    seen = depth.unflatten(1, (fine, fine))[:, None, centre::oversample, centre::oversample]
    return Picture(image.clamp(0, 1) * 2 - 1, seen, mask, camera)


def backdrop(s: Surface, size_px: int) -> Float[Tensor, "b 3 s s"]:
    """The vertical fade behind everybody."""
    share = torch.linspace(0, 1, size_px, device=s.top.device)[None, None, :, None]
    top, bottom = s.top[..., None, None], s.bottom[..., None, None]
    return (top + (bottom - top) * share).expand(-1, -1, -1, size_px)


def march(
    s: Surface, origins: Float[Tensor, "b n 3"], directions: Float[Tensor, "b n 3"], pixel: Float[Tensor, "b"]
) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n"], Float[Tensor, "b 3 n"]]:
    """Depth (0 where nothing is hit), coverage in [0, 1] and lit colour (B, 3, N) in [0, 1] along rays.

    `pixel` is the width of a pixel at distance 1; a ray that misses by less than a pixel covers part of it.
    """
    parts = [_march_one(s[i : i + 1], origins[i], directions[i], pixel[i]) for i in range(len(s))]
    depth, cover, colour = (torch.stack(column) for column in zip(*parts, strict=True))
    return depth, cover, colour


def _march_one(s: Surface, origin: Tensor, direction: Tensor, pixel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One picture's rays (N, 3); rays that have arrived or left are not marched on."""
    middle = ((torch.tensor(CENTRE, device=origin.device) - origin) * direction).sum(-1)
    gap2 = (origin + middle[:, None] * direction - torch.tensor(CENTRE, device=origin.device)).square().sum(-1)
    reach = (REACH**2 - gap2).clamp_min(0).sqrt()
    least, best = torch.full_like(middle, 1.0), middle.clone()
    active, t = torch.arange(len(middle), device=middle.device), middle - reach
    far = middle + reach
    for _ in range(STEPS):
        step = nearest(s, (origin[active] + t[:, None] * direction[active])[None])[0]
        width = best[active] * pixel
        closer = step < least[active]
        moved = active[closer]
        least[moved], best[moved] = step[closer], t[closer]
        going = (step > 0.1 * width) & (t < far[active])
        # Grazing rays would creep along the silhouette: go at least half a pixel, come back if that was too far.
        t = (t + torch.maximum(0.95 * step, 0.6 * width).clamp_max(0.25))[going]
        active = active[going]
        if not len(active):
            break
    cover = (1.1 - least / (best * pixel)).clamp(0, 1)
    colour = torch.zeros(3, len(middle), device=middle.device)
    hit = cover > 0
    colour[:, hit] = field(s, (origin[hit] + best[hit, None] * direction[hit])[None])[1][0]
    return torch.where(cover > 0.5, best, 0.0), cover, colour
