"""`selfsame repair`: what damage took from a photo, drawn again as the person's model knows them.

The photo is projected into the person's hull behind its own damage. What it still tells is then put back over what was
drawn, so that only what the damage took is invented.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import image
from selfsame.core.config import writing
from selfsame.core.errors import WrongUse
from selfsame.faces import draw, paste
from selfsame.jobs import find_photo, measure
from selfsame.jobs.progress import Progress, counted, silent
from selfsame.jobs.seat import Pixels, Seat
from selfsame.tasks import degrade, pivot, project
from selfsame.tasks.degrade import blurred
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import Judge
from selfsame.tasks.pivot import PivotConfig
from selfsame.tasks.project import ProjectConfig
from selfsame.tasks.targets import Degrade

TILE_PX = 256
FEWEST_PX = 4  # a side of what is enlarged
SEAM = 0.012  # standard deviation of the edge of a filled hole, as a share of the crop's side
TONE = 0.06  # how far from a hole its surroundings set its tone, as a share of the side
TONE_KNOWN = 0.02  # a place this little of whose surroundings is known keeps the tone that was drawn


@dataclass(frozen=True, eq=False)
class Damage:
    """What ails a crop: a `hole` (1, 1, s, s), too few pixels (`small_px` a side), or age, with holes or without."""

    kind: Literal["hole", "small", "old"]
    hole: Float[Tensor, "1 1 s s"] | None = None
    small_px: int = 0

    def degrade(self) -> Degrade:
        """The damage as a function of pictures."""
        if self.kind == "small":
            return degrade.reduced(self.small_px)
        if self.kind == "old":
            return degrade.old(self.hole)
        assert self.hole is not None
        return degrade.masked(self.hole)

    def invented(self) -> str:
        """In words, what of a repaired crop no photo ever showed."""
        share = 0.0 if self.hole is None else float(self.hole.mean())
        if self.kind == "hole":
            return f"everything inside the mask, {share:.0%} of the crop"
        if self.kind == "small":
            return f"all detail finer than {self.small_px} pixels across the crop"
        scratched = f", and all that the scratches cover ({share:.0%})" if share else ""
        return f"all colour, the depth of contrast, the finest detail{scratched}"


@dataclass(frozen=True, eq=False)
class Repaired:
    """What the photo still tells, what the model drew, the repaired crop (1, 3, s, s), and the whole photo with it.

    `whole` is None for a file that was a crop already.
    """

    left: Float[Tensor, "1 3 s s"]
    drawn: Float[Tensor, "1 3 s s"]
    crop: Float[Tensor, "1 3 s s"]
    whole: Pixels | None


@dataclass(frozen=True)
class RepairConfig:
    """How a photo is projected, and the tuning afterwards, if any."""

    project: ProjectConfig = project.QUICK
    pivot: PivotConfig | None = None


PRESETS: dict[Literal["quick", "paper"], tuple[RepairConfig, PivotConfig]] = {
    "quick": (RepairConfig(), pivot.QUICK),
    "paper": (RepairConfig(project.PAPER), pivot.PAPER),
}


def configured(preset: Literal["quick", "paper"], beta: float, tune: bool, steps: int | None) -> RepairConfig:
    """A preset with another dilation, with or without tuning, perhaps with other numbers of steps."""
    config, pivoted = PRESETS[preset]
    projected = replace(config.project, beta=beta)
    if steps is not None:
        projected = project.with_steps(projected, steps)
        pivoted = replace(pivoted, steps=steps)
    return RepairConfig(projected, pivoted if tune else None)


def check_factor(factor: int, size_px: int) -> None:
    """Raise WrongUse unless pictures of `size_px` can be had from `factor` times fewer pixels a side."""
    if not 1 < factor <= size_px // FEWEST_PX:
        most = size_px // FEWEST_PX
        raise WrongUse(f"Pictures of {size_px} px cannot be enlarged {factor} times.", f"Give --factor 2 to {most}.")


def small(seat: Seat, factor: int) -> Damage:
    """Too few pixels by a factor: those of the photo itself, where it has fewer than the crop asks for."""
    return Damage("small", small_px=max(FEWEST_PX, min(seat.face.shape[-1] // factor, seat.native_px)))


def repair(
    model: PersonalModel,
    seat: Seat,
    damage: Damage,
    config: RepairConfig,
    judge: Judge,
    progress: Progress = silent,
) -> Repaired:
    """Project the photo behind its damage, draw it without, and put back what it still tells."""
    through, c = damage.degrade(), config.project
    middle = model.anchors.mean(0, keepdim=True)
    camera = find_photo.pose(model.net, seat, middle, c.steps + c.sketch_steps, progress, through)
    found = project.project(
        model.net, model.anchors, seat.face, camera, c, judge.features, degrade=through,
        on_step=counted(progress, "projecting the photo", c.steps + c.sketch_steps),
    )  # fmt: skip
    net = model.net
    if config.pivot:
        net = pivot.tune(
            net, found.w_plus, seat.face, found.camera, config.pivot, judge.features, degrade=through,
            on_step=counted(progress, "tuning", config.pivot.steps),
        )  # fmt: skip
    drawn = measure.render(net, found.w_plus, found.camera).clamp(-1, 1)
    crop = restored(seat.face, drawn, damage)
    return Repaired(through(seat.face), drawn, crop, _whole(seat, crop, damage))


def restored(
    photo: Float[Tensor, "b 3 s s"], drawn: Float[Tensor, "b 3 s s"], damage: Damage
) -> Float[Tensor, "b 3 s s"]:
    """What was drawn, with what the photo still tells put back over it."""
    side = drawn.shape[-1]
    if damage.kind == "hole":
        assert damage.hole is not None
        soft = softened(damage.hole)
        return photo * (1 - soft) + (drawn + _spread(photo - drawn, 1 - damage.hole, TONE * side)) * soft
    through = damage.degrade()
    missed = through(photo) - through(drawn)
    if damage.kind == "small":
        few = F.interpolate(missed, (damage.small_px,) * 2, mode="area")
        return (drawn + F.interpolate(few, (side, side), mode="bicubic")).clamp(-1, 1)
    luma = drawn.new_tensor(degrade.GREY)[:, None, None]
    spread = (drawn * luma).sum(1).std((1, 2))[:, None, None, None]
    known = torch.ones_like(drawn[:1, :1]) if damage.hole is None else 1 - damage.hole
    told = missed * spread / degrade.CONTRAST  # in the tones of what was drawn
    filled = told * known + _spread(told, known, TONE * side) * (1 - known)
    return (drawn + filled).clamp(-1, 1)


def softened(hole: Float[Tensor, "1 1 s s"]) -> Float[Tensor, "1 1 s s"]:
    """The weight of what fills a hole: 1 inside, falling to 0 over a seam outside."""
    sigma = SEAM * hole.shape[-1]
    reach = 2 * max(1, round(2 * sigma)) + 1
    wide = F.max_pool2d(hole, reach, 1, reach // 2)
    return torch.maximum(blurred(wide, sigma).clamp(0, 1), hole)


def _spread(values: Tensor, known: Float[Tensor, "1 1 s s"], sigma_px: float) -> Tensor:
    """Values known in places carried smoothly into their neighbourhood, zero where nothing near is known."""
    near = blurred(known, sigma_px)
    return blurred(values * known, sigma_px) / near.clamp_min(TONE_KNOWN)


def _whole(seat: Seat, crop: Float[Tensor, "1 3 s s"], damage: Damage) -> Pixels | None:
    if seat.pixels is None or seat.transform is None:
        return None
    weight = paste.mask(seat.transform, crop.shape[-1], seat.pixels.shape)
    if damage.kind == "hole":
        assert damage.hole is not None
        inside = softened(damage.hole)[0, 0].numpy()
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        weight = cv2.warpAffine(inside, seat.transform, seat.pixels.shape[1::-1], flags=flags)
    return paste.put(seat.pixels, seat.transform, crop, np.asarray(weight, np.float32))


def write(path: Path, seat: Seat, made: Repaired, damage: Damage) -> dict[str, Path]:
    """Write the repaired picture to `path`, the crop and the labelled strip beside it; returns them by name."""
    files = {"file": path, "crop": path.with_name(f"{path.stem}-crop.png")}
    files["strip"] = path.with_name(f"{path.stem}-strip.png")
    whole = made.crop if made.whole is None else image.from_uint8(made.whole)
    for file, picture in ((path, whole), (files["crop"], made.crop), (files["strip"], strip(seat, made, damage))):
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            image.save(picture, file)
    return files


def strip(seat: Seat, made: Repaired, damage: Damage) -> Float[Tensor, "1 3 h w"]:
    """The photo, what of it is compared, what the model drew, the repaired crop; below them what was invented."""
    tiles = ((seat.face, "before"), (made.left, "what it tells"), (made.drawn, "drawn"), (made.crop, "after"))
    row = image.grid([draw.captioned(picture, words, TILE_PX) for picture, words in tiles], columns=len(tiles))
    return draw.footed(row, f"Invented, not restored: {damage.invented()}.")
