"""A synthetic person's photo shoot: files like a phone's, with dates, and the truth behind each of them."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from selfsame.core import camera as cameras
from selfsame.core import image, rng
from selfsame.core.camera import FACE_DISTANCE, FACE_PIVOT, Camera
from selfsame.core.config import from_json, to_json, write_atomic, writing
from selfsame.core.errors import BadInput, WrongUse
from selfsame.world import person
from selfsame.world.person import Age, Look
from selfsame.world.render import render
from selfsame.world.surface import surface

PHOTO_PX = 320
PHOTO_FOCAL = 2.75  # a face fills 0.65 of the side that it fills in an EG3D crop: intake has something to cut
BORN = date(1980, 1, 1)
NOBODY = "Nobody: this person was made by selfsame.world and does not exist."
PLAN_FILE = ".shoot.json"  # hidden: taking the folder in must not meet it
DATE_TAKEN, DATE_WRITTEN, EXIF_IFD = 36867, 306, 0x8769


@dataclass(frozen=True)
class Photographers:
    """Where photographers stand: standard deviations of yaw, pitch and roll about the front, in radians."""

    yaw: float
    pitch: float
    roll: float
    pitch_mean: float = 0.03


ALBUM = Photographers(yaw=0.42, pitch=0.16, roll=0.04)
PORTRAIT = Photographers(yaw=0.18, pitch=0.08, roll=0.02)  # face to face: what 2D networks are made for


@dataclass(frozen=True)
class Plan:
    """Whose photos a folder holds, how many of what ages, and of which session."""

    seed: int
    count: int
    years: tuple[float, float]
    session: int


@dataclass(frozen=True, eq=False)
class Shoot:
    """The looks (N) of one person, the cameras that saw them, and the files written, in the same order."""

    look: Look
    camera: Camera
    files: tuple[Path, ...]


def looks(seed: int, count: int, years: tuple[float, float], session: int = 0) -> Look:
    """One person `count` times in the style of one session: age uniform between `years`, the rest at random."""
    g = rng.generator(seed, "shoot", count, *later(session))
    same = torch.cat([person.draw_identity([seed]), person.draw_style([seed], [session])], -1).expand(count, -1)
    look = person.decode(torch.cat([same, person.draw_conditions(count, g)], -1), person.draw_marks([seed] * count))
    low, high = years
    return replace(look, age=Age(low + (high - low) * torch.rand(count, generator=g)))


def album_cameras(
    count: int, g: torch.Generator, focal: float = cameras.FFHQ_FOCAL, stand: Photographers = ALBUM
) -> Camera:
    """Random cameras: for an album mostly in front, seldom beyond 60 degrees, a little high or low, slightly tilted."""
    n = torch.randn(3, count, generator=g)
    yaw = (stand.yaw * n[0]).clamp(-1.1, 1.1)
    pitch = (stand.pitch * n[1] + stand.pitch_mean).clamp(-0.45, 0.45)
    return cameras.from_angles(yaw, pitch, roll=stand.roll * n[2], pivot=FACE_PIVOT, radius=FACE_DISTANCE, focal=focal)


def camera_normals(camera: Camera, stand: Photographers = ALBUM) -> Float[Tensor, "n 3"]:
    """The standard normals (yaw, pitch, roll) from which `album_cameras` made a camera; its clamps are not undone."""
    yaw, pitch = cameras.angles(camera)
    level = cameras.from_angles(yaw, pitch).cam2world[:, :3, :3]
    tilted = level.transpose(1, 2) @ camera.cam2world[:, :3, :3]
    roll = torch.atan2(tilted[:, 1, 0], tilted[:, 0, 0])
    return torch.stack([yaw / stand.yaw, (pitch - stand.pitch_mean) / stand.pitch, roll / stand.roll], -1)


def front(yaw: float, pitch: float, count: int) -> Camera:
    """One camera on the sphere of EG3D's crops, `count` times."""
    return cameras.facing(torch.full((count,), yaw), torch.full((count,), pitch))


def photograph(look: Look, camera: Camera, size_px: int, oversample: int = 2) -> Float[Tensor, "n 3 s s"]:
    """Pictures of looks, a few at a time."""
    parts = []
    for i in range(0, len(look), 4):
        part = slice(i, i + 4)
        parts.append(render(surface(person.select(look, part)), camera[part], size_px, oversample).image)
    return torch.cat(parts)


def later(session: int) -> tuple[int, ...]:
    """What tells the draws of a session from those of the first, which had no number."""
    return (session,) if session else ()


def shoot(
    seed: int, count: int, folder: Path | str, years: tuple[float, float] = (33.0, 36.0), session: int = 0
) -> Shoot:
    """Photograph the person with this seed and write JPEG files with capture dates (for somebody born on BORN).

    Another `session` shows another style: hair, beard, glasses, make-up. The same call again writes the same files.
    Raises BadInput where the folder holds another shoot: photos of two people under the same names would pass for one
    person's.
    """
    if count < 1:
        raise WrongUse(f"{count} photos cannot be taken.", "Ask for at least one.")
    folder = Path(folder)
    _claim(folder, Plan(seed, count, years, session))
    look = looks(seed, count, years, session)
    camera = album_cameras(count, rng.generator(seed, "photographer", count, *later(session)), PHOTO_FOCAL)
    files = []
    for i, (picture, age) in enumerate(zip(photograph(look, camera, PHOTO_PX, 1), look.age.years, strict=True)):
        taken = datetime.combine(BORN, datetime.min.time()) + timedelta(days=float(age) * 365.2425)
        files.append(folder / f"photo_{i:03d}.jpg")
        _write_photo(picture[None], files[-1], taken)
    return Shoot(look, camera, tuple(files))


def _claim(folder: Path, plan: Plan) -> None:
    path = folder / PLAN_FILE
    if not path.exists():
        write_atomic(path, to_json(plan))
        return
    if from_json(Plan, path.read_text(), str(path)) != plan:
        raise BadInput(
            f"{folder} holds another shoot (person, number, ages or session).", "Choose another folder with --out."
        )


def _write_photo(picture: Tensor, path: Path, taken: datetime) -> None:
    stamp = taken.strftime("%Y:%m:%d %H:%M:%S")
    exif = Image.Exif()
    exif[DATE_WRITTEN] = stamp
    exif.get_ifd(EXIF_IFD)[DATE_TAKEN] = stamp
    with writing(path):
        image.to_pil(picture).save(path, quality=95, subsampling=0, exif=exif.tobytes())
