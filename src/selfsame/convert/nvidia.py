"""NVIDIA's modules as pickled objects, and StyleGAN2: the generator, its discriminator, MyStyle's and PTI's output."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from selfsame.convert.networks import (
    Converted,
    Part,
    blank,
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
from selfsame.nets import ops
from selfsame.nets.layers import SynthesisBlock, SynthesisLayer, SynthesisNetwork
from selfsame.nets.stylegan2 import (
    Discriminator,
    DiscriminatorConfig,
    EqualizedConv,
    ResidualBlock,
    StyleGAN2,
    StyleGAN2Config,
)
from selfsame.nets.superres import SuperResolution

MOST_NAMES, DEEPEST = 100_000, 40
GENERATORS = ("G_ema", "G")
USUAL = {"lr_multiplier": 0.01, "activation": "lrelu"}
GROUP = 4  # images among which our discriminator compares, as NVIDIA's configuration F


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
    """The tensors of a network that a file holds as a module or as a state dict.

    Raises BadInput where a module was made with what changes its outputs and does not show in its tensors.
    """
    found = module(value, names)
    if found is not None:
        made_with = settings(found)
        for scope in (made_with, *(made_with.get(name) for name in ("mapping_kwargs", "synthesis_kwargs"))):
            refuse_unusual("network", scope if isinstance(scope, dict) else {}, USUAL)
        return state(found)
    inner = next((value[name] for name in names if isinstance(value.get(name), dict)), value)
    return named(inner)


def refuse_unusual(what: str, found: Mapping[Any, Any], usual: Mapping[str, Any]) -> None:
    """Raise BadInput where something was made with another setting than the published one."""
    for name, value in usual.items():
        if found.get(name, value) != value:
            raise BadInput(f"This {what} was made with {name} = {in_words(found[name])}, which is not supported.")


def stylegan2_config(tensors: Mapping[str, Tensor], what: str) -> StyleGAN2Config:
    """The sizes of a StyleGAN2 generator, read from its tensors."""
    if "mapping.embed.weight" in tensors:
        raise BadInput("This StyleGAN2 is conditioned on labels, which is not supported.")
    layers = numbered(tensors, r"mapping\.fc(\d+)\.weight$", what)
    z_dim = shape_of(tensors, "mapping.fc0.weight", what, 2)[1]
    return StyleGAN2Config(z_dim=z_dim, mapping_layers=layers, **vars(synthesis_config(tensors, "synthesis", what)))


@dataclass(frozen=True)
class SynthesisConfig:
    """The sizes of a StyleGAN2 without its mapping."""

    image_px: int
    w_dim: int
    channel_base: int
    channel_max: int


def synthesis_config(tensors: Mapping[str, Tensor], place: str, what: str) -> SynthesisConfig:
    """The sizes of the synthesis network at a place in a state dict, read from its tensors."""
    last = sizes_in(tensors, f"{place}.b", what)[-1]
    width = shape_of(tensors, f"{place}.b{last}.conv1.weight", what, 4)[0]
    widest, w_dim = shape_of(tensors, f"{place}.b4.conv1.affine.weight", what, 2)
    return SynthesisConfig(last, w_dim, width * last, widest)


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
    config = own_config(value, DiscriminatorConfig) or discriminator_config(tensors, what)
    part = Part(config, fitted(tensors, lambda: Discriminator(config), what), {})
    root = module(value, ("D",))
    ending = settings(root).get("epilogue_kwargs") if root is not None else None
    group = ending.get("mbstd_group_size", GROUP) if isinstance(ending, dict) else GROUP
    notes = (f"It compared {in_words(group)} images of a batch with each other; here it compares {GROUP}.",)
    return Converted({"discriminator": part}, notes if group != GROUP else ())


def discriminator_config(tensors: Mapping[str, Tensor], what: str) -> DiscriminatorConfig:
    """The sizes of a discriminator, read from its tensors."""
    last = sizes_in(tensors, "b", what)[-1]
    width, channels, _, _ = shape_of(tensors, f"b{last}.fromrgb.weight", what, 4)
    widest = shape_of(tensors, "b4.fc.weight", what, 2)[0]
    return DiscriminatorConfig(last, width * last, widest, channels)


def mystyle(value: Any) -> Converted:
    """A StyleGAN2 tuned to one person: MyStyle's synthesis network, which has no mapping, or a whole generator of PTI.

    Raises BadInput where it is neither.
    """
    what = "MyStyle's output"
    tensors = drop_filters(tensors_of(value))
    if "b4.const" in tensors:
        tensors = {f"synthesis.{name}": t for name, t in tensors.items()}
    c = synthesis_config(tensors, "synthesis", what)
    own = named(tensors, "synthesis.")
    fit = fitted(own, lambda: SynthesisNetwork(c.w_dim, c.image_px, 3, c.channel_base, c.channel_max), what)
    return Converted({"synthesis": Part(c, {f"synthesis.{name}": t for name, t in fit.items()}, {})})


def in_words(value: Any) -> str:
    """A setting of a file, fit to be quoted."""
    plain = value if isinstance(value, str | int | float) else f"a {type(value).__name__}"
    return shown(str(plain))


FILTERED = (SynthesisLayer, SynthesisBlock, EqualizedConv, ResidualBlock)


def published(tensors: Mapping[str, Tensor], build: Callable[[], nn.Module]) -> dict[str, Tensor]:
    """Our state dict with the constant blurs that NVIDIA's classes keep as buffers: the way back of `stylegan2`."""
    found = dict(tensors)
    for name, part in blank(build, "a network of ours").named_modules():
        # Of EG3D's super-resolutions only Hybrid8XDC, the one of 256 and 128 channels, keeps none of its own.
        whole = isinstance(part, SuperResolution) and part.block0.conv1.weight.shape[0] != 256
        if isinstance(part, FILTERED) or whole:
            found[f"{name}.resample_filter"] = ops.blur()
    return found
