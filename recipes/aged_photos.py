"""Photograph synthetic people of all ages for the encoders and the age judge, and tell how old they are.

    python recipes/aged_photos.py --out runs/aged --people 3000

Every chunk `photos_...` holds PEOPLE people with LOOKS photos each; the chunks `test_...` hold people whom no recipe
trains on, so that training and measuring need no renderer. Resumes by chunk.
"""

import argparse
from pathlib import Path

import torch
from chunks import write_missing
from safetensors.torch import load_file
from torch import Tensor

from selfsame.core import rng
from selfsame.world import person
from selfsame.world.album import album_cameras, photograph

PEOPLE, LOOKS = 50, 2
SIZE_PX = 128
FIRST = 3_000_000  # seeds of people no other recipe trains on
TEST_FIRST, TEST_PEOPLE = 910_000, 100  # seeds that no recipe trains on


def draw_chunk(first: int) -> dict[str, Tensor]:
    """Photos (N, 3, s, s) 8-bit of the people from this seed on, their ages in years, and who is who."""
    people = [first + i // LOOKS for i in range(PEOPLE * LOOKS)]
    look = person.draw_photos(people, first)
    images = photograph(look, album_cameras(len(people), rng.generator(first, "cameras")), SIZE_PX)
    photos = (images * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
    return {"photos": photos, "years": look.age.years.clone(), "people": torch.tensor(people)}


def read(folder: Path, stem: str = "photos") -> tuple[Tensor, Tensor, Tensor]:
    """All photos (N, 3, s, s) 8-bit, their ages, and the seeds of their people."""
    chunks = [load_file(path) for path in sorted(folder.glob(f"{stem}_*.safetensors"))]
    photos, years, people = (torch.cat([c[name] for c in chunks]) for name in ("photos", "years", "people"))
    return photos, years, people


def main() -> None:
    """Write the chunks that are missing."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--people", type=int, default=3000)
    given = options.parse_args()
    write_missing(given.out, "test", TEST_PEOPLE // PEOPLE, lambda i: draw_chunk(TEST_FIRST + i * PEOPLE))
    write_missing(given.out, "photos", given.people // PEOPLE, lambda i: draw_chunk(FIRST + i * PEOPLE))


if __name__ == "__main__":
    main()
