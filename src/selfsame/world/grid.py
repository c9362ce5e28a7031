"""The map on which a head is drawn: directions from the head's centre, packed densest where the face is.

Columns u in [-1, 1] are longitudes pi sinh(a u) / sinh(a) (0 faces +z, positive towards +x), rows v in [-1, 1] from the
top are latitudes -(pi/2) sinh(b v) / sinh(b); both have closed inverses, so a ray finds its texel at once.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import rng

LON_PACK = 2.5
LAT_PACK = 1.4
MAP_PX = (192, 256)


@dataclass(frozen=True)
class Grid:
    """Longitude and latitude (1, h, w) in radians, the unit direction (1, 3, h, w), and fixed textures (1, h, w)."""

    lon: Tensor
    lat: Tensor
    direction: Tensor
    strands: Tensor
    clumps: Tensor
    mottle: Tensor
    stipple: Tensor

    @property
    def z(self) -> Tensor:
        """How far a direction points forward, 1 at the tip of the nose."""
        return self.direction[:, 2]


def to_map(direction: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 2"]:
    """Map coordinates (u, v) in [-1, 1] of unit directions, as `grid_sample` wants them."""
    x, y, z = direction.unbind(-1)
    lon, lat = torch.atan2(x, z), torch.asin(y.clamp(-1, 1))
    u = torch.asinh(lon * (math.sinh(LON_PACK) / math.pi)) / LON_PACK
    v = torch.asinh(lat * (-math.sinh(LAT_PACK) / (math.pi / 2))) / LAT_PACK
    return torch.stack([u, v], -1)


def sample(maps: Float[Tensor, "b c h w"], uv: Float[Tensor, "b n 2"]) -> Float[Tensor, "b c n"]:
    """Bilinear look-up of maps at map coordinates."""
    return F.grid_sample(maps, uv[:, None], align_corners=True, padding_mode="border")[:, :, 0]


@lru_cache(maxsize=8)
def grid(h: int = MAP_PX[0], w: int = MAP_PX[1], device: str = "cpu") -> Grid:
    """The grid of a map of h rows and w columns."""
    u, v = torch.linspace(-1, 1, w), torch.linspace(-1, 1, h)
    lon = (math.pi / math.sinh(LON_PACK) * torch.sinh(LON_PACK * u))[None, None, :].expand(1, h, w)
    lat = (-math.pi / 2 / math.sinh(LAT_PACK) * torch.sinh(LAT_PACK * v))[None, :, None].expand(1, h, w)
    direction = torch.stack([lat.cos() * lon.sin(), lat.sin(), lat.cos() * lon.cos()], 1)
    swept = lon + 0.35 * torch.sin(2.2 * lat + 0.8)  # hair is combed: strands run down and a little aslant
    made = Grid(
        lon,
        lat,
        direction,
        strands=_noise("strands", swept * 13, lat * 2.2) + 0.6 * _noise("fine strands", swept * 27, lat * 3.5),
        clumps=_noise("clumps", lon * 4.5, lat * 4.5) + 0.5 * _noise("small clumps", lon * 9, lat * 9),
        mottle=_noise("mottle", lon * 7, lat * 7) + 0.5 * _noise("fine mottle", lon * 15, lat * 15),
        stipple=_noise("stipple", lon * 30, lat * 30),
    )
    return Grid(**{name: value.to(device) for name, value in vars(made).items()})


def _noise(name: str, x: Tensor, y: Tensor, lattice: int = 64) -> Tensor:
    """Smooth noise of unit variance, one bump a lattice step, periodic; the same for everybody at every map size."""
    values = torch.randn(lattice, lattice, generator=rng.generator(0, "texture", name))
    fx, fy = x - x.floor(), y - y.floor()
    sx, sy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    ix, iy = x.floor().long() % lattice, y.floor().long() % lattice
    jx, jy = (ix + 1) % lattice, (iy + 1) % lattice
    top = values[iy, ix] * (1 - sx) + values[iy, jx] * sx
    bottom = values[jy, ix] * (1 - sx) + values[jy, jx] * sx
    return 1.3 * (top * (1 - sy) + bottom * sy)


def smooth(x: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """The smooth step from 0 at `low` to 1 at `high`."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def gauss(x: Tensor) -> Tensor:
    """exp(-x) of x >= 0, cut where it no longer shows: results too small for a normal float cost ten times the time."""
    return torch.exp(-x.clamp_max(60))


def bump(g: Grid, u: Tensor | float, v: Tensor | float, su: Tensor | float, sv: Tensor | float) -> Tensor:
    """A Gaussian hill about longitude u and latitude v with widths su and sv, all in radians."""
    return gauss(0.5 * (((g.lon - u) / su) ** 2 + ((g.lat - v) / sv) ** 2))


def pair(g: Grid, u: Tensor | float, v: Tensor | float, su: Tensor | float, sv: Tensor | float) -> Tensor:
    """The same hill on both sides of the face, |longitude| = u."""
    return gauss(0.5 * (((g.lon.abs() - u) / su) ** 2 + ((g.lat - v) / sv) ** 2))
