"""All detectors by name."""

from collections.abc import Callable, Mapping

from torch import Tensor

from selfsame.core.errors import WrongUse
from selfsame.detectors import (
    altfreezing,
    caddm,
    cnn,
    deepfake_adapter,
    hifi_net,
    lipfd,
    mm_det,
    own,
    tall,
    vit,
)  # fmt: skip
from selfsame.detectors.detector import Detector

DETECTORS: Mapping[str, Callable[[], Detector]] = {
    "xception": cnn.xception,
    "efficientnet-b4": cnn.efficientnet_b4,
    "vit-b16": vit.base16,
    "clip-probe": vit.clip_probe,
    "caddm": caddm.b4,
    "hifi-net": hifi_net.published_size,
    "altfreezing": altfreezing.altfreezing,
    "tall-swin-b": tall.swin_base,
    "lipfd": lipfd.published_size,
    "deepfake-adapter": deepfake_adapter.base16,
    "mm-det": mm_det.mm_det,
    "cnn-small": cnn.small,
    "vit-small": vit.small,
    "caddm-small": caddm.small,
    "hifi-net-small": hifi_net.small,
    "altfreezing-small": altfreezing.small,
    "tall-small": tall.small,
    "lipfd-small": lipfd.small,
    "deepfake-adapter-small": deepfake_adapter.small,
    "mm-det-small": mm_det.small,
}
"""The published sizes (four baselines, TalkingHeadBench's seven), then those that learn on two CPU cores."""

PUBLISHED: Mapping[str, Callable[[Mapping[str, Tensor]], dict[str, Tensor]]] = {
    "caddm": caddm.published,
    "hifi-net": hifi_net.published,
    "altfreezing": altfreezing.published,
    "tall-swin-b": tall.published,
    "lipfd": lipfd.published,
    "deepfake-adapter": deepfake_adapter.published,
    "mm-det": mm_det.published,
}
"""How the tensors of published checkpoints are called here; raise BadInput where none is known."""

CONTAINERS = "containers"
"""The baseline that never sees a picture: a forest on what containers say (`clips.audit`)."""


def build(name: str) -> Detector:
    """The detector of this name, or of the user's file of this name, with fresh weights.

    Raises WrongUse for any other name, BadInput for a file that gives none.
    """
    if own.is_own(name):
        return own.build(name)
    if name not in DETECTORS:
        raise WrongUse(f"There is no detector {name}.", f"Choose from {', '.join(DETECTORS)}, or give a file.")
    return DETECTORS[name]()
