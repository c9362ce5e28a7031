"""How fast the world is, and whether a face detector takes its people for people.

    python benchmarks/world.py --photos 300

Speed: pictures of 128 px, one ray a pixel and four, with a new look each and with one look for all (the solid is made
once). Detection: MTCNN on photos as `selfsame world album` takes them, every photo another person, yaw within 45
degrees; an exact (Clopper-Pearson) 95 % interval.
"""

import argparse
import time
from collections.abc import Callable

import torch
from scipy.stats import beta

from selfsame.core import camera as cameras
from selfsame.core import image, rng
from selfsame.core.camera import FACE_DISTANCE, FACE_PIVOT
from selfsame.core.memory import keep_freed_memory
from selfsame.faces import detect
from selfsame.world import album, person
from selfsame.world.render import render
from selfsame.world.surface import surface

FIRST = 600_000
YAW_LIMIT = 0.785  # radians


def rate(work: Callable[[], object], pictures: int, repeats: int = 3) -> float:
    """Pictures a second, the best of a few repeats."""
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return pictures / best


def speeds(count: int = 16) -> dict[str, float]:
    """Pictures of 128 px a second."""
    look = person.draw_photos([FIRST + i for i in range(count)], FIRST)
    view = album.album_cameras(count, rng.generator(FIRST, "speed"))
    solid = surface(person.select(look, slice(0, 1)))
    shared = solid[[0] * count]
    return {
        "new look each, 1 ray a pixel": rate(lambda: album.photograph(look, view, 128, 1), count),
        "new look each, 4 rays a pixel": rate(lambda: album.photograph(look, view, 128, 2), count),
        "one look, 1 ray a pixel": rate(lambda: render(shared, view, 128, 1), count),
        "one look, 4 rays a pixel": rate(lambda: render(shared, view, 128, 2), count),
    }


def detections(photos: int) -> int:
    """In how many photos of different people MTCNN finds a face."""
    g, found = rng.generator(FIRST, "detections"), 0
    for i in range(photos):
        yaw, pitch = (torch.rand(2, 1, generator=g) * 2 - 1) * torch.tensor([[YAW_LIMIT], [0.25]])
        view = cameras.from_angles(yaw, pitch, pivot=FACE_PIVOT, radius=FACE_DISTANCE, focal=album.PHOTO_FOCAL)
        look = person.draw_photos([FIRST + i], FIRST + i)
        picture = image.to_uint8(album.photograph(look, view, album.PHOTO_PX, 1))[0]
        found += bool(detect.detect(picture))
    return found


def main() -> None:
    """Print both."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--photos", type=int, default=300)
    given = options.parse_args()
    keep_freed_memory()
    for name, value in speeds().items():
        print(f"{name}: {value:.1f} pictures a second ({torch.get_num_threads()} threads)")
    found, n = detections(given.photos), given.photos
    low = float(beta.ppf(0.025, found, n - found + 1))
    high = float(beta.ppf(0.975, found + 1, n - found)) if found < n else 1.0
    print(f"MTCNN finds a face in {found} of {n} photos, {found / n:.3f} [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
