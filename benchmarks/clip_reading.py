"""How long a detector waits for a clip: `tasks.clip_crops`, and the usual way of extracting every frame to PNG first.

Both find the face in the same frames with the same detector and give the same crops; told are seconds a clip of wall
time with one thread, for the first time and for every further epoch.

    python benchmarks/clip_reading.py FOLDER [--clips 8]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from selfsame.clips import index
from selfsame.core import video
from selfsame.core.video import Frame
from selfsame.tasks import clip_crops
from selfsame.tasks.clip_crops import ClipCrops, CropConfig


def extract(clip: Path, folder: Path) -> None:
    """Every frame of a clip as PNG."""
    folder.mkdir()
    for number, frame in enumerate(video.frames(clip)):
        cv2.imwrite(str(folder / f"{number:06d}.png"), frame.pixels[..., ::-1])


def extract_and_read(clip: Path, folder: Path, config: CropConfig) -> np.ndarray:
    """Both steps, as at the first time."""
    extract(clip, folder)
    return read_png(folder, config)


def read_png(folder: Path, config: CropConfig) -> np.ndarray:
    """The chosen frames from PNG, and the face cut out of them."""
    numbers = clip_crops.numbers_of(len(list(folder.iterdir())), config)
    pictures = {n: cv2.imread(str(folder / f"{n:06d}.png"))[..., ::-1].copy() for n in np.unique(numbers).tolist()}
    boxes = clip_crops._boxes([Frame(0.0, pictures[int(run[0])]) for run in numbers], folder)
    return np.array([
        [clip_crops._cut(pictures[int(n)], clip_crops._square(box, config.margin), config.px) for n in run]
        for run, box in zip(numbers, boxes, strict=True)
    ])  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=8)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    found = index.scan(arguments.folder)
    config = CropConfig()
    clip_crops.read(found.file(found.usable[0]), config)  # loads the detector
    chosen = found.usable[:: max(1, len(found.usable) // arguments.clips)][: arguments.clips]
    times: dict[str, list[float]] = {"PNG, first": [], "PNG, again": [], "selfsame, first": [], "selfsame, again": []}
    with tempfile.TemporaryDirectory() as folder:
        for number, clip in enumerate(chosen):
            path, frames = found.file(clip), Path(folder) / clip.digest
            ours = partial(clip_crops.cached, path, clip.digest, config, Path(folder) / "cache")
            ways: dict[str, tuple[Callable[[], ClipCrops | np.ndarray], ...]] = {
                "PNG": (partial(extract_and_read, path, frames, config), partial(read_png, frames, config)),
                "selfsame": (ours, ours),
            }
            made = []
            for name in sorted(ways, reverse=number % 2 == 1):  # neither is always the one that finds the file warm
                for when, way in zip(("first", "again"), ways[name], strict=True):
                    begun = time.perf_counter()
                    made.append(way())
                    times[f"{name}, {when}"].append(time.perf_counter() - begun)
            pixels = [one.pixels.numpy() if isinstance(one, ClipCrops) else one for one in made]
            assert all(np.array_equal(pixels[0], other) for other in pixels), clip.path
    for label, seconds in times.items():
        print(f"{label:16} {np.mean(seconds):7.3f} s a clip ({min(seconds):.3f} to {max(seconds):.3f})")
    for when in ("first", "again"):
        ratio = [a / b for a, b in zip(times[f"PNG, {when}"], times[f"selfsame, {when}"], strict=True)]
        print(f"{when}: {np.median(ratio):.1f} times faster (median of {len(ratio)} clips, least {min(ratio):.1f})")


if __name__ == "__main__":
    main()
