"""The numbers of a look under one roof, and what sex and age make of them before anything is drawn."""

from dataclasses import fields
from types import SimpleNamespace
from typing import TYPE_CHECKING

from torch import Tensor

from selfsame.world.aging import age_effects
from selfsame.world.grid import smooth
from selfsame.world.person import PARTS, Look

GLASSES_FROM = 0.86
"""From which value of a style's `glasses` on they are worn."""


class Traits(SimpleNamespace):
    """All numbers of a look as (B, 1, 1) tensors under their own names, and a few that follow from them."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Tensor: ...


def traits(look: Look) -> Traits:
    """Flatten a look's records, add what age has done, and what sex and age make of the bones and the style."""
    records = [getattr(look, name) for name, _ in PARTS]
    records.append(age_effects(look.identity, look.age.years))
    t = Traits(**{f.name: getattr(r, f.name)[:, None, None] for r in records for f in fields(r)})
    t.sex = (2.2 * t.sex).tanh()  # most people are clearly one or the other
    t.lean = look.marks.lean[:, None, None]
    t.long = smooth(t.hair_length - 0.75 * t.sex, 0.15, 0.9)
    t.tied = t.long * smooth(t.hair_up, 0.70, 0.78)
    t.bearded = smooth(t.beard + 0.5 * (t.sex - 1), 0.20, 0.60) * smooth(t.years, 16, 24)
    t.made_up = smooth(-t.sex, -0.2, 0.4) * smooth(t.years, 14, 19)
    t.smile_up = t.smile.clamp_min(0)
    t.open = t.mouth_open.clamp_min(0)
    t.round = t.mouth_round.clamp_min(0)
    t.glassed = (t.glasses > GLASSES_FROM).float()
    _grow(t)
    return t


def _grow(t: Traits) -> None:
    """Children have large eyes, small noses and jaws, round cheeks, and little that tells girls from boys.

    With age lips thin, noses and ears grow, and faces lose their fat.
    """
    child, thin = t.child, t.thin
    t.grown = 1 - child
    t.sex = t.sex * (1 - 0.75 * child)
    t.eye_size = t.eye_size * (1 + 0.17 * child)
    t.eye_height = t.eye_height - 0.03 * child
    t.eye_deep = t.eye_deep * (1 - 0.8 * child) + 0.5 * thin
    t.nose_height = t.nose_height * (1 - 0.36 * child) + 0.012 * t.old
    t.nose_length = t.nose_length + 0.035 * child - 0.018 * t.old
    t.nose_width = t.nose_width * (1 - 0.10 * child + 0.06 * t.old)
    t.nose_bridge = t.nose_bridge * (1 - 0.7 * child)
    t.nose_hump = t.nose_hump * (1 - child)
    t.mouth_height = t.mouth_height + 0.045 * child
    t.mouth_width = t.mouth_width * (1 - 0.14 * child)
    t.lip_upper = t.lip_upper * (1 - 0.28 * thin)
    t.lip_lower = t.lip_lower * (1 - 0.24 * thin)
    t.brow_thick = t.brow_thick * (1 - 0.35 * child)
    t.brow_height = t.brow_height * (1 - 0.6 * child)
    t.cheek = t.cheek * (1 - 0.6 * child)
    t.cheek_fat = t.cheek_fat * (1 - child) + 1.3 * child - 0.9 * thin
    t.jaw_width = t.jaw_width * (1 - 0.3 * child)
    t.jaw_angle = t.jaw_angle * (1 - 0.7 * child)
    t.chin = t.chin * (1 - 0.5 * child)
    t.ear_size = t.ear_size + 0.5 * t.old + 0.3 * child
    t.hair_volume = t.hair_volume * (1 - 0.35 * t.old.clamp(0, 1))
