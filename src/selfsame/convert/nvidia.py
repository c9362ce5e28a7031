"""NVIDIA's networks, and what others made of them: StyleGAN2, its discriminator, EG3D, My3DGen's low-rank snapshots."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from torch import Tensor

from selfsame.convert.networks import Converted, Part, drop_filters, fitted, named, realise, shape_of
from selfsame.convert.values import Object
from selfsame.core.errors import BadInput
from selfsame.nets.lora import LowRankConfig
from selfsame.nets.stylegan2 import Discriminator, DiscriminatorConfig, StyleGAN2, StyleGAN2Config
from selfsame.nets.triplane import EG3D_FFHQ512, TriPlane, TriPlaneConfig

MOST_MODULES, DEEPEST = 100_000, 40
WRAPPERS = {"synthesis_block", "synthesis_layer", "to_rgb_layer", "superresolution_module", "fully_connected_layer"}
GENERATORS = ("G_ema", "G")


def module(value: Any, names: tuple[str, ...]) -> Object | None:
    """The module of a snapshot under the first of these names, or the file's value itself where that is a module."""
    if isinstance(value, dict):
        return next((value[name] for name in names if isinstance(value.get(name), Object)), None)
    return value if isinstance(value, Object) else None


def state(root: Object) -> dict[str, Tensor]:
    """The state dict of a pickled module: parameters and buffers by their dotted names."""
    found: dict[str, Tensor] = {}
    waiting: list[tuple[str, Any]] = [("", root)]
    for _ in range(MOST_MODULES):
        if not waiting:
            return found
        prefix, part = waiting.pop()
        if part is None:
            continue
        if prefix.count(".") > DEEPEST or not isinstance(part, Object) or not isinstance(part.state, dict):
            raise BadInput(f"The module {prefix or 'in this file'} is not a network of PyTorch.")
        for own in ("_parameters", "_buffers"):
            for name, value in _items(part, own):
                if value is not None:
                    found[f"{prefix}{name}"] = realise(value, f"{prefix}{name}")
        waiting.extend((f"{prefix}{name}.", child) for name, child in _items(part, "_modules"))
    raise BadInput("The network in this file has more parts than any that was published.")


def _items(part: Object, name: str) -> list[tuple[str, Any]]:
    found = part.state.get(name)
    return [(str(key), value) for key, value in found.items()] if isinstance(found, dict) else []


def settings(root: Object) -> dict[str, Any]:
    """What a persistent object was constructed with."""
    found = root.state.get("_init_kwargs") if isinstance(root.state, dict) else None
    return found if isinstance(found, dict) else {}


def tensors_of(value: Any, names: tuple[str, ...] = GENERATORS) -> dict[str, Tensor]:
    """The tensors of a network that a file holds as a module or as a state dict."""
    found = module(value, names)
    if found is not None:
        return state(found)
    inner = next((value[name] for name in names if isinstance(value.get(name), dict)), value)
    return named(inner)


def stylegan2_config(tensors: Mapping[str, Tensor], what: str) -> StyleGAN2Config:
    """The sizes of a StyleGAN2 generator, read from its tensors."""
    if "mapping.embed.weight" in tensors:
        raise BadInput("This StyleGAN2 is conditioned on labels, which is not supported.")
    sizes = sizes_in(tensors, "synthesis.b", what)
    last = sizes[-1]
    width = shape_of(tensors, f"synthesis.b{last}.conv1.weight", what, 4)[0]
    widest, w_dim = shape_of(tensors, "synthesis.b4.conv1.affine.weight", what, 2)
    layers = sum(1 for name in tensors if re.fullmatch(r"mapping\.fc\d+\.weight", name))
    z_dim = shape_of(tensors, "mapping.fc0.weight", what, 2)[1]
    return StyleGAN2Config(last, z_dim, w_dim, layers, width * last, widest)


def sizes_in(tensors: Mapping[str, Tensor], prefix: str, what: str) -> list[int]:
    """The sizes 4, 8, ... of the blocks in a state dict; raises BadInput where one is left out."""
    found = {int(m[1]) for name in tensors if (m := re.match(re.escape(prefix) + r"(\d{1,5})\.", name))}
    sizes = [4 << i for i in range(len(found))]
    if not sizes or found != set(sizes):
        raise BadInput(f"The blocks {sorted(found)} of this file are not those of {what}.", "It is another network.")
    return sizes


def stylegan2(value: Any) -> Converted:
    """A StyleGAN2 generator of NVIDIA's, or one tuned by PTI."""
    what = "a StyleGAN2"
    tensors = drop_filters(tensors_of(value))
    config = stylegan2_config(tensors, what)
    return Converted({"prior": Part(config, fitted(tensors, lambda: StyleGAN2(config), what), {})})


def discriminator(value: Any) -> Converted:
    """The discriminator of a StyleGAN2 snapshot."""
    what = "a discriminator of StyleGAN2"
    tensors = drop_filters(tensors_of(value, ("D",)))
    if any(name.startswith("mapping.") for name in tensors):
        raise BadInput("This discriminator is conditioned on labels or cameras, which is not supported.")
    sizes = sizes_in(tensors, "b", what)
    first = f"b{sizes[-1]}.fromrgb.weight"
    width, channels, _, _ = shape_of(tensors, first, what, 4)
    widest = shape_of(tensors, "b4.fc.weight", what, 2)[0]
    config = DiscriminatorConfig(sizes[-1], width * sizes[-1], widest, channels)
    return Converted({"discriminator": Part(config, fitted(tensors, lambda: Discriminator(config), what), {})})


def mystyle(value: Any) -> dict[str, Tensor]:
    """The tensors of MyStyle's output, a synthesis network without its mapping."""
    assert isinstance(value, Object)
    return {f"synthesis.{name}": tensor for name, tensor in drop_filters(state(value)).items()}


def eg3d(value: Any) -> Converted:
    """An EG3D generator."""
    what = "an EG3D generator"
    tensors = drop_filters(tensors_of(value))
    root = module(value, GENERATORS)
    config, notes = triplane_config(tensors, what, root)
    return Converted({"prior": Part(config, fitted(tensors, lambda: TriPlane(config), what), {})}, notes)


def triplane_config(
    tensors: Mapping[str, Tensor], what: str, root: Object | None
) -> tuple[TriPlaneConfig, tuple[str, ...]]:
    """The sizes of a tri-plane generator from its tensors, the numbers of its rendering from the file where it tells.

    A bare state dict tells none: they are then those of EG3D for FFHQ, and a note says so.
    """
    synthesis = "backbone.synthesis"
    plane_px = sizes_in(tensors, f"{synthesis}.b", what)[-1]
    width, plane_channels = (shape_of(tensors, f"{synthesis}.b{plane_px}.{n}", what, 4)[0] for n in _LAST)
    widest, w_dim = shape_of(tensors, f"{synthesis}.b4.conv1.affine.weight", what, 2)
    layers = sum(1 for name in tensors if re.fullmatch(r"backbone\.mapping\.fc\d+\.weight", name))
    conditioned = "backbone.mapping.embed.weight" in tensors
    image_px = shape_of(tensors, "superresolution.block1.conv1.noise_const", what, 2)[0]
    hidden = shape_of(tensors, "decoder.net.0.weight", what, 2)[0]
    c = replace(
        EG3D_FFHQ512,
        z_dim=shape_of(tensors, "backbone.mapping.fc0.weight", what, 2)[1] - (w_dim if conditioned else 0),
        c_dim=shape_of(tensors, "backbone.mapping.embed.weight", what, 2)[1] if conditioned else 0,
        w_dim=w_dim, mapping_layers=layers, channel_base=width * plane_px, channel_max=widest,
        plane_px=plane_px, plane_channels=plane_channels // 3, decoder_hidden=hidden,
        feature_channels=shape_of(tensors, "decoder.net.2.weight", what, 2)[0] - 1,
        superres_channels=cast(tuple[int, int], tuple(
            shape_of(tensors, f"superresolution.block{i}.conv1.weight", what, 4)[0] for i in (0, 1)
        )),
        image_px=image_px, neural_px=image_px // (4 if image_px >= 512 else 2),  # Hybrid8X(DC), else 4X and 2X
    )  # fmt: skip
    if root is None:
        return c, ("The file does not tell how rays are sampled; the numbers are those of EG3D for FFHQ.",)
    rendering = settings(root).get("rendering_kwargs")
    return _rendering(c, rendering if isinstance(rendering, dict) else {}, root)


_LAST = ("conv1.weight", "torgb.weight")
_FIXED = {"clamp_mode": "softplus", "disparity_space_sampling": False, "white_back": False, "decoder_lr_mul": 1,
          "superresolution_noise_mode": "none", "c_gen_conditioning_zero": False, "c_scale": 1}  # fmt: skip


def _rendering(c: TriPlaneConfig, found: dict[str, Any], root: Object) -> tuple[TriPlaneConfig, tuple[str, ...]]:
    for name, value in _FIXED.items():
        if found.get(name, value) != value:
            raise BadInput(f"This EG3D was made with {name} = {found[name]!r}, which is not supported.")
    numbers = {"ray_start": float, "ray_end": float, "box_warp": float}
    counts = {"depth_resolution": "depth_samples", "depth_resolution_importance": "importance_samples"}
    changes: dict[str, Any] = {}
    for name, kind in (numbers | dict.fromkeys(counts, int)).items():
        value = found.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadInput(f"This EG3D was made with {name} = {value!r}, which is not supported.")
        changes[counts.get(name, name)] = kind(value)
    c = replace(c, **changes)
    rendered = root.state.get("neural_rendering_resolution")
    if isinstance(rendered, int) and rendered != c.neural_px:
        return c, (
            f"It was trained to render {rendered} px before super-resolution; the default here is {c.neural_px}.",
        )
    return c, ()


def own_name(published: str) -> str:
    """A tensor's name without the wrappers that My3DGen puts around layers."""
    parts = [p for p in published.replace("synthesis.synthesis.", "synthesis.").split(".") if p not in WRAPPERS]
    if parts[-1] in ("lora_A", "lora_B"):
        return ".".join([*parts[:-1], "weight", parts[-1][-1].lower()])
    return ".".join(parts)


def my3dgen(value: Any) -> Converted:
    """A snapshot of My3DGen: `prior` is its frozen EG3D with this person's biases and constant, `low-rank` the factors.

    The person's numbers are factors and biases together; which of the biases are whose only the prior's file can tell.
    """
    what = "a My3DGen snapshot"
    root = module(value, GENERATORS)
    if root is None:
        raise BadInput("A My3DGen snapshot is a pickle of the whole generator.", "Give network-snapshot-*.pkl.")
    tensors = drop_filters({own_name(name): tensor for name, tensor in state(root).items()})
    factors = {name: t for name, t in tensors.items() if name.endswith((".weight.a", ".weight.b"))}
    base = {name: t for name, t in tensors.items() if name not in factors}
    config, notes = triplane_config(base, what, root)
    low_rank = LowRankConfig(*_rank_and_alpha(root, factors, what))
    parts = {
        "prior": Part(config, fitted(base, lambda: TriPlane(config), what), {}),
        "low-rank": Part(low_rank, factors, {}),
    }
    return Converted(parts, notes)


def _rank_and_alpha(root: Object, factors: Mapping[str, Tensor], what: str) -> tuple[int, float]:
    rank = shape_of(factors, "backbone.synthesis.b4.torgb.weight.a", what, 2)[0]
    inner, fan_in = shape_of(factors, "backbone.synthesis.b4.conv1.weight.a", what, 2)
    if inner != 3 * rank or fan_in != factors["backbone.synthesis.b4.torgb.weight.a"].shape[1] * 9:
        raise BadInput("The low-rank weights have the shapes of My3DGen's first version, which are not supported.")
    waiting: list[Any] = [root]
    while waiting:  # the first wrapped layer tells alpha for all
        part = waiting.pop()
        if isinstance(part, Object) and isinstance(part.state, dict):
            if isinstance(alpha := part.state.get("lora_alpha"), int | float):
                return rank, float(alpha)
            waiting.extend(child for _, child in _items(part, "_modules"))
    raise BadInput(f"This file lacks lora_alpha of {what}.", "It is cut down, or another network.")
