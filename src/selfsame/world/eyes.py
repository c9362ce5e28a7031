"""Eyes, their lids and lashes: painted in each eye's own coordinates."""

import torch
from torch import Tensor

from selfsame.world.colour import blend, mix, rgb
from selfsame.world.grid import Grid, gauss, smooth
from selfsame.world.traits import Traits

IRISES = [rgb(0.30, 0.45, 0.62), rgb(0.36, 0.47, 0.33), rgb(0.42, 0.30, 0.14), rgb(0.22, 0.12, 0.07)]


def eyes(g: Grid, t: Traits, c: Tensor, skin: Tensor) -> Tensor:
    """Both eyes and their lids laid over the colours `c`."""
    for side in (-1.0, 1.0):
        du = (g.lon - side * t.eye_apart) / (0.126 * t.eye_size)
        dv = (g.lat - t.eye_height - side * t.eye_tilt * (g.lon - side * t.eye_apart)) / (0.064 * t.eye_size)
        c = _eye(g, t, c, skin, side, du, dv)
    return c


def _eye(g: Grid, t: Traits, c: Tensor, skin: Tensor, side: float, du: Tensor, dv: Tensor) -> Tensor:
    """One eye in its own coordinates: corners at du = -1 and 1, the widest opening at dv = -0.8 .. 1."""
    almond = (1 - du**2).clamp_min(0)
    openness = t.eye_open * (1 - 0.15 * t.smile_up - 0.13 * t.sag)
    droop = 1 - 0.12 * t.sag * (du * side).clamp_min(0)  # the outer part of an old lid hangs
    lower = -(0.52 + 0.1 * t.smile_up) * openness.clamp_min(0.02).sqrt() * almond
    shut = t.lid_close.clamp(0, 1)
    upper = 0.95 * openness * droop * almond**0.75 * (1 - shut) + lower * shut
    inside = smooth(upper - dv, -0.06, 0.14) * smooth(dv - lower, -0.06, 0.14) * smooth(almond, 0.0, 0.12)
    inside = inside * (1 - smooth(shut, 0.85, 1.0))
    px = (du - t.gaze_right) * 0.126
    py = (dv - 0.12 - t.gaze_up) * 0.064
    distance = (px**2 + py**2).sqrt() * (1 / 0.0505)  # the iris has radius 1
    white = rgb(0.88, 0.87, 0.85) * (1 - 0.34 * smooth(dv - upper, -0.75, 0.0) - 0.05 * t.old)[:, None]
    eye = white.expand_as(c)
    ring = blend(IRISES, torch.maximum(t.iris, smooth(t.skin, 0.3, 0.65)))
    eye = mix(eye, ring * (1.25 - 0.65 * distance.clamp(0, 1) ** 3)[:, None], 1 - smooth(distance, 0.88, 1.06))
    eye = mix(eye, rgb(0.03, 0.03, 0.03), 1 - smooth(distance, 0.36, 0.50))
    glint = gauss(((px - 0.016) / 0.012) ** 2 + ((py - 0.016) / 0.012) ** 2)
    eye = mix(eye, rgb(1, 1, 1), 0.95 * glint)
    c = mix(c, skin * rgb(0.92, 0.72, 0.68), 0.5 * smooth(almond, 0.0, 0.3) * gauss(((dv - lower) / 0.16) ** 2))
    c = mix(c, eye, inside)
    lash = gauss(((dv - upper) / (0.15 - 0.03 * t.sex)) ** 2) * smooth(almond, 0.0, 0.12)
    corner = gauss(((du * side - 1.03) / 0.16) ** 2 + ((dv - 0.12) / 0.16) ** 2)
    flick = corner * (0.5 - 0.5 * t.sex) * t.grown * 0.5 + corner * t.made_up * smooth(t.eye_shadow, 0.2, 0.5) * 0.4
    dark = 0.78 - 0.12 * t.sex - 0.18 * t.child + 0.16 * t.made_up * smooth(t.eye_shadow, 0.1, 0.4)
    c = mix(c, rgb(0.09, 0.06, 0.05), (dark * lash + flick).clamp(0, 1))
    at = upper * (1 - 0.3 * shut) + 0.40 - 0.10 * t.sag
    crease = gauss(((dv - at) / 0.13) ** 2) * smooth(almond, 0.0, 0.5)
    return mix(c, skin * rgb(0.70, 0.58, 0.54), (0.18 + 0.30 * t.eye_fold + 0.14 * t.sag) * crease)
