"""My3DGen, its ablations and its rivals: what each trains on a person's photos, in the settings of an evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from selfsame.nets.lora import LowRankConfig
from selfsame.tasks import invert, personal, pivot
from selfsame.tasks.invert import InvertConfig
from selfsame.tasks.personal import PersonalConfig
from selfsame.tasks.pivot import PivotConfig

USUAL_PHOTOS = 25
RANKS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Settings:
    """How everybody's photos are inverted, models trained and tuned; methods differ from it in what they name alone.

    `symmetry_every` is the phase of the methods with symmetry. Full fine-tuning has a learning rate of its own.
    """

    invert: InvertConfig
    personal: PersonalConfig
    pivot: PivotConfig
    full_lr: float
    symmetry_every: int = 4


# Chosen on people from 964,000 on.
STARTER = Settings(
    replace(invert.QUICK, steps=24, refine_camera=False),
    replace(personal.QUICK, steps=32, symmetry_every=0, save_every=10_000),
    replace(pivot.QUICK, steps=20),
    full_lr=0.003,
)  # fmt: skip
PAPER = Settings(invert.PAPER_W_PLUS, personal.PAPER_V4, pivot.PAPER, full_lr=personal.PAPER_V4.lr)
PRESETS = {"quick": STARTER, "paper-v4": PAPER}


@dataclass(frozen=True)
class Method:
    """One row of the tables: what is trained, and whether the network is tuned to each test photo.

    `rank` 0 is the un-personalized prior, None full fine-tuning. `photos` None learns from USUAL_PHOTOS, or from all
    of a smaller album; `pace` is how many times the usual steps it takes.
    """

    rank: int | None
    photos: int | None = None
    symmetry: bool = False
    tuned: bool = False
    pace: int = 1


PRIOR, FULL = "un-personalized", "full fine-tuning"
OURS = "rank 1"
PACE, FEW = 5, {"": None, ", 5 photos": 5}
METHODS: Mapping[str, Method] = {
    PRIOR: Method(0),
    FULL: Method(None),
    **{f"rank {rank}": Method(rank) for rank in RANKS},
    "rank 1, symmetry": Method(1, symmetry=True),
    f"{PRIOR} + tuning": Method(0, tuned=True),
    f"{FULL} + tuning": Method(None, tuned=True),
    f"{OURS} + tuning": Method(1, tuned=True),
    **{f"{OURS}, {count} photos": Method(1, photos=count) for count in (5, 10, 50)},
    **{f"{FULL}, {count} photos": Method(None, photos=count) for count in (5, 50)},
    "rank 1, symmetry, 5 photos": Method(1, photos=5, symmetry=True),
    **{f"{OURS}{few}, {PACE} times as long": Method(1, photos=n, pace=PACE) for few, n in FEW.items()},
    **{f"{FULL}{few}, {PACE} times as long": Method(None, photos=n, pace=PACE) for few, n in FEW.items()},
}
STAGES = (
    (PRIOR, OURS, FULL, "rank 1, symmetry"),
    (f"{OURS}, 5 photos", f"{OURS}, 10 photos", f"{OURS}, 50 photos"),
    ("rank 2", "rank 4", "rank 8", "rank 16"),
    (f"{FULL}, 5 photos", f"{FULL}, 50 photos", "rank 1, symmetry, 5 photos"),
    (f"{PRIOR} + tuning", f"{OURS} + tuning", f"{FULL} + tuning"),
)
"""Those worth most first: a run that is cut short still compares everybody."""
LONGER = tuple(name for name, method in METHODS.items() if method.pace > 1)
LONGER_PEOPLE = 4  # of whom such long trainings are asked


def training(method: Method, settings: Settings) -> PersonalConfig | None:
    """The settings of a method's training; None where there is none."""
    if method.rank == 0:
        return None
    config = replace(settings.personal, steps=settings.personal.steps * method.pace)
    if method.symmetry:
        config = replace(config, symmetry_every=settings.symmetry_every)
    if method.rank is None:
        return replace(config, low_rank=None, lr=settings.full_lr)
    assert config.low_rank is not None
    low_rank: LowRankConfig = replace(config.low_rank, rank=method.rank, alpha=float(method.rank))
    return replace(config, low_rank=low_rank)
