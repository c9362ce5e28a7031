"""The cells of MyTimeMachine's evaluation: one method, one person, one case; scores picture by picture."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from selfsame.core import image
from selfsame.core.config import write_atomic
from selfsame.jobs import mytm_cases, mytm_methods, parts
from selfsame.jobs.mytm_cases import FIRST, PROGRESSION, REGRESSION_20, REGRESSION_40, Case, Sitting
from selfsame.jobs.mytm_methods import METHODS, Encode, Parts
from selfsame.jobs.progress import Progress, silent
from selfsame.jobs.spread import spread
from selfsame.metrics import portrait
from selfsame.tasks.personal_aging import AgedPhotos
from selfsame.tasks.time_machine import TimeMachine
from selfsame.train.devices import here
from selfsame.world.life import hair_lightness

USUAL_PHOTOS = 50


@dataclass(frozen=True)
class Cell:
    """What is trained and scored at a time."""

    case: Case
    method: str
    photos: int

    @property
    def name(self) -> str:
        """Of the cell's file."""
        return f"{self.case.name}, {self.method}, {self.photos} photos".replace(" ", "_")


@dataclass(frozen=True)
class Score:
    """One picture: a test photo taken to a target age.

    `judged` and `true_judged` are the years that the made and the true picture look; `identity` is the likeness to the
    held-back photos within three years of the target [MyTM, equation 8], `true_identity` that to the same moment at
    that age, `psnr` (dB) and `hair` (mean brightness of the hair, of 255, made minus true) compare with it too.
    """

    person: int
    case: str
    method: str
    photos: int
    test: int
    target: int
    trained_on: bool
    judged: float
    true_judged: float
    identity: float
    true_identity: float
    psnr: float
    hair: float


def stages() -> list[list[Cell]]:
    """Every cell of a person, those of one case that are worth most first: a run cut short still compares everybody."""
    rivals, both = ("SAM", "SAM fine-tuned"), ("MyTM, released", "MyTM, paper")
    ours = next(name for name in both if METHODS[name].config == mytm_methods.OURS)
    rest = [name for name in METHODS if name not in (*rivals, *both)]
    return [
        [Cell(REGRESSION_40, method, USUAL_PHOTOS) for method in (*rivals, *both)],
        [Cell(PROGRESSION, method, USUAL_PHOTOS) for method in (*rivals, ours)],
        [Cell(REGRESSION_40, method, USUAL_PHOTOS) for method in rest],
        [Cell(REGRESSION_40, ours, count) for count in mytm_cases.SIZES if count != USUAL_PHOTOS],
        [Cell(REGRESSION_20, method, USUAL_PHOTOS) for method in (*rivals, ours)],
    ]


def run(
    folder: Path, people: int, jobs: int, steps: int | None, progress: Progress = silent, cluster: str | None = None
) -> None:
    """Score all cells of these many people into `folder`; cells that are there are kept, so a killed run goes on.

    `steps` replaces the steps of every training. `jobs` processes share the people, or the machines of a Ray `cluster`
    that have the folder too (see spread).
    """
    seeds = [FIRST + i for i in range(people)]
    items = [(seed, cells) for cells in stages() for seed in seeds]
    work = partial(_score_item, folder.absolute(), steps)  # another process may stand in another folder
    spread(work, items, jobs, cluster=cluster, progress=progress, what="people and stages")


def _score_item(folder: Path, steps: int | None, item: tuple[int, list[Cell]]) -> None:
    score_cells(folder, *item, steps)


def score_cells(folder: Path, seed: int, cells: list[Cell], steps: int | None = None) -> None:
    """Score those cells of one person and case that have no file yet; the person is photographed once."""
    missing = [cell for cell in cells if not file_of(folder, seed, cell).exists()]
    if not missing:
        return
    case = missing[0].case
    loaded = Parts(parts.load_sam(), parts.load_judge(), parts.load_age_judge(), here("bf16"))
    sat = mytm_cases.sitting(seed, case)
    album = mytm_cases.album(seed, case, max(cell.photos for cell in missing))
    for cell in missing:
        method = METHODS[cell.method]
        if steps is not None:
            method = replace(method, config=replace(method.config, steps=steps))
        photos = AgedPhotos(album.images[: cell.photos], album.years[: cell.photos])
        with tempfile.TemporaryDirectory() as training:
            encode = mytm_methods.train(method, loaded, photos, Path(training))
        scores, shown = score(cell, seed, encode, loaded, sat)
        path = file_of(folder, seed, cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(shown, path.with_suffix(".png"))
        write_atomic(path, json.dumps([asdict(s) for s in scores]))


@torch.no_grad()
def score(cell: Cell, seed: int, encode: Encode, loaded: Parts, sat: Sitting) -> tuple[list[Score], Tensor]:
    """The scores of a trained method, and the first test photo at every target age in a row."""
    case, judge, years = cell.case, loaded.judge, loaded.years
    low, high = case.train
    scores, shown = [], []
    for target in case.targets:
        ages = torch.full((len(sat.test.images),), float(target))
        made = TimeMachine(loaded.sam).decode(encode(sat.test.images, ages))
        truth = sat.truths[target].images
        seen, known = judge.embed(made), judge.embed(sat.held_back[target].images)
        columns: dict[str, Tensor] = {
            "judged": years(made), "true_judged": years(truth), "identity": (seen @ known.T).amax(1),
            "true_identity": portrait.identity_similarity(seen, judge.embed(truth)),
            "psnr": portrait.psnr(made, truth), "hair": hair_lightness(made) - hair_lightness(truth),
        }  # fmt: skip
        shown.append(made[:1])
        for i in range(len(made)):
            facts: dict[str, Any] = {name: float(values[i]) for name, values in columns.items()}
            facts |= {"person": seed, "case": case.name, "method": cell.method, "photos": cell.photos}
            scores.append(Score(test=i, target=target, trained_on=low <= target <= high, **facts))
    return scores, image.grid(torch.cat(shown), columns=len(shown))


def read(folder: Path) -> Iterator[Score]:
    """Every score that is there."""
    for path in sorted(folder.glob("*/*.json")):
        for record in json.loads(path.read_text()):
            yield Score(**record)


def file_of(folder: Path, seed: int, cell: Cell) -> Path:
    """Where a cell's scores lie; its row of pictures lies beside them as PNG."""
    return folder / str(seed) / f"{cell.name}.json"
