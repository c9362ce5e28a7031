"""All detectors by name."""

from collections.abc import Callable, Mapping

from selfsame.core.errors import WrongUse
from selfsame.detectors import altfreezing, cnn, mm_det, tall, vit
from selfsame.detectors.detector import Detector

DETECTORS: Mapping[str, Callable[[], Detector]] = {
    "xception": cnn.xception,
    "efficientnet-b4": cnn.efficientnet_b4,
    "vit-b16": vit.base16,
    "tall-swin-b": tall.swin_base,
    "clip-probe": vit.clip_probe,
    "altfreezing": altfreezing.altfreezing,
    "mm-det": mm_det.mm_det,
    "cnn-small": cnn.small,
    "vit-small": vit.small,
    "tall-small": tall.small,
    "altfreezing-small": altfreezing.small,
    "mm-det-small": mm_det.small,
}
"""The published sizes, then those that learn on two CPU cores."""

CONTAINERS = "containers"
"""The baseline that never sees a picture: a forest on what containers say (`clips.audit`)."""


def build(name: str) -> Detector:
    """The detector of this name with fresh weights; raises WrongUse for any other name."""
    if name not in DETECTORS:
        raise WrongUse(f"There is no detector {name}.", f"Choose from {', '.join(DETECTORS)}.")
    return DETECTORS[name]()
