"""MyTimeMachine: an adapter that ages one person on a frozen SAM [Qi et al. 2025, and the released code].

Where paper and released code differ, both are presets. A batch has one of three modes: "stay" (the photo's own age),
"inside" (a whole year that the person's photos span) or "outside" (a year beyond, where SAM is the only guide).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from selfsame.core import rng
from selfsame.losses import age, latent
from selfsame.nets.age_adapter import MYTM, STARTER_ADAPTER, AdapterConfig, AgeAdapter
from selfsame.nets.encoder import with_age
from selfsame.tasks.aging import Sight, Years, compare, see
from selfsame.tasks.encoders import flip, forward, pool, rate, whole
from selfsame.tasks.personal import Judge, batch
from selfsame.tasks.reage import Sam
from selfsame.train import loop, optim
from selfsame.train.devices import ALONE, Devices
from selfsame.train.ranger import Ranger

Mode = Literal["stay", "inside", "outside"]
Adapter = TypeVar("Adapter", bound=nn.Module)
"""Codes (B, L, w) at ages (B,) in years to a person's codes: `AgeAdapter`, or what is compared with it."""


@dataclass(frozen=True)
class PersonalAgingConfig:
    """How an adapter is trained; the defaults are the released code's.

    The first seven weights are SAM's. `personal` weighs the likeness to the person's photos of about the target age,
    found by `references`. Outside the photos' years, pictures are compared with SAM's: by the terms of `outside_terms`,
    beside the comparison with the photo (`outside_keeps_photo`) or, as released, instead of it; `outside_aging` is
    how often the aging term counts there, and `outside_identity` whom identity compares with. The distance to the mean
    code counts `w_norm` times a constant or, where the norm is adaptive, times `adaptive` x (1 - cos(pi years / 100)):
    "everywhere" or only "outside". Released, `adaptive` is a quarter of lambda 7, summed over a batch of 4.
    """

    adapter: AdapterConfig = MYTM
    steps: int = 10_000
    batch: int = 4
    optimizer: Literal["ranger", "adam"] = "ranger"
    lr: float = 1e-4
    schedule: Literal["constant", "projector"] = "constant"
    pixel: float = 0.25
    face_pixel: float = 1.0
    perceptual: float = 0.1
    face_perceptual: float = 0.6
    identity: float = 0.1
    w_norm: float = 0.005
    aging: float = 5.0
    cycle: float = 1.0
    personal: float = 1.0
    references: Literal["window", "nearest"] = "nearest"
    outside_terms: tuple[str, ...] = ("pixel", "face_pixel", "perceptual", "face_perceptual")
    outside_keeps_photo: bool = False
    outside_identity: Literal["photo", "prior"] = "photo"
    outside_aging: float = 2.0
    adaptive: float = 7.0
    adaptive_where: Literal["everywhere", "outside"] = "outside"
    stay: float = 1 / 3
    outside: float = 1 / 3
    youngest: int = 0
    oldest: int = 100
    face_identity: bool = True
    flip: float = 0.5
    save_every: int = 500
    seed: int = 0


RELEASED = PersonalAgingConfig()
PAPER = PersonalAgingConfig(
    references="window", outside_terms=("pixel", "perceptual"), outside_keeps_photo=True, outside_identity="prior",
    outside_aging=1.0, adaptive=1.0, adaptive_where="everywhere",
)  # fmt: skip
_STARTER = {
    "adapter": STARTER_ADAPTER, "steps": 60, "optimizer": "adam", "lr": 2e-3, "schedule": "projector",
    "w_norm": 0.001, "youngest": 5, "oldest": 90, "face_identity": False, "save_every": 20,
}  # fmt: skip
STARTER_RELEASED = replace(RELEASED, **_STARTER)  # type: ignore[arg-type]
STARTER_PAPER = replace(PAPER, **_STARTER)  # type: ignore[arg-type]
PRESETS = {
    "released": RELEASED, "paper": PAPER, "starter-released": STARTER_RELEASED, "starter-paper": STARTER_PAPER,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class AgedPhotos:
    """A person's photos in [-1, 1] with the whole years of their age."""

    images: Float[Tensor, "n 3 s s"]
    years: Int[Tensor, "n"]

    @property
    def span(self) -> tuple[int, int]:
        """The youngest and the oldest age."""
        return int(self.years.min()), int(self.years.max())

    def and_(self, other: "AgedPhotos") -> "AgedPhotos":
        """These photos, then the others."""
        return AgedPhotos(torch.cat([self.images, other.images]), torch.cat([self.years, other.years]))


def train_adapter(
    sam: Sam,
    adapter: Adapter,
    photos: AgedPhotos,
    judge: Judge,
    years: Years,
    config: PersonalAgingConfig,
    folder: Path,
    *,
    replay: AgedPhotos | None = None,
    span: tuple[int, int] | None = None,
    devices: Devices = ALONE,
    on_step: Callable[[int, loop.Losses], None] | None = None,
) -> Adapter:
    """Train the adapter of one person (`begin` makes a new one); SAM stays as it is, in evaluation mode.

    Half of every batch is of `replay`, old photos, where there are any; `span` is then the years that the person is
    known at, which may be more than those of the photos at hand. The run lives in `folder`; the same call again
    resumes it bit for bit. Pictures are decoded only where a loss looks at them: SAM's own only outside the span.
    """
    device = sam.w_mean.device
    new, old = len(photos.images), 0 if replay is None else len(replay.images)
    photos = photos if replay is None else photos.and_(replay)
    low, high = span or photos.span
    adapter = adapter.to(device)
    optimizer = (Ranger if config.optimizer == "ranger" else torch.optim.Adam)(adapter.parameters(), lr=config.lr)
    px = sam.age_encoder.config.input_px
    crop = age.face if config.face_identity else whole
    images = pool(photos.images, px)
    with torch.no_grad():  # once, for all steps: who the person is at each age, photos as they are and mirrored
        known = [torch.cat([judge.embed(crop(x)) for x in side.split(8)]) for side in (images, images.flip(-1))]
        inverted = [torch.cat([sam.invert(x) for x in side.split(8)]) for side in (images, images.flip(-1))]

    def go(begun: Tensor, code: Tensor, source: Tensor, target: Tensor, mode: Mode, own: Sight) -> _Pass:
        with torch.no_grad(), devices.autocast():
            by_sam = sam.age_encoder(with_age(begun, target)).float() + code
        w_plus = adapter(by_sam, target)
        made = pool(forward(sam.decoder, w_plus, devices), px)
        seen = see(made, judge, crop)
        found = compare(seen, own) if mode != "outside" or config.outside_keeps_photo else {}
        apart = (target - source).abs()
        if mode == "outside":
            with torch.no_grad():
                guide = see(pool(forward(sam.decoder, by_sam, devices), px), judge, crop)
            found |= {f"prior_{name}": value for name, value in compare(seen, guide).items()}
            beyond = _beyond(target, (low, high))
            if config.outside_identity == "photo":
                found["identity"] = age.identity_weight(beyond) * latent.identity(seen.embedding, own.embedding)
                del found["prior_identity"]
        if mode != "outside" or config.outside_identity == "prior":
            found["identity"] = age.identity_weight(apart) * found["identity"]
        if mode == "inside":
            mask = age.references(photos.years.to(device), target.round().long(), config.references)
            found["personal"] = age.personal_identity(seen.embedding, torch.cat(known), mask.repeat(1, 2))
        found["w_norm"] = _norm_weight(apart, mode, config) * latent.w_norm(w_plus, sam.w_mean)
        found["aging"] = age.aging(years(made), target)
        return _Pass(made.detach(), {name: value.mean() for name, value in found.items()})

    def step(index: int) -> dict[str, Tensor]:
        which = batch(new, old, max(1, config.batch // 2) if old else config.batch, config.seed, index)
        begun, flipped = flip(images[which], config.flip, rng.generator(config.seed, "flip", index))
        code = torch.where(flipped[:, None, None], inverted[1][which], inverted[0][which])
        source = photos.years[which].to(begun)
        mode, target = aims(source, (low, high), config, rng.generator(config.seed, "target ages", index))
        with torch.no_grad():
            own = see(begun, judge, crop)
        optim.set_lr(optimizer, rate(index, config.steps, config.lr, config.schedule))
        optimizer.zero_grad(set_to_none=True)
        there = go(begun, code, source, target, mode, own)
        forth = weighted(there.found, mode, config)
        torch.autograd.backward(forth)  # before the way back, so that memory holds one of them at a time
        with torch.no_grad(), devices.autocast():
            seen_again = sam.invert(there.made).float()
        back = go(there.made, seen_again, source, source, mode, own)
        total = config.cycle * weighted(back.found, mode, config)
        torch.autograd.backward(total)
        optim.clean_gradients(optimizer)
        optimizer.step()
        named = there.found | {f"cycle_{name}": value for name, value in back.found.items()}
        return {"loss": (forth + total).detach()} | {name: value.detach() for name, value in named.items()}

    run = loop.Run(folder, config, config.steps, config.save_every, config.seed)
    loop.run(run, {"adapter": adapter, "optimizer": optimizer}, step, on_step=on_step, devices=devices)
    return adapter


@dataclass(frozen=True, eq=False)
class _Pass:
    """One way, to the target age or back: the pictures, and the means of the terms."""

    made: Tensor
    found: dict[str, Tensor]


def begin(config: PersonalAgingConfig) -> AgeAdapter:
    """The untrained adapter, a function of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.key(config.seed, "adapter"))
        return AgeAdapter(config.adapter)


def aims(
    source: Float[Tensor, "b"], span: tuple[int, int], config: PersonalAgingConfig, g: torch.Generator
) -> tuple[Mode, Float[Tensor, "b"]]:
    """The mode of a batch and its target ages: whole years, both ends included.

    Outside, a coin chooses younger or older; where the photos reach the youngest or the oldest age of all, the other
    side is taken, and where they reach both there is no outside.
    """
    low, high = span
    sides = [(a, b) for a, b in ((config.youngest, low - 1), (high + 1, config.oldest)) if a <= b]
    u = float(torch.rand((), generator=g))
    if u < config.stay:
        return "stay", source
    if u < config.stay + config.outside and sides:
        coin = torch.randint(len(sides), source.shape, generator=g)
        first, last = torch.tensor(sides).T[:, coin]
        drawn = first + (torch.rand(source.shape, generator=g) * (last - first + 1)).floor()
        return "outside", drawn.to(source)
    return "inside", torch.randint(low, high + 1, source.shape, generator=g).to(source)


def weighted(found: dict[str, Tensor], mode: Mode, config: PersonalAgingConfig) -> Tensor:
    """The total of the terms of one way."""
    weights = {name: getattr(config, name) for name in ("pixel", "face_pixel", "perceptual", "face_perceptual")}
    prior = {f"prior_{name}": weights[name] for name in config.outside_terms}
    if config.outside_identity == "prior":
        prior["prior_identity"] = config.identity
    aging = config.aging * (config.outside_aging if mode == "outside" else 1.0)
    weights |= prior | {"identity": config.identity, "personal": config.personal, "w_norm": config.w_norm}
    weights["aging"] = aging
    return torch.stack([weights[name] * value for name, value in found.items() if name in weights]).sum()


def _beyond(target: Tensor, span: tuple[int, int]) -> Tensor:
    """Years from the nearer end of the photos' span."""
    return torch.minimum((target - span[0]).abs(), (target - span[1]).abs())


def _norm_weight(apart: Tensor, mode: Mode, config: PersonalAgingConfig) -> Tensor:
    """What multiplies the distance to the mean code."""
    if config.adaptive_where == "everywhere" or mode == "outside":
        return config.adaptive * age.adaptive_norm_weight(apart)
    return torch.ones_like(apart)
