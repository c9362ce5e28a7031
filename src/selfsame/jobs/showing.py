"""Files that show a personal model: videos, sheets, meshes."""

from pathlib import Path

from selfsame.core import image, video, weights
from selfsame.core.config import writing
from selfsame.core.errors import BadInput, WrongUse
from selfsame.jobs import parts
from selfsame.tasks import mesh as meshes
from selfsame.tasks import model as model3d
from selfsame.tasks import model2d, time_machine
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.model2d import PersonalModel2D
from selfsame.tasks.prior2d import load_prior2d

FPS = 24
Shown = PersonalModel | PersonalModel2D


def load(folder: Path, prior: str | None = None) -> Shown:
    """The model of a person in a folder, on its prior, which has a name or is given.

    Raises BadInput where the folder holds something else.
    """
    card = weights.card_of(folder)
    kind, prior = card.kind, prior or parts.prior_of(card)
    if kind == model2d.KIND:
        flat = load_prior2d(prior)
        return model2d.load(folder, flat.net, flat.digest)
    if kind == time_machine.KIND:
        raise BadInput(f"{folder} holds a time machine.", "Try `selfsame age render NAME PHOTO --to 30`.")
    return model3d.load(folder, parts.load_prior(prior))


def orbit(model: Shown, path: Path, frames: int, anchor: int) -> Path:
    """One photo's look along EG3D's orbit, as MP4."""
    _check(path, ".mp4")
    video.write(path, solid(model).orbit(frames, anchor).image, FPS)
    return path


def interpolation(model: Shown, path: Path, one: int, other: int, frames: int) -> Path:
    """From one photo's look to another's seen from the front, as MP4."""
    _check(path, ".mp4")
    video.write(path, model.portraits(model.interpolate(one, other, frames)), FPS)
    return path


def samples(model: Shown, path: Path, count: int, seed: int) -> Path:
    """A sheet of appearances from the person's hull."""
    _check(path, ".png", ".jpg", ".webp")
    with writing(path):
        image.save(image.grid(model.portraits(model.sample(count, seed))), path)
    return path


def mesh(model: Shown, path: Path, anchor: int) -> Path:
    """The surface of one photo's look with vertex colours."""
    _check(path, ".glb", ".ply")
    made = solid(model)
    made.check_anchor(anchor)
    with writing(path):
        meshes.surface_of(made.net, made.anchors[anchor : anchor + 1]).export(path)
    return path


def solid(model: Shown) -> PersonalModel:
    """The model itself where it is one in three dimensions; raises WrongUse for another."""
    if isinstance(model, PersonalModel):
        return model
    raise WrongUse("A 2D model cannot turn heads.", "Give --sample or --interpolate, or fit one on a 3D prior.")


def _check(path: Path, *suffixes: str) -> None:
    if path.suffix.lower() not in suffixes:
        raise WrongUse(f"{path.name} does not end in {' or '.join(suffixes)}.", "Give --out another name.")
