"""Who is in the picture and how: typed records of identity, style, age, expression, light and backdrop.

Every quantity is a trait u in [low, high] and at the same time a standard normal z with
u = low + (high - low) * Phi(z) ** rare. So a look *is* a latent code: `encode` and `decode` are inverse, and drawing z
from N(0, I) draws a look. Records hold tensors of shape (B,): one look per batch item.
"""

from dataclasses import dataclass, field, fields
from itertools import accumulate
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import rng
from selfsame.core.errors import WrongUse

SAFE = 1e-4  # keeps the normal quantile finite at the ends of a range


def trait(low: float, high: float, rare: float = 1.0) -> Any:
    """A field whose value lies in [low, high], evenly spread; the higher `rare`, the seldomer it is far from `low`."""
    return field(metadata={"range": (low, high), "rare": rare})


@dataclass(frozen=True)
class Identity:
    """What makes a person: shape in radians and head units, colours in [0, 1], and the personal part of aging."""

    sex: Tensor = trait(-1.0, 1.0)  # -1 feminine, +1 masculine: shifts jaw, brow, lips, hair and beard
    head_width: Tensor = trait(0.600, 0.685)
    head_height: Tensor = trait(0.98, 1.08)
    head_depth: Tensor = trait(0.85, 0.94)
    forehead: Tensor = trait(-1.0, 1.0)  # sloping to upright
    jaw_width: Tensor = trait(0.0, 1.0)
    jaw_angle: Tensor = trait(0.0, 1.0)  # round to square
    chin: Tensor = trait(0.0, 1.0)
    chin_length: Tensor = trait(-0.05, 0.06)
    cheek: Tensor = trait(0.0, 1.0)  # bone
    cheek_fat: Tensor = trait(-1.0, 1.0)  # hollow to full
    nose_length: Tensor = trait(-0.19, -0.11)
    nose_height: Tensor = trait(0.13, 0.225)
    nose_width: Tensor = trait(0.065, 0.105)
    nose_bridge: Tensor = trait(0.0, 1.0)
    nose_hump: Tensor = trait(-0.6, 1.0)
    nose_tip: Tensor = trait(-1.0, 1.0)
    eye_apart: Tensor = trait(0.275, 0.325)
    eye_height: Tensor = trait(0.145, 0.185)
    eye_size: Tensor = trait(0.90, 1.24)
    eye_open: Tensor = trait(0.75, 1.2)
    eye_tilt: Tensor = trait(-0.16, 0.16)
    eye_deep: Tensor = trait(0.0, 1.0)
    eye_fold: Tensor = trait(0.0, 1.0)  # no crease above the lid to a deep one
    iris: Tensor = trait(0.0, 1.0)
    brow_height: Tensor = trait(0.0, 1.0)
    brow_thick: Tensor = trait(0.5, 1.6)
    brow_arch: Tensor = trait(-0.2, 1.0)
    mouth_width: Tensor = trait(0.175, 0.240)
    mouth_height: Tensor = trait(-0.45, -0.39)
    lip_upper: Tensor = trait(0.55, 1.5)
    lip_lower: Tensor = trait(0.6, 1.6)
    lip_bow: Tensor = trait(0.2, 1.4)
    skin: Tensor = trait(0.0, 1.0)
    skin_warmth: Tensor = trait(-1.0, 1.0)
    freckles: Tensor = trait(-1.0, 1.0)
    blush: Tensor = trait(0.0, 1.0)
    hair_dark: Tensor = trait(0.0, 1.0)
    hair_red: Tensor = trait(0.0, 1.0)
    hair_curl: Tensor = trait(0.0, 1.0)
    hairline: Tensor = trait(0.0, 1.0)
    ear_size: Tensor = trait(0.0, 1.0)
    ear_out: Tensor = trait(0.0, 1.0)
    grey_at: Tensor = trait(38.0, 78.0)
    bald_rate: Tensor = trait(-1.0, 1.0)
    wrinkle_rate: Tensor = trait(0.4, 1.6)
    sag_rate: Tensor = trait(0.4, 1.6)
    spot_rate: Tensor = trait(0.0, 1.4)
    thin_rate: Tensor = trait(0.0, 1.6)


@dataclass(frozen=True)
class Style:
    """What a person chooses and may change from session to session; shares of 1 unless said otherwise."""

    hair_length: Tensor = trait(-1.0, 1.0)
    hair_volume: Tensor = trait(0.0, 1.0)
    hair_part: Tensor = trait(-1.0, 1.0)
    hair_up: Tensor = trait(0.0, 1.0)  # tied up, from about 0.75 on
    fringe: Tensor = trait(-1.0, 1.0)
    dye: Tensor = trait(0.0, 1.0, rare=5.0)
    dye_tone: Tensor = trait(0.0, 1.0)  # black, chestnut, copper, blond, silver, and a few bright ones
    beard: Tensor = trait(0.0, 1.0)
    beard_shape: Tensor = trait(0.0, 1.0)  # moustache, goatee, full
    glasses: Tensor = trait(0.0, 1.0)  # worn from 0.86 on
    glasses_shape: Tensor = trait(0.0, 1.0)  # thin and round to dark and square
    lipstick: Tensor = trait(0.0, 1.0, rare=2.0)
    lip_tone: Tensor = trait(0.0, 1.0)
    eye_shadow: Tensor = trait(0.0, 1.0, rare=3.0)
    tan: Tensor = trait(-1.0, 1.0)


@dataclass(frozen=True)
class Age:
    """Age in years."""

    years: Tensor = trait(5.0, 90.0, rare=1.25)


@dataclass(frozen=True)
class Expression:
    """What the face does; `gaze` in units of the eye's half width, a `lid_close` of 1 is a closed eye."""

    smile: Tensor = trait(-0.25, 1.0)
    mouth_open: Tensor = trait(-0.5, 0.9)
    mouth_round: Tensor = trait(-0.5, 1.0)
    brow_raise: Tensor = trait(-0.6, 0.9)
    lid_close: Tensor = trait(0.0, 1.0, rare=7.0)
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
    """A blurred backdrop that fades from top to bottom and from side to side; the clothes' RGB in [0, 1]."""

    bright: Tensor = trait(0.22, 0.86)
    warm: Tensor = trait(-0.13, 0.10)
    green: Tensor = trait(-0.06, 0.06)
    fade: Tensor = trait(-0.25, 0.12)
    side: Tensor = trait(-0.16, 0.16)
    clothes_red: Tensor = trait(0.08, 0.8)
    clothes_green: Tensor = trait(0.08, 0.7)
    clothes_blue: Tensor = trait(0.1, 0.8)
    collar: Tensor = trait(0.0, 1.0)  # low to high


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
    style: Style
    age: Age
    expression: Expression
    light: Light
    backdrop: Backdrop
    marks: Marks

    def __len__(self) -> int:
        return len(self.age.years)


PARTS: tuple[tuple[str, type], ...] = (
    ("identity", Identity),
    ("style", Style),
    ("age", Age),
    ("expression", Expression),
    ("light", Light),
    ("backdrop", Backdrop),
)
IDENTITY_DIM, STYLE_DIM = len(fields(Identity)), len(fields(Style))
CODE_DIM = sum(len(fields(kind)) for _, kind in PARTS)
_ENDS = list(accumulate((len(fields(kind)) for _, kind in PARTS), initial=0))
COLUMNS = {name: slice(start, end) for (name, _), start, end in zip(PARTS, _ENDS[:-1], _ENDS[1:], strict=True)}
"""Which columns of a code belong to which record."""

MARKS = 5
TASTE, SESSIONS = 0.35, 4

R = TypeVar("R")


def decode_record(kind: type[R], z: Float[Tensor, "b d"]) -> R:
    """A record of `kind` from standard normals, one column a field."""
    made = {}
    for column, item in zip(z.unbind(-1), fields(kind), strict=True):  # type: ignore[arg-type]
        low, high = item.metadata["range"]
        made[item.name] = low + (high - low) * torch.special.ndtr(column) ** item.metadata["rare"]
    return kind(**made)


def encode_record(record: object) -> Float[Tensor, "b d"]:
    """The standard normals of a record (inverse of `decode_record`); values outside their range are clamped."""
    columns = []
    for item in fields(record):  # type: ignore[arg-type]
        low, high = item.metadata["range"]
        share = (getattr(record, item.name) - low) / (high - low)
        even = share.clamp(0, 1) ** (1 / item.metadata["rare"])
        columns.append(torch.special.ndtri(even.clamp(SAFE, 1 - SAFE)))
    return torch.stack(columns, -1)


def encode(look: Look) -> Float[Tensor, "b d"]:
    """The code (B, CODE_DIM) of looks, standard normal when looks are drawn at random; marks are not in it."""
    return torch.cat([encode_record(getattr(look, name)) for name, _ in PARTS], -1)


def decode(z: Float[Tensor, "b d"], marks: Marks | None = None) -> Look:
    """The looks of codes (B, CODE_DIM), with no marks unless given."""
    if z.shape[-1] != CODE_DIM:
        raise WrongUse(f"A look has {CODE_DIM} numbers, these codes have {z.shape[-1]}.")
    records: dict[str, Any] = {name: decode_record(kind, z[:, COLUMNS[name]]) for name, kind in PARTS}
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


def draw_style(seeds: list[int], sessions: list[int]) -> Float[Tensor, "b d"]:
    """The style codes (B, STYLE_DIM) of people in their sessions; taste stays, so two sessions correlate by TASTE."""
    drawn = []
    for seed, session in zip(seeds, sessions, strict=True):
        own = torch.randn(STYLE_DIM, generator=rng.generator(seed, "style"))
        new = torch.randn(STYLE_DIM, generator=rng.generator(seed, "style", session))
        drawn.append(TASTE**0.5 * own + (1 - TASTE) ** 0.5 * new)
    return torch.stack(drawn)


def draw_conditions(count: int, g: torch.Generator) -> Float[Tensor, "b d"]:
    """Codes of age, expression, light and backdrop: what differs from photo to photo."""
    return torch.randn(count, CODE_DIM - IDENTITY_DIM - STYLE_DIM, generator=g)


def draw_photos(people: list[int], seed: int) -> Look:
    """One random look for each entry of `people` (seeds, repeats welcome): everything but the identity varies.

    Each photo is of one of SESSIONS sessions, so that people appear with other hair, beards, glasses and make-up.
    """
    g = rng.generator(seed, "photos", len(people))
    sessions = torch.randint(SESSIONS, (len(people),), generator=g).tolist()
    code = torch.cat([draw_identity(people), draw_style(people, sessions), draw_conditions(len(people), g)], -1)
    return decode(code, draw_marks(people))
