"""Who is in the picture and how: typed records of identity, age, expression, light and backdrop.

Every quantity is a uniform trait u in [low, high] and at the same time a standard normal z with
u = low + (high - low) * Phi(z). So a look *is* a latent code: `encode` and `decode` are inverse, and drawing z from
N(0, I) draws a look. Records hold tensors of shape (B,): one look per batch item.
"""

from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import rng
from selfsame.core.errors import WrongUse

SAFE = 1e-4  # keeps the normal quantile finite at the ends of a range


def trait(low: float, high: float) -> Any:
    """A field whose value lies in [low, high]."""
    return field(metadata={"range": (low, high)})


@dataclass(frozen=True)
class Identity:
    """What makes a person: shape in radians and head units, colours in [0, 1], and the personal part of aging."""

    sex: Tensor = trait(-1.0, 1.0)  # -1 feminine, +1 masculine: shifts jaw, brow, lips, hair and beard
    head_width: Tensor = trait(0.655, 0.75)
    head_height: Tensor = trait(1.00, 1.09)
    head_depth: Tensor = trait(0.86, 0.94)
    jaw_width: Tensor = trait(0.0, 1.0)
    chin: Tensor = trait(0.0, 1.0)
    chin_length: Tensor = trait(-0.05, 0.06)
    cheek: Tensor = trait(0.0, 1.0)
    nose_length: Tensor = trait(-0.19, -0.11)
    nose_height: Tensor = trait(0.15, 0.26)
    nose_width: Tensor = trait(0.065, 0.105)
    nose_bridge: Tensor = trait(0.0, 1.0)
    nose_tip: Tensor = trait(-1.0, 1.0)
    eye_apart: Tensor = trait(0.270, 0.320)
    eye_height: Tensor = trait(0.145, 0.185)
    eye_size: Tensor = trait(0.85, 1.18)
    eye_open: Tensor = trait(0.75, 1.2)
    eye_tilt: Tensor = trait(-0.16, 0.16)
    iris: Tensor = trait(0.0, 1.0)
    brow_height: Tensor = trait(0.0, 1.0)
    brow_thick: Tensor = trait(0.5, 1.5)
    brow_arch: Tensor = trait(-0.2, 1.0)
    mouth_width: Tensor = trait(0.175, 0.240)
    mouth_height: Tensor = trait(-0.45, -0.39)
    lip_upper: Tensor = trait(0.55, 1.4)
    lip_lower: Tensor = trait(0.6, 1.5)
    skin: Tensor = trait(0.0, 1.0)
    skin_warmth: Tensor = trait(-1.0, 1.0)
    freckles: Tensor = trait(-1.0, 1.0)
    blush: Tensor = trait(0.0, 1.0)
    hair_dark: Tensor = trait(0.0, 1.0)
    hair_red: Tensor = trait(0.0, 1.0)
    hair_length: Tensor = trait(-1.0, 1.0)
    hair_volume: Tensor = trait(0.0, 1.0)
    hair_curl: Tensor = trait(0.0, 1.0)
    hairline: Tensor = trait(0.0, 1.0)
    hair_part: Tensor = trait(-1.0, 1.0)
    fringe: Tensor = trait(-1.0, 1.0)
    ear_size: Tensor = trait(0.0, 1.0)
    beard: Tensor = trait(0.0, 1.0)
    glasses: Tensor = trait(0.0, 1.0)
    grey_at: Tensor = trait(42.0, 76.0)
    bald_rate: Tensor = trait(-1.0, 1.0)
    wrinkle_rate: Tensor = trait(0.5, 1.5)
    sag_rate: Tensor = trait(0.5, 1.5)


@dataclass(frozen=True)
class Age:
    """Age in years."""

    years: Tensor = trait(18.0, 82.0)


@dataclass(frozen=True)
class Expression:
    """What the face does; `gaze` in units of the eye's half width."""

    smile: Tensor = trait(-0.25, 1.0)
    mouth_open: Tensor = trait(-0.5, 0.9)
    mouth_round: Tensor = trait(-0.5, 1.0)
    brow_raise: Tensor = trait(-0.6, 0.9)
    lid_close: Tensor = trait(-0.2, 0.3)
    gaze_right: Tensor = trait(-0.3, 0.3)
    gaze_up: Tensor = trait(-0.25, 0.25)


@dataclass(frozen=True)
class Light:
    """One broad key light (angles in radians, 0 is from the camera's side) over an ambient light."""

    yaw: Tensor = trait(-1.1, 1.1)
    pitch: Tensor = trait(-0.1, 0.9)
    key: Tensor = trait(0.55, 1.0)
    ambient: Tensor = trait(0.28, 0.5)
    warmth: Tensor = trait(-1.0, 1.0)


@dataclass(frozen=True)
class Backdrop:
    """A blurred backdrop that fades from a top to a bottom colour; the clothes' RGB in [0, 1]."""

    bright: Tensor = trait(0.22, 0.86)
    warm: Tensor = trait(-0.13, 0.10)
    green: Tensor = trait(-0.06, 0.06)
    fade: Tensor = trait(-0.25, 0.12)
    clothes_red: Tensor = trait(0.08, 0.8)
    clothes_green: Tensor = trait(0.08, 0.7)
    clothes_blue: Tensor = trait(0.1, 0.8)


@dataclass(frozen=True)
class Marks:
    """Moles and unevenness that belong to one person and that no code tells: what a prior cannot know.

    `place` (B, M, 2) longitude and latitude in radians, `size` (B, M) radians, `dark` (B, M) in [0, 1],
    `lean` (B,) how far the mouth and brows sit aslant, in radians.
    """

    place: Float[Tensor, "b m 2"]
    size: Float[Tensor, "b m"]
    dark: Float[Tensor, "b m"]
    lean: Float[Tensor, "b"]


@dataclass(frozen=True)
class Look:
    """Everything that the renderer needs but the camera, one item per picture."""

    identity: Identity
    age: Age
    expression: Expression
    light: Light
    backdrop: Backdrop
    marks: Marks

    def __len__(self) -> int:
        return len(self.age.years)


PARTS: tuple[tuple[str, type], ...] = (
    ("identity", Identity),
    ("age", Age),
    ("expression", Expression),
    ("light", Light),
    ("backdrop", Backdrop),
)
IDENTITY_DIM = len(fields(Identity))
CODE_DIM = sum(len(fields(kind)) for _, kind in PARTS)
MARKS = 5

R = TypeVar("R")


def decode_record(kind: type[R], z: Float[Tensor, "b d"]) -> R:
    """A record of `kind` from standard normals, one column a field."""
    made = {}
    for column, item in zip(z.unbind(-1), fields(kind), strict=True):  # type: ignore[arg-type]
        low, high = item.metadata["range"]
        made[item.name] = low + (high - low) * torch.special.ndtr(column)
    return kind(**made)


def encode_record(record: object) -> Float[Tensor, "b d"]:
    """The standard normals of a record (inverse of `decode_record`); values outside their range are clamped."""
    columns = []
    for item in fields(record):  # type: ignore[arg-type]
        low, high = item.metadata["range"]
        share = (getattr(record, item.name) - low) / (high - low)
        columns.append(torch.special.ndtri(share.clamp(SAFE, 1 - SAFE)))
    return torch.stack(columns, -1)


def encode(look: Look) -> Float[Tensor, "b d"]:
    """The code (B, CODE_DIM) of looks, standard normal when looks are drawn at random; marks are not in it."""
    return torch.cat([encode_record(getattr(look, name)) for name, _ in PARTS], -1)


def decode(z: Float[Tensor, "b d"], marks: Marks | None = None) -> Look:
    """The looks of codes (B, CODE_DIM), with no marks unless given."""
    if z.shape[-1] != CODE_DIM:
        raise WrongUse(f"A look has {CODE_DIM} numbers, these codes have {z.shape[-1]}.")
    sizes = [len(fields(kind)) for _, kind in PARTS]
    pieces = z.split(sizes, -1)
    records: dict[str, Any] = {
        name: decode_record(kind, part) for (name, kind), part in zip(PARTS, pieces, strict=True)
    }
    return Look(**records, marks=marks or no_marks(len(z)))


def select(look: Look, which: list[int] | slice) -> Look:
    """Some of the looks, in the order asked for."""
    records = {
        name: type(record)(**{key: value[which] for key, value in vars(record).items()})
        for name, record in vars(look).items()
    }
    return Look(**records)


def no_marks(count: int) -> Marks:
    """Faces without moles and perfectly level."""
    flat = torch.zeros(count, MARKS)
    return Marks(torch.zeros(count, MARKS, 2), flat + 0.01, flat, torch.zeros(count))


def draw_marks(seeds: list[int]) -> Marks:
    """The marks of the people with these seeds."""
    rows = [torch.rand(MARKS * 4 + 1, generator=rng.generator(seed, "marks")) for seed in seeds]
    r = torch.stack(rows)
    u, v, size, dark = r[:, : MARKS * 4].reshape(-1, 4, MARKS).unbind(1)
    place = torch.stack([(u - 0.5) * 1.3, v * 1.05 - 0.62], -1)
    return Marks(place, 0.010 + 0.011 * size, (dark - 0.45).clamp_min(0), (r[:, -1] - 0.5) * 0.10)


def draw_identity(seeds: list[int]) -> Float[Tensor, "b d"]:
    """The identity codes (B, IDENTITY_DIM) of the people with these seeds."""
    return torch.stack([torch.randn(IDENTITY_DIM, generator=rng.generator(seed, "identity")) for seed in seeds])


def draw_photos(people: list[int], seed: int) -> Look:
    """One random look for each entry of `people` (seeds, repeats welcome): age, expression, light and backdrop vary."""
    g = rng.generator(seed, "photos", len(people))
    conditions = torch.randn(len(people), CODE_DIM - IDENTITY_DIM, generator=g)
    return decode(torch.cat([draw_identity(people), conditions], -1), draw_marks(people))
