"""Ages by the age judge, the last resort for photos of which nothing tells the age."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from selfsame.faces import ages
from selfsame.faces.album import Album
from selfsame.faces.align import Alignment
from selfsame.faces.records import PhotoRecord
from selfsame.jobs.progress import Progress, silent
from selfsame.nets.age import DEX_PX, AgeJudge, DexVgg

BATCH = 64
STARTER_PX = 128  # of the photos that the starter judge learned from


def estimate(album: Album, judge: AgeJudge, progress: Progress = silent) -> None:
    """Give the judge's age to each kept photo that has none, marked as estimated.

    The album is saved after each batch of 64: memory stays flat, and a call that was cut short goes on. Raises BadInput
    where a crop is missing.
    """
    unknown = {photo.id: photo for photo in album.kept if photo.age_years is None}
    for found in _judged(album, judge, list(unknown.values()), progress):
        album.change({
            name: replace(unknown[name], age_years=years, age_source="estimated") for name, years in found.items()
        })  # fmt: skip


def doubts(album: Album, judge: AgeJudge, progress: Progress = silent) -> dict[str, str]:
    """By photo's id, a sentence where the judge is far from the age that another source gave; nothing is changed."""
    said: dict[str, str] = {}
    asked = [photo for photo in album.kept if photo.age_years is not None and photo.age_source != "estimated"]
    known = {photo.id: photo for photo in asked}
    for found in _judged(album, judge, asked, progress):
        for name, years in found.items():
            photo = known[name]
            if photo.age_years is not None and photo.age_source is not None:
                doubt = ages.settle({photo.age_source: photo.age_years, "estimated": years}).age_conflict
                said |= {name: doubt} if doubt else {}
    return said


def _judged(
    album: Album, judge: AgeJudge, photos: Sequence[PhotoRecord], progress: Progress
) -> Iterator[dict[str, float]]:
    """The judged age (years) of some kept photos by id, a batch at a time.

    DEX learned from FFHQ's crops (SAM shows it those), the starter judge from EG3D's.
    """
    dex = isinstance(judge.network, DexVgg)
    alignment: Alignment = "ffhq" if dex else "eg3d"
    size_px = DEX_PX if dex else STARTER_PX
    places = {photo.id: i for i, photo in enumerate(album.kept)}
    device = next(judge.parameters()).device
    for start in range(0, len(photos), BATCH):
        part = photos[start : start + BATCH]
        images = album.images(size_px, alignment, [places[photo.id] for photo in part])
        with torch.no_grad():
            years = judge(images.to(device)).tolist()
        yield {photo.id: round(age, 1) for photo, age in zip(part, years, strict=True)}
        progress("judging ages", start + len(part), len(photos))
