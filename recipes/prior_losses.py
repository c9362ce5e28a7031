"""What the starter prior's training asks of it: colour and density of points, and patches of pictures.

The world knows both at every point. Detail is asked for apart: see `detail_loss`.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import camera as cameras
from selfsame.core import image
from selfsame.nets import ops
from selfsame.nets.triplane import TriPlane, pixel_centres
from selfsame.world import render, surface
from selfsame.world.album import album_cameras
from selfsame.world.lower import BODY_CENTRE, BODY_SIZE, NECK_AT, NECK_SLANT, neck_radius
from selfsame.world.surface import CENTRE, SCALE, Surface

SHELL = 0.02  # world units over which the density rises
DENSITY = 60.0  # raw density at one SHELL inside
POINTS = 5120
PATCHES, PATCH_POINTS = 56, 8  # small squares on the face, PATCH_POINTS**2 points each, about a pixel apart
PATCH_STEP = 0.012  # map units
PATCH_PX = 32  # of the neural rendering: twice as many in the image


def direction_of(uv: Tensor) -> Tensor:
    """Unit directions (..., 3) of map coordinates: the inverse of `grid.to_map`."""
    a, b = surface.maps.LON_PACK, surface.maps.LAT_PACK
    lon = math.pi / math.sinh(a) * torch.sinh(a * uv[..., 0])
    lat = -math.pi / 2 / math.sinh(b) * torch.sinh(b * uv[..., 1])
    return torch.stack([lat.cos() * lon.sin(), lat.sin(), lat.cos() * lon.cos()], -1)


def training_points(s: Surface, g: torch.Generator) -> Tensor:
    """Points (B, POINTS, 3): near the head's surface (densest on the face), near neck and shoulders, and anywhere."""
    b = len(s)
    head, rest = POINTS * 5 // 8, POINTS // 4
    uv = torch.rand(b, head, 2, generator=g) * 2 - 1
    uv = uv * torch.tensor([0.92, 0.97])
    direction = direction_of(uv)
    radius = surface.maps.sample(s.maps[:, :1], uv)[:, 0]
    jitter = torch.randn(b, head, generator=g) * 0.014 / SCALE
    jitter = jitter * (torch.rand(b, head, generator=g) < 0.7)
    on_head = (radius + jitter)[..., None] * direction
    turn = (torch.rand(b, rest // 2, generator=g) * 2 - 1) * 2.4
    y = -0.55 - 1.2 * torch.rand(b, rest // 2, generator=g)
    wide = neck_radius(s.neck, y) + 0.03 * torch.randn(y.shape, generator=g)
    draped = (s.drape[:, :1] > 0) & (torch.rand(y.shape, generator=g) < 0.5)  # hair beside the neck
    wide = torch.where(draped, s.drape[:, :1] + 0.10 * torch.randn(y.shape, generator=g), wide)
    on_neck = torch.stack([wide * turn.sin(), y, wide * turn.cos() + NECK_AT - NECK_SLANT * (y + 0.6)], -1)
    up = F.normalize(torch.randn(b, rest // 2, 3, generator=g), dim=-1)
    up = (
        torch.stack([up[..., 0], up[..., 1].abs(), up[..., 2]], -1)
        * (1 + 0.03 * torch.randn(y.shape, generator=g))[..., None]
    )
    on_body = up * torch.tensor(BODY_SIZE) + torch.tensor(BODY_CENTRE)
    solid = torch.cat([on_head, on_neck, on_body], 1) * SCALE + torch.tensor(CENTRE)
    anywhere = torch.rand(b, POINTS - solid.shape[1], 3, generator=g) * 1.6 - 0.8  # rays leave the planes' box
    return torch.cat([solid, anywhere], 1)


def density_target(distance: Tensor) -> Tensor:
    """Raw density of a signed distance: -14 a little outside, DENSITY and more inside."""
    return 1 + DENSITY * (-distance / SHELL + 0.15).clamp(-0.25, 1.5)


def patch_places(b: int, g: torch.Generator) -> Tensor:
    """Map coordinates (B, PATCHES, PATCH_POINTS**2, 2) of small squares: half in front, half on the features."""
    spread = torch.tensor([0.75, 0.9]), torch.tensor([0.42, 0.45])  # of u and v
    half = PATCHES // 2
    centres = [(torch.rand(b, half, 2, generator=g) * 2 - 1) * reach for reach in spread]
    centres[1] = centres[1] + torch.tensor([0.0, 0.07])  # eyes to chin
    line = (torch.arange(PATCH_POINTS) - (PATCH_POINTS - 1) / 2) * PATCH_STEP
    square = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).reshape(-1, 2)
    return torch.cat(centres, 1)[:, :, None] + square


def detail_loss(net: TriPlane, planes: Tensor, s: Surface, g: torch.Generator) -> Tensor:
    """Colours of small squares of the face, each compared after its own mean is taken away.

    Light and skin tone make most of a colour's error at first; without this, eyes and mouth wait for them.
    """
    uv = patch_places(len(s), g)
    flat = uv.flatten(1, 2)
    radius, colour = surface.maps.sample(s.maps[:, :1], flat)[:, 0], surface.maps.sample(s.colour, flat)
    points = radius[..., None] * direction_of(flat) * SCALE + torch.tensor(CENTRE)
    made = net.field(planes, points)[0][..., :3].unflatten(1, uv.shape[1:3])
    want = colour.transpose(1, 2).unflatten(1, uv.shape[1:3])
    return ((made - made.mean(2, keepdim=True)) - (want - want.mean(2, keepdim=True))).abs().mean()


def field_losses(net: TriPlane, planes: Tensor, w: Tensor, s: Surface, g: torch.Generator) -> dict[str, Tensor]:
    """Colour and density at points against the world's."""
    points = training_points(s, g)
    with torch.no_grad():
        distance, colour = surface.field(s, points)
    inside = (points.abs() < 0.5).all(-1)
    features, raw = net.field(planes, points)
    near = torch.exp(-((distance / SHELL) ** 2)) * inside
    colour_loss = ((features[..., :3] - colour.transpose(1, 2)).abs().mean(-1) * near).sum() / near.sum()
    # Outside the box some planes still answer; unless told that nothing is there they draw ghosts beside the head.
    wanted = torch.where(inside, density_target(distance), density_target(torch.ones(())))
    error = (raw[..., 0] - wanted).abs() / DENSITY
    with torch.no_grad():
        behind = render.backdrop(s, 8)
    behind_loss = (torch.sigmoid(net.backdrop(w)).reshape(-1, 3, 8, 8) - behind).abs().mean()
    detail = detail_loss(net, planes, s, g)
    return {"detail": detail, "colour": colour_loss, "density": error.mean(), "backdrop": behind_loss}


def patch_losses(
    net: TriPlane, planes: Tensor, w: Tensor, s: Surface, g: torch.Generator
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """A patch of a photo, raw and super-resolved, against the world's picture; and both super-resolved patches."""
    b, full, half = len(s), net.config.image_px, net.config.neural_px
    camera = album_cameras(b, g)
    target = render.render(s, camera, full, oversample=1).image
    corner = [int(x) for x in (torch.rand(2, generator=g).sqrt() * 0.999 * (half - PATCH_PX + 1)).tolist()]
    top, left = corner[0], int(torch.randint(half - PATCH_PX + 1, (1,), generator=g))
    rows, columns = slice(top, top + PATCH_PX), slice(left, left + PATCH_PX)
    cut = lambda x: x.unflatten(1, (half, half))[:, rows, columns].flatten(1, 2)  # noqa: E731
    origins, directions = cameras.rays(camera, half)
    uv = pixel_centres(half, w.device).expand(b, -1, -1)
    seen = net.render_rays(planes, w, cut(origins), cut(directions), cut(uv), generator=g)
    features = seen.features.transpose(1, 2).unflatten(2, (PATCH_PX, PATCH_PX))
    sr, ws = net.superresolution, w[:, None].expand(-1, 3, -1)
    x, picture = sr.block0(ops.fast_layout(features), features[:, :3], ws, "none")
    sharp = sr.block1(x, picture, ws, "none")[1]
    want_sharp = target[:, :, 2 * top : 2 * (top + PATCH_PX), 2 * left : 2 * (left + PATCH_PX)]
    want_raw = image.resize(target, half)[:, :, rows, columns]
    edges = sum((d(sharp) - d(want_sharp)).abs().mean() for d in (_right, _down))
    found = {
        "raw": (features[:, :3] - want_raw).abs().mean(),
        "sharp": (sharp - want_sharp).abs().mean(),
        "edges": edges,
    }
    return found, sharp, want_sharp


def _right(x: Tensor) -> Tensor:
    return x[..., :, 1:] - x[..., :, :-1]


def _down(x: Tensor) -> Tensor:
    return x[..., 1:, :] - x[..., :-1, :]
