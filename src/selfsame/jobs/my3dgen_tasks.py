"""The tasks of My3DGen's evaluation [facts, section 4.7]: what a method's network draws, scored picture by picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import Tensor

from selfsame.core import image, rng
from selfsame.core.camera import Camera, angles, facing
from selfsame.core.config import write_atomic
from selfsame.jobs import measure
from selfsame.jobs.my3dgen_people import Sitter
from selfsame.losses.image import perceptual
from selfsame.metrics import fid, portrait
from selfsame.nets.iresnet import enlarged
from selfsame.nets.lpips import Lpips
from selfsame.nets.triplane import Rendering, TriPlane, joined
from selfsame.tasks import hull
from selfsame.tasks.invert import Inversion
from selfsame.tasks.personal import Judge, Photos

INVERTED = 6  # held-back photos that every method is asked for
YAWS = {"new views": (-0.6, 0.6), "profile views": (-1.2, 1.2)}  # radians
PAIRS, BETWEEN = 4, (0.25, 0.5, 0.75)
SAMPLES = 20
OPAQUE = 0.5  # alpha from which a model has something at a pixel
NOTHING = float("nan")


@dataclass(frozen=True)
class Score:
    """One picture of one method, or with `task` "synthesis, all" all samples together; NaN where a figure is not asked.

    `perceptual` and `dists` are distances of the judge's features, `lpips` that of imported weights; `identity` is the
    likeness to the photo or the truth, for interpolation and synthesis the largest to any held-back photo; `depth` the
    mean absolute error in world units where both see the head; `numbers` how many numbers a person's model holds.
    """

    person: int
    method: str
    task: str
    item: int
    numbers: int
    psnr: float = NOTHING
    ssim: float = NOTHING
    perceptual: float = NOTHING
    dists: float = NOTHING
    lpips: float = NOTHING
    identity: float = NOTHING
    depth: float = NOTHING
    fid: float = NOTHING
    kid: float = NOTHING


@dataclass(frozen=True, eq=False)
class Judges:
    """Whom training listens to and who reports; `perceptual` is the starter set's, `outside` LPIPS if it is here."""

    judge: Judge
    perceptual: Lpips
    outside: Lpips | None


@dataclass(frozen=True, eq=False)
class View:
    """The looks of the held-back photos from a yaw that nobody photographed: cameras, true pictures and depth."""

    task: str
    camera: Camera
    image: Float[Tensor, "n 3 s s"]
    depth: Float[Tensor, "n 1 p p"]


def unseen_views(sitter: Sitter, net: TriPlane, folder: Path) -> list[View]:
    """What the world knows of the looks of the first held-back photos; nothing of real people.

    Drawn at the first call and read back from `folder` at the others.
    """
    if sitter.looks is None:
        return []
    held, file = few(sitter, INVERTED), folder / "views.safetensors"
    count = held.stop - held.start
    asked = [
        (task, facing(torch.full((count,), yaw), torch.zeros(count))) for task, yaws in YAWS.items() for yaw in yaws
    ]
    if not file.exists():
        drawn: dict[str, Tensor] = {}
        for place, (_, camera) in enumerate(asked):
            picture, depth = sitter.truth(held, camera, net.config.image_px, net.config.neural_px)
            drawn |= {f"image.{place}": picture, f"depth.{place}": depth}
        write_atomic(file, to_safetensors({name: t.contiguous() for name, t in drawn.items()}))
    drawn = load_file(file)
    return [
        View(task, camera, drawn[f"image.{place}"].clone(), drawn[f"depth.{place}"].clone())
        for place, (task, camera) in enumerate(asked)
    ]


def few(sitter: Sitter, count: int) -> slice:
    """The first of the held-back photos."""
    return slice(sitter.held_back.start, min(sitter.held_back.start + count, sitter.held_back.stop))


Record = Callable[..., Score]


def inverted(
    record: Record,
    nets: Sequence[TriPlane],
    found: Inversion,
    judges: Judges,
    images: Tensor,
    views: Sequence[View],
) -> tuple[list[Score], Tensor]:
    """Held-back photos found again, and their looks from views that nobody photographed."""
    count = len(nets)
    made = _drawn(nets, found.w_plus, found.camera)
    scores = _compared(partial(record, "inversion"), made.image, images, judges)
    shown = [made.image]
    for place, view in enumerate(views):
        made = _drawn(nets, found.w_plus, view.camera[:count])
        errors = _depth_error(made, view.depth[:count])
        first = place * INVERTED
        scores += _compared(partial(record, view.task), made.image, view.image[:count], judges, first, errors)
        shown.append(made.image)
    return scores, image.grid(torch.cat(shown), columns=count)


def between(record: Record, net: TriPlane, photos: Photos, judges: Judges, sitter: Sitter) -> list[Score]:
    """Likeness along straight lines between pairs of anchors, codes and cameras both [facts, section 4.7]."""
    g = rng.generator(0, "interpolated pairs")
    scores = []
    for pair in range(PAIRS):
        one, other = torch.randperm(len(photos), generator=g)[:2].tolist()
        share = torch.tensor(BETWEEN)[:, None, None]
        w_plus = torch.lerp(photos.w_plus[one], photos.w_plus[other], share)
        yaw, pitch = (torch.lerp(a[one], a[other], share[:, 0, 0]) for a in angles(photos.camera))
        made = measure.render(net, w_plus, facing(yaw, pitch))
        scores += [
            record("interpolation", pair * len(BETWEEN) + i, identity=value)
            for i, value in enumerate(_likeness(made, judges.judge, sitter))
        ]
    return scores


def sampled(record: Record, net: TriPlane, photos: Photos, judges: Judges, sitter: Sitter) -> list[Score]:
    """Samples from the hull seen as held-back photos are: likeness one by one, FID and KID of all together."""
    w_plus = hull.sample(photos.w_plus, SAMPLES, 0)
    views = torch.arange(SAMPLES) % (len(sitter.images) - sitter.learned) + sitter.learned
    made = measure.render(net, w_plus, sitter.camera[views])
    scores = [record("synthesis", i, identity=v) for i, v in enumerate(_likeness(made, judges.judge, sitter))]
    embedded = [_features(pictures, judges.judge) for pictures in (sitter.images[sitter.held_back], made)]
    both = {
        "fid": fid.frechet(*(fid.moments(e) for e in embedded)),
        "kid": fid.squared_mmd(*embedded),
    }
    return [*scores, record("synthesis, all", 0, **both)]


def _features(pictures: Tensor, judge: Judge) -> np.ndarray:
    """Embeddings of about unit size a number, as KID's kernel supposes."""
    values: np.ndarray = enlarged(judge.recognise(pictures.clamp(-1, 1))).double().numpy()
    return values


@torch.no_grad()
def _likeness(pictures: Tensor, judge: Judge, sitter: Sitter) -> list[float]:
    """The largest cosine of each picture to a held-back photo."""
    known = judge.recognise(sitter.images[sitter.held_back])
    likeness: list[float] = (judge.recognise(pictures.clamp(-1, 1)) @ known.T).amax(1).tolist()
    return likeness


@torch.no_grad()
def _drawn(nets: Sequence[TriPlane], w_plus: Tensor, camera: Camera) -> Rendering:
    """Each code by its own network; codes of one network together."""
    if all(net is nets[0] for net in nets):
        made: Rendering = nets[0](w_plus, camera)
        return made
    return joined([net(w_plus[i : i + 1], camera[i : i + 1]) for i, net in enumerate(nets)])


@torch.no_grad()
def _compared(
    record: Record, made: Tensor, truth: Tensor, judges: Judges, first: int = 0, depth: Tensor | None = None
) -> list[Score]:
    """Pictures beside what they should show, one score a picture."""
    made = made.clamp(-1, 1)
    plain = measure.score(made, truth, judges.judge)
    maps = [judges.perceptual.activations(pictures) for pictures in (made, truth)]
    columns = {
        "psnr": plain.psnr, "ssim": plain.ssim, "identity": plain.identity,
        "perceptual": perceptual(judges.perceptual(made), judges.perceptual(truth)),
        "dists": portrait.dists(*maps),
    }  # fmt: skip
    if judges.outside is not None:
        columns["lpips"] = perceptual(judges.outside(made), judges.outside(truth))
    if depth is not None:
        columns["depth"] = depth
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [record(first + i, **dict(zip(columns, row, strict=True))) for i, row in enumerate(rows)]


def _depth_error(made: Rendering, truth: Float[Tensor, "b 1 p p"]) -> Float[Tensor, "b"]:
    """Mean absolute error of depth in world units where the model and the truth both have something."""
    both = (truth > 0) & (made.alpha > OPAQUE)
    error = ((made.depth - truth).abs() * both).sum((1, 2, 3))
    mean: Tensor = error / both.sum((1, 2, 3)).clamp_min(1)
    return mean
