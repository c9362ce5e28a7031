"""The colours of a head without light: skin, marks, hair, beard, brows, and what is worn on the face."""

import torch
from torch import Tensor

from selfsame.world.colour import blend, mix, rgb
from selfsame.world.eyes import eyes
from selfsame.world.grid import Grid, bump, gauss, pair, smooth
from selfsame.world.head import Shape, mouth_line
from selfsame.world.person import Marks
from selfsame.world.traits import Traits

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
GREY = rgb(0.76, 0.75, 0.74)
DYES = [
    rgb(0.05, 0.05, 0.06),
    rgb(0.30, 0.13, 0.08),
    rgb(0.58, 0.20, 0.08),
    rgb(0.88, 0.74, 0.46),
    rgb(0.80, 0.82, 0.84),
    rgb(0.78, 0.36, 0.55),
    rgb(0.22, 0.36, 0.62),
]
LIPSTICKS = [rgb(0.74, 0.42, 0.38), rgb(0.70, 0.12, 0.14), rgb(0.78, 0.28, 0.44), rgb(0.40, 0.07, 0.14)]
METAL, PLASTIC = rgb(0.44, 0.36, 0.26), rgb(0.07, 0.06, 0.07)
SHADOWS = [rgb(0.35, 0.24, 0.20), rgb(0.30, 0.34, 0.46), rgb(0.46, 0.26, 0.36)]


def skin_colour(t: Traits) -> Tensor:
    """The even tone of a skin, (B, 3, 1, 1): paler in age and winter, browner in summer."""
    shade = t.skin + 0.10 * t.tan * (0.3 + t.skin) - 0.05 * t.old * (1 - t.skin)
    return blend(SKINS, shade.clamp(0, 1)) * (1 + 0.035 * t.skin_warmth[:, None] * rgb(1, 0, -1.4))


def natural_hair(t: Traits) -> Tensor:
    """Hair between blond, brown, black and red; dark skins seldom carry light hair; grey comes with age.

    Children are fairer than they will be.
    """
    dark = torch.maximum(t.hair_dark - 0.22 * t.child * (1 - t.skin), smooth(t.skin, 0.25, 0.75) * 0.95).clamp(0, 1)
    colour = blend(HAIRS, dark)
    red = smooth(t.hair_red, 0.72, 0.95) * (1 - smooth(t.skin, 0.3, 0.6))
    colour = colour + (rgb(0.55, 0.25, 0.11) - colour) * (0.85 * red)[:, None]
    return colour + (GREY - colour) * (0.92 * t.grey)[:, None]


def hair_colour(t: Traits) -> Tensor:
    """Natural hair under the dye of the session, if any."""
    natural = natural_hair(t)
    dyed = smooth(t.dye, 0.35, 0.55) * smooth(t.years, 15, 18) * (1 - 0.8 * smooth(t.sex, 0.0, 0.6))
    return natural + (blend(DYES, t.dye_tone) - natural) * (0.9 * dyed)[:, None]


def albedo(g: Grid, t: Traits, s: Shape, marks: Marks) -> Tensor:
    """The colour map (B, 3, h, w) in [0, 1]."""
    skin, natural = skin_colour(t), natural_hair(t)
    hair = hair_colour(t)
    c = _skin(g, t, s, skin, marks)
    c = _lips(g, t, s, c, skin)
    c = _beard(g, t, s, c, natural * rgb(1.08, 0.96, 0.90))
    c = _brows(g, t, c, natural + 0.5 * (hair - natural))
    c = eyes(g, t, c, skin)
    shade = 1 + 0.17 * s.hair.texture
    scalp = hair * shade[:, None] + (skin - hair) * (0.40 * s.hair.cropped + 0.25 * t.bald.clamp(0, 1))[:, None]
    c = mix(c, scalp, s.hair.mask)
    return _glasses(g, t, c).clamp(0, 1)


def _skin(g: Grid, t: Traits, s: Shape, skin: Tensor, marks: Marks) -> Tensor:
    c = skin * (1 + (0.018 + 0.012 * t.old) * g.mottle + 0.010 * t.grown * g.stipple)[:, None]
    light = (1 - 0.6 * t.skin)[:, None]
    red = (0.25 + 0.55 * t.blush + 0.25 * t.child) * pair(g, 0.44, -0.10, 0.19, 0.14) + 0.35 * bump(
        g, 0, t.nose_length, 0.09, 0.07
    )
    red = red + 0.4 * s.ear + 0.12 * t.old * g.mottle.clamp_min(0)
    c = c * (1 + light * red[:, None] * rgb(0.02, -0.13, -0.12))
    tired = (0.12 + 0.22 * t.wrinkles) * pair(g, t.eye_apart, t.eye_height - 0.085, 0.10, 0.035)
    socket = 0.14 * pair(g, t.eye_apart * 0.95, t.eye_height + 0.02, 0.15, 0.09)
    c = c * (1 - (tired + socket)[:, None] * rgb(0.8, 1.0, 0.9))
    crease = 0.20 * (0.7 * t.wrinkles + 0.7 * t.smile_up) * s.fold + 0.12 * t.wrinkles * s.wrinkle.clamp_min(-0.5)
    c = c * (1 - crease[:, None] * rgb(0.8, 1.0, 1.0))
    nostril = pair(g, t.nose_width * 0.58, t.nose_length - 0.040, 0.026, 0.014)
    wing = pair(g, t.nose_width * 1.55, t.nose_length, 0.014, 0.035)
    c = c * (1 - (0.58 * nostril + 0.16 * wing)[:, None] * rgb(0.85, 1, 1))
    shadow = t.made_up * smooth(t.eye_shadow, 0.25, 0.6)
    lid = pair(g, t.eye_apart, t.eye_height + 0.06, 0.11, 0.038)
    c = mix(c, blend(SHADOWS, t.lip_tone) * (0.5 + 0.5 * skin), 0.55 * shadow * lid)
    speckle = smooth(g.stipple, 0.9, 1.6) * smooth(g.z, 0.3, 0.7)
    freckles = 0.30 * t.freckles.clamp_min(0) * (1 - t.skin) * pair(g, 0.25, -0.02, 0.30, 0.16)
    spots = 0.26 * t.spots * smooth(g.clumps, 0.2, 1.2)
    c = c * (1 - (speckle * (freckles + spots))[:, None] * rgb(0.7, 1.0, 1.2))
    c = c * (1 - 0.35 * pair(g, 1.47, 0.02, 0.025, 0.07))[:, None]  # the shell of the ear
    return c * (1 - _moles(g, marks)[:, None] * rgb(0.8, 1.0, 1.05))


def _moles(g: Grid, marks: Marks) -> Tensor:
    dark = torch.zeros_like(g.lon).repeat(len(marks.lean), 1, 1)
    for place, size, depth in zip(marks.place.unbind(1), marks.size.unbind(1), marks.dark.unbind(1), strict=True):
        u, v, su = place[:, 0, None, None], place[:, 1, None, None], size[:, None, None]
        dark = torch.maximum(dark, depth[:, None, None] * bump(g, u, v, su, su))
    return dark


def _lips(g: Grid, t: Traits, s: Shape, c: Tensor, skin: Tensor) -> Tensor:
    painted = t.made_up * smooth(t.lipstick, 0.2, 0.7)
    lip = skin * rgb(0.88, 0.64, 0.62) + rgb(0.02, 0.0, 0.01) - (0.02 * t.old)[:, None] * rgb(1, 0, 0)
    lip = lip + (blend(LIPSTICKS, t.lip_tone) * (0.75 + 0.25 * skin) - lip) * (0.85 * painted)[:, None]
    c = mix(c, lip, 0.80 * torch.maximum(s.upper_lip, s.lower_lip).clamp(0, 1))
    c = c * (1 - 0.10 * (s.upper_lip * (1 - s.lower_lip)).clamp(0, 1))[:, None]  # it faces down
    inside = smooth(t.open + 0.3 * t.smile_up, 0.05, 0.3)
    c = mix(c, lip * 0.42, s.mouth_gap * (0.85 - 0.1 * inside))
    c = mix(c, rgb(0.20, 0.06, 0.06), s.mouth_gap * inside * 0.88)
    width = t.mouth_width * (1 - 0.36 * t.round)
    line = mouth_line(g, t, width)
    half = 0.010 + 0.022 * t.open
    teeth = gauss(((g.lat - (line + 0.004 - 0.012 * t.open)) / half) ** 4) * torch.exp(-((g.lon / (0.80 * width)) ** 6))
    shown = smooth(t.open + 0.55 * t.smile_up - 0.4 * t.round, 0.30, 0.65) * smooth(s.mouth_gap, 0.2, 0.6)
    return mix(c, rgb(0.93, 0.91, 0.86) * (1 - 0.10 * t.old)[:, None], 0.95 * teeth * shown)


def _beard(g: Grid, t: Traits, s: Shape, c: Tensor, hair: Tensor) -> Tensor:
    """A moustache, with more of `beard_shape` a goatee, at last the whole jaw; stubble where `bearded` is low."""
    lip_free = 1 - torch.maximum(s.upper_lip, torch.maximum(s.lower_lip, s.mouth_gap)).clamp(0, 1)
    side = g.lon.abs()
    moustache = bump(g, 0, t.mouth_height + 0.085 + 0.02 * t.smile, 0.115, 0.026) * 1.25
    moustache = moustache * (1 - 0.5 * bump(g, 0, t.mouth_height + 0.10, 0.014, 0.05))
    goatee = gauss(((side / 0.22) ** 2 + ((g.lat - t.mouth_height + 0.20) / 0.17) ** 2) ** 2)
    low = smooth(-g.lat - 0.26 * side + 0.04 * g.stipple, 0.28, 0.40)
    jaw = low * (1 - smooth(side, 1.05, 1.35)) * smooth(g.z, -0.05, 0.25)
    area = torch.maximum(moustache.clamp(0, 1), goatee * smooth(t.beard_shape, 0.18, 0.26))
    area = torch.maximum(area, jaw * smooth(t.beard_shape, 0.50, 0.56))
    chin_gap = 1 - 0.75 * pair(g, 0.10, t.mouth_height - 0.10, 0.06, 0.02)
    hairs = hair * (0.92 + 0.12 * g.stipple)[:, None]
    c = mix(c, hairs, 0.85 * t.bearded * area * lip_free * chin_gap)
    stubble = smooth(t.sex, 0.1, 0.6) * smooth(t.years, 16, 24) * (0.16 + 0.10 * t.hair_dark) * (1 - t.bearded)
    return mix(c, hairs, stubble * torch.maximum(jaw, moustache.clamp(0, 1)) * lip_free)


def _brows(g: Grid, t: Traits, c: Tensor, hair: Tensor) -> Tensor:
    from_centre = g.lon.abs() - t.eye_apart
    slant = t.lean * g.lon.sign() * 0.35
    arch = t.brow_arch * (0.028 - 1.6 * (from_centre - 0.05) ** 2) - 0.03 * from_centre
    at = t.eye_height + 0.128 + 0.012 * t.brow_height + 0.032 * t.brow_raise + arch + slant
    thick = (0.0165 + 0.004 * t.sex) * t.brow_thick * (1 - 1.6 * (from_centre - 0.02).clamp(0, 0.2))
    area = gauss(((g.lat - at) / thick) ** 2) * gauss(((from_centre - 0.01) / 0.155) ** 6)
    dark = hair * (0.72 - 0.1 * t.grey)[:, None] * (1 + 0.10 * g.stipple)[:, None]
    return mix(c, dark, 0.88 * area)


def _glasses(g: Grid, t: Traits, c: Tensor) -> Tensor:
    """A frame drawn on the skin, from thin round metal to a dark square one: rims, bridge and temples."""
    square = t.glasses_shape
    du, dv = (g.lon.abs() - t.eye_apart) / (0.195 + 0.015 * square), (g.lat - t.eye_height + 0.012) / 0.135
    power = 2.0 + 2.0 * square
    rim_at = (du.abs().clamp_min(1e-4) ** power + dv.abs().clamp_min(1e-4) ** power) ** (1 / power)
    rim = gauss(((rim_at - 1) / (0.07 + 0.045 * square)) ** 2)
    bridge = gauss(((g.lat - t.eye_height - 0.03) / 0.014) ** 4) * smooth(-g.lon.abs(), -0.14, -0.10)
    temple = gauss(((g.lat - t.eye_height - 0.035) / 0.016) ** 4) * smooth(g.lon.abs(), 0.48, 0.53)
    temple = temple * (1 - smooth(g.lon.abs(), 1.38, 1.48))
    frame = torch.maximum(rim, torch.maximum(bridge, temple)) * t.glassed
    lens = (1 - smooth(rim_at, 0.90, 1.0)) * t.glassed
    c = c + 0.035 * lens[:, None]  # glass reflects a little of everything
    return mix(
        c, rgb(0.44, 0.36, 0.26) + (rgb(0.07, 0.06, 0.07) - rgb(0.44, 0.36, 0.26)) * square[:, None], 0.92 * frame
    )
