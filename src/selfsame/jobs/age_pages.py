"""The report of a fitted time machine."""

from pathlib import Path

import torch

from selfsame.faces import draw
from selfsame.faces.album import Album
from selfsame.jobs import pages, report
from selfsame.jobs.age_fit import Fitted
from selfsame.jobs.report import Section
from selfsame.tasks.time_machine import TimeMachine

TILE_PX = 160
SHOWN_AGES = tuple(range(10, 90, 10))
SHOWN_PHOTOS = 3


def fit_page(folder: Path, album: Album, fitted: Fitted) -> Path:
    """Write `report.html` of a time machine into its folder."""
    machine = fitted.machine
    low, high = fitted.photos.span
    lead = (
        f"{len(fitted.photos.images)} photos at {low} to {high} years taught how this person ages. "
        f"Outside these years the model stays near how people age in general."
    )
    if fitted.without_age:
        lead += f" {fitted.without_age} photos of unknown age were not used."
    sections = [pages.album_section(album), _ages_section(fitted)]
    if fitted.measured:
        words = (
            "Held-back photos, each taken to the age of the held-back photo farthest from it in years, with 95 % "
            "bootstrap intervals over photos."
        )
        sections.append(Section("Quality", words, report.figures(fitted.measured)))
    sections.append(pages.training_section(folder))
    return pages.write(folder, album, machine.sam.card.digest, "a time machine", lead, sections)


def _ages_section(fitted: Fitted) -> Section:
    """Some photos at many ages, by the global prior above and the personal model below."""
    photos = fitted.held_back if len(fitted.held_back.images) else fitted.photos
    places = torch.linspace(0, len(photos.years) - 1, min(SHOWN_PHOTOS, len(photos.years))).long()
    rows = {}
    for i in photos.years.argsort()[places].tolist():
        one, own = photos.images[i : i + 1], int(photos.years[i])
        for name, machine in (("global prior", TimeMachine(fitted.machine.sam)), ("personal model", fitted.machine)):
            tiles = [draw.captioned(one.cpu(), f"photo, {own}", TILE_PX)]
            tiles += [draw.captioned(machine.reage(one, age).cpu(), f"{age}", TILE_PX) for age in SHOWN_AGES]
            rows[f"{name}, photo at {own} years"] = torch.cat(tiles)
    words = "Above as people age in general, below as this person does."
    return Section("The same photo at other ages", words, report.labelled(rows))
