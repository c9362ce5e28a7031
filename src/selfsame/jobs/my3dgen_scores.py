"""The cells of My3DGen's evaluation: one method on one person; scores picture by picture."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from jaxtyping import Float
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import Tensor

from selfsame.core import image, store
from selfsame.core.config import to_json, write_atomic
from selfsame.core.errors import BadInput
from selfsame.jobs import jury, my3dgen_people, parts
from selfsame.jobs import my3dgen_tasks as tasks
from selfsame.jobs.my3dgen_methods import (
    LONGER,
    LONGER_PEOPLE,
    METHODS,
    PRESETS,
    STAGES,
    USUAL_PHOTOS,
    Settings,
    training,
)
from selfsame.jobs.my3dgen_people import FIRST, Sitter
from selfsame.jobs.my3dgen_tasks import Judges, Score, View
from selfsame.jobs.progress import Progress, silent
from selfsame.jobs.spread import spread
from selfsame.nets import lpips
from selfsame.tasks import invert, personal, pivot
from selfsame.tasks.personal import Photos
from selfsame.tasks.prior import Prior
from selfsame.train.devices import Devices

PLAN_FILE = "plan.json"
TUNED = 2  # held-back photos that a network is tuned to: each costs a training
DEVICES = Devices(precision="bf16")


@dataclass(frozen=True, eq=False)
class Networks:
    """What every cell is given."""

    prior: Prior
    judges: Judges
    settings: Settings


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


@dataclass(frozen=True)
class Claim:
    """The plan, the steps and the settings of a folder's scores."""

    plan: Plan
    steps: int | None
    settings: Settings


def run(
    folder: Path, plan: Plan, jobs: int, steps: int | None, progress: Progress = silent, cluster: str | None = None
) -> None:
    """Score all cells of a plan's people into `folder`; cells that are there are kept, so a killed run goes on.

    `steps` replaces the steps of every inversion, training and tuning.
    """
    _claim(folder, plan, steps)
    items: list[tuple[int, Sequence[str]]] = [(number, stage) for stage in STAGES for number in plan.people]
    items += [(number, LONGER) for number in plan.people[:LONGER_PEOPLE]]
    spread(
        partial(_score_stage, folder.absolute(), plan, steps), items, jobs,
        cluster=cluster, progress=progress, what="people and stages",
    )  # fmt: skip


def _claim(folder: Path, plan: Plan, steps: int | None) -> None:
    """Write what the folder's scores belong to; raises BadInput where they belong to something else."""
    file, text = folder / PLAN_FILE, to_json(Claim(replace(plan, subjects=0), steps, PRESETS[plan.preset]))
    if not file.exists():
        write_atomic(file, text)
    elif file.read_text() != text:
        raise BadInput(f"{folder} holds scores of other settings.", "Give --out another folder.")


def _score_stage(folder: Path, plan: Plan, steps: int | None, item: tuple[int, Sequence[str]]) -> None:
    number, names = item
    missing = [name for name in names if not file_of(folder, number, name).exists()]
    if not missing:
        return
    networks = load(plan, steps)
    sitter = sitter_of(plan, number, folder, networks.prior.net.config.image_px)
    views = tasks.unseen_views(sitter, networks.prior.net, folder / str(number))
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
    judge = jury.load(plan.lpips, plan.identity_judge)
    judges = Judges(judge, judge.perceptual, None)
    if plan.lpips:
        judges = Judges(judge, lpips.load(store.starter("perceptual")), judge.perceptual)
    return Networks(parts.load_prior(plan.prior), judges, settings)


def sitter_of(plan: Plan, number: int, folder: Path, size_px: int) -> Sitter:
    """One of a plan's people with their photos."""
    if plan.albums is None:
        return my3dgen_people.synthetic(number, folder / str(number))
    return my3dgen_people.of_album(my3dgen_people.albums(plan.albums)[number], size_px)


def score(
    number: int, name: str, networks: Networks, sitter: Sitter, views: Sequence[View], folder: Path
) -> tuple[list[Score], Float[Tensor, "1 3 h w"]]:
    """The scores of a method that is trained here, and a sheet: held-back photos, then the profiles of these looks."""
    method, settings, prior, judge = METHODS[name], networks.settings, networks.prior, networks.judges.judge
    anchors = _anchors(networks, sitter, folder)
    count = min(method.photos or USUAL_PHOTOS, sitter.learned)
    photos = Photos(anchors[:count], sitter.images[:count], sitter.camera[:count])
    net, numbers = prior.net, 0
    config = training(method, settings)
    if config is not None:
        with tempfile.TemporaryDirectory() as where:
            net = personal.personalize(prior.net, photos, config, judge, Path(where), devices=DEVICES)
        numbers = sum(t.numel() for t in personal.trained_tensors(net, config).values())
        net = net.eval().requires_grad_(False)
    record = partial(Score, number, name, numbers=numbers)
    held = tasks.few(sitter, TUNED if method.tuned else tasks.INVERTED)
    start = parts.first_codes(prior.digest, sitter.images[held], settings.invert, prior.middle)
    found = invert.invert_all(
        net, sitter.images[held], sitter.camera[held], start, settings.invert,
        w_std=prior.w_std, features=judge.features, devices=DEVICES,
    )  # fmt: skip
    nets = [net] * len(found.w_plus)
    if method.tuned:
        nets = [
            pivot.tune(
                net, found.w_plus[i : i + 1], sitter.images[held][i : i + 1], found.camera[i : i + 1],
                settings.pivot, judge.features,
            )
            for i in range(len(nets))
        ]  # fmt: skip
    scores, shown = tasks.inverted(record, nets, found, networks.judges, sitter.images[held], views)
    if not method.tuned:
        for task in (tasks.between, tasks.sampled):
            scores += task(record, net, photos, networks.judges, sitter)
    return scores, shown


def _anchors(networks: Networks, sitter: Sitter, folder: Path) -> Float[Tensor, "n l w"]:
    """The codes of the photos to learn from, found once in the prior: methods differ in training alone."""
    file = folder / "anchors.safetensors"
    if not file.exists():
        prior, judge, config = networks.prior, networks.judges.judge, networks.settings.invert
        images, camera = sitter.images[: sitter.learned], sitter.camera[: sitter.learned]
        found = invert.invert_all(
            prior.net, images, camera, parts.first_codes(prior.digest, images, config, prior.middle), config,
            w_std=prior.w_std, features=judge.features, devices=DEVICES,
        )  # fmt: skip
        write_atomic(file, to_safetensors({"w_plus": found.w_plus}))
    w_plus: Tensor = load_file(file)["w_plus"].clone()  # as a resumed run gets them, to the layout in memory
    return w_plus


def read(folder: Path) -> Iterator[Score]:
    """Every score that is there."""
    for path in sorted(folder.glob("*/*.json")):
        for record in json.loads(path.read_text()):
            yield Score(**record)


def file_of(folder: Path, number: int, method: str) -> Path:
    """Where a cell's scores lie; its sheet lies beside them as PNG."""
    return folder / str(number) / f"{method.replace(' ', '_')}.json"
