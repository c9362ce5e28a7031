"""The cells of My3DGen's evaluation: one method on one person; scores picture by picture."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import Tensor

from selfsame.core import image, rng, store
from selfsame.core.camera import Camera, angles, facing
from selfsame.core.config import write_atomic
from selfsame.core.store import STARTER_FOLDER
from selfsame.jobs import jury, measure, my3dgen_people, parts
from selfsame.jobs.my3dgen_methods import METHODS, PRESETS, STAGES, USUAL_PHOTOS, Settings, training
from selfsame.jobs.my3dgen_people import FIRST, Sitter
from selfsame.jobs.progress import Progress, silent
from selfsame.jobs.spread import spread
from selfsame.losses.image import perceptual
from selfsame.metrics import fid, portrait
from selfsame.nets import lpips
from selfsame.nets.lpips import Lpips
from selfsame.nets.triplane import Rendering, TriPlane
from selfsame.tasks import hull, invert, personal, pivot
from selfsame.tasks.invert import Inversion
from selfsame.tasks.personal import Judge, Photos
from selfsame.tasks.prior import Prior
from selfsame.train.devices import Devices

INVERTED, TUNED = 6, 2  # held-back photos that every method is asked for, and those that tuning is paid for
YAWS = {"new views": (-0.6, 0.6), "profile views": (-1.2, 1.2)}  # radians
PAIRS, BETWEEN = 4, (0.25, 0.5, 0.75)
SAMPLES = 20
OPAQUE = 0.5  # alpha from which a model has something at a pixel
NOTHING = float("nan")
DEVICES = Devices(precision="bf16")


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


@dataclass(frozen=True)
class Plan:
    """What a folder of scores belongs to, and where its processes find their networks and people."""

    prior: str = "starter-3d"
    preset: str = "quick"
    lpips: Path | None = None
    identity_judge: Path | None = None
    albums: Path | None = None
    subjects: int = 20

    @property
    def people(self) -> list[int]:
        """The numbers of the people: seeds, or places among the albums."""
        first = 0 if self.albums else FIRST
        return [first + i for i in range(self.subjects)]


@dataclass(frozen=True, eq=False)
class Networks:
    """What every cell is given; `perceptual` is the starter set's, `outside` LPIPS where its weights are here."""

    prior: Prior
    judge: Judge
    perceptual: Lpips
    outside: Lpips | None
    settings: Settings


@dataclass(frozen=True, eq=False)
class View:
    """The looks of the held-back photos from a yaw that nobody photographed: cameras, true pictures and depth."""

    task: str
    camera: Camera
    image: Float[Tensor, "n 3 s s"]
    depth: Float[Tensor, "n 1 p p"]


def unseen_views(sitter: Sitter, net: TriPlane) -> list[View]:
    """What the world knows of the looks of the first held-back photos; nothing of real people."""
    if sitter.looks is None:
        return []
    held, found = _few(sitter, INVERTED), []
    for task, yaws in YAWS.items():
        for yaw in yaws:
            count = held.stop - held.start
            camera = facing(torch.full((count,), yaw), torch.zeros(count))
            picture, _ = sitter.truth(held, camera, net.config.image_px)
            _, depth = sitter.truth(held, camera, net.config.neural_px)
            found.append(View(task, camera, picture, depth))
    return found


def run(
    folder: Path, plan: Plan, jobs: int, steps: int | None, progress: Progress = silent, cluster: str | None = None
) -> None:
    """Score all cells of a plan's people into `folder`; cells that are there are kept, so a killed run goes on.

    `steps` replaces the steps of every inversion, training and tuning.
    """
    items = [(number, stage) for stage in STAGES for number in plan.people]
    spread(
        partial(_score_stage, folder.absolute(), plan, steps), items, jobs,
        cluster=cluster, progress=progress, what="people and stages",
    )  # fmt: skip


def _score_stage(folder: Path, plan: Plan, steps: int | None, item: tuple[int, Sequence[str]]) -> None:
    number, names = item
    missing = [name for name in names if not file_of(folder, number, name).exists()]
    if not missing:
        return
    networks = load(plan, steps)
    sitter = sitter_of(plan, number, folder, networks.prior.net.config.image_px)
    views = unseen_views(sitter, networks.prior.net)
    for name in missing:
        method = METHODS[name]
        if (method.photos or 0) > sitter.learned:
            continue
        scores, shown = score(number, name, networks, sitter, views, folder / str(number))
        path = file_of(folder, number, name)
        image.save(shown, path.with_suffix(".png"))
        write_atomic(path, json.dumps([asdict(s) for s in scores]))


def load(plan: Plan, steps: int | None = None) -> Networks:
    """The networks of a plan, with `steps` in the place of all settings' steps."""
    settings = PRESETS[plan.preset]
    if steps is not None:
        settings = replace(
            settings,
            invert=replace(settings.invert, steps=steps),
            personal=replace(settings.personal, steps=steps),
            pivot=replace(settings.pivot, steps=steps),
        )
    shown = lpips.load(STARTER_FOLDER / "perceptual")
    outside = lpips.load(store.find(plan.lpips)) if plan.lpips else None
    judge = jury.load(plan.lpips, plan.identity_judge)
    return Networks(parts.load_prior(plan.prior), judge, shown, outside, settings)


def sitter_of(plan: Plan, number: int, folder: Path, size_px: int) -> Sitter:
    """One of a plan's people with their photos."""
    if plan.albums is None:
        return my3dgen_people.synthetic(number, folder / str(number))
    return my3dgen_people.of_album(my3dgen_people.albums(plan.albums)[number], size_px)


def score(
    number: int, name: str, networks: Networks, sitter: Sitter, views: Sequence[View], folder: Path
) -> tuple[list[Score], Float[Tensor, "1 3 h w"]]:
    """The scores of a method that is trained here, and a sheet: held-back photos, then the profiles of these looks."""
    method, settings, prior = METHODS[name], networks.settings, networks.prior
    anchors = _anchors(networks, sitter, folder)
    count = min(method.photos or USUAL_PHOTOS, sitter.learned)
    photos = Photos(anchors[:count], sitter.images[:count], sitter.camera[:count])
    net, numbers = prior.net, 0
    config = training(method, settings)
    if config is not None:
        with tempfile.TemporaryDirectory() as where:
            net = personal.personalize(prior.net, photos, config, networks.judge, Path(where), devices=DEVICES)
        numbers = sum(t.numel() for t in personal.trained_tensors(net, config).values())
        net = net.eval().requires_grad_(False)
    record = partial(Score, number, name, numbers=numbers)
    held = _few(sitter, TUNED if method.tuned else INVERTED)
    start = parts.first_codes(prior.digest, sitter.images[held], settings.invert, prior.middle)
    found = invert.invert_all(
        net, sitter.images[held], sitter.camera[held], start, settings.invert,
        w_std=prior.w_std, features=networks.judge.features, devices=DEVICES,
    )  # fmt: skip
    nets = [net] * len(found.w_plus)
    if method.tuned:
        nets = [
            pivot.tune(
                net, found.w_plus[i : i + 1], sitter.images[held][i : i + 1], found.camera[i : i + 1],
                settings.pivot, networks.judge.features,
            )
            for i in range(len(nets))
        ]  # fmt: skip
    scores, shown = _inverted(record, nets, found, networks, sitter.images[held], views)
    if not method.tuned:
        scores += [*_between(record, net, photos, networks, sitter), *_sampled(record, net, photos, networks, sitter)]
    return scores, shown


def _few(sitter: Sitter, count: int) -> slice:
    """The first of the held-back photos."""
    return slice(sitter.held_back.start, min(sitter.held_back.start + count, sitter.held_back.stop))


def _anchors(networks: Networks, sitter: Sitter, folder: Path) -> Float[Tensor, "n l w"]:
    """The codes of the photos to learn from, found once in the prior: methods differ in training alone."""
    file = folder / "anchors.safetensors"
    if not file.exists():
        prior, config = networks.prior, networks.settings.invert
        images, camera = sitter.images[: sitter.learned], sitter.camera[: sitter.learned]
        found = invert.invert_all(
            prior.net, images, camera, parts.first_codes(prior.digest, images, config, prior.middle), config,
            w_std=prior.w_std, features=networks.judge.features, devices=DEVICES,
        )  # fmt: skip
        write_atomic(file, to_safetensors({"w_plus": found.w_plus}))
    w_plus: Tensor = load_file(file)["w_plus"].clone()  # as a resumed run gets them, to the layout in memory
    return w_plus


Record = Callable[..., Score]


def _inverted(
    record: Record,
    nets: Sequence[TriPlane],
    found: Inversion,
    networks: Networks,
    images: Tensor,
    views: Sequence[View],
) -> tuple[list[Score], Tensor]:
    """Held-back photos found again, and their looks from views that nobody photographed."""
    count = len(nets)
    made = _drawn(nets, found.w_plus, found.camera)
    scores = _compared(partial(record, "inversion"), made.image, images, networks)
    shown = [made.image]
    for place, view in enumerate(views):
        made = _drawn(nets, found.w_plus, view.camera[:count])
        errors = _depth_error(made, view.depth[:count])
        first = place * INVERTED
        scores += _compared(partial(record, view.task), made.image, view.image[:count], networks, first, errors)
        shown.append(made.image)
    return scores, image.grid(torch.cat(shown), columns=count)


def _between(record: Record, net: TriPlane, photos: Photos, networks: Networks, sitter: Sitter) -> list[Score]:
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
            for i, value in enumerate(_likeness(made, networks.judge, sitter))
        ]
    return scores


def _sampled(record: Record, net: TriPlane, photos: Photos, networks: Networks, sitter: Sitter) -> list[Score]:
    """Samples from the hull seen as held-back photos are: likeness one by one, FID and KID of all together."""
    w_plus = hull.sample(photos.w_plus, SAMPLES, 0)
    views = torch.arange(SAMPLES) % (len(sitter.images) - sitter.learned) + sitter.learned
    made = measure.render(net, w_plus, sitter.camera[views])
    scores = [record("synthesis", i, identity=v) for i, v in enumerate(_likeness(made, networks.judge, sitter))]
    embedded = [_features(pictures, networks.judge) for pictures in (sitter.images[sitter.held_back], made)]
    both = {
        "fid": fid.frechet(*(fid.moments(e) for e in embedded)),
        "kid": fid.squared_mmd(*embedded),
    }
    return [*scores, record("synthesis, all", 0, **both)]


def _features(pictures: Tensor, judge: Judge) -> np.ndarray:
    """Embeddings of about unit size a number, as KID's kernel supposes."""
    seen = judge.recognise(pictures.clamp(-1, 1))
    values: np.ndarray = (seen * seen.shape[1] ** 0.5).double().numpy()
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
    made_apart = [net(w_plus[i : i + 1], camera[i : i + 1]) for i, net in enumerate(nets)]
    return Rendering(**{name: torch.cat([getattr(m, name) for m in made_apart]) for name in vars(made_apart[0])})


@torch.no_grad()
def _compared(
    record: Record, made: Tensor, truth: Tensor, networks: Networks, first: int = 0, depth: Tensor | None = None
) -> list[Score]:
    """Pictures beside what they should show, one score a picture."""
    made = made.clamp(-1, 1)
    plain = measure.score(made, truth, networks.judge)
    maps = [networks.perceptual.activations(pictures) for pictures in (made, truth)]
    columns = {
        "psnr": plain.psnr, "ssim": plain.ssim, "identity": plain.identity,
        "perceptual": perceptual(networks.perceptual(made), networks.perceptual(truth)),
        "dists": portrait.dists(*maps),
    }  # fmt: skip
    if networks.outside is not None:
        columns["lpips"] = perceptual(networks.outside(made), networks.outside(truth))
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


def read(folder: Path) -> Iterator[Score]:
    """Every score that is there."""
    for path in sorted(folder.glob("*/*.json")):
        for record in json.loads(path.read_text()):
            yield Score(**record)


def file_of(folder: Path, number: int, method: str) -> Path:
    """Where a cell's scores lie; its sheet lies beside them as PNG."""
    return folder / str(number) / f"{method.replace(' ', '_')}.json"
