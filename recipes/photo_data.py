"""Photograph synthetic people for the judges: several looks each, small, from the cameras that albums have.

    python recipes/photo_data.py --out runs/photos --people 2000       # about 4 minutes on two idle cores

Every chunk holds PEOPLE people with LOOKS photos each; ages, light, expressions, views differ. Resumes by chunk.
"""

import argparse
from pathlib import Path

import torch
from chunks import write_missing
from safetensors.torch import load_file
from torch import Tensor

from selfsame.core import rng
from selfsame.world import person, render
from selfsame.world.album import album_cameras
from selfsame.world.surface import surface

PEOPLE, LOOKS = 50, 8
SIZE_PX = 72  # a margin about the judge's 64, for jitter
MAP_PX = (112, 144)
FIRST = 2_000_000  # seeds of people no other recipe trains on


def photograph(people: list[int], seed: int, size_px: int = SIZE_PX, map_px: tuple[int, int] = MAP_PX) -> Tensor:
    """One photo a listed person (repeats welcome), (N, 3, s, s) 8-bit."""
    look = person.draw_photos(people, seed)
    cameras = album_cameras(len(people), rng.generator(seed, "cameras"))
    taken = []
    for i in range(0, len(people), 8):
        part = slice(i, i + 8)
        solid = surface(person.select(look, part), map_px)
        taken.append(render.render(solid, cameras[part], size_px, oversample=1).image)
    return ((torch.cat(taken) + 1) * 127.5).round().to(torch.uint8)


def draw_chunk(index: int) -> dict[str, Tensor]:
    """The photos of chunk `index`."""
    people = [FIRST + index * PEOPLE + i // LOOKS for i in range(PEOPLE * LOOKS)]
    return {"photos": photograph(people, FIRST + index)}


def read(folder: Path) -> tuple[Tensor, Tensor]:
    """All photos (N, 3, s, s) 8-bit and the person of each, numbered from 0."""
    chunks = [load_file(path) for path in sorted(folder.glob("photos_*.safetensors"))]
    return torch.cat([c["photos"] for c in chunks]), torch.arange(len(chunks) * PEOPLE).repeat_interleave(LOOKS)


def main() -> None:
    """Write the chunks that are missing."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--people", type=int, default=2000)
    given = options.parse_args()
    write_missing(given.out, "photos", given.people // PEOPLE, draw_chunk)


if __name__ == "__main__":
    main()
