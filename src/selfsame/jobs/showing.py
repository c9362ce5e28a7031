"""Files that show a personal model: videos, sheets, views from given cameras, meshes."""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsame.core import camera as cameras
from selfsame.core import image, video, weights
from selfsame.core.camera import Camera
from selfsame.core.config import writing
from selfsame.core.errors import BadInput, WrongUse
from selfsame.jobs import parts, picture_data
from selfsame.nets.triplane import Rendering, TriPlane
from selfsame.tasks import found, hull, model2d, shading, time_machine
from selfsame.tasks import mesh as meshes
from selfsame.tasks import model as model3d
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.model2d import PersonalModel2D
from selfsame.tasks.prior2d import load_prior2d

FPS = 24
Shown = PersonalModel | PersonalModel2D


@dataclass(frozen=True, eq=False)
class Look:
    """One look: the network that shows it, its code w_plus (1, L, w_dim) and the camera of its photo."""

    net: nn.Module
    w_plus: Float[Tensor, "1 l w"]
    camera: Camera


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


def look_of(model: Shown, which: str) -> Look:
    """An anchor by its number, or the found photo in a folder; raises BadInput where it is neither."""
    if which.isdecimal():
        number = int(which)
        model.check_anchor(number)
        return Look(model.net, model.anchors[number : number + 1], model.camera[number])
    if not Path(which).is_dir():
        raise BadInput(
            f"There is no look {which}.",
            "Give a photo's number (0, 1, …) or the folder of a photo found by `selfsame invert`.",
        )
    own = solid(model)
    photo = found.load(Path(which), own)
    return Look(photo.network(own.net), photo.w_plus, photo.camera)


def orbit(model: Shown, path: Path, frames: int, look: str = "0") -> Path:
    """One look along EG3D's orbit, as MP4."""
    _check(path, ".mp4")
    video.write(path, _render(model, look_of(solid(model), look), cameras.orbit(frames)).image, FPS)
    return path


def views(model: Shown, folder: Path, file: Path, look: str = "0") -> Path:
    """One look from each camera of a file, a PNG each in `folder`, named as the file names them."""
    mend = 'Give EG3D\'s {"labels": [[file, [25 numbers]], ...]}, or a list of such labels.'
    labels = picture_data.labels_in(file, mend)
    if not labels:
        raise BadInput(f"{file} names no camera.", mend)
    names = [Path(name).with_suffix("").as_posix().replace("/", "-") for name in labels]
    made = _render(model, look_of(solid(model), look), Camera.unpack(torch.tensor(list(labels.values()))))
    for name, picture in zip(names, made.image, strict=True):
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            image.save(picture[None], folder / f"{name}.png")
    return folder


def turntable(model: Shown, path: Path, frames: int, look: str = "0") -> list[Path]:
    """A film of the head turning from -90 to 90 degrees and back beside its shaded surface; the mesh as GLB and PLY."""
    _check(path, ".mp4")
    shown = look_of(solid(model), look)
    phase = 2 * math.pi * torch.arange(frames) / frames
    around = cameras.facing(-math.pi / 2 * phase.cos(), torch.zeros(frames))
    made = _render(model, shown, around)
    shape = shading.shaded(made.depth, made.alpha, around, made.image.shape[-1])
    video.write(path, torch.cat([made.image.clamp(-1, 1), shape], 3), FPS)
    return [path, *_meshes(shown, path.with_suffix(".glb"), path.with_suffix(".ply"))]


def interpolation(model: Shown, path: Path, one: str, other: str, frames: int, pose: bool = False) -> Path:
    """From one look to another, as MP4: seen from the front, or with `pose` from one photo's camera to the other's.

    Where a look has a tuned network of its own, the networks are interpolated too.
    """
    _check(path, ".mp4")
    a, b = look_of(model, one), look_of(model, other)
    codes = hull.interpolate(a.w_plus[0], b.w_plus[0], frames)
    if not pose and a.net is b.net is model.net:
        video.write(path, model.portraits(codes), FPS)
        return path
    own, share = solid(model), torch.linspace(0, 1, frames)
    front = cameras.facing(torch.zeros(frames), torch.zeros(frames))
    seen = cameras.between(a.camera, b.camera, share) if pose else front
    video.write(path, _between(own, a, b, codes, seen, share), FPS)
    return path


def samples(model: Shown, path: Path, count: int, seed: int, variety: float = 1.0) -> Path:
    """A sheet of appearances from the person's hull; `variety` as `tasks.hull.sample` has it."""
    _check(path, ".png", ".jpg", ".webp")
    with writing(path):
        image.save(image.grid(model.portraits(model.sample(count, seed, variety))), path)
    return path


def mesh(model: Shown, path: Path, look: str = "0") -> Path:
    """The surface of one look with vertex colours."""
    _check(path, ".glb", ".ply")
    return _meshes(look_of(solid(model), look), path)[0]


def solid(model: Shown) -> PersonalModel:
    """The model itself where it is one in three dimensions; raises WrongUse for another."""
    if isinstance(model, PersonalModel):
        return model
    raise WrongUse("A 2D model cannot turn heads.", "Give --sample or --interpolate, or fit one on a 3D prior.")


def _meshes(look: Look, *paths: Path) -> list[Path]:
    assert isinstance(look.net, TriPlane)
    surface = meshes.surface_of(look.net, look.w_plus)
    for path in paths:
        with writing(path):
            surface.export(path)
    return list(paths)


def _render(model: Shown, look: Look, camera: Camera) -> Rendering:
    own = solid(model)
    assert isinstance(look.net, TriPlane)
    return PersonalModel(look.net, own.anchors, own.camera, own.card).render(look.w_plus, camera)


def _between(
    model: PersonalModel, a: Look, b: Look, codes: Tensor, camera: Camera, share: Tensor
) -> Iterator[Float[Tensor, "3 s s"]]:
    """The frames between two looks, whose networks are mixed parameter by parameter."""
    net = copy.deepcopy(model.net)
    ends = [dict(look.net.named_parameters()) for look in (a, b)]
    for i in range(len(share)):
        if a.net is not b.net:
            with torch.no_grad():
                for name, parameter in net.named_parameters():
                    parameter.copy_(torch.lerp(ends[0][name], ends[1][name], float(share[i])))
        frame = _render(model, Look(net, codes[i : i + 1], camera[i]), camera[i])
        yield frame.image[0].clamp(-1, 1)


def _check(path: Path, *suffixes: str) -> None:
    if path.suffix.lower() not in suffixes:
        raise WrongUse(f"{path.name} does not end in {' or '.join(suffixes)}.", "Give --out another name.")
