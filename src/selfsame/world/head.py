"""The shape of a head: a radius over the sphere of directions, built from a skull and its features."""

from dataclasses import dataclass, fields
from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from selfsame.world.grid import Grid, bump, pair, smooth
from selfsame.world.person import Look


@dataclass(frozen=True)
class Shape:
    """The radius map (B, h, w) in head units and the masks that the paint needs, each (B, h, w) in [0, 1]."""

    radius: Tensor
    hair: Tensor
    ear: Tensor
    upper_lip: Tensor
    lower_lip: Tensor
    mouth_gap: Tensor
    fold: Tensor
    wrinkle: Tensor


class Traits(SimpleNamespace):
    """All numbers of a look as (B, 1, 1) tensors under their own names, and a few that follow from them."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Tensor: ...


def traits(look: Look) -> Traits:
    """Flatten a look's records and work out what age does to this person (the aging law)."""
    records = (look.identity, look.age, look.expression, look.light, look.backdrop)
    t = Traits(**{f.name: getattr(r, f.name)[:, None, None] for r in records for f in fields(r)})
    t.lean = look.marks.lean[:, None, None]
    t.old = ((t.years - 20) / 60).clamp(0, 1.1)
    t.wrinkles = t.wrinkle_rate * smooth(t.years, 28, 82)
    t.sag = t.sag_rate * t.old**1.3
    t.grey = smooth(t.years - t.grey_at, -12, 14)
    t.bald = (t.bald_rate + 0.6 * t.sex - 0.1).clamp(0, 1.2) * smooth(t.years, 26, 68)
    t.long = smooth(t.hair_length - 0.75 * t.sex, 0.15, 0.9)
    t.bearded = smooth(t.beard + 0.5 * (t.sex - 1), 0.30, 0.75)
    t.smile_up = t.smile.clamp_min(0)
    t.open = t.mouth_open.clamp_min(0)
    t.round = t.mouth_round.clamp_min(0)
    t.glassed = (t.glasses > 0.86).float()
    return t


def shape(g: Grid, t: Traits) -> Shape:
    """The head of a look on a grid."""
    ear = pair(g, 1.50, 0.03, 0.065 + 0.02 * t.ear_size, 0.15 + 0.03 * t.ear_size)
    hair, inside = _hair_mask(g, t, ear)
    upper, lower, gap = mouth(g, t)
    fold, wrinkle = _folds(g, t)
    r = _skull(g, t) + _brow_and_eyes(g, t) + _nose(g, t) + _cheeks_and_chin(g, t)
    r = r + 0.040 * bump(g, 0, t.mouth_height + 0.02, 0.24, 0.17)
    r = r + 0.026 * (t.lip_upper * upper + t.lip_lower * lower) - 0.03 * gap
    r = r - 0.010 * (t.wrinkles + 0.6 * t.smile_up) * fold + 0.0035 * t.wrinkles * wrinkle
    r = r + 0.13 * ear - 0.06 * pair(g, 1.46, 0.03, 0.03, 0.08)
    curl = t.hair_curl * (0.022 * g.clumps) + (1 - t.hair_curl) * 0.008 * g.strands
    volume = 0.03 + (0.02 + 0.075 * t.hair_volume) * smooth(inside, 0.0, 0.5)
    volume = volume + 0.06 * t.long * smooth(g.lon.abs(), 0.6, 1.3)
    r = r + hair * (volume + curl * smooth(hair, 0.3, 1.0))
    return Shape(r, hair, ear, upper, lower, gap, fold, wrinkle)


def _skull(g: Grid, t: Traits) -> Tensor:
    x, y, z = g.direction.unbind(1)
    width = t.head_width + 0.008 * t.sex
    half_power = 1.12  # |x| ** 2.24, rounded off at 0 where the power alone would leave a crease in the light
    terms = [((d / size) ** 2 + 0.015) ** half_power for d, size in ((x, width), (y, t.head_height), (z, t.head_depth))]
    r = 1.018 * (terms[0] + terms[1] + terms[2]) ** (-0.5 / half_power)
    front, side = smooth(z, -0.15, 0.5), smooth(g.lon.abs(), 0.2, 1.0)
    narrow = 0.205 - 0.09 * t.jaw_width - 0.025 * t.sex
    r = r * (1 - narrow * smooth(-g.lat, 0.05, 0.95) * side * front)
    return r * (1 - 0.05 * smooth(g.lat, 0.35, 0.9) * front * (0.6 - 0.4 * t.sex))


def _brow_and_eyes(g: Grid, t: Traits) -> Tensor:
    u, v = t.eye_apart, t.eye_height
    ridge = 0.020 + 0.014 * t.sex + 0.010 * t.brow_height
    r = ridge * pair(g, u * 0.9, v + 0.155 + 0.02 * t.brow_raise, 0.19, 0.055)
    r = r - 0.072 * pair(g, u * 0.98, v - 0.005, 0.155, 0.085) - 0.03 * pair(g, 0.115, v + 0.01, 0.05, 0.09)
    r = r + 0.045 * pair(g, u, v, 0.085 * t.eye_size, 0.055)
    r = r + 0.010 * pair(g, u, v + 0.062, 0.11, 0.020) * (1 + t.sag)
    return r - 0.010 * t.wrinkles * pair(g, u, v - 0.10, 0.09, 0.020)


def _nose(g: Grid, t: Traits) -> Tensor:
    v = t.eye_height
    along = smooth(-(g.lat - v) / (v - t.nose_length), 0.0, 1.0)  # 0 between the eyes, 1 at the tip
    half = t.nose_width * (0.55 + 0.50 * along)
    across = torch.exp(-0.5 * (g.lon / half) ** 2)
    tip = smooth((g.lat - t.nose_length) / 0.075, -0.75, 0.55)
    rise = (0.20 + 0.18 * t.nose_bridge) * (1 - along) + along**1.15
    end = 1 - smooth(g.lat - v, -0.02, 0.20)
    r = across * tip * end * rise * t.nose_height
    r = r + 0.018 * t.nose_tip * bump(g, 0, t.nose_length + 0.03, 0.06, 0.04)
    r = r + 0.040 * pair(g, t.nose_width * 1.15, t.nose_length + 0.005, 0.036, 0.036)
    return r - 0.02 * pair(g, t.nose_width * 0.6, t.nose_length - 0.055, 0.03, 0.018)


def mouth(g: Grid, t: Traits) -> tuple[Tensor, Tensor, Tensor]:
    """Masks (B, h, w) of upper lip, lower lip and the gap between them."""
    half = t.mouth_width * (1 + 0.22 * t.smile) * (1 - 0.38 * t.round)
    across = (g.lon / half).abs()
    line = t.mouth_height + 0.012 * t.smile + 0.045 * t.smile * across.clamp_max(1.6) ** 2 + t.lean * g.lon
    taper = torch.exp(-(across**4))
    bow = 0.010 * torch.exp(-((g.lon / 0.035) ** 2)) - 0.008 * torch.exp(-(((g.lon.abs() - 0.06) / 0.04) ** 2))
    thick_up, thick_low = 0.020 * t.lip_upper + 0.006 + 0.006 * t.round, 0.024 * t.lip_lower + 0.007 + 0.006 * t.round
    upper = torch.exp(-(((g.lat - (line + thick_up - bow + 0.012 * t.open)) / thick_up) ** 2)) * taper
    lower_at = line - thick_low - 0.115 * t.open
    lower = torch.exp(-(((g.lat - lower_at) / thick_low) ** 2)) * torch.exp(-((across / 0.9) ** 4))
    gap_at, gap_half = line - 0.045 * t.open, 0.008 + 0.048 * t.open
    gap = torch.exp(-(((g.lat - gap_at) / gap_half) ** 2)) * torch.exp(-((across / 0.97) ** 6))
    return upper, lower * (1 - gap * smooth(t.open, 0.05, 0.3)), gap


def _cheeks_and_chin(g: Grid, t: Traits) -> Tensor:
    v, u = t.mouth_height, 0.43
    r = (0.015 + 0.035 * t.cheek + 0.030 * t.smile_up) * pair(g, u, -0.07 + 0.03 * t.smile_up, 0.17, 0.13)
    chin_at = -0.72 - t.chin_length - 0.07 * t.open
    r = r + (0.026 + 0.030 * t.chin + 0.012 * t.sex) * bump(g, 0, chin_at, 0.24 + 0.05 * t.sex, 0.14)
    r = r - 0.024 * bump(g, 0, v - 0.135 - 0.07 * t.open, 0.14, 0.040)
    r = r - 0.030 * t.sag * pair(g, 0.50, -0.27, 0.14, 0.12)
    return r + 0.030 * t.sag * pair(g, 0.42, -0.58, 0.18, 0.14)


def _folds(g: Grid, t: Traits) -> tuple[Tensor, Tensor]:
    """Nose-to-mouth folds, and the fine lines of forehead and eyes (signed)."""
    below = -(g.lat - t.nose_length)
    centre = 0.135 + 0.50 * below.clamp_min(0) + 0.03 * t.smile_up
    wide = 0.020 + 0.06 * below.clamp_min(0)
    fold = torch.exp(-0.5 * ((g.lon.abs() - centre) / wide) ** 2) * smooth(below, -0.02, 0.09)
    fold = fold * (1 - smooth(below, 0.14, 0.30))
    lines = torch.sin((g.lat + 0.010 * g.clumps) * 62) * bump(g, 0, 0.45, 0.36, 0.09)
    crow = torch.sin((g.lat - t.eye_height) * 85 + 2 * (g.lon.abs() - 0.5)) * pair(
        g, t.eye_apart + 0.215, t.eye_height, 0.055, 0.06
    )
    raised = 1 + 0.8 * t.brow_raise.clamp_min(0)
    return fold, 0.8 * lines * raised + 0.6 * crow * (1 + t.smile_up)


def _hair_mask(g: Grid, t: Traits, ear: Tensor) -> tuple[Tensor, Tensor]:
    """The hair's mask (B, h, w), and how far (radians) a place lies inside the hairline."""
    side = g.lon.abs()
    line = 0.66 + 0.13 * t.hairline + 0.05 * torch.cos(g.lon * 4) + 0.05 * t.hair_part * g.lon
    line = line + 0.34 * t.bald * (0.55 + 0.45 * torch.cos(2 * g.lon + 2.6 * smooth(side, 0.0, 0.5)))
    fall = smooth(t.fringe + 0.3 * t.long, 0.30, 1.0) * (1 - smooth(t.bald, 0.05, 0.3))
    parted = torch.exp(-(((g.lon - 0.30 * t.hair_part) / 0.16) ** 2))
    line = line - 0.24 * fall * (1 - 0.7 * parted) * (1 - smooth(side, 0.3, 0.8))
    drop = 0.66 + 1.0 * t.long
    line = line - drop * smooth(side, 0.64 + 0.10 * t.long, 1.12 + 0.1 * t.long) - 0.75 * smooth(side, 1.5, 2.1)
    inside = g.lat - line
    ragged = 0.020 * g.strands * (1 - 0.85 * smooth(side, 0.45, 0.75))
    mask = smooth(inside + ragged, -0.05 - 0.06 * smooth(side, 0.5, 0.9), 0.05)
    return mask * (1 - 0.95 * ear.clamp(0, 1) * (1 - t.long)), inside
