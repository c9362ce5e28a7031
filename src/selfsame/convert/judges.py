"""Networks that measure: ArcFace's IR-SE50, DEX's age classifier, and LPIPS over AlexNet or VGG16."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from selfsame.convert.networks import Converted, Part, fitted, named
from selfsame.core.errors import BadInput, WrongUse
from selfsame.nets.age import DEX, DexVgg
from selfsame.nets.iresnet import IR_SE50, IResNet
from selfsame.nets.lpips import CHANNELS, Lpips, LpipsConfig

FIRST_WIDTH: dict[tuple[int, ...], Literal["alex", "vgg"]] = {(64, 3, 11, 11): "alex", (64, 3, 3, 3): "vgg"}


def arcface(value: Any) -> Converted:
    """The IR-SE50 of pSp, SAM and My3DGen."""
    tensors = named(value)
    return Converted({"judge": Part(IR_SE50, fitted(tensors, lambda: IResNet(IR_SE50), "ArcFace's IR-SE50"), {})})


def dex(value: Any) -> Converted:
    """The age classifier that SAM's aging loss reads; names written with a dash get a line below instead."""
    found = value.get("state_dict", value)
    if not isinstance(found, dict):
        raise BadInput("This file lacks state_dict.", "Give dex_age_classifier.pth.")
    tensors = {name.replace("-", "_"): tensor for name, tensor in named(found).items()}
    return Converted({"judge": Part(DEX, fitted(tensors, DexVgg, "DEX's age classifier"), {})})


def lpips(value: Any, heads: Any | None) -> Converted:
    """LPIPS from torchvision's AlexNet or VGG16 and the heads of richzhang's repository.

    Raises WrongUse where there are no heads.
    """
    tensors = named(value)
    if heads is None:
        raise WrongUse(
            "LPIPS needs the weights of its five heads too.",
            "Give --heads with the file alex.pth or vgg.pth of the LPIPS repository (lpips/weights/v0.1).",
        )
    first = tensors.get("features.0.weight")
    backbone = FIRST_WIDTH.get(tuple(first.shape)) if first is not None else None
    if backbone is None:
        raise BadInput("This file is neither AlexNet nor VGG16 of torchvision.")
    what = f"LPIPS over {'AlexNet' if backbone == 'alex' else 'VGG16'}"
    own = {name.replace("features.", "backbone."): t for name, t in tensors.items() if name.startswith("features.")}
    own |= _heads(named(heads), backbone)
    config = LpipsConfig(backbone)
    return Converted({"judge": Part(config, fitted(own, lambda: Lpips(config), what), {})})


def _heads(tensors: Mapping[str, Tensor], backbone: str) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if match := re.fullmatch(r"lin(\d)\.model\.1\.weight", name):
            found[f"heads.{match[1]}"] = tensor.flatten()
    widths = tuple(found[f"heads.{i}"].numel() for i in range(len(found)) if f"heads.{i}" in found)
    if widths != CHANNELS[backbone]:
        other = "vgg.pth" if backbone == "vgg" else "alex.pth"
        raise BadInput("The heads do not fit this network.", f"Give --heads the file {other} of the LPIPS repository.")
    return found
