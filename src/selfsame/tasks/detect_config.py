"""How detectors are trained: one configuration, and a preset for each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from selfsame.core.errors import BadInput, WrongUse
from selfsame.detectors import own
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
    `backbone` is the sha256 of the file of pretrained weights, null from scratch; `code` that of the user's file which
    builds the detector, null for ours.
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
    code: str | None = None


PRESETS: Mapping[str, DetectConfig] = {
    # Rates of DeepfakeBench's configurations, for these backbones; TALL's own schedule.
    "xception": DetectConfig("xception", CropConfig(px=256)),
    "efficientnet-b4": DetectConfig("efficientnet-b4", CropConfig(px=256)),
    "vit-b16": DetectConfig("vit-b16", lr=3e-5),
    "tall-swin-b": DetectConfig("tall-swin-b", lr=1.5e-5, weight_decay=0.05, steps=6000),
    "clip-probe": DetectConfig("clip-probe", lr=1e-3, steps=1000),
    # Of their released code: CADDM's first rate; DeepFake-Adapter's 0.1 for 256 clips, brought to 32.
    "caddm": DetectConfig("caddm", batch=128, lr=3.6e-4, weight_decay=4e-3),
    "deepfake-adapter": DetectConfig("deepfake-adapter", lr=0.0125, weight_decay=1e-4, optimizer="sgd"),
    # LipFD's windows and batch; its rate of 2e-9 is for a finished network, and the one before is not told: ours.
    "lipfd": DetectConfig("lipfd", CropConfig(500, 10, 5, whole=True, sound=True), batch=10, lr=1e-4),
    # HiFi-Net's rates (of Adam); its batch of 32 was spread over six cards, and ten frames take 39 GB to learn.
    "hifi-net": DetectConfig("hifi-net", CropConfig(length=10), batch=2, lr=1e-4, weight_decay=1e-6, steps=6000),
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
    # Rates of the three before, not searched for.
    "caddm-small": DetectConfig("caddm-small", SMALL_CROP, LIGHT, 300, lr=3e-3, weight_decay=0.02, select_every=50),
    "deepfake-adapter-small": DetectConfig(
        "deepfake-adapter-small", SMALL_CROP, LIGHT, 250, lr=1e-3, weight_decay=0.02, select_every=50
    ),
    "lipfd-small": DetectConfig(
        "lipfd-small", CropConfig(112, length=5, whole=True, sound=True), LIGHT, 250, 16, 3e-3, 0.02, 50
    ),
    "hifi-net-small": DetectConfig("hifi-net-small", LONGER, LIGHT, 250, 16, 3e-3, 0.02, 50),
    "altfreezing-small": DetectConfig("altfreezing-small", LONGER, LIGHT, 120, 16, 2e-3, 0.02, select_every=40),
    "mm-det-small": DetectConfig("mm-det-small", SMALL_CROP, LIGHT, 120, 16, 1e-3, 0.02, select_every=40),
}


def preset(name: str) -> DetectConfig:
    """How the detector of this name, or of the user's file of this name, is trained; raises WrongUse for another."""
    if own.is_own(name):
        given = own.preset(name)
        if not isinstance(given, DetectConfig):
            raise BadInput(f"PRESET of {name} is no DetectConfig.", "Make one of selfsame.tasks.detect_config.")
        return replace(given, detector=name, code=own.digest(name))
    if name not in PRESETS:
        raise WrongUse(f"There is no detector {name}.", f"Choose from {', '.join(PRESETS)}, or give a file.")
    return PRESETS[name]
