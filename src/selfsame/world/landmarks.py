"""Where the features of a face truly are: named points of the head, which speech and blinks move, seen by a camera."""

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import camera as cameras
from selfsame.core.camera import Camera
from selfsame.world import grid, person
from selfsame.world.head import shape
from selfsame.world.person import Look
from selfsame.world.surface import CENTRE, SCALE
from selfsame.world.traits import Traits, traits

Spot = tuple[Tensor | float, Tensor | float]  # longitude and latitude on the head, in radians

SIDES = (-1.0, 1.0)  # as seen in the picture: left, right
GROUPS = {
    "five": slice(0, 5),  # in the order of faces.align
    "eyes": slice(5, 13),
    "brows": slice(13, 19),
    "nose": slice(19, 23),
    "lips": slice(23, 35),
    "chin": slice(35, 38),
    "jaw": slice(38, 44),
    "cheeks": slice(44, 48),
    "forehead": slice(48, 51),
    "crown": slice(51, 56),
}
"""Which points belong to what."""


def landmarks(look: Look, camera: Camera) -> Float[Tensor, "t p 2"]:
    """The places of one person's points in T pictures: u right, v down, [0, 1] inside; hidden ones are told as well.

    The head's radius is that of the first look: what a face does moves its points over the head far more than off it.
    """
    t = traits(look)
    lon, lat = (torch.stack([_column(spot[i], len(look)) for spot in _spots(t)], 1) for i in (0, 1))
    direction = torch.stack([lat.cos() * lon.sin(), lat.sin(), lat.cos() * lon.cos()], -1)
    first = shape(grid.grid(), traits(person.select(look, [0])))
    radius = grid.sample(first.radius[:, None], grid.to_map(direction).reshape(1, -1, 2)).reshape(lon.shape)
    return cameras.project(camera, torch.tensor(CENTRE) + SCALE * radius[..., None] * direction)


def _column(x: Tensor | float, count: int) -> Float[Tensor, "t"]:
    return torch.as_tensor(x, dtype=torch.float32).flatten().expand(count)


def _spots(t: Traits) -> list[Spot]:
    """All points, group by group."""
    u, v = t.eye_apart, t.eye_height
    nose, chin = t.nose_length, -0.70 - t.chin_length - 0.07 * t.open
    half = t.mouth_width * (1 + 0.22 * t.smile) * (1 - 0.36 * t.round)
    spots: list[Spot] = [(side * u, v) for side in SIDES]
    spots += [(0.0, nose), *((side * half, _line(t, side * half, half)) for side in SIDES)]
    spots += [spot for side in SIDES for spot in _eye(t, side)]
    brow = v + 0.155 + 0.02 * t.brow_raise
    spots += [(side * (u + away), brow - 0.1 * max(away, 0)) for side in SIDES for away in (-0.17, 0.0, 0.18)]
    spots += [(0.0, v - 0.02), (0.0, nose - 0.055), *((side * 1.3 * t.nose_width, nose) for side in SIDES)]
    spots += [spot for share in (-0.5, 0.0, 0.5) for spot in _lips(t, share * half, half)]
    spots += [(0.0, chin), *((side * 0.26, chin + 0.02) for side in SIDES)]
    spots += [(side * lon, lat) for side in SIDES for lon, lat in ((1.25, 0.1), (1.15, -0.25), (0.80, -0.55))]
    spots += [(side * lon, lat) for side in SIDES for lon, lat in ((0.55, -0.05), (0.62, -0.32))]
    spots += [(lon, 0.50) for lon in (-0.6, 0.0, 0.6)]
    return [*spots, (-1.25, 0.55), (-0.75, 0.85), (0.0, 1.0), (0.75, 0.85), (1.25, 0.55)]


def _line(t: Traits, lon: Tensor, half: Tensor) -> Tensor:
    """The latitude at which the lips meet (see `head.mouth_line`)."""
    bend = 0.045 * t.smile - 0.012 * t.sag
    return t.mouth_height + 0.012 * t.smile + bend * (lon / half).abs() ** 2 + t.lean * lon


def _lips(t: Traits, lon: Tensor, half: Tensor) -> list[Spot]:
    """Upper edge, both edges of the gap, lower edge at a longitude (see `head.mouth`)."""
    line, fuller = _line(t, lon, half), 1 + 0.35 * t.round
    up, low = (0.018 * t.lip_upper + 0.006) * fuller, (0.023 * t.lip_lower + 0.007) * fuller
    above, below = line + 2 * up + (0.012 + 0.02 * t.round) * t.open, line - 2 * low - 0.115 * t.open
    return [(lon, above), (lon, line + 0.007 + 0.003 * t.open), (lon, line - 0.007 - 0.093 * t.open), (lon, below)]


def _eye(t: Traits, side: float) -> list[Spot]:
    """Inner and outer corner, middle of the upper and of the lower lid (see `eyes`)."""
    across, high = 0.126 * t.eye_size, 0.064 * t.eye_size
    open_ = t.eye_open * (1 - 0.15 * t.smile_up - 0.13 * t.sag)
    lower = -(0.52 + 0.1 * t.smile_up) * open_.clamp_min(0.02).sqrt()
    shut = 0.9 * t.lid_close.clamp(0, 1)  # a shut eye still has two lids, one above the other
    upper = 0.95 * open_ * (1 - shut) + lower * shut
    u, v = t.eye_apart, t.eye_height
    corners: list[Spot] = [(side * (u + d * across), v + d * t.eye_tilt * across) for d in (-1, 1)]
    return [*corners, (side * u, v + high * upper), (side * u, v + high * lower)]
