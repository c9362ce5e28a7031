"""Who personal 3D models are evaluated on: people of the world, whose true shape and new views are known, or albums.

My3DGen's tasks [Qi et al. 2025; facts, section 4.7] on nested albums: the first five photos of fifty are the five.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import Tensor

from selfsame.core import image, rng
from selfsame.core.camera import Camera
from selfsame.core.config import write_atomic
from selfsame.core.errors import BadInput
from selfsame.faces.album import Album
from selfsame.world import album as world
from selfsame.world import person, render
from selfsame.world.person import Age, Look
from selfsame.world.surface import surface

FIRST = 956_000  # seeds that no recipe trains on and that chose no setting; those from 964,000 on did
SIZES = (5, 10, 25, 50)  # photos that a model learns from
HELD_BACK = 20
SESSIONS, YEARS = 4, 3.0  # in how many styles a person is photographed, within how many years
YOUNGEST, OLDEST = 18, 70
PX = 128
FEWEST_OF_ALBUM = 8  # photos, learned from and held back


@dataclass(frozen=True, eq=False)
class Sitter:
    """A person's N photos, those to learn from first: pictures, cameras and, of a synthetic person, the true looks."""

    name: str
    images: Float[Tensor, "n 3 s s"]
    camera: Camera
    learned: int
    looks: Float[Tensor, "n d"] | None = None
    seed: int = 0

    @property
    def held_back(self) -> slice:
        """Which photos nothing is learned from."""
        return slice(self.learned, len(self.images))

    def truth(self, which: slice, camera: Camera, image_px: int, depth_px: int) -> tuple[Tensor, Tensor]:
        """The looks of some photos seen by other cameras: pictures (B, 3, s, s), and depth (B, 1, d, d) in world units
        along the ray, 0 where there is nobody. Synthetic people alone have it.
        """
        assert self.looks is not None
        look = person.decode(self.looks[which], person.draw_marks([self.seed] * len(camera)))
        images, depths = [], []
        for i in range(0, len(camera), 4):
            part = slice(i, i + 4)
            solid = surface(person.select(look, part))
            images.append(render.render(solid, camera[part], image_px, 1).image)
            depths.append(render.render(solid, camera[part], depth_px, 1).depth)
        return torch.cat(images), torch.cat(depths)


def synthetic(seed: int, folder: Path) -> Sitter:
    """The person with this seed, photographed at the first call and read back from `folder` at the others."""
    file = folder / "photos.safetensors"
    if not file.exists():
        look, camera = _shoot(seed)
        pixels = image.to_uint8(world.photograph(look, camera, PX, 1))
        data = {"pixels": torch.from_numpy(pixels.copy()), "looks": person.encode(look), "camera": camera.pack()}
        write_atomic(file, to_safetensors(data))
    data = load_file(file)
    # Cloned: a tensor inside a file's bytes lies at any address, and the last bits of sums depend on alignment.
    images, camera = image.from_uint8(data["pixels"].numpy()), Camera.unpack(data["camera"].clone())
    return Sitter(str(seed), images, camera, max(SIZES), data["looks"].clone(), seed)


def albums(folder: Path) -> list[Path]:
    """The people's folders with an album, by name; raises BadInput where there are none."""
    found = sorted(path.parent for path in folder.glob("*/album.json"))
    if not found:
        raise BadInput(f"{folder} holds nobody's album.", "Make some with `selfsame album add NAME PHOTOS`.")
    return found


def of_album(path: Path, size_px: int) -> Sitter:
    """The person of an album; which photos are held back is decided by their digests, as in a fit.

    Raises BadInput for an album of too few photos.
    """
    album = Album.open(path)
    train, test = album.split(0.3)
    if len(album.kept) < FEWEST_OF_ALBUM or not len(test):
        raise BadInput(
            f"{path} has {len(album.kept)} usable photos; an evaluation needs at least {FEWEST_OF_ALBUM}.",
            "Add some with `selfsame album add`, or leave this person out.",
        )
    order = torch.cat([train, test])
    return Sitter(album.record.name, album.images(size_px)[order], album.cameras()[order], len(train))


def _shoot(seed: int) -> tuple[Look, Camera]:
    """Looks and cameras of all photos: a person of random age in a few styles, all else at random."""
    count = max(SIZES) + HELD_BACK
    g = rng.generator(seed, "my3dgen photos")
    sessions = torch.randint(SESSIONS, (count,), generator=g).tolist()
    style = person.draw_style([seed] * count, sessions)
    identity = person.draw_identity([seed]).expand(count, -1)
    code = torch.cat([identity, style, person.draw_conditions(count, g)], -1)
    begun = YOUNGEST + (OLDEST - YOUNGEST) * torch.rand((), generator=g)
    years = begun + YEARS * torch.rand(count, generator=g)
    look = replace(person.decode(code, person.draw_marks([seed] * count)), age=Age(years))
    return look, world.album_cameras(count, g)
