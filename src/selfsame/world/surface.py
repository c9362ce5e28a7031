"""A head as it meets the light: radius and lit colour over the sphere, neck and shoulders beside it, as one solid.

All light is independent of the viewer (highlights are those that a frontal viewer sees), so a look is a true
radiance field: every picture of it, and every point of it, agrees with every other.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsame.world import grid as maps
from selfsame.world import lower
from selfsame.world.grid import Grid, smooth
from selfsame.world.hair import drape
from selfsame.world.head import shape
from selfsame.world.paint import albedo, hair_colour, skin_colour
from selfsame.world.person import Look
from selfsame.world.traits import Traits, traits

# With this size and place the average eyes, nose and mouth lie on faces.pose.MEAN_FACE (0.012 off at most).
SCALE = 0.321  # world units of one head unit
CENTRE = (0.0, 0.036, -0.076)  # the middle of the head in world units


@dataclass(frozen=True)
class Surface:
    """What a look's solid is made of; maps are (B, c, h, w), colours in [0, 1].

    `maps` holds the radius (head units) and the cosine between surface normal and radius (it turns radial distance
    into distance); `colour` the lit colours; `skin`, `clothes` (B, 3, 1) unlit; `key` the direction, `tint` and
    `ambient` the strengths of the light; `neck` the neck's radius and the height of the collar, `drape` the half width
    and the lower end of long hair (see `hair.drape`), in head units; `hair` (B, 3, 1) its colour.
    """

    maps: Float[Tensor, "b 2 h w"]
    colour: Float[Tensor, "b 3 h w"]
    skin: Float[Tensor, "b 3 1"]
    clothes: Float[Tensor, "b 3 1"]
    key: Float[Tensor, "b 3"]
    tint: Float[Tensor, "b 3 1"]
    ambient: Float[Tensor, "b 3 1"]
    neck: Float[Tensor, "b 2"]
    drape: Float[Tensor, "b 2"]
    hair: Float[Tensor, "b 3 1"]
    top: Float[Tensor, "b 3"]
    bottom: Float[Tensor, "b 3"]
    side: Float[Tensor, "b 1"]

    def __len__(self) -> int:
        return len(self.maps)

    def __getitem__(self, index: slice | list[int] | Tensor) -> "Surface":
        return Surface(**{name: value[index] for name, value in vars(self).items()})


def surface(look: Look, map_px: tuple[int, int] = maps.MAP_PX) -> Surface:
    """The lit solid of each look; colours are view independent."""
    g = maps.grid(*map_px, str(look.age.years.device))
    t = traits(look)
    made = shape(g, t)
    normal = normals(g, made.radius)
    key, tint, ambient = _light(t)
    open_sky = _occlusion(g, made.radius)
    colour = _shade(
        albedo(g, t, made, look.marks), normal, key, tint, ambient, open_sky, gloss=0.09 * (1 - 0.4 * made.hair.mask)
    )
    slope = (normal * g.direction).sum(1).clamp(0.25, 1)
    clothes = torch.cat([t.clothes_red, t.clothes_green, t.clothes_blue], 1)
    top = torch.cat([t.bright + t.warm, t.bright + t.green, t.bright - t.warm], 1)[..., 0].clamp(0, 1)
    return Surface(
        maps=torch.stack([made.radius, slope], 1),
        colour=colour,
        skin=skin_colour(t)[..., 0],
        clothes=clothes,
        key=key,
        tint=tint,
        ambient=ambient,
        neck=torch.cat([0.375 + 0.050 * t.sex - 0.055 * t.child, -1.38 + 0.42 * t.collar], 2)[:, 0],
        drape=drape(t),
        hair=hair_colour(t)[..., 0],
        top=top,
        bottom=(top + t.fade[..., 0]).clamp(0, 1),
        side=t.side[..., 0],
    )


def normals(g: Grid, radius: Float[Tensor, "b h w"]) -> Float[Tensor, "b 3 h w"]:
    """Outward unit normals of the surface radius * direction, by central differences on the map."""
    points = radius[:, None] * g.direction
    right = F.pad(points, (1, 1, 0, 0), mode="circular")
    down = F.pad(points, (0, 0, 1, 1), mode="replicate")
    along_u = right[..., 2:] - right[..., :-2]
    along_v = down[..., 2:, :] - down[..., :-2, :]
    (vx, vy, vz), (ux, uy, uz) = along_v.unbind(1), along_u.unbind(1)
    normal = torch.stack([vy * uz - vz * uy, vz * ux - vx * uz, vx * uy - vy * ux], 1)
    length = normal.square().sum(1, keepdim=True).sqrt()
    return torch.where(length > 1e-9, normal / length.clamp_min(1e-9), g.direction.expand_as(normal))


def _light(t: Traits) -> tuple[Tensor, Tensor, Tensor]:
    yaw, pitch = t.yaw[:, 0, 0], t.pitch[:, 0, 0]
    key = torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], -1)
    warm = 1 + 0.08 * t.warmth * torch.tensor([1.0, 0.0, -1.0])[None, :, None]
    return key, t.key * warm, t.ambient * (2 - warm)


def _occlusion(g: Grid, radius: Tensor) -> Tensor:
    """How much of the sky a dent sees: the radius against its surroundings."""
    padded = F.pad(radius[:, None], (6, 6, 6, 6), mode="replicate")
    around = F.avg_pool2d(F.avg_pool2d(padded, (13, 1), 1), (1, 13), 1)[:, 0]
    return (1 - 5.0 * (around - radius).clamp(0, 0.09)) * (0.72 + 0.28 * smooth(g.lat, -1.05, -0.45))


def _shade(
    colour: Tensor, normal: Tensor, key: Tensor, tint: Tensor, ambient: Tensor, open_sky: Tensor, gloss: Tensor
) -> Tensor:
    """Wrapped diffuse light, ambient light and a frontal highlight, with a soft shoulder instead of clipping."""
    facing = (normal * key[:, :, None, None]).sum(1, keepdim=True)
    diffuse = ((facing + 0.3) / 1.3).clamp(0, 1)
    halfway = F.normalize(key + torch.tensor([0.0, 0.0, 1.0], device=key.device), dim=-1)
    shine = (normal * halfway[:, :, None, None]).sum(1, keepdim=True).clamp(0, 1) ** 24 * gloss[:, None]
    sky = open_sky[:, None]
    lit = colour * (
        ambient[..., None] * sky.clamp_min(0) ** 1.5 + 0.82 * tint[..., None] * diffuse * (0.35 + 0.65 * sky)
    )
    return tone(lit + shine * tint[..., None])


def tone(light: Tensor) -> Tensor:
    """Linear-ish light to a display value in [0, 1] with a soft shoulder; what is brighter still (1.15 on) is white."""
    return ((1.12 * light.clamp_min(0)) ** 0.87 / (1 + 0.12 * light.clamp_min(0) ** 2)).clamp_max(1)


def distance(s: Surface, points: Float[Tensor, "b n 3"]) -> tuple[Float[Tensor, "b 4 n"], Float[Tensor, "b n 2"]]:
    """Signed distances in world units to head, neck, body and hanging hair, and the head's map coordinates."""
    p = to_head_units(points)
    q = p.norm(dim=-1).clamp_min(1e-6)
    uv = maps.to_map(p / q[..., None])
    radius, slope = maps.sample(s.maps, uv).unbind(1)
    head = (q - radius) * slope
    return torch.cat([head[:, None], lower.distances(s.neck, s.drape, p)], 1) * SCALE, uv


def nearest(s: Surface, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n"]:
    """Signed distance (world units, negative inside) of points to the solid."""
    return distance(s, points)[0].amin(1)


def field(s: Surface, points: Float[Tensor, "b n 3"]) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b 3 n"]]:
    """Signed distance (world units, negative inside) and colour in [0, 1] at points; exact colour on the surface."""
    found, uv = distance(s, points)
    least, part = found.min(1)
    rest = _lower_colour(s, to_head_units(points), part - 1)
    return least, torch.where((part == 0)[:, None], maps.sample(s.colour, uv), rest)


def to_head_units(points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
    """World points about the middle of the head."""
    return (points - torch.tensor(CENTRE, device=points.device)) / SCALE


def _lower_colour(s: Surface, p: Tensor, part: Tensor) -> Tensor:
    """Colour of neck, shoulders and hanging hair, lit with their analytic normals."""
    bare = (part == lower.NECK) & (p[..., 1] > s.neck[:, 1:])
    base = torch.where(bare[:, None], s.skin, torch.where((part == lower.DRAPE)[:, None], s.hair, s.clothes))
    sky = lower.shadow(p, part)[..., None]
    normal = lower.normals(p, part)[..., None]
    return _shade(base[..., None], normal, s.key, s.tint, s.ambient, sky, torch.full_like(sky, 0.02))[..., 0]
