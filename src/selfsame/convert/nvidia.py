"""NVIDIA's networks, and what others tuned of them: StyleGAN2, its discriminator, EG3D, MyStyle's and PTI's output."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from selfsame.convert.networks import (
    Converted,
    Part,
    drop_filters,
    fitted,
    name_of,
    named,
    numbered,
    own_config,
    realise,
    shape_of,
)
from selfsame.convert.values import Object
from selfsame.core.errors import BadInput, shown
from selfsame.nets.layers import SynthesisBlock, SynthesisLayer, SynthesisNetwork
from selfsame.nets.stylegan2 import (
    Discriminator,
    DiscriminatorConfig,
    EqualizedConv,
    ResidualBlock,
    StyleGAN2,
    StyleGAN2Config,
)  # fmt: skip
from selfsame.nets.superres import SuperResolution
from selfsame.nets.triplane import EG3D_FFHQ512, TriPlane, TriPlaneConfig

MOST_NAMES, DEEPEST = 100_000, 40
MOST_RENDERED = 1024  # samples along a ray, or units of the world; 48 and 3.3 are published
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
    left = MOST_NAMES  # a module may lie in many others, so that few objects have very many names
    while waiting:
        prefix, part = waiting.pop()
        if part is None:
            continue
        if prefix.count(".") > DEEPEST or not isinstance(part, Object) or not isinstance(part.state, dict):
            raise BadInput(f"The module {prefix or 'in this file'} is not a network of PyTorch.")
        parameters, buffers, modules = (items(part, own) for own in ("_parameters", "_buffers", "_modules"))
        left -= len(parameters) + len(buffers) + len(modules)
        if left < 0:
            raise BadInput("The network in this file has more parts than any that was published.")
        for key, value in (*parameters.items(), *buffers.items()):
            if value is not None:
                name = name_of(key, prefix)
                found[name] = realise(value, name)
        waiting.extend((name_of(f"{key}.", prefix), child) for key, child in modules.items())
    return found


def items(part: Object, name: str) -> dict[Any, Any]:
    """What a pickled module keeps under a name such as `_modules`, nothing where it keeps no such thing."""
    found = part.state.get(name)
    return found if isinstance(found, dict) else {}


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
    layers = numbered(tensors, r"mapping\.fc(\d+)\.weight$", what)
    z_dim = shape_of(tensors, "mapping.fc0.weight", what, 2)[1]
    return StyleGAN2Config(last, z_dim, w_dim, layers, width * last, widest)


def sizes_in(tensors: Mapping[str, Tensor], prefix: str, what: str) -> list[int]:
    """The sizes 4, 8, ... of the blocks in a state dict; raises BadInput where one is left out."""
    found = {int(m[1]) for name in tensors if (m := re.match(re.escape(prefix) + r"(\d{1,5})\.", name))}
    sizes = [4 << i for i in range(min(len(found), 15))]
    if not sizes or found != set(sizes):
        blocks = sorted(found)[:15]
        raise BadInput(f"The blocks {blocks} of this file are not those of {what}.", "It is another network.")
    return sizes


def stylegan2(value: Any) -> Converted:
    """A StyleGAN2 generator of NVIDIA's, or one tuned by PTI."""
    what = "a StyleGAN2"
    tensors = drop_filters(tensors_of(value))
    config = own_config(value, StyleGAN2Config) or stylegan2_config(tensors, what)
    return Converted({"prior": Part(config, fitted(tensors, lambda: StyleGAN2(config), what), {})})


def discriminator(value: Any) -> Converted:
    """The discriminator of a StyleGAN2 snapshot."""
    what = "a discriminator of StyleGAN2"
    tensors = drop_filters(tensors_of(value, ("D",)))
    if any(name.startswith("mapping.") for name in tensors):
        raise BadInput("This discriminator is conditioned on labels or cameras, which is not supported.")
    if own := own_config(value, DiscriminatorConfig):
        return Converted({"discriminator": Part(own, fitted(tensors, lambda: Discriminator(own), what), {})})
    sizes = sizes_in(tensors, "b", what)
    first = f"b{sizes[-1]}.fromrgb.weight"
    width, channels, _, _ = shape_of(tensors, first, what, 4)
    widest = shape_of(tensors, "b4.fc.weight", what, 2)[0]
    config = DiscriminatorConfig(sizes[-1], width * sizes[-1], widest, channels)
    return Converted({"discriminator": Part(config, fitted(tensors, lambda: Discriminator(config), what), {})})


@dataclass(frozen=True)
class SynthesisConfig:
    """The sizes of a StyleGAN2 without its mapping."""

    image_px: int
    w_dim: int
    channel_base: int
    channel_max: int


def mystyle(value: Any) -> Converted:
    """A StyleGAN2 tuned to one person: MyStyle's synthesis network, which has no mapping, or a whole generator of PTI.

    Raises BadInput where it is neither.
    """
    what = "MyStyle's output"
    tensors = drop_filters(tensors_of(value))
    if "b4.const" in tensors:
        tensors = {f"synthesis.{name}": t for name, t in tensors.items()}
    own = {name.removeprefix("synthesis."): t for name, t in tensors.items() if name.startswith("synthesis.")}
    _, w_dim = shape_of(tensors, "synthesis.b4.conv1.affine.weight", what, 2)
    sizes = sizes_in(tensors, "synthesis.b", what)
    width = shape_of(tensors, f"synthesis.b{sizes[-1]}.conv1.weight", what, 4)[0]
    widest = shape_of(tensors, "synthesis.b4.const", what, 3)[0]
    config = SynthesisConfig(sizes[-1], w_dim, width * sizes[-1], widest)
    fit = fitted(own, lambda: SynthesisNetwork(w_dim, sizes[-1], 3, config.channel_base, widest), what)
    return Converted({"synthesis": Part(config, {f"synthesis.{name}": t for name, t in fit.items()}, {})})


def eg3d(value: Any) -> Converted:
    """An EG3D generator."""
    what = "an EG3D generator"
    tensors = drop_filters(tensors_of(value))
    own = own_config(value, TriPlaneConfig)
    config, notes = (own, ()) if own else triplane_config(tensors, what, module(value, GENERATORS))
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
    layers = numbered(tensors, r"backbone\.mapping\.fc(\d+)\.weight$", what)
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
            raise BadInput(f"This EG3D was made with {name} = {_shown(found[name])}, which is not supported.")
    numbers = {"ray_start": float, "ray_end": float, "box_warp": float}
    counts = {"depth_resolution": "depth_samples", "depth_resolution_importance": "importance_samples"}
    changes: dict[str, Any] = {}
    for name, kind in (numbers | dict.fromkeys(counts, int)).items():
        value = found.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_RENDERED:
            raise BadInput(f"This EG3D was made with {name} = {_shown(value)}, which is not supported.")
        changes[counts.get(name, name)] = kind(value)
    c = replace(c, **changes)
    rendered = root.state.get("neural_rendering_resolution")
    if isinstance(rendered, int) and rendered != c.neural_px:
        return c, (
            f"It was trained to render {rendered} px before super-resolution; the default here is {c.neural_px}.",
        )
    return c, ()


def _shown(value: Any) -> str:
    plain = value if isinstance(value, str | int | float) else f"a {type(value).__name__}"
    return shown(str(plain))


FILTERED = (SynthesisLayer, SynthesisBlock, EqualizedConv, ResidualBlock)


def published(tensors: Mapping[str, Tensor], build: Callable[[], nn.Module]) -> dict[str, Tensor]:
    """Our state dict with the constant blurs that NVIDIA's classes keep as buffers: the way back of `stylegan2`."""
    with torch.device("meta"):
        net = build()
    row = torch.tensor([1.0, 3, 3, 1])
    blur = torch.outer(row, row) / 64
    found = dict(tensors)
    for name, part in net.named_modules():
        # Of EG3D's super-resolutions only Hybrid8XDC, the one of 256 and 128 channels, keeps none of its own.
        whole = isinstance(part, SuperResolution) and part.block0.conv1.weight.shape[0] != 256
        if isinstance(part, FILTERED) or whole:
            found[f"{name}.resample_filter"] = blur.clone()
    return found
