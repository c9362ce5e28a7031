"""All detectors by name."""

from collections.abc import Callable, Mapping

from torch import Tensor

from selfsame.core.errors import WrongUse
from selfsame.detectors import caddm, cnn, deepfake_adapter, own, tall, vit
from selfsame.detectors import cnn, hifi_net, lipfd, tall, vit
from selfsame.detectors.detector import Detector

DETECTORS: Mapping[str, Callable[[], Detector]] = {
    "xception": cnn.xception,
    "efficientnet-b4": cnn.efficientnet_b4,
    "vit-b16": vit.base16,
    "tall-swin-b": tall.swin_base,
    "clip-probe": vit.clip_probe,
    "caddm": caddm.b4,
    "deepfake-adapter": deepfake_adapter.base16,
    "cnn-small": cnn.small,
    "vit-small": vit.small,
    "tall-small": tall.small,
    "caddm-small": caddm.small,
    "deepfake-adapter-small": deepfake_adapter.small,
    "lipfd": lipfd.published_size,
    "hifi-net": hifi_net.published_size,
    "cnn-small": cnn.small,
    "vit-small": vit.small,
    "tall-small": tall.small,
    "lipfd-small": lipfd.small,
    "hifi-net-small": hifi_net.small,
}
"""The published sizes, then those that learn on two CPU cores."""

PUBLISHED: Mapping[str, Callable[[Mapping[str, Tensor]], dict[str, Tensor]]] = {
    "caddm": caddm.published,
    "deepfake-adapter": deepfake_adapter.published,
    "tall-swin-b": tall.published,
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
