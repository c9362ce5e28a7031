"""StyleGAN2 under the names of rosinality's port, in which pSp, SAM and MyTimeMachine keep their decoder.

The networks are the same; only names differ and some tensors have axes of length one.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from selfsame.convert.networks import (
    Converted,
    Part,
    blank,
    drop_filters,
    fitted,
    named,
    numbered,
    own_config,
    realise,
    shape_of,
    sized,
)
from selfsame.core.errors import BadInput
from selfsame.nets import ops
from selfsame.nets.stylegan2 import StyleGAN2, StyleGAN2Config

WHAT = "a StyleGAN2 in rosinality's layout"
Reshape = Callable[[tuple[int, ...]], tuple[int, ...]]


def layout(config: StyleGAN2Config) -> dict[str, tuple[str, Reshape]]:
    """For each published name our own, and the published shape as a function of ours."""
    found: dict[str, tuple[str, Reshape]] = {}
    for i in range(config.mapping_layers):
        for end in ("weight", "bias"):
            found[f"style.{i + 1}.{end}"] = (f"mapping.fc{i}.{end}", _same)
    found["input.input"] = ("synthesis.b4.const", _batched)
    sizes = [2**i for i in range(2, config.image_px.bit_length())]
    layers = [(4, "conv1"), *((size, conv) for size in sizes[1:] for conv in ("conv0", "conv1"))]
    for i, (size, conv) in enumerate(layers):
        theirs, ours = "conv1" if i == 0 else f"convs.{i - 1}", f"synthesis.b{size}.{conv}"
        found |= _styled(theirs, ours)
        found[f"{theirs}.noise.weight"] = (f"{ours}.noise_strength", lambda shape: (1,))
        found[f"{theirs}.activate.bias"] = (f"{ours}.bias", _same)
        found[f"noises.noise_{i}"] = (f"{ours}.noise_const", lambda shape: (1, 1, *shape))
    for i, size in enumerate(sizes):
        theirs, ours = "to_rgb1" if i == 0 else f"to_rgbs.{i - 1}", f"synthesis.b{size}.torgb"
        found |= _styled(theirs, ours)
        found[f"{theirs}.bias"] = (f"{ours}.bias", lambda shape: (1, *shape, 1, 1))
    return found


def _styled(theirs: str, ours: str) -> dict[str, tuple[str, Reshape]]:
    return {
        f"{theirs}.conv.weight": (f"{ours}.weight", _batched),
        f"{theirs}.conv.modulation.weight": (f"{ours}.affine.weight", _same),
        f"{theirs}.conv.modulation.bias": (f"{ours}.affine.bias", _same),
    }


def _same(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape


def _batched(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1, *shape)


def config_of(tensors: Mapping[str, Tensor]) -> StyleGAN2Config:
    """The sizes of the network, read from its tensors."""
    count = numbered(tensors, r"to_rgbs\.(\d+)\.", WHAT)
    last = 4 << count
    width = shape_of(tensors, f"to_rgbs.{count - 1}.conv.modulation.bias", WHAT, 1)[0]
    widest = shape_of(tensors, "input.input", WHAT, 4)[1]
    layers = numbered(tensors, r"style\.(\d+)\.weight$", WHAT)
    w_dim, z_dim = shape_of(tensors, "style.1.weight", WHAT, 2)
    return StyleGAN2Config(last, z_dim, w_dim, layers, width * last, widest)


def prior(published: Mapping[str, Tensor], latent_avg: Tensor | None, config: StyleGAN2Config | None = None) -> Part:
    """A generator from rosinality's names; its mean code is the file's `latent_avg`, or the mean of 10,000 codes."""
    tensors = {name: t for name, t in drop_filters(published).items() if name != "latent_avg"}
    config = sized(config or config_of(tensors))
    table = layout(config)
    if unknown := [name for name in tensors if name not in table]:
        raise BadInput(f"This file has {unknown[0]}, which {WHAT} does not have.", "It is another network.")
    shapes = {name: tuple(t.shape) for name, t in blank(lambda: StyleGAN2(config), WHAT).state_dict().items()}
    own: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        ours, published_shape = table[name]
        if tuple(tensor.shape) != published_shape(shapes[ours]):
            raise BadInput(f"{name} has the shape {tuple(tensor.shape)} in this file.", "It is another network.")
        own[ours] = tensor.reshape(shapes[ours])
    own["mapping.w_avg"] = torch.zeros(config.w_dim) if latent_avg is None else mean_row(latent_avg)
    own = fitted(own, lambda: StyleGAN2(config), WHAT)
    if latent_avg is None:
        net = StyleGAN2(config)
        net.load_state_dict(own)
        codes = net.map(torch.randn(10_000, config.z_dim, generator=torch.Generator().manual_seed(0)))[:, 0]
        own["mapping.w_avg"] = codes.mean(0).detach()
    return Part(config, own, {})


def mean_row(latent_avg: Tensor) -> Tensor:
    """One mean code of a `latent_avg`, which some files repeat for every layer; raises BadInput where it is empty."""
    if not latent_avg.dim() or not latent_avg.numel():
        raise BadInput("latent_avg in this file is no code.")
    return latent_avg if latent_avg.dim() == 1 else latent_avg.reshape(-1, latent_avg.shape[-1])[0].clone()


def stylegan2(value: Any) -> Converted:
    """A checkpoint of rosinality's port: `g_ema`, and `latent_avg` where it has one."""
    found = value.get("g_ema", value)
    if not isinstance(found, dict):
        raise BadInput("This file lacks g_ema.", "Give a checkpoint of rosinality's stylegan2-pytorch.")
    tensors = named(found)
    mean = realise(value["latent_avg"], "latent_avg") if "latent_avg" in value else None
    note = () if mean is not None else ("The file has no latent_avg; the mean code is that of 10,000 random ones.",)
    return Converted({"prior": prior(tensors, mean, own_config(value, StyleGAN2Config))}, note)


def published(tensors: Mapping[str, Tensor], config: StyleGAN2Config) -> dict[str, Tensor]:
    """Our tensors under rosinality's names, with the blur that its network keeps: the way back of `prior`."""
    found = {
        name: tensors[own].reshape(shape(tuple(tensors[own].shape))) for name, (own, shape) in layout(config).items()
    }
    blur = ops.blur() * 4  # with the gain of an upsampling by two
    for i in range(config.image_px.bit_length() - 3):
        found[f"convs.{2 * i}.conv.blur.kernel"] = blur.clone()
        found[f"to_rgbs.{i}.upsample.kernel"] = blur.clone()
    return found
