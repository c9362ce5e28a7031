"""Snapshots of My3DGen: NVIDIA's EG3D with a wrapper around every layer that a person's low-rank weights change."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from selfsame.convert import eg3d, nvidia
from selfsame.convert.networks import Converted, Part, drop_filters, fitted, shape_of
from selfsame.convert.values import Object
from selfsame.core.errors import BadInput
from selfsame.nets.lora import LowRankConfig
from selfsame.nets.triplane import TriPlane

WRAPPERS = {"synthesis_block", "synthesis_layer", "to_rgb_layer", "superresolution_module", "fully_connected_layer"}


def own_name(published: str) -> str:
    """A tensor's name without the wrappers that My3DGen puts around layers."""
    parts = [p for p in published.replace("synthesis.synthesis.", "synthesis.").split(".") if p not in WRAPPERS]
    if parts and parts[-1] in ("lora_A", "lora_B"):
        return ".".join([*parts[:-1], "weight", parts[-1][-1].lower()])
    return ".".join(parts)


def snapshot(value: Any) -> Converted:
    """A snapshot of My3DGen: `prior` is its frozen EG3D with this person's biases and constant, `low-rank` the factors.

    The person's numbers are factors and biases together; which of the biases are whose only the prior's file can tell.
    """
    what = "a My3DGen snapshot"
    root = nvidia.module(value, nvidia.GENERATORS)
    if root is None:
        raise BadInput("A My3DGen snapshot is a pickle of the whole generator.", "Give network-snapshot-*.pkl.")
    tensors = drop_filters({own_name(name): tensor for name, tensor in nvidia.state(root).items()})
    factors = {name: t for name, t in tensors.items() if name.endswith((".weight.a", ".weight.b"))}
    base = {name: t for name, t in tensors.items() if name not in factors}
    config, notes = eg3d.triplane_config(base, what, root)
    low_rank = _low_rank(root, factors, what)
    parts = {
        "prior": Part(config, fitted(base, lambda: TriPlane(config), what), {}),
        "low-rank": Part(low_rank, factors, {}),
    }
    return Converted(parts, notes)


def _low_rank(root: Object, factors: Mapping[str, Tensor], what: str) -> LowRankConfig:
    """Rank and rule by the shapes of one 1 x 1 and one 3 x 3 convolution with as many inputs; alpha as it is told."""
    rank, inputs = shape_of(factors, "backbone.synthesis.b4.torgb.weight.a", what, 2)
    inner, columns = shape_of(factors, "backbone.synthesis.b4.conv1.weight.a", what, 2)
    if inner != 3 * rank or columns not in (3 * inputs, 9 * inputs):
        raise BadInput("The low-rank weights have the shapes of neither version of My3DGen.")
    rule: Literal["my3dgen", "loralib"] = "my3dgen" if columns == 9 * inputs else "loralib"
    waiting: list[Any] = [root]
    while waiting:  # the first wrapped layer tells alpha for all
        part = waiting.pop()
        if isinstance(part, Object) and isinstance(part.state, dict):
            alpha = part.state.get("lora_alpha")
            if isinstance(alpha, int | float) and math.isfinite(alpha):
                return LowRankConfig(rank, float(alpha), rule)
            waiting.extend(nvidia.items(part, "_modules").values())
    raise BadInput(f"This file lacks lora_alpha of {what}.", "It is cut down, or another network.")
