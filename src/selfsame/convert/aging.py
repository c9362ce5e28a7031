"""pSp, SAM and MyTimeMachine: encoders, the decoder they share, and a person's adapter, all in one file each."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from selfsame.convert import rosinality
from selfsame.convert.networks import Converted, Part, fitted, named, realise, shape_of
from selfsame.core.errors import BadInput
from selfsame.nets.age_adapter import MYTM, AdapterConfig, AgeAdapter
from selfsame.nets.encoder import PSP, EncoderConfig, GradualStyleEncoder

ENCODER, INVERSION, DECODER, ADAPTER = "encoder.", "pretrained_encoder.", "decoder.", "blender."


def psp(value: Any) -> Converted:
    """pSp: the encoder that inverts photos, and its StyleGAN2."""
    tensors, mean = _parts(value)
    return Converted({"prior": _decoder(tensors, mean), "inversion": _encoder(tensors, ENCODER, mean)})


def sam(value: Any) -> Converted:
    """SAM: the age encoder, the inversion encoder that it adds to, and their StyleGAN2."""
    tensors, mean = _parts(value)
    if not any(name.startswith(INVERSION) for name in tensors):
        raise BadInput("This SAM has no pretrained_encoder.", "Only SAM with start_from_encoded_w_plus is supported.")
    age = _encoder(tensors, ENCODER, mean)
    if age.config.input_channels != 4:
        raise BadInput(f"The encoder reads {age.config.input_channels} channels, where SAM's reads 4.", "Try --as psp.")
    return Converted({"prior": _decoder(tensors, mean), "inversion": _encoder(tensors, INVERSION, mean), "sam": age})


def mytm(value: Any) -> Converted:
    """A MyTimeMachine checkpoint: SAM as it was, and the person's adapter."""
    tensors, _ = _parts(value)
    own = {name.removeprefix(ADAPTER): t for name, t in tensors.items() if name.startswith(ADAPTER)}
    return Converted(dict(sam(value).parts) | {"adapter": adapter(own)})


def adapter(tensors: Mapping[str, Tensor]) -> Part:
    """The adapter network by the sizes of its tensors."""
    what = "MyTimeMachine's adapter"
    styles = len({m[1] for name in tensors if (m := re.match(r"fc_(\d+)\.", name))})
    bottleneck, w_dim = shape_of(tensors, "bottleneck_0.0.weight", what, 2)
    config = AdapterConfig(
        styles=styles,
        w_dim=w_dim,
        bottleneck=bottleneck,
        shared=shape_of(tensors, "global_mlp.0.weight", what, 2)[0],
        age=shape_of(tensors, "age_mlp.0.weight", what, 2)[0],
        hidden=shape_of(tensors, "fc_0.0.weight", what, 2)[0],
        zero_start=MYTM.zero_start,
    )
    return Part(config, fitted(tensors, lambda: AgeAdapter(config), what), {})


def _parts(value: Any) -> tuple[dict[str, Tensor], Tensor]:
    if not isinstance(value, dict) or not isinstance(value.get("state_dict"), dict):
        raise BadInput("This file lacks state_dict.", "Give a checkpoint of pSp, SAM or MyTimeMachine.")
    if "latent_avg" not in value:
        raise BadInput("This file lacks latent_avg, the mean code.", "Give a checkpoint of pSp, SAM or MyTimeMachine.")
    return named(value["state_dict"]), realise(value["latent_avg"], "latent_avg")


def _decoder(tensors: Mapping[str, Tensor], mean: Tensor) -> Part:
    return rosinality.prior({n.removeprefix(DECODER): t for n, t in tensors.items() if n.startswith(DECODER)}, mean)


def _encoder(tensors: Mapping[str, Tensor], prefix: str, mean: Tensor) -> Part:
    own = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    config = encoder_config(own)
    if mean.dim() == 2 and mean.shape[0] != config.styles:
        raise BadInput(f"latent_avg has {len(mean)} rows, and the encoder tells {config.styles} codes.")
    what = f"pSp's encoder for {config.input_channels} channels"
    return Part(config, fitted(own, lambda: GradualStyleEncoder(config), what), {"w_mean": mean.float()})


def encoder_config(tensors: Mapping[str, Tensor]) -> EncoderConfig:
    """The sizes of an encoder of the published depth, read from its tensors."""
    what = "pSp's encoder"
    channels = shape_of(tensors, "input_layer.0.weight", what, 4)[1]
    styles = len({m[1] for name in tensors if (m := re.match(r"styles\.(\d+)\.", name))})
    return replace(PSP, input_channels=channels, styles=styles)
