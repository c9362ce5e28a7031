"""Draw and light synthetic people once, so that training reads them from disk: chunks of lit surfaces with their codes.

    python recipes/world_data.py --out runs/world --looks 10000        # about 6 minutes on two cores, 3.4 GB

Every look is another person. Run the same command again to resume; a larger --looks adds chunks.
"""

import argparse
from pathlib import Path

import torch
from chunks import write_missing
from safetensors.torch import load_file

from selfsame.world import person
from selfsame.world.surface import Surface, surface

CHUNK = 200  # looks
TRAIN_SEED = 1_000_000  # people with smaller seeds are kept for selection and test


def draw_chunk(index: int) -> dict[str, torch.Tensor]:
    """The surfaces and codes of chunk `index`, in compact number formats."""
    people = [TRAIN_SEED + index * CHUNK + i for i in range(CHUNK)]
    look = person.draw_photos(people, TRAIN_SEED + index)
    code = person.encode(look)
    parts = [surface(person.select(look, slice(i, i + 4))) for i in range(0, CHUNK, 4)]
    data = {name: torch.cat([getattr(p, name) for p in parts]) for name in vars(parts[0])}
    data["maps"] = data["maps"].half()
    data["colour"] = (data["colour"] * 255).round().to(torch.uint8)
    return {**{k: v.contiguous() for k, v in data.items()}, "code": code}


def read_chunk(path: Path) -> tuple[Surface, torch.Tensor]:
    """The surfaces of a chunk, still compact (see `expand`), and their codes."""
    data = load_file(path)
    code = data.pop("code")
    return Surface(**data), code


def expand(s: Surface) -> Surface:
    """A few compact surfaces as the floats that the world's functions take."""
    return Surface(**{**vars(s), "maps": s.maps.float(), "colour": s.colour.float() / 255})


def main() -> None:
    """Write the chunks that are missing."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--looks", type=int, default=10_000)
    given = options.parse_args()
    write_missing(given.out, "chunk", given.looks // CHUNK, draw_chunk)


if __name__ == "__main__":
    main()
