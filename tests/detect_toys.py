"""Examples for detectors that a small one learns at once: fakes have a faint checkerboard."""

from dataclasses import dataclass

import numpy as np
import torch

from selfsame.tasks.clip_augment import AugmentConfig
from selfsame.tasks.clip_crops import ClipCrops, CropConfig
from selfsame.tasks.detect import Example
from selfsame.tasks.detect_config import DetectConfig

CROP = CropConfig(px=32, segments=2, length=4)
STILL = AugmentConfig(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0), 0.0, (100, 100))


def config(detector: str = "cnn-small", **changes: object) -> DetectConfig:
    """A training of a few steps."""
    fields = {"crop": CROP, "augment": STILL, "steps": 6, "batch": 8, "lr": 2e-3, "select_every": 3}
    return DetectConfig(detector, **(fields | changes))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Made:
    """Crops that are drawn when they are asked for."""

    seed: int
    fake: bool

    def __call__(self) -> ClipCrops:
        random = np.random.default_rng(self.seed)
        tone = random.uniform(60, 190, (CROP.segments, CROP.length, 1, 1, 3))
        pixels = tone + random.normal(0, 8, (CROP.segments, CROP.length, CROP.px, CROP.px, 3))
        if self.fake:
            pixels += 14 * (np.indices((CROP.px, CROP.px)).sum(0) // 2 % 2 * 2 - 1)[:, :, None]
        numbers = torch.arange(CROP.segments * CROP.length).reshape(CROP.segments, CROP.length)
        boxes = torch.tensor([[0.0, 0.0, CROP.px, CROP.px]] * CROP.segments, dtype=torch.float64)
        whole = torch.from_numpy(pixels.clip(0, 255).astype(np.uint8))
        return ClipCrops(whole, numbers, numbers / 25.0, boxes)


def examples(first: int, count: int) -> list[Example]:
    """As many real ones and fakes of two generators, each with a digest and a face of its own."""
    made = []
    for n in range(first, first + count):
        fake = n % 2 == 1
        maker = ("one", "two")[n // 2 % 2] if fake else "real"
        made.append(Example(f"{n:064d}", fake, maker, f"face {n}", "world", Made(n, fake)))
    return made
