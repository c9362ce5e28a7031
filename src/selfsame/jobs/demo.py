"""The demo: a synthetic person, their photos, their model, and a report that compares everything with the truth."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image
from selfsame.core.results import Measured
from selfsame.faces.album import Album
from selfsame.jobs import fit, measure, report
from selfsame.jobs.fit import FitConfig, Fitted
from selfsame.jobs.progress import Progress, silent
from selfsame.jobs.report import Section
from selfsame.nets.judges import Judge
from selfsame.tasks.prior import Prior
from selfsame.train import loop
from selfsame.world import album as world
from selfsame.world import person
from selfsame.world.album import Shoot
from selfsame.world.person import Look

NAME = "demo"
CONSENT = "Nobody: this person was made by selfsame.world and does not exist."
NEW_VIEWS = (-0.6, 0.6)  # radians of yaw


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
    exists = (path / "album.json").exists()
    album = Album.open(path) if exists else Album.create(path, consent=CONSENT, birth_date=world.BORN, size_px=256)
    album.add(
        shoot.files,
        embed=judge.embed,
        threshold=0.2,
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
    photos: int = 30,
    config: FitConfig = fit.PRESETS["quick"],
    progress: Progress = silent,
) -> Demo:
    """Run everything on one synthetic person and write `report.html` into `folder`; the same call again resumes."""
    taken = take_in(folder, seed, photos, judge, progress)
    album = taken.album
    fitted = fit.fit(album, prior, judge, album.path / "models" / "main", config, progress)
    assert fitted.held_back and fitted.by_prior and fitted.by_model
    views = new_views(prior, fitted, taken.looks(album.split(config.held_back)[1]))
    rows = [
        ("new view, un-personalized prior", measure.score(views.by_prior, views.truth, judge)),
        ("new view, personal model", measure.score(views.by_model, views.truth, judge)),
    ]
    measured = (*fitted.measured, *measure.table(rows))
    progress("writing the report", 0, 1)
    page = _page(folder, album, fitted, views, measured)
    progress("writing the report", 1, 1)
    return Demo(page, measured, fitted)


def _page(folder: Path, album: Album, fitted: Fitted, views: NewViews, measured: tuple[Measured, ...]) -> Path:
    held, model = fitted.held_back, fitted.model
    assert held and fitted.by_prior and fitted.by_model
    some = min(6, len(held.images))
    orbit = model.orbit(48)
    sampled = model.render(model.sample(6), world.front(0.0, 0.0, 1)).image
    half = len(views.truth) // 2
    sections = [
        Section(
            "Photos",
            "What was taken in, with the landmarks and the camera found on each, and why some were left out.",
            report.picture(album.sheet(160), "contact sheet"),
        ),
        Section(
            "Held-back photos",
            "Photos that no training saw, found again in the prior and in the personal model.",
            report.labelled(
                {
                    "photo": held.images[:some],
                    "un-personalized prior": fitted.by_prior.image[:some],
                    "personal model": fitted.by_model.image[:some],
                }
            ),
        ),
        Section(
            "The same looks from a new view",
            "Nobody photographed these views; the world that made this person knows them.",
            report.labelled(
                {
                    "un-personalized prior": views.by_prior[half : half + some],
                    "personal model": views.by_model[half : half + some],
                    "ground truth": views.truth[half : half + some],
                }
            ),
        ),
        Section(
            "In three dimensions",
            "One photo's look along an orbit, and its depth.",
            report.film(orbit.image, "orbit", enlarge=3)
            + report.film(report.depth_colours(orbit.depth, orbit.alpha, orbit.image.shape[-1]), "depth", enlarge=3),
        ),
        Section(
            "Appearances from the person's hull",
            "New looks between those of the photos.",
            report.picture(image.grid(sampled, columns=6), "samples"),
        ),
        Section("Quality", "Means over pictures with 95 % bootstrap intervals.", report.figures(measured)),
        Section(
            "Training", "Losses by step.", report.curves(loop.history(album.path / "models" / "main" / "training"))
        ),
    ]
    lead = f"{len(album.kept)} photos of a synthetic person became a personal 3D model of {fitted.numbers:,} numbers."
    foot = "Every face on this page is synthetic. Made with selfsame."
    return report.write(folder / "report.html", "A personal 3D model", lead, sections, foot)
