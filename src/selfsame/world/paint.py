"""The colours of a head without light: skin, lips, eyes, brows, hair, beard, glasses, marks."""

import torch
from torch import Tensor

from selfsame.world.grid import Grid, bump, pair, smooth
from selfsame.world.head import Shape, Traits
from selfsame.world.person import Marks


def rgb(red: float, green: float, blue: float) -> Tensor:
    """A colour as (1, 3, 1, 1)."""
    return torch.tensor([red, green, blue])[None, :, None, None]


def mix(colour: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """`other` laid over `colour` (B, 3, h, w) where `share` (B, h, w) is 1."""
    return colour + (other - colour) * share[:, None]


def blend(stops: list[Tensor], at: Tensor) -> Tensor:
    """A colour between equally spaced stops; `at` (B, 1, 1) in [0, 1] gives (B, 3, 1, 1)."""
    place = at[:, None] * (len(stops) - 1)
    return sum(s * (1 - (place - i).abs()).clamp_min(0) for i, s in enumerate(stops))  # type: ignore[return-value]


SKINS = [
    rgb(0.95, 0.79, 0.70),
    rgb(0.86, 0.66, 0.53),
    rgb(0.68, 0.47, 0.35),
    rgb(0.47, 0.30, 0.21),
    rgb(0.30, 0.19, 0.14),
]
HAIRS = [
    rgb(0.80, 0.66, 0.42),
    rgb(0.52, 0.35, 0.19),
    rgb(0.27, 0.16, 0.09),
    rgb(0.10, 0.07, 0.06),
    rgb(0.06, 0.05, 0.05),
]
IRISES = [rgb(0.30, 0.45, 0.62), rgb(0.36, 0.47, 0.33), rgb(0.42, 0.30, 0.14), rgb(0.22, 0.12, 0.07)]
GREY = rgb(0.76, 0.75, 0.74)


def skin_colour(t: Traits) -> Tensor:
    """The even tone of a skin, (B, 3, 1, 1)."""
    return blend(SKINS, t.skin) * (1 + 0.035 * t.skin_warmth[:, None] * rgb(1, 0, -1.4))


def hair_colour(t: Traits) -> Tensor:
    """Hair between blond, brown, black and red; dark skins seldom carry light hair; grey comes with age."""
    dark = torch.maximum(t.hair_dark, smooth(t.skin, 0.25, 0.75) * 0.95)
    colour = blend(HAIRS, dark)
    red = smooth(t.hair_red, 0.72, 0.95) * (1 - smooth(t.skin, 0.3, 0.6))
    colour = colour + (rgb(0.55, 0.25, 0.11) - colour) * (0.85 * red)[:, None]
    return colour + (GREY - colour) * (0.92 * t.grey)[:, None]


def albedo(g: Grid, t: Traits, s: Shape, marks: Marks) -> Tensor:
    """The colour map (B, 3, h, w) in [0, 1]."""
    skin, hair = skin_colour(t), hair_colour(t)
    c = _skin(g, t, s, skin, marks)
    c = _lips(g, t, s, c, skin)
    c = _beard(g, t, s, c, hair)
    c = _brows(g, t, c, hair)
    c = _eyes(g, t, c, skin)
    shade = 1 + 0.16 * (g.strands * (1 - 0.6 * t.hair_curl) + g.clumps * 0.7 * t.hair_curl)
    c = mix(c, hair * shade[:, None], s.hair)
    return _glasses(g, t, c).clamp(0, 1)


def _skin(g: Grid, t: Traits, s: Shape, skin: Tensor, marks: Marks) -> Tensor:
    c = skin * (1 + 0.018 * g.mottle)[:, None]
    light = (1 - 0.6 * t.skin)[:, None]
    red = (0.25 + 0.55 * t.blush) * pair(g, 0.44, -0.10, 0.19, 0.14) + 0.35 * bump(g, 0, t.nose_length, 0.09, 0.07)
    red = red + 0.4 * s.ear + 0.12 * t.old * g.mottle.clamp_min(0)
    c = c * (1 + light * red[:, None] * rgb(0.02, -0.13, -0.12))
    tired = (0.12 + 0.22 * t.wrinkles) * pair(g, t.eye_apart, t.eye_height - 0.085, 0.10, 0.035)
    socket = 0.14 * pair(g, t.eye_apart * 0.95, t.eye_height + 0.02, 0.15, 0.09)
    c = c * (1 - (tired + socket)[:, None] * rgb(0.8, 1.0, 0.9))
    crease = 0.20 * (0.7 * t.wrinkles + 0.7 * t.smile_up) * s.fold + 0.07 * t.wrinkles * s.wrinkle.clamp_min(-0.5)
    c = c * (1 - crease[:, None] * rgb(0.8, 1.0, 1.0))
    nostril = pair(g, t.nose_width * 0.58, t.nose_length - 0.040, 0.026, 0.014)
    wing = pair(g, t.nose_width * 1.55, t.nose_length, 0.014, 0.035)
    c = c * (1 - (0.62 * nostril + 0.16 * wing)[:, None] * rgb(0.85, 1, 1))
    speckle = smooth(g.stipple, 0.9, 1.6) * smooth(g.z, 0.3, 0.7)
    freckles = 0.30 * t.freckles.clamp_min(0) * (1 - t.skin) * pair(g, 0.25, -0.02, 0.30, 0.16)
    spots = 0.20 * smooth(t.years, 48, 85) * smooth(g.clumps, 0.3, 1.2)
    c = c * (1 - (speckle * (freckles + spots))[:, None] * rgb(0.7, 1.0, 1.2))
    return c * (1 - _moles(g, marks)[:, None] * rgb(0.8, 1.0, 1.05))


def _moles(g: Grid, marks: Marks) -> Tensor:
    dark = torch.zeros_like(g.lon).repeat(len(marks.lean), 1, 1)
    for place, size, depth in zip(marks.place.unbind(1), marks.size.unbind(1), marks.dark.unbind(1), strict=True):
        u, v, su = place[:, 0, None, None], place[:, 1, None, None], size[:, None, None]
        dark = torch.maximum(dark, depth[:, None, None] * bump(g, u, v, su, su))
    return dark


def _lips(g: Grid, t: Traits, s: Shape, c: Tensor, skin: Tensor) -> Tensor:
    made_up = (0.5 - 0.5 * t.sex)[:, None]
    lip = skin * rgb(0.90, 0.62, 0.60) + rgb(0.03, 0.0, 0.01) + made_up * rgb(0.05, -0.07, -0.04)
    c = mix(c, lip, 0.80 * torch.maximum(s.upper_lip, s.lower_lip).clamp(0, 1))
    inside = smooth(t.open + 0.3 * t.smile_up, 0.05, 0.3)
    c = mix(c, lip * 0.42, s.mouth_gap * (0.85 - 0.1 * inside))
    c = mix(c, rgb(0.22, 0.07, 0.07), s.mouth_gap * inside * 0.85)
    line = t.mouth_height + 0.012 * t.smile + 0.045 * t.smile * (g.lon / t.mouth_width) ** 2 + t.lean * g.lon
    half = 0.010 + 0.022 * t.open
    teeth = torch.exp(-(((g.lat - (line + 0.004 - 0.012 * t.open)) / half) ** 4)) * torch.exp(
        -((g.lon / (0.80 * t.mouth_width)) ** 6)
    )
    shown = smooth(t.open + 0.55 * t.smile_up, 0.30, 0.65) * smooth(s.mouth_gap, 0.2, 0.6)
    return mix(c, rgb(0.93, 0.91, 0.86), 0.95 * teeth * shown)


def _beard(g: Grid, t: Traits, s: Shape, c: Tensor, hair: Tensor) -> Tensor:
    lip_free = 1 - torch.maximum(s.upper_lip, torch.maximum(s.lower_lip, s.mouth_gap)).clamp(0, 1)
    low = smooth(-g.lat - 0.26 * g.lon.abs() + 0.04 * g.stipple, 0.28, 0.40)
    area = low * (1 - smooth(g.lon.abs(), 1.05, 1.35)) * smooth(g.z, -0.05, 0.25) * lip_free
    chin_gap = 1 - 0.75 * pair(g, 0.10, t.mouth_height - 0.10, 0.06, 0.02)
    return mix(c, hair * (0.92 + 0.12 * g.stipple)[:, None], 0.82 * t.bearded * area * chin_gap)


def _brows(g: Grid, t: Traits, c: Tensor, hair: Tensor) -> Tensor:
    from_centre = g.lon.abs() - t.eye_apart
    slant = t.lean * g.lon.sign() * 0.35
    arch = t.brow_arch * (0.028 - 1.6 * (from_centre - 0.05) ** 2) - 0.03 * from_centre
    at = t.eye_height + 0.128 + 0.012 * t.brow_height + 0.032 * t.brow_raise + arch + slant
    thick = (0.0165 + 0.004 * t.sex) * t.brow_thick * (1 - 1.6 * (from_centre - 0.02).clamp(0, 0.2))
    area = torch.exp(-(((g.lat - at) / thick) ** 2)) * torch.exp(-(((from_centre - 0.01) / 0.155) ** 6))
    dark = hair * (0.72 - 0.1 * t.grey)[:, None] * (1 + 0.10 * g.stipple)[:, None]
    return mix(c, dark, 0.88 * area)


def _eyes(g: Grid, t: Traits, c: Tensor, skin: Tensor) -> Tensor:
    for side in (-1.0, 1.0):
        du = (g.lon - side * t.eye_apart) / (0.126 * t.eye_size)
        dv = (g.lat - t.eye_height - side * t.eye_tilt * (g.lon - side * t.eye_apart)) / (0.064 * t.eye_size)
        c = _eye(g, t, c, skin, side, du, dv)
    return c


def _eye(g: Grid, t: Traits, c: Tensor, skin: Tensor, side: float, du: Tensor, dv: Tensor) -> Tensor:
    """One eye in its own coordinates: corners at du = -1 and 1, the widest opening at dv = -0.8 .. 1."""
    almond = (1 - du**2).clamp_min(0)
    openness = t.eye_open * (1 - t.lid_close.clamp_min(0) * 1.3 - 0.15 * t.smile_up - 0.12 * t.sag)
    openness = openness.clamp_min(0.02)  # shut lids
    upper, lower = 0.95 * openness * almond**0.75, -(0.52 + 0.1 * t.smile_up) * openness.sqrt() * almond
    inside = smooth(upper - dv, -0.06, 0.14) * smooth(dv - lower, -0.06, 0.14) * smooth(almond, 0.0, 0.12)
    px = (du - t.gaze_right) * 0.126
    py = (dv - 0.12 - t.gaze_up) * 0.064
    distance = (px**2 + py**2).sqrt() * (1 / 0.0505)  # the iris has radius 1
    white = rgb(0.88, 0.87, 0.85) * (1 - 0.28 * smooth(dv, 0.0, 1.0))[:, None]
    eye = white.expand_as(c)
    ring = blend(IRISES, torch.maximum(t.iris, smooth(t.skin, 0.3, 0.65)))
    eye = mix(eye, ring * (1.25 - 0.65 * distance.clamp(0, 1) ** 3)[:, None], 1 - smooth(distance, 0.88, 1.06))
    eye = mix(eye, rgb(0.03, 0.03, 0.03), 1 - smooth(distance, 0.36, 0.50))
    glint = torch.exp(-(((px - 0.016) / 0.012) ** 2 + ((py - 0.016) / 0.012) ** 2))
    eye = mix(eye, rgb(1, 1, 1), 0.95 * glint)
    c = mix(c, skin * rgb(0.92, 0.72, 0.68), 0.5 * smooth(almond, 0.0, 0.3) * torch.exp(-(((dv - lower) / 0.16) ** 2)))
    c = mix(c, eye, inside)
    lash = torch.exp(-(((dv - upper) / (0.15 - 0.03 * t.sex)) ** 2)) * smooth(almond, 0.0, 0.12)
    flick = torch.exp(-(((du * side - 1.03) / 0.16) ** 2 + ((dv - 0.12) / 0.16) ** 2)) * (0.5 - 0.5 * t.sex) * 0.6
    c = mix(c, rgb(0.09, 0.06, 0.05), ((0.82 - 0.12 * t.sex) * lash + flick).clamp(0, 1))
    crease = torch.exp(-(((dv - upper - 0.42) / 0.13) ** 2)) * smooth(almond, 0.0, 0.5)
    return mix(c, skin * rgb(0.70, 0.58, 0.54), 0.42 * crease)


def _glasses(g: Grid, t: Traits, c: Tensor) -> Tensor:
    """A thin dark frame drawn on the skin: rims, bridge and temples."""
    du, dv = (g.lon.abs() - t.eye_apart) / 0.205, (g.lat - t.eye_height + 0.012) / 0.130
    rim_at = (du.abs() ** 3 + dv.abs() ** 3) ** (1 / 3)
    rim = torch.exp(-(((rim_at - 1) / 0.085) ** 2))
    bridge = torch.exp(-(((g.lat - t.eye_height - 0.03) / 0.014) ** 4)) * smooth(-g.lon.abs(), -0.14, -0.10)
    temple = torch.exp(-(((g.lat - t.eye_height - 0.035) / 0.016) ** 4)) * smooth(g.lon.abs(), 0.48, 0.53)
    temple = temple * (1 - smooth(g.lon.abs(), 1.38, 1.48))
    frame = torch.maximum(rim, torch.maximum(bridge, temple)) * t.glassed
    return mix(c, rgb(0.09, 0.08, 0.09), 0.92 * frame)
