"""Photograph synthetic people for judges, encoders and the 2D prior.

    python recipes/photo_data.py --out runs/photos --people 2000       # half an hour on one core
    python recipes/photo_data.py --out runs/photos --kind portraits --people 20000

Photos, for the judges, are taken from an album's cameras, several looks a person: age, style, light, expression and
view differ. Portraits, for what works in two dimensions, are taken face to face, one a person. The chunks `test_...`
and `unseen_...` hold people whom no recipe trains on, so that training and measuring need no renderer. Resumes by
chunk; several processes share the work with --share 0/2 and --share 1/2.
"""

import argparse
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from chunks import write_missing
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import rng
from selfsame.core.camera import Camera
from selfsame.core.memory import keep_freed_memory
from selfsame.world import person, render
from selfsame.world.album import ALBUM, PORTRAIT, Photographers, album_cameras
from selfsame.world.surface import surface

SIZE_PX = 128
MAP_PX = (144, 192)  # as fine as the picture: a third of the time of the full map


@dataclass(frozen=True)
class Kind:
    """What a chunk holds: so many people, so many looks each, who takes them; the people's seeds start at `first`."""

    people: int
    looks: int
    stand: Photographers
    first: int


KINDS = {
    "photos": Kind(50, 6, ALBUM, 2_000_000),
    "test": Kind(50, 6, ALBUM, 900_000),
    "portraits": Kind(300, 1, PORTRAIT, 3_000_000),
    "unseen": Kind(100, 2, PORTRAIT, 910_000),
}
UNSEEN = {"photos": ("test", 100), "portraits": ("unseen", 100)}  # which people measure what was trained on a kind


@dataclass(frozen=True)
class Photos:
    """Photos (N, 3, s, s) 8-bit with their truth: codes (N, CODE_DIM), cameras packed (N, 25), people from 0."""

    photos: Tensor
    codes: Tensor
    cameras: Tensor
    people: Tensor

    def __len__(self) -> int:
        return len(self.photos)

    def images(self, which: Tensor | slice) -> Tensor:
        """Some photos as floats in [-1, 1]."""
        return self.photos[which].float() / 127.5 - 1

    def at(self, size_px: int) -> "Photos":
        """The same photos averaged down to a smaller size."""
        if size_px == self.photos.shape[-1]:
            return self
        parts = [
            F.adaptive_avg_pool2d(part.float(), size_px).round().to(torch.uint8) for part in self.photos.split(500)
        ]
        return replace(self, photos=torch.cat(parts))

    @property
    def years(self) -> Tensor:
        """Age in years of each photo (N,)."""
        return person.decode(self.codes).age.years


def photograph(people: list[int], seed: int, stand: Photographers = ALBUM, size_px: int = SIZE_PX) -> Photos:
    """One photo a listed person (repeats welcome), at a random look from a random camera."""
    look = person.draw_photos(people, seed)
    camera = album_cameras(len(people), rng.generator(seed, "cameras"), stand=stand)
    photos = ((pictures(look, camera, size_px) + 1) * 127.5).round().to(torch.uint8)
    _, number = torch.tensor(people).unique(return_inverse=True)
    return Photos(photos, person.encode(look), camera.pack(), number)


def pictures(look: person.Look, camera: Camera, size_px: int, oversample: int = 1) -> Tensor:
    """What cameras see of as many looks, (N, 3, s, s) in [-1, 1], on maps as fine as the picture."""
    parts = [slice(i, i + 4) for i in range(0, len(look), 4)]
    solids = (surface(person.select(look, part), MAP_PX) for part in parts)
    seen = [render.render(solid, camera[part], size_px, oversample) for part, solid in zip(parts, solids, strict=True)]
    return torch.cat([one.image for one in seen])


def draw_chunk(kind: Kind, index: int) -> dict[str, Tensor]:
    """The photos of chunk `index` of a kind."""
    seed = kind.first + index
    people = [kind.first + index * kind.people + i // kind.looks for i in range(kind.people * kind.looks)]
    return {name: value.contiguous() for name, value in vars(photograph(people, seed, kind.stand)).items()}


def read(folder: Path, stem: str = "photos") -> Photos:
    """All chunks of a kind as one; people are numbered through."""
    chunks = [load_file(path) for path in sorted(folder.glob(f"{stem}_*.safetensors"))]
    joined = {name: torch.cat([c[name] for c in chunks]) for name in ("photos", "codes", "cameras")}
    people = torch.cat([c["people"] + i * KINDS[stem].people for i, c in enumerate(chunks)])
    return Photos(**joined, people=people)


def moved(images: Tensor, scale: Tensor, turn: Tensor, shift: Tensor, flip: Tensor | float = 1.0) -> Tensor:
    """Images (B, 3, s, s), each scaled (B,), turned (radians, B), shifted (half sides, (B, 2)), mirrored where -1."""
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = flip * scale * turn.cos(), -scale * turn.sin()
    theta[:, 1, 0], theta[:, 1, 1] = flip * scale * turn.sin(), scale * turn.cos()
    theta[:, :, 2] = shift
    places = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, places, padding_mode="border", align_corners=False)


def blurred(images: Tensor, share: Tensor) -> Tensor:
    """Images mixed with themselves at half the size, by the share (B,) of it."""
    small = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="bilinear", align_corners=False)
    return images + share[:, None, None, None] * (small - images)


def main() -> None:
    """Write the chunks that are missing."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--kind", choices=sorted(UNSEEN), default="photos")
    options.add_argument("--people", type=int, default=2000)
    options.add_argument("--share", default="0/1", help="which part of the chunks this process writes, e.g. 0/2")
    given = options.parse_args()
    keep_freed_memory()
    for stem, people in ((given.kind, given.people), UNSEEN[given.kind]):
        kind = KINDS[stem]
        write_missing(given.out, stem, people // kind.people, partial(draw_chunk, kind), given.share)


if __name__ == "__main__":
    main()
