"""How fast photos are taken into an album, and whether memory stays flat.

    python benchmarks/album_intake.py --photos 500 --side 1024
    python benchmarks/album_intake.py --photos 5000 --side 1024
    python benchmarks/album_intake.py --photos 60 --side 4000

Photos of one synthetic person, rendered once, then moved, turned, lit and noised into as many JPEG files as are asked
for, of `side` x 3/4 `side` pixels. They are taken in as `selfsame album add` does, by the identity judge, in a process
of its own; then the same call again, which finds nothing new; then the review page is written. The peak is the system's
(VmHWM). The rule that leaves copies out is off: the photos are made from few.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from selfsame.core import image, rng
from selfsame.world import album as world

BASES = 24
ADD = """
import sys, time
from pathlib import Path
from selfsame.core.memory import keep_freed_memory
from selfsame.faces import adding
from selfsame.faces.album import Album
from selfsame.jobs import album_review, parts
def peak():  # not ru_maxrss, which a process inherits from the one that started it
    return next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmHWM')) / 1024
adding.COPY_BITS = -1
keep_freed_memory()
photos, folder = map(Path, sys.argv[1:])
album = Album.create(folder, consent='Nobody: synthetic')
judge = parts.person_judge()
album.add(sorted(photos.iterdir())[:4], judge=judge)
before = peak()
figures = []
for _ in range(2):
    begun, cpu = time.perf_counter(), time.process_time()
    album.add([photos], judge=judge)
    figures += [time.perf_counter() - begun, time.process_time() - cpu]
begun = time.perf_counter()
album_review.write(album)
print(before, peak(), len(album.kept), *figures, time.perf_counter() - begun)
"""


def write(folder: Path, count: int, side: int) -> None:
    """The photo files, each different."""
    shoot = world.shoot(961_900, BASES, folder.parent / "shoot")
    bases = [image.to_uint8(image.load(file))[0] for file in shoot.files]
    folder.mkdir()
    for i in range(count):
        g = np.random.default_rng(rng.key(0, "variation", i))
        base = bases[i % BASES]
        height, width = side * 3 // 4, side
        scale = 0.9 * height / base.shape[0] * g.uniform(0.7, 1.0)
        turn = cv2.getRotationMatrix2D((base.shape[1] / 2, base.shape[0] / 2), g.uniform(-12, 12), scale)
        turn[:, 2] += (width / 2 - base.shape[1] / 2, height / 2 - base.shape[0] / 2)
        turn[:, 2] += g.uniform(-0.05, 0.05, 2) * height
        pixels = cv2.warpAffine(base, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        noisy = pixels * g.uniform(0.8, 1.2) + g.normal(0, 3, (height, width, 1)).astype(np.float32)
        bgr = np.ascontiguousarray(noisy.clip(0, 255).astype(np.uint8)[..., ::-1])
        cv2.imwrite(str(folder / f"{i:05d}.jpg"), bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])


def main() -> None:
    """Make the files, take them in, print the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--photos", type=int, default=500)
    options.add_argument("--side", type=int, default=1024, help="pixels of the longer side")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        write(Path(name) / "photos", given.photos, given.side)
        command = [sys.executable, "-c", ADD, f"{name}/photos", f"{name}/album"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    before, peak, kept, wall, cpu, again, _, page = map(float, done.stdout.split())
    machine = f"{os.cpu_count()} cores ({platform.processor() or platform.machine()})"
    print(
        f"{given.photos} photos of {given.side} px on {machine}: "
        f"{given.photos / wall:.2f} a second ({wall:.0f} s, {cpu:.0f} CPU s), {kept:.0f} kept; "
        f"again {again:.1f} s; page {page:.1f} s; peak {peak:.0f} MiB, {before:.0f} MiB after the first four"
    )


if __name__ == "__main__":
    main()
