"""Files that show a personal model: videos, sheets, meshes."""

from pathlib import Path

from selfsame.core import image, video
from selfsame.core.config import writing
from selfsame.core.errors import WrongUse
from selfsame.tasks import mesh as meshes
from selfsame.tasks.model import PersonalModel
from selfsame.world.album import front

FPS = 24


def orbit(model: PersonalModel, path: Path, frames: int, anchor: int) -> Path:
    """One photo's look along EG3D's orbit, as MP4."""
    _check(path, ".mp4")
    video.write(path, model.orbit(frames, anchor).image, FPS)
    return path


def interpolation(model: PersonalModel, path: Path, one: int, other: int, frames: int) -> Path:
    """From one photo's look to another's seen from the front, as MP4."""
    _check(path, ".mp4")
    video.write(path, model.render(model.interpolate(one, other, frames), front(0.0, 0.0, 1)).image, FPS)
    return path


def samples(model: PersonalModel, path: Path, count: int, seed: int) -> Path:
    """A sheet of appearances from the person's hull."""
    _check(path, ".png", ".jpg", ".webp")
    with writing(path):
        image.save(image.grid(model.render(model.sample(count, seed), front(0.0, 0.0, 1)).image), path)
    return path


def mesh(model: PersonalModel, path: Path, anchor: int) -> Path:
    """The surface of one photo's look with vertex colours."""
    _check(path, ".glb", ".ply")
    model.check_anchor(anchor)
    with writing(path):
        meshes.surface_of(model.net, model.anchors[anchor : anchor + 1]).export(path)
    return path


def _check(path: Path, *suffixes: str) -> None:
    if path.suffix.lower() not in suffixes:
        raise WrongUse(f"{path.name} does not end in {' or '.join(suffixes)}.", "Give --out another name.")
