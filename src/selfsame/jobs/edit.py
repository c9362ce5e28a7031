"""`selfsame edit`: one look of a person along a direction, as a labelled strip and, where asked, a film that turns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image, video
from selfsame.core.camera import Camera, orbit
from selfsame.core.config import writing
from selfsame.core.errors import BadInput, WrongUse
from selfsame.faces import draw
from selfsame.jobs.progress import Progress, silent
from selfsame.metrics import portrait
from selfsame.tasks import directions, edit
from selfsame.tasks.directions import Direction, DirectionsConfig, Scorer
from selfsame.tasks.edit import Policy
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import Judge

TILE_PX = 256
PICTURES = (".png", ".jpg", ".webp")
FPS, FRAMES = 24, 96
TOLERANCE = 1e-5  # of thetas: below it an edit is none, or was not stopped


@dataclass(frozen=True)
class Step:
    """One edit: how far was asked for and gone (in the sweep's unit), what the judge says, and the cosine of the
    identities before and after.

    `lowest` is the smallest weight in the hull, None for free edits.
    """

    asked: float
    theta: float
    score: float
    identity: float
    lowest: float | None


@dataclass(frozen=True)
class Sweep:
    """The steps of an edit in their order, the share of the direction that the anchors span, and the files written."""

    direction: str
    policy: Policy
    steps: tuple[Step, ...]
    kept: float
    strip: Path
    film: Path | None = None

    @property
    def stopped(self) -> tuple[float, ...]:
        """The thetas at which the policy stopped, at most one a side."""
        return tuple(sorted({s.theta for s in self.steps if abs(s.theta - s.asked) > TOLERANCE}))


@dataclass(frozen=True, eq=False)
class Swept:
    """The pictures (T, 3, s, s) and codes of an edit's steps, with the share of the direction that was kept."""

    images: Float[Tensor, "t 3 s s"]
    w_plus: Float[Tensor, "t l w"]
    steps: tuple[Step, ...]
    kept: float


def find(
    model: PersonalModel, folder: Path, scorer: Scorer, config: DirectionsConfig, progress: Progress = silent
) -> dict[str, Direction]:
    """The directions of a person's own model, kept beside it in `folder`."""

    def told(done: int, total: int) -> None:
        progress("judging random people", done, total)

    return directions.find(model.net, model.card.digest, scorer, config, folder, told)


def sweep(
    model: PersonalModel,
    w_plus: Float[Tensor, "1 l w"],
    camera: Camera,
    direction: Direction | Float[Tensor, "w"],
    name: str,
    thetas: Sequence[float],
    judge: Judge,
    scorer: Scorer,
    policy: Policy = "continue",
    beta: float = 0.03,
    *,
    unit: float = 1.0,
) -> Swept:
    """A code edited by each theta (one of them 0; `unit` is their unit's length in W), seen by a camera and judged.

    The code may be an anchor or that of any photo found in the model.
    """
    if not any(abs(theta) < TOLERANCE for theta in thetas):
        raise WrongUse("The unedited picture is not among the edits.", "Let one theta be 0.")
    normal = direction.normal if isinstance(direction, Direction) else direction
    made = edit.edit(w_plus, normal, model.anchors, [unit * theta for theta in thetas], policy, beta)
    images = model.render(made.w_plus, camera).image.clamp(-1, 1)
    with torch.no_grad():
        scores = scorer.scores(images)[name]
        who = judge.embed(images)
    unedited = min(range(len(thetas)), key=lambda i: abs(thetas[i]))
    kept = portrait.identity_similarity(who, who[unedited].expand_as(who)).tolist()
    lowest = [None] * len(thetas) if made.alpha is None else made.alpha.amin(1).tolist()
    walked = (made.theta / unit).tolist()
    columns = zip(thetas, walked, scores.tolist(), kept, lowest, strict=True)
    return Swept(images, made.w_plus, tuple(Step(*column) for column in columns), made.kept)


def write(
    model: PersonalModel, swept: Swept, name: str, policy: Policy, strip: Path, *, film: Path | None = None,
    frames: int = FRAMES, progress: Progress = silent,
) -> Sweep:  # fmt: skip
    """Write the labelled strip of an edit, and a film in which its ends turn beside the unedited look."""
    tiles = [
        draw.captioned(picture[None], caption(step), TILE_PX)
        for picture, step in zip(swept.images, swept.steps, strict=True)
    ]
    with writing(strip):
        strip.parent.mkdir(parents=True, exist_ok=True)
        image.save(image.grid(tiles, columns=len(tiles)), strip)
    if film:
        _film(model, swept, film, frames, progress)
    return Sweep(name, policy, swept.steps, swept.kept, strip, film)


def caption(step: Step) -> str:
    """What stands on a tile: how far the edit went, and the score."""
    if abs(step.asked) < TOLERANCE:
        return f"unedited: {step.score:.2f}"
    stopped = " stop" if abs(step.theta - step.asked) > TOLERANCE else ""
    return f"{step.theta:+.1f}{stopped}: {step.score:.2f}"


def places(out: Path | None, stem: str, orbit: bool) -> tuple[Path, Path | None]:
    """Where strip and film go: a picture's name, a folder, or here; raises WrongUse for another kind of file."""
    strip = out if out is not None and out.suffix else (out or Path()) / f"{stem}.png"
    if strip.suffix.lower() not in PICTURES:
        raise WrongUse(
            f"{strip.name} does not end in {' or '.join(PICTURES)}.", "Give --out another name, or a folder."
        )
    return strip, strip.with_suffix(".mp4") if orbit else None


def _film(model: PersonalModel, swept: Swept, path: Path, frames: int, progress: Progress) -> None:
    """Least, unedited and most, or those of them that there are, side by side along EG3D's orbit."""
    thetas = [s.asked for s in swept.steps]
    ends = [thetas.index(min(thetas)), min(range(len(thetas)), key=lambda i: abs(thetas[i])), thetas.index(max(thetas))]
    shown = list(dict.fromkeys(ends))
    cameras = orbit(frames)

    def turned(frame: int) -> Tensor:
        progress("film", frame + 1, frames)
        seen = model.render(swept.w_plus[shown], cameras[frame]).image
        tiles = [
            draw.captioned(x[None].clamp(-1, 1), caption(swept.steps[i]), TILE_PX)
            for x, i in zip(seen, shown, strict=True)
        ]
        return image.grid(tiles, columns=len(tiles))[0]

    video.write(path, (turned(frame) for frame in range(frames)), FPS)


def solid(model: object) -> PersonalModel:
    """A model in three dimensions as it is; raises BadInput for any other, which cannot be edited yet."""
    if isinstance(model, PersonalModel):
        return model
    raise BadInput("A 2D model cannot be edited yet.", "Fit one on a 3D prior.")
