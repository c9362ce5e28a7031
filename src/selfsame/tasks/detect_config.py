"""How detectors are trained: one configuration, and a preset for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from selfsame.tasks.clip_augment import AugmentConfig
from selfsame.tasks.clip_crops import CropConfig

FACE, USUAL = CropConfig(), AugmentConfig()
SMALL_CROP, LONGER = CropConfig(px=112), CropConfig(px=112, segments=4, length=8)
LIGHT = AugmentConfig(turn_deg=5.0, scale=0.05, tone=0.05, blur=0.0, jpeg=0.0)


@dataclass(frozen=True)
class DetectConfig:
    """How a detector is trained: by name, on crops cut how, for how many steps of `batch` clips, half of them real.

    Every `select_every` steps it is judged on the selection set by `select_units` units a clip, and the best kept.
    Fakes are drawn by generator first, so that no generator counts more than another. SGD has a momentum of 0.9.
    `backbone` is the sha256 of the file of pretrained weights, null from scratch.
    """

    detector: str
    crop: CropConfig = FACE
    augment: AugmentConfig = USUAL
    steps: int = 3000
    batch: int = 32
    lr: float = 2e-4
    weight_decay: float = 5e-4
    select_every: int = 250
    select_units: int = 8
    seed: int = 0
    optimizer: Literal["adamw", "sgd"] = "adamw"
    backbone: str | None = None


PRESETS: Mapping[str, DetectConfig] = {
    # Rates of DeepfakeBench's configurations, for these backbones; TALL's own schedule.
    "xception": DetectConfig("xception", CropConfig(px=256)),
    "efficientnet-b4": DetectConfig("efficientnet-b4", CropConfig(px=256)),
    "vit-b16": DetectConfig("vit-b16", lr=3e-5),
    "tall-swin-b": DetectConfig("tall-swin-b", lr=1.5e-5, weight_decay=0.05, steps=6000),
    "clip-probe": DetectConfig("clip-probe", lr=1e-3, steps=1000),
    # Theirs (1000 epochs of batches of 16 frame runs in AltFreezing's i3d_ori.yaml, 50 of batches of 2 in MM-Det's
    # train_options.py, there with Adam); how many steps that is hangs on the clips.
    "altfreezing": DetectConfig(
        "altfreezing", CropConfig(length=32), steps=20_000, batch=16, lr=0.05, weight_decay=1e-4, optimizer="sgd"
    ),
    "mm-det": DetectConfig("mm-det", CropConfig(length=10), steps=20_000, batch=2, lr=2e-5, weight_decay=1e-6),
    # Found on the training and selection clips of `world benchmark`. Blur and JPEG would take away what these go by.
    "cnn-small": DetectConfig("cnn-small", SMALL_CROP, LIGHT, 300, lr=3e-3, weight_decay=0.02, select_every=50),
    "vit-small": DetectConfig("vit-small", SMALL_CROP, LIGHT, 300, lr=1e-3, weight_decay=0.02, select_every=50),
    "tall-small": DetectConfig("tall-small", SMALL_CROP, LIGHT, 250, lr=1e-3, weight_decay=0.02, select_every=50),
    "altfreezing-small": DetectConfig("altfreezing-small", LONGER, LIGHT, 120, 16, 2e-3, 0.02, select_every=40),
    "mm-det-small": DetectConfig("mm-det-small", SMALL_CROP, LIGHT, 120, 16, 1e-3, 0.02, select_every=40),
}
