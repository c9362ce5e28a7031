"""The demo: a synthetic person, their photos, their model, and a report that compares everything with the truth."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core.errors import BadInput
from selfsame.core.results import Measured
from selfsame.faces.album import Album
from selfsame.faces.identity import IdentityJudge
from selfsame.jobs import fit, measure, pages, report, synthetic
from selfsame.jobs.fit import FitConfig, Fitted
from selfsame.jobs.parts import SAME_PERSON, STARTER_JUDGE
from selfsame.jobs.progress import Progress, silent
from selfsame.jobs.report import Section
from selfsame.tasks.personal import Judge
from selfsame.tasks.prior import Prior
from selfsame.world import album as world
from selfsame.world import person
from selfsame.world.album import Shoot
from selfsame.world.person import Look

NAME = "demo"
RUN = "main"
NEW_VIEWS = (-0.6, 0.6)  # radians of yaw
PHOTOS = 24
QUICK = fit.PRESETS["quick"]
CONFIG = QUICK


@dataclass(frozen=True, eq=False)
class NewViews:
    """Held-back looks from a camera that took no photo: the truth, the prior's and the model's picture."""

    truth: Float[Tensor, "n 3 s s"]
    by_prior: Float[Tensor, "n 3 s s"]
    by_model: Float[Tensor, "n 3 s s"]


@dataclass(frozen=True, eq=False)
class Taken:
    """An album of a synthetic person and the shoot behind it."""

    album: Album
    shoot: Shoot

    def ids(self, which: Tensor) -> list[str]:
        """The ids of some of the kept photos."""
        return [self.album.kept[int(i)].id for i in which]

    def looks(self, which: Tensor) -> Look:
        """What some of the kept photos show, in truth."""
        names = [file.name for file in self.shoot.files]
        return person.select(self.shoot.look, [names.index(self.album.kept[int(i)].file) for i in which])


@dataclass(frozen=True, eq=False)
class Demo:
    """What the demo leaves behind: the page, the figures, the fitted model."""

    report: Path
    measured: tuple[Measured, ...]
    fitted: Fitted


def take_in(folder: Path, seed: int, count: int, judge: Judge, progress: Progress) -> Taken:
    """Photograph the person, and take the photos in as anybody's."""
    shoot = world.shoot(seed, count, folder / "photos")
    progress("photographing", count, count)
    path = folder / "people" / NAME
    album = synthetic.album_of(path, shoot)
    album.add(
        shoot.files,
        judge=IdentityJudge(STARTER_JUDGE, judge.embed, SAME_PERSON),
        progress=lambda done, all_, _: progress("taking the photos in", done, all_),
    )
    return Taken(album, shoot)


def new_views(prior: Prior, fitted: Fitted, look: Look) -> NewViews:
    """The looks of the held-back photos from NEW_VIEWS."""
    assert fitted.by_prior and fitted.by_model
    size = prior.net.config.image_px
    parts: dict[str, list[Tensor]] = {"truth": [], "by_prior": [], "by_model": []}
    for yaw in NEW_VIEWS:
        camera = world.front(yaw, 0.0, len(look))
        parts["truth"].append(world.photograph(look, camera, size))
        parts["by_prior"].append(measure.render(prior.net, fitted.by_prior.inversion.w_plus, camera))
        parts["by_model"].append(measure.render(fitted.model.net, fitted.by_model.inversion.w_plus, camera))
    return NewViews(**{name: torch.cat(pictures) for name, pictures in parts.items()})


def demo(
    folder: Path,
    prior: Prior,
    judge: Judge,
    *,
    seed: int = 7,
    photos: int = PHOTOS,
    config: FitConfig = CONFIG,
    progress: Progress = silent,
) -> Demo:
    """Run everything on one synthetic person and write `report.html` into `folder`; the same call again resumes."""
    taken = take_in(folder, seed, photos, judge, progress)
    album = taken.album
    fitted = fit.fit(album, prior, judge, album.path / "models" / RUN, config, progress)
    if not fitted.held_back:
        raise BadInput(f"None of {photos} photos fell to the side that is held back.", f"Take more, as {PHOTOS}.")
    views = new_views(prior, fitted, taken.looks(album.split(config.held_back)[1]))
    rows = [
        ("new view, un-personalized prior", measure.score(views.by_prior, views.truth, judge)),
        ("new view, personal model", measure.score(views.by_model, views.truth, judge)),
    ]
    fitted = replace(fitted, measured=(*fitted.measured, *measure.table(rows)))
    progress("writing the report", 0, 1)
    page = _page(folder, album, fitted, views)
    progress("writing the report", 1, 1)
    return Demo(page, fitted.measured, fitted)


def _page(folder: Path, album: Album, fitted: Fitted, views: NewViews) -> Path:
    half = len(views.truth) // 2
    shown = slice(half, half + pages.SHOWN)
    rows = {
        "un-personalized prior": views.by_prior[shown],
        "personal model": views.by_model[shown],
        "ground truth": views.truth[shown],
    }
    words = "Nobody photographed these views; the world that made this person knows them."
    sections = [
        pages.album_section(album),
        pages.held_back_section(fitted),
        Section("The same looks from a new view", words, report.labelled(rows)),
        *pages.model_sections(fitted),
        *pages.figure_sections(fitted, album.path / "models" / RUN),
    ]
    lead = (
        f"{len(fitted.photos.images)} photos of a synthetic person became a personal 3D model of "
        f"{fitted.numbers:,} numbers. {len(views.truth) // len(NEW_VIEWS)} photos were held back to measure with."
    )
    foot = "Every face on this page is synthetic. Made with selfsame."
    return report.write(folder / "report.html", "A personal 3D model", lead, sections, foot)
