"""EG3D's generator, its sizes from the tensors and the numbers of its rendering from the pickled object."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from selfsame.convert import nvidia
from selfsame.convert.networks import (
    Converted,
    Part,
    drop_filters,
    fitted,
    is_tensor,
    numbered,
    own_config,
    realise,
    shape_of,
)
from selfsame.convert.values import Object
from selfsame.core.errors import BadInput
from selfsame.nets.planes import AXES, PlaneOrder
from selfsame.nets.triplane import EG3D_FFHQ512, TriPlane, TriPlaneConfig

MOST_RENDERED = 1024  # samples along a ray, or units of the world; 48 and 3.3 are published


def generator(value: Any) -> Converted:
    """An EG3D generator."""
    what = "an EG3D generator"
    tensors = drop_filters(nvidia.tensors_of(value))
    own = own_config(value, TriPlaneConfig)
    config, notes = (own, ()) if own else triplane_config(tensors, what, nvidia.module(value, nvidia.GENERATORS))
    return Converted({"prior": Part(config, fitted(tensors, lambda: TriPlane(config), what), {})}, notes)


def triplane_config(
    tensors: Mapping[str, Tensor], what: str, root: Object | None
) -> tuple[TriPlaneConfig, tuple[str, ...]]:
    """The sizes of a tri-plane generator from its tensors, the numbers of its rendering from the file where it tells.

    A bare state dict tells none: they are then those of EG3D for FFHQ, and a note says so.
    """
    synthesis = "backbone.synthesis"
    planes = nvidia.synthesis_config(tensors, synthesis, what)
    plane_channels = shape_of(tensors, f"{synthesis}.b{planes.image_px}.torgb.weight", what, 4)[0]
    layers = numbered(tensors, r"backbone\.mapping\.fc(\d+)\.weight$", what)
    conditioned = "backbone.mapping.embed.weight" in tensors
    image_px = shape_of(tensors, "superresolution.block1.conv1.noise_const", what, 2)[0]
    hidden = shape_of(tensors, "decoder.net.0.weight", what, 2)[0]
    c = replace(
        EG3D_FFHQ512,
        z_dim=shape_of(tensors, "backbone.mapping.fc0.weight", what, 2)[1] - (planes.w_dim if conditioned else 0),
        c_dim=shape_of(tensors, "backbone.mapping.embed.weight", what, 2)[1] if conditioned else 0,
        w_dim=planes.w_dim, mapping_layers=layers, channel_base=planes.channel_base, channel_max=planes.channel_max,
        plane_px=planes.image_px, plane_channels=plane_channels // 3, decoder_hidden=hidden,
        feature_channels=shape_of(tensors, "decoder.net.2.weight", what, 2)[0] - 1,
        superres_channels=cast(tuple[int, int], tuple(
            shape_of(tensors, f"superresolution.block{i}.conv1.weight", what, 4)[0] for i in (0, 1)
        )),
        image_px=image_px, neural_px=image_px // (4 if image_px >= 512 else 2),  # Hybrid8X(DC), else 4X and 2X
    )  # fmt: skip
    if root is None:
        return c, ("The file does not tell how rays are sampled; the numbers are those of EG3D for FFHQ.",)
    rendering = nvidia.settings(root).get("rendering_kwargs")
    return _rendering(c, rendering if isinstance(rendering, dict) else {}, root)


_FIXED = {"clamp_mode": "softplus", "disparity_space_sampling": False, "white_back": False, "decoder_lr_mul": 1,
          "superresolution_noise_mode": "none", "c_gen_conditioning_zero": False, "c_scale": 1}  # fmt: skip


def _rendering(c: TriPlaneConfig, found: dict[str, Any], root: Object) -> tuple[TriPlaneConfig, tuple[str, ...]]:
    nvidia.refuse_unusual("EG3D", found, _FIXED)
    numbers = {"ray_start": float, "ray_end": float, "box_warp": float}
    counts = {"depth_resolution": "depth_samples", "depth_resolution_importance": "importance_samples"}
    changes: dict[str, Any] = {}
    for name, kind in (numbers | dict.fromkeys(counts, int)).items():
        value = found.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_RENDERED:
            raise BadInput(f"This EG3D was made with {name} = {nvidia.in_words(value)}, which is not supported.")
        changes[counts.get(name, name)] = kind(value)
    c = replace(c, plane_order=_plane_order(root), **changes)
    rendered = root.state.get("neural_rendering_resolution")
    if isinstance(rendered, int) and rendered != c.neural_px:
        return c, (
            f"It was trained to render {rendered} px before super-resolution; the default here is {c.neural_px}.",
        )
    return c, ()


def _plane_order(root: Object) -> PlaneOrder:
    """Which axes the planes lie along, by the matrices that the file's renderer keeps; else the released weights'."""
    renderer = nvidia.items(root, "_modules").get("renderer")
    kept = (
        renderer.state.get("plane_axes") if isinstance(renderer, Object) and isinstance(renderer.state, dict) else None
    )
    if not is_tensor(kept):
        return EG3D_FFHQ512.plane_order
    axes = realise(kept, "plane_axes")
    for order, columns in AXES.items():
        wanted = torch.zeros(3, 3, 2)  # a point times the inverse of a matrix, its first two numbers, is a place
        for plane, pair in enumerate(columns):
            wanted[plane, pair, (0, 1)] = 1
        if axes.shape == (3, 3, 3) and torch.equal(axes.float().mT[..., :2], wanted):
            return order
    raise BadInput("This EG3D has planes along axes that are not supported.")
