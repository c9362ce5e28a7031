"""Reports of fitted models: the sections that every report has, and the page of `selfsame fit`."""

from pathlib import Path

import torch

from selfsame.core import image
from selfsame.core.camera import Camera, orbit
from selfsame.faces.album import Album
from selfsame.jobs import report
from selfsame.jobs.fit import Fitted
from selfsame.jobs.lifelong import Updated
from selfsame.jobs.report import Section
from selfsame.train import loop

SHOWN = 6  # pictures in a row
ORBIT_FRAMES = 48
BUFFER_PX = 160


def album_section(album: Album) -> Section:
    """The contact sheet."""
    words = "What was taken in, with the landmarks and the camera found on each photo, and why some were left out."
    return Section("Photos", words, report.picture(album.sheet(160), "contact sheet"))


def held_back_section(fitted: Fitted) -> Section:
    """Held-back photos beside what the prior and the model make of them."""
    assert fitted.held_back and fitted.by_prior and fitted.by_model
    rows = {
        "photo": fitted.held_back.images[:SHOWN],
        "un-personalized prior": fitted.by_prior.image[:SHOWN],
        "personal model": fitted.by_model.image[:SHOWN],
    }
    words = "Photos that no training saw, found again in the prior and in the personal model."
    return Section("Held-back photos", words, report.labelled(rows))


def model_sections(fitted: Fitted, front: Camera) -> list[Section]:
    """The orbit with its depth, and appearances from the hull."""
    model = fitted.model
    turned = model.orbit(ORBIT_FRAMES, model.most_frontal())
    depth = report.depth_colours(turned.depth, turned.alpha, turned.image.shape[-1])
    films = report.film(turned.image, "orbit", enlarge=3) + report.film(depth, "depth", enlarge=3)
    sampled = model.render(model.sample(2 * SHOWN), front).image
    return [
        Section(
            "In three dimensions", "The most frontal photo's look along an orbit, and its depth: near is bright.", films
        ),
        Section(
            "Appearances from the person's hull",
            "New looks, mixed from three photos each.",
            report.picture(image.grid(sampled, columns=SHOWN), "samples"),
        ),
    ]


def figure_sections(fitted: Fitted, folder: Path) -> list[Section]:
    """The figures and the loss curves."""
    sections = []
    if fitted.measured:
        words = "Means over pictures with 95 % bootstrap intervals."
        sections.append(Section("Quality", words, report.figures(fitted.measured)))
    words = "Losses by step."
    sections.append(Section("Training", words, report.curves(loop.history(folder / "training"))))
    return sections


def fit_page(folder: Path, album: Album, fitted: Fitted) -> Path:
    """Write `report.html` of a fitted model into its folder."""
    sections = [album_section(album)]
    if fitted.held_back:
        sections.append(held_back_section(fitted))
    sections += model_sections(fitted, orbit(4)[0])
    sections += figure_sections(fitted, folder)
    lead = f"{len(fitted.photos.images)} photos became a personal 3D model of {fitted.numbers:,} numbers."
    foot = f"Consent: {album.record.consent.statement} Prior {fitted.model.card.prior_digest}. Made with selfsame."
    return report.write(folder / "report.html", f"{album.record.name}: a personal 3D model", lead, sections, foot)


def update_page(album: Album, made: Updated) -> Path:
    """Write `report.html` of an update into the folder of its state."""
    sections = []
    for name, looks in made.looks.items():
        found = {"photo": looks.held.images, "the model before": looks.before, "the model after": looks.after}
        words = "Photos that no training saw, found again in the model before this session and in the one after."
        sections.append(Section(name.capitalize(), words, report.labelled(found)))
    if made.measured:
        words = "Means over pictures with 95 % bootstrap intervals. New looks should gain, old ones should not lose."
        sections.append(Section("Gained and forgotten", words, report.figures(made.measured)))
    if made.buffer:
        kept = torch.cat([image.resize(c.picture, BUFFER_PX) for c in made.buffer])
        words = "The photos that are kept for the next session: all that it needs of the past."
        sections.append(Section("The buffer", words, report.picture(image.grid(kept), "buffer", wide=False)))
    sections.append(Section("Training", "Losses by step.", report.curves(loop.history(made.folder / "training"))))
    state = made.history.now
    lead = f"State {state.number}, from state {state.parent}: {made.new} new photos, {made.replayed} replayed."
    foot = f"Consent: {album.record.consent.statement} Prior {made.model.card.prior_digest}. Made with selfsame."
    return report.write(made.folder / "report.html", f"{album.record.name}: state {state.number}", lead, sections, foot)
