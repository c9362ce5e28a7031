"""Hair: where it grows, how far it stands off, and its texture."""

from dataclasses import dataclass

import torch
from torch import Tensor

from selfsame.world.grid import Grid, gauss, smooth
from selfsame.world.traits import Traits

BUN = (0.0, 0.88, -0.47)  # the direction of hair that is tied up


@dataclass(frozen=True)
class HairShape:
    """The hair's colour mask in [0, 1], the radius of head and hair (head units), texture and how short the sides are
    cropped, each (B, h, w)."""

    mask: Tensor
    radius: Tensor
    texture: Tensor
    cropped: Tensor


def hair_shape(g: Grid, t: Traits, bare: Tensor, ear: Tensor) -> HairShape:
    """Hair on a `bare` head (its radius): hairline, fringe, parting, sides that fall or are cropped, a bun."""
    loose = t.long * (1 - t.tied)
    mask, rooted, inside = _masks(g, t, ear, loose)
    side = g.lon.abs()
    curl = t.hair_curl * 0.024 * g.clumps + (1 - t.hair_curl) * 0.008 * g.strands
    cropped = smooth(side, 0.75, 1.0) * (1 - smooth(g.lat, 0.35, 0.62)) * (1 - t.long) * smooth(t.sex, -0.3, 0.4)
    volume = 0.024 + (0.02 + 0.085 * t.hair_volume * (1 - 0.6 * t.tied)) * smooth(inside, 0.0, 0.5)
    volume = volume + 0.05 * t.hair_volume * t.hair_curl * smooth(inside, 0.0, 0.35)
    volume = volume * (1 - 0.75 * cropped) + 0.07 * loose * smooth(side, 0.6, 1.3)
    volume = volume * (1 - 0.5 * t.bald.clamp(0, 1))
    parting = _parting(g, t) * (1 - 0.8 * t.hair_curl)
    fine = curl * (1 - 0.7 * cropped)
    height = volume - 0.022 * parting + 0.34 * t.tied * _bun(g)
    radius = bare + rooted * (height + fine)
    strands = g.strands * (1 - t.hair_curl) + g.clumps * t.hair_curl
    return HairShape(mask, radius, strands - 1.6 * parting, cropped)


def _bun(g: Grid) -> Tensor:
    x, y, z = g.direction.unbind(1)
    away = 1 - (x * BUN[0] + y * BUN[1] + z * BUN[2])
    return gauss((away / 0.045) ** 2)


def _parting(g: Grid, t: Traits) -> Tensor:
    """A line from the forehead backwards, on the side that the person parts the hair on."""
    at = 0.36 * t.hair_part
    width = 0.020 + 0.02 * smooth(g.lat, 0.7, 1.4)
    line = gauss(((g.lon - at) / width) ** 2) * smooth(g.lat, 0.6, 0.8) * smooth(g.z, 0.0, 0.2)
    return line * smooth(t.hair_part.abs(), 0.25, 0.5) * (1 - smooth(t.bald, 0.1, 0.4))


def _masks(g: Grid, t: Traits, ear: Tensor, loose: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where hair is seen, where it stands off (a little inside, so that its edge is hair too), and how far (radians) a
    place lies inside the hairline, each (B, h, w)."""
    side = g.lon.abs()
    line = 0.66 + 0.14 * t.hairline + 0.05 * torch.cos(g.lon * 4) + 0.05 * t.hair_part * g.lon
    line = line + 0.40 * t.bald * (0.55 + 0.45 * torch.cos(2 * g.lon + 2.6 * smooth(side, 0.0, 0.5)))
    fall = smooth(t.fringe + 0.3 * t.long - 0.4 * t.tied, 0.30, 1.0) * (1 - smooth(t.bald, 0.05, 0.3))
    parted = gauss(((g.lon - 0.30 * t.hair_part) / 0.16) ** 2)
    line = line - 0.24 * fall * (1 - 0.7 * parted) * (1 - smooth(side, 0.3, 0.8))
    drop = 0.62 + 1.05 * loose
    line = line - drop * smooth(side, 0.70 + 0.06 * loose, 1.12 + 0.1 * loose) - 0.75 * smooth(side, 1.5, 2.1)
    inside = g.lat - line
    ragged = 0.020 * g.strands * (1 - (0.85 + 0.15 * loose) * smooth(side, 0.45, 0.75))
    free = 1 - 0.95 * ear.clamp(0, 1) * (1 - loose)
    softer = 0.06 * smooth(side, 0.5, 0.9)
    mask = smooth(inside + ragged, -0.06 - softer, 0.03 - softer * loose)
    rooted = smooth(inside + ragged, -0.03 - 0.5 * softer * loose, 0.06 + 2.5 * softer * loose)
    return mask * free, rooted * free, inside


def drape(t: Traits) -> Tensor:
    """Hair that hangs beside and behind the neck (B, 2): its half width (0 where there is none) and its lower end y."""
    loose = t.long * (1 - t.tied)
    ends = -0.70 - 0.75 * smooth(t.hair_length - 0.35 * t.sex, 0.35, 1.3)
    wide = (0.56 + 0.09 * t.hair_volume + 0.02 * t.sex) * (loose > 0.6)
    return torch.cat([wide, ends], 2)[:, 0]
