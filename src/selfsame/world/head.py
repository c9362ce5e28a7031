"""The shape of a head: a radius over the sphere of directions, built from a skull and its features."""

from dataclasses import dataclass

import torch
from torch import Tensor

from selfsame.world.grid import Grid, bump, gauss, pair, smooth
from selfsame.world.hair import HairShape, hair_shape
from selfsame.world.traits import Traits


@dataclass(frozen=True)
class Shape:
    """The radius map (B, h, w) in head units and the masks that the paint needs, each (B, h, w) in [0, 1]."""

    radius: Tensor
    hair: HairShape
    ear: Tensor
    upper_lip: Tensor
    lower_lip: Tensor
    mouth_gap: Tensor
    fold: Tensor
    wrinkle: Tensor


def shape(g: Grid, t: Traits) -> Shape:
    """The head of a look on a grid."""
    away = ((g.lon.abs() - 1.52) / (0.085 + 0.02 * t.ear_size)) ** 2
    ear = gauss((away + ((g.lat - 0.02) / (0.175 + 0.03 * t.ear_size)) ** 2) ** 2)
    upper, lower, gap = mouth(g, t)
    fold, wrinkle = _folds(g, t)
    r = _skull(g, t) + _brow_and_eyes(g, t) + _nose(g, t) + _cheeks_and_chin(g, t)
    r = r + (0.034 + 0.03 * t.round) * bump(g, 0, t.mouth_height + 0.02, 0.24, 0.17)
    r = r + 0.022 * (t.lip_upper * upper + t.lip_lower * lower) - 0.03 * gap
    philtrum = (t.nose_length - 0.05 + t.mouth_height) / 2
    r = r - 0.010 * bump(g, 0, philtrum, 0.018, 0.05) + 0.005 * pair(g, 0.045, philtrum, 0.016, 0.05)
    r = r - 0.012 * (t.wrinkles + 0.6 * t.smile_up) * fold + 0.0055 * t.wrinkles * wrinkle
    r = r + (0.085 + 0.075 * t.ear_out) * ear - 0.055 * pair(g, 1.47, 0.02, 0.022, 0.075)
    hair = hair_shape(g, t, r, ear)
    return Shape(hair.radius, hair, ear, upper, lower, gap, fold, wrinkle)


def _skull(g: Grid, t: Traits) -> Tensor:
    x, y, z = g.direction.unbind(1)
    width = t.head_width + 0.010 * t.sex + 0.02 * t.child
    below = 0.905 + 0.02 * t.sex - 0.085 * t.child + 0.5 * t.chin_length
    height = torch.where(y > 0, t.head_height + 0.03 * t.child, below)
    half_power = 1.12  # |x| ** 2.24, rounded off at 0 where the power alone would leave a crease in the light
    terms = [((d / size) ** 2 + 0.015) ** half_power for d, size in ((x, width), (y, height), (z, t.head_depth))]
    r = 1.018 * (terms[0] + terms[1] + terms[2]) ** (-0.5 / half_power)
    front, side = smooth(z, -0.25, 0.35), smooth(g.lon.abs(), 0.15, 0.9)
    narrow = 0.235 - 0.12 * t.jaw_width - 0.035 * t.sex - 0.04 * t.child + 0.14 * (1 - front)
    r = r * (1 - narrow * smooth(-g.lat, 0.02 + 0.22 * t.jaw_angle * front, 1.0 - 0.05 * t.jaw_angle) * side)
    r = r * (1 - 0.035 * smooth(g.lat, 0.30, 0.9) * front * (0.7 - 0.5 * t.sex - 0.9 * t.forehead))
    r = r * (1 - 0.045 * pair(g, 1.05, 0.30, 0.22, 0.22) * (1 + 0.6 * t.thin))  # temples
    # The underside of the jaw is a plane that rises from the chin to the ears; the neck comes out of it.
    down = (-y - 0.40 * z.clamp_min(-0.30)) / 1.077
    plane = torch.where(down > 0.02, (0.53 + 0.55 * (below - 0.905)) / down.clamp_min(0.02), torch.full_like(r, 9.0))
    soft = 0.035
    return -soft * torch.logaddexp(-r / soft, -plane / soft)


def _brow_and_eyes(g: Grid, t: Traits) -> Tensor:
    u, v = t.eye_apart, t.eye_height
    ridge = (0.016 + 0.014 * t.sex + 0.010 * t.brow_height + 0.012 * t.eye_deep) * t.grown
    r = ridge * pair(g, u * 0.9, v + 0.155 + 0.02 * t.brow_raise, 0.19, 0.055)
    r = r - (0.056 + 0.030 * t.eye_deep) * pair(g, u * 0.98, v - 0.005, 0.155, 0.085)
    r = r - 0.03 * pair(g, 0.115, v + 0.01, 0.05, 0.09)
    r = r + 0.046 * pair(g, u, v, 0.085 * t.eye_size, 0.055)
    r = r + 0.010 * pair(g, u, v + 0.062, 0.11, 0.020) * (1 + t.sag) * (0.5 + t.eye_fold)
    r = r + 0.012 * t.sag * pair(g, u, v - 0.095, 0.075, 0.028)  # bags
    return r - 0.012 * (t.wrinkles + 0.8 * t.thin) * pair(g, u, v - 0.14, 0.09, 0.022)


def _nose(g: Grid, t: Traits) -> Tensor:
    v = t.eye_height
    along = smooth(-(g.lat - v) / (v - t.nose_length), 0.0, 1.0)  # 0 between the eyes, 1 at the tip
    half = t.nose_width * (0.50 + 0.45 * along)
    across = gauss(0.5 * (g.lon / half) ** 2)
    tip = smooth((g.lat - t.nose_length) / 0.075, -0.80, 0.50)
    rise = (0.20 + 0.18 * t.nose_bridge) * (1 - along) + along**1.15
    end = 1 - smooth(g.lat - v, -0.02, 0.20)
    r = across * tip * end * rise * t.nose_height
    r = r + 0.022 * t.nose_hump * bump(g, 0, v - 0.115, 0.045, 0.055)
    r = r + 0.020 * t.nose_tip * bump(g, 0, t.nose_length + 0.03, 0.06, 0.04)
    r = r + 0.012 * bump(g, 0, t.nose_length + 0.012, 0.5 * t.nose_width, 0.034)  # the ball of the tip
    r = r + 0.046 * pair(g, t.nose_width * 1.12, t.nose_length + 0.0, 0.034, 0.034)
    return r - 0.022 * pair(g, t.nose_width * 0.60, t.nose_length - 0.052, 0.030, 0.016)


def mouth(g: Grid, t: Traits) -> tuple[Tensor, Tensor, Tensor]:
    """Masks (B, h, w) of upper lip, lower lip and the gap between them."""
    half = t.mouth_width * (1 + 0.22 * t.smile) * (1 - 0.36 * t.round)
    across = (g.lon / half).abs()
    line = mouth_line(g, t, half)
    taper = gauss(across**4)
    bow = 0.010 * gauss((g.lon / 0.035) ** 2) - 0.008 * gauss(((g.lon.abs() - 0.06) / 0.04) ** 2)
    fuller = 1 + 0.35 * t.round
    thick_up, thick_low = (0.018 * t.lip_upper + 0.006) * fuller, (0.023 * t.lip_lower + 0.007) * fuller
    upper_at = line + thick_up - bow * t.lip_bow + (0.012 + 0.02 * t.round) * t.open
    upper = gauss(((g.lat - upper_at) / thick_up) ** 2) * taper
    lower_at = line - thick_low - 0.115 * t.open
    lower = gauss(((g.lat - lower_at) / thick_low) ** 2) * gauss((across / 0.9) ** 4)
    gap_at, gap_half = line - 0.045 * t.open, 0.007 + 0.048 * t.open
    gap = gauss(((g.lat - gap_at) / gap_half) ** 2) * gauss((across / 0.97) ** 6)
    return upper, lower * (1 - gap * smooth(t.open, 0.05, 0.3)), gap


def mouth_line(g: Grid, t: Traits, half: Tensor) -> Tensor:
    """The latitude at which the lips meet, by longitude: a smile lifts the corners, age lets them sink."""
    bend = 0.045 * t.smile - 0.012 * t.sag
    return t.mouth_height + 0.012 * t.smile + bend * (g.lon / half).abs().clamp_max(1.6) ** 2 + t.lean * g.lon


def _cheeks_and_chin(g: Grid, t: Traits) -> Tensor:
    v = t.mouth_height
    r = (0.016 + 0.034 * t.cheek) * pair(g, 0.66, -0.02, 0.22, 0.11)
    r = r + (0.016 + 0.030 * t.smile_up) * pair(g, 0.43, -0.07 + 0.03 * t.smile_up, 0.17, 0.13)
    r = r + 0.034 * t.cheek_fat * pair(g, 0.52, -0.30, 0.20, 0.17)
    chin_at = -0.70 - t.chin_length - 0.07 * t.open
    wide = 0.20 + 0.06 * t.sex + 0.06 * t.jaw_angle
    r = r + (0.030 + 0.034 * t.chin + 0.012 * t.sex) * bump(g, 0, chin_at, wide, 0.13)
    r = r - 0.026 * bump(g, 0, v - 0.130 - 0.07 * t.open, 0.14, 0.040)
    r = r + (0.016 + 0.014 * t.sex) * t.jaw_angle * pair(g, 0.95, -0.52, 0.16, 0.12)
    r = r - 0.030 * t.sag * pair(g, 0.50, -0.27, 0.14, 0.12)
    return r + 0.036 * t.sag * pair(g, 0.46, -0.60, 0.16, 0.13)


def _folds(g: Grid, t: Traits) -> tuple[Tensor, Tensor]:
    """Nose-to-mouth folds, and the fine lines of forehead, eyes and mouth (signed)."""
    below = -(g.lat - t.nose_length)
    centre = 0.135 + 0.50 * below.clamp_min(0) + 0.03 * t.smile_up
    wide = 0.020 + 0.06 * below.clamp_min(0)
    fold = gauss(0.5 * ((g.lon.abs() - centre) / wide) ** 2) * smooth(below, -0.02, 0.09)
    fold = fold * (1 - smooth(below, 0.14, 0.30))
    marionette = gauss(0.5 * ((g.lon.abs() - t.mouth_width * 1.12) / 0.022) ** 2)
    marionette = marionette * gauss(0.5 * ((g.lat - t.mouth_height + 0.09) / 0.06) ** 2)
    lines = torch.sin((g.lat + 0.010 * g.clumps) * 62) * bump(g, 0, 0.45, 0.36, 0.09)
    crow = torch.sin((g.lat - t.eye_height) * 85 + 2 * (g.lon.abs() - 0.5)) * pair(
        g, t.eye_apart + 0.215, t.eye_height, 0.055, 0.06
    )
    raised = 1 + 0.8 * t.brow_raise.clamp_min(0)
    return fold + 0.8 * t.old * marionette, 0.8 * lines * raised + 0.6 * crow * (1 + t.smile_up)
