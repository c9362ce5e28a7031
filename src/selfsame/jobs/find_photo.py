"""`selfsame invert`: the code of a photo that a person's model never saw, before and after pivotal tuning."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image
from selfsame.core.camera import Camera, facing
from selfsame.core.config import writing
from selfsame.core.results import Measured
from selfsame.faces import draw
from selfsame.jobs import measure, parts
from selfsame.jobs.measure import Scores
from selfsame.jobs.progress import Progress, counted, silent
from selfsame.jobs.seat import Seat
from selfsame.nets.triplane import TriPlane
from selfsame.tasks import found, invert, pivot, pose_search, project
from selfsame.tasks.found import Found, FoundConfig, Space
from selfsame.tasks.invert import InvertConfig
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import Judge
from selfsame.tasks.pivot import PivotConfig
from selfsame.tasks.project import ProjectConfig
from selfsame.tasks.targets import Degrade

TILE_PX = 256
VIEWS = (-0.5, 0.0, 0.5)  # yaw of the new views, in radians
SHEET_FILE = "found.png"


@dataclass(frozen=True)
class FindConfig:
    """How a photo is found: its space, inversion and projection, and the tuning afterwards, if any."""

    space: Space = "w_plus"
    invert: InvertConfig = invert.QUICK
    project: ProjectConfig = project.QUICK
    pivot: PivotConfig | None = None


PRESETS: dict[Literal["quick", "paper"], tuple[FindConfig, PivotConfig]] = {
    "quick": (FindConfig(), pivot.QUICK),
    "paper": (FindConfig(invert=replace(invert.PAPER_W_PLUS), project=project.PAPER), pivot.PAPER),
}


def configured(
    preset: Literal["quick", "paper"], space: Space, beta: float, tune: bool, steps: int | None
) -> FindConfig:
    """A preset in one space, with or without tuning, perhaps with another number of steps of each stage."""
    config, pivoted = PRESETS[preset]
    config = replace(
        config,
        space=space,
        invert=replace(config.invert, space="w" if space == "w" else "w_plus"),
        project=replace(config.project, beta=beta),
        pivot=pivoted if tune else None,
    )
    return config if steps is None else with_steps(config, steps)


def with_steps(config: FindConfig, steps: int) -> FindConfig:
    """The configuration with so many steps of inversion or projection, and of tuning."""
    return replace(
        config,
        invert=replace(config.invert, steps=steps),
        project=project.with_steps(config.project, steps),
        pivot=config.pivot and replace(config.pivot, steps=steps),
    )


@dataclass(frozen=True, eq=False)
class FoundPhoto:
    """A photo found: where it sits, the record, the network that shows it, and how near it comes before and after.

    `drawn` is the picture of the code alone, `tuned` that after tuning (None without).
    """

    seat: Seat
    found: Found
    net: TriPlane
    drawn: Float[Tensor, "1 3 s s"]
    tuned: Float[Tensor, "1 3 s s"] | None
    scores: tuple[tuple[str, Scores], ...]

    @property
    def measured(self) -> list[Measured]:
        """Likeness to the photo, a figure each; of one photo no interval is known."""
        return measure.table(self.scores)


def find(
    model: PersonalModel,
    seat: Seat,
    photo: str,
    config: FindConfig,
    judge: Judge,
    progress: Progress = silent,
) -> FoundPhoto:
    """Find the code and camera of a photo, and tune a copy of the network about them where `config` says so."""
    middle = model.anchors.mean(0, keepdim=True)
    camera = pose(model.net, seat, middle, config.invert.steps, progress)
    w_plus, camera = _code(model, seat, middle, camera, config, judge, progress)
    drawn = measure.render(model.net, w_plus, camera)
    rows = [("by its code", measure.score(drawn, seat.face, judge))]
    net, tuned, moved = model.net, None, {}
    if config.pivot:
        net = pivot.tune(
            model.net, w_plus, seat.face, camera, config.pivot, judge.features,
            on_step=counted(progress, "tuning", config.pivot.steps),
        )  # fmt: skip
        moved = found.moved(model.net, net)
        tuned = measure.render(net, w_plus, camera)
        rows.append(("after tuning", measure.score(tuned, seat.face, judge)))
    beta = config.project.beta if config.space == "hull" else None
    record = Found(FoundConfig(photo, config.space, beta, config.pivot), w_plus, camera, moved)
    return FoundPhoto(seat, record, net, drawn, tuned, tuple(rows))


def pose(
    net: TriPlane,
    place: Seat,
    middle: Tensor,
    steps: int,
    progress: Progress = silent,
    degrade: Degrade | None = None,
) -> Camera:
    """The camera that the photo's landmarks tell, or of an aligned crop the one that is found."""
    config = replace(pose_search.SEARCH, steps=min(steps, pose_search.STEPS))
    if not place.aligned:
        return place.camera
    shown = counted(progress, "looking for the camera", config.steps)
    return pose_search.search(net, place.face, middle, config, degrade=degrade, on_step=shown)


def _code(
    model: PersonalModel,
    seat: Seat,
    middle: Tensor,
    camera: Camera,
    config: FindConfig,
    judge: Judge,
    progress: Progress,
) -> tuple[Tensor, Camera]:
    if config.space == "hull":
        c = config.project
        shown = counted(progress, "projecting the photo", c.steps + c.sketch_steps)
        projected = project.project(
            model.net, model.anchors, seat.face, camera, c, judge.features, on_step=shown
        )  # fmt: skip
        return projected.w_plus, projected.camera
    shown = counted(progress, "inverting the photo", config.invert.steps)
    start = parts.first_codes(model.card.prior_digest, seat.face, config.invert, middle[0])
    inverted = invert.invert(model.net, seat.face, camera, start, config.invert, features=judge.features, on_step=shown)
    return inverted.w_plus, inverted.camera


def write(folder: Path, made: FoundPhoto, model: PersonalModel, command: str) -> Path:
    """Write the record, then the labelled sheet of photo, pictures and new views; returns the sheet's path."""
    found.save(folder, made.found, model, made.seat.digest, command)
    path = folder / SHEET_FILE
    with writing(path):
        image.save(sheet(made), path)
    return path


def sheet(made: FoundPhoto) -> Float[Tensor, "1 3 h w"]:
    """Photo, the picture by its code, after tuning, and new views from the left, the front and the right."""
    views = measure.render(made.net, made.found.w_plus.expand(len(VIEWS), -1, -1), facing(*_turned()))
    tiles = [(made.seat.face, "photo"), (made.drawn, "by its code")]
    if made.tuned is not None:
        tiles.append((made.tuned, "tuned"))
    tiles += [(view[None], f"{round(yaw * 57.3):+d} degrees") for yaw, view in zip(VIEWS, views, strict=True)]
    return image.grid([draw.captioned(picture, words, TILE_PX) for picture, words in tiles], columns=len(tiles))


def _turned() -> tuple[Tensor, Tensor]:
    return torch.tensor(VIEWS), torch.zeros(len(VIEWS))
