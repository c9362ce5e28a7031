"""Reports of fitted models: the sections that every report has, and the page of `selfsame fit`."""

from pathlib import Path

import torch
from torch import Tensor

from selfsame.core import image
from selfsame.faces.album import Album
from selfsame.jobs import report
from selfsame.jobs.fit import Fitted
from selfsame.jobs.fit2d import Fitted2D
from selfsame.jobs.lifelong import Updated
from selfsame.jobs.report import Section
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.model2d import PersonalModel2D
from selfsame.train import loop

SHOWN = 6  # pictures in a row
ORBIT_FRAMES = 48
BUFFER_PX = 160
TOLD = ("step", "loss", "pixel", "perceptual", "symmetry", "identity", "aging")  # an adapter has thirty losses


def album_section(album: Album) -> Section:
    """The contact sheet."""
    words = "What was taken in, with the landmarks and the camera found on each photo, and why some were left out."
    return Section("Photos", words, report.picture(album.sheet(160), "contact sheet"))


def held_back_section(fitted: Fitted) -> Section:
    """Held-back photos beside what the prior and the model make of them."""
    assert fitted.held_back and fitted.by_prior and fitted.by_model
    words = "Photos that no training saw, found again in the prior and in the personal model."
    rows = _beside(fitted.held_back.images, fitted.by_prior.image, fitted.by_model.image)
    return Section("Held-back photos", words, rows)


def _beside(photo: Tensor, by_prior: Tensor, by_model: Tensor) -> str:
    rows = {"photo": photo, "un-personalized prior": by_prior, "personal model": by_model}
    return report.labelled({name: pictures[:SHOWN] for name, pictures in rows.items()})


def model_sections(fitted: Fitted) -> list[Section]:
    """The orbit with its depth, and appearances from the hull."""
    model = fitted.model
    turned = model.orbit(ORBIT_FRAMES, model.most_frontal())
    depth = report.depth_colours(turned.depth, turned.alpha, turned.image.shape[-1])
    films = report.film(turned.image, "orbit", enlarge=3) + report.film(depth, "depth", enlarge=3)
    words = "The most frontal photo's look along an orbit, and its depth: near is bright."
    return [Section("In three dimensions", words, films), _hull_section(model)]


def _hull_section(model: PersonalModel | PersonalModel2D) -> Section:
    sheet = image.grid(model.portraits(model.sample(2 * SHOWN)), columns=SHOWN)
    words = "New looks, mixed from three photos each."
    return Section("Appearances from the person's hull", words, report.picture(sheet, "samples"))


def figure_sections(fitted: Fitted | Fitted2D, folder: Path) -> list[Section]:
    """The figures and the loss curves."""
    sections = []
    if fitted.measured:
        words = "Means over pictures with 95 % bootstrap intervals."
        sections.append(Section("Quality", words, report.figures(fitted.measured)))
    return [*sections, training_section(folder)]


def training_section(folder: Path) -> Section:
    """The loss curves of what is in a model's folder."""
    told = {name: values for name, values in loop.history(folder / "training").items() if name in TOLD}
    return Section("Training", "Losses by step.", report.curves(told))


def fit_page(folder: Path, album: Album, fitted: Fitted) -> Path:
    """Write `report.html` of a fitted model into its folder."""
    sections = [album_section(album)]
    if fitted.held_back:
        sections.append(held_back_section(fitted))
    sections += model_sections(fitted)
    sections += figure_sections(fitted, folder)
    lead = f"{len(fitted.photos)} photos became a personal 3D model of {fitted.numbers:,} numbers."
    return write(folder, album, fitted.model.card.prior_digest, "a personal 3D model", lead, sections)


def fit2d_page(folder: Path, album: Album, fitted: Fitted2D) -> Path:
    """Write `report.html` of a fitted 2D model into its folder."""
    model = fitted.model
    sections = [album_section(album)]
    if len(fitted.held_back):
        words = "Photos that no training saw, drawn at the codes that the inversion encoder finds."
        sections.append(Section("Held-back photos", words, _beside(fitted.held_back, fitted.by_prior, fitted.by_model)))
    tuned = fitted.photos
    shown = {"photo": tuned.images[:SHOWN], "personal model": model.portraits(tuned.w_plus[:SHOWN])}
    sections.append(Section("Photos that were learned", "At their anchors.", report.labelled(shown)))
    sections.append(_hull_section(model))
    sections += figure_sections(fitted, folder)
    lead = f"{len(tuned)} photos became a personal 2D model of {fitted.numbers:,} numbers."
    return write(folder, album, model.card.prior_digest, "a personal 2D model", lead, sections)


def update_page(album: Album, made: Updated) -> Path:
    """Write `report.html` of an update into the folder of its state."""
    sections = [
        Section(name.capitalize(), f"Photos that no training saw, {made.shown}.", report.labelled(looks.rows))
        for name, looks in made.looks.items()
    ]
    if made.measured:
        words = "Means over pictures with 95 % bootstrap intervals. New looks should gain, old ones should not lose."
        sections.append(Section("Gained and forgotten", words, report.figures(made.measured)))
    if made.buffer:
        kept = torch.cat([image.resize(c.picture, BUFFER_PX) for c in made.buffer])
        words = "The photos that are kept for the next session: all that it needs of the past."
        sections.append(Section("The buffer", words, report.picture(image.grid(kept), "buffer", wide=False)))
    sections.append(training_section(made.folder))
    state = made.history.now
    lead = f"State {state.number}, from state {state.parent}: {made.new} new photos, {made.replayed} replayed."
    return write(made.folder, album, made.digest, f"state {state.number}", lead, sections)


def write(folder: Path, album: Album, prior: str | None, what: str, lead: str, sections: list[Section]) -> Path:
    """Write `report.html` of something of an album's person that stands on a prior (its digest)."""
    foot = f"Consent: {album.record.consent.statement} Prior {prior}. Made with selfsame."
    return report.write(folder / "report.html", f"{album.record.name}: {what}", lead, sections, foot)
