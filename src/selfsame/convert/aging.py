"""pSp, SAM and MyTimeMachine: encoders, the decoder they share, and a person's adapter, all in one file each."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from selfsame.convert import rosinality
from selfsame.convert.networks import (
    MEAN_KEY,
    Converted,
    Part,
    fitted,
    named,
    numbered,
    own_cards,
    realise,
    shape_of,
    sized,
)
from selfsame.convert.sources import settings
from selfsame.core.config import from_json
from selfsame.core.errors import BadInput, shown
from selfsame.core.weights import config_of
from selfsame.nets.age_adapter import MYTM, AdapterConfig, AgeAdapter
from selfsame.nets.encoder import PSP, EncoderConfig, GradualStyleEncoder
from selfsame.nets.stylegan2 import StyleGAN2Config

ENCODER_TYPE = "GradualStyleEncoder"
ENCODER, INVERSION, DECODER, ADAPTER = "encoder.", "pretrained_encoder.", "decoder.", "blender."


def psp(value: Any) -> Converted:
    """pSp: the encoder that inverts photos, and its StyleGAN2."""
    tensors, mean = _parts(value)
    return Converted({"prior": _decoder(value, tensors, mean), "inversion": _inversion(value, tensors, ENCODER, mean)})


def sam(value: Any) -> Converted:
    """SAM: the age encoder, the inversion encoder that it adds to, and their StyleGAN2."""
    tensors, mean = _parts(value)
    if not any(name.startswith(INVERSION) for name in tensors):
        raise BadInput("This SAM has no pretrained_encoder.", "Only SAM with start_from_encoded_w_plus is supported.")
    card = own_cards(value).get("sam")
    config = encoder_of(card.config.get("age_encoder")) if card else None
    age = _encoder(tensors, ENCODER, mean, config)
    if age.config.input_channels != 4:
        raise BadInput(f"The encoder reads {age.config.input_channels} channels, where SAM's reads 4.", "Try --as psp.")
    inversion = _inversion(value, tensors, INVERSION, mean)
    return Converted({"prior": _decoder(value, tensors, mean), "inversion": inversion, "sam": age})


def mytm(value: Any) -> Converted:
    """A MyTimeMachine checkpoint: SAM as it was, and the person's adapter."""
    global_prior = sam(value)
    return Converted(dict(global_prior.parts) | {"adapter": adapter(named(value["state_dict"], ADAPTER))})


def adapter(tensors: Mapping[str, Tensor]) -> Part:
    """The adapter network by the sizes of its tensors."""
    what = "MyTimeMachine's adapter"
    styles = numbered(tensors, r"fc_(\d+)\.", what)
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
    told = settings(value).get("encoder_type", ENCODER_TYPE)
    if told != ENCODER_TYPE:  # e4e's has the same tensors and adds its codes up in another way
        raise BadInput(
            f"The encoder of this file is a {shown(str(told))}, not pSp's {ENCODER_TYPE}.", "It is another network."
        )
    mean = realise(value["latent_avg"], "latent_avg")
    return named(value["state_dict"]), mean.reshape(mean.shape[-2:]) if mean.dim() == 3 else mean


def _decoder(value: Any, tensors: Mapping[str, Tensor], mean: Tensor) -> Part:
    card = own_cards(value).get("prior")
    config = config_of(card, StyleGAN2Config) if card else None
    # Our exports keep the decoder's own mean code too, from which an encoder's may differ in the last digits.
    w_avg = realise(value[MEAN_KEY], MEAN_KEY) if MEAN_KEY in value else mean
    return rosinality.prior(named(tensors, DECODER), w_avg, config)


def _inversion(value: Any, tensors: Mapping[str, Tensor], prefix: str, mean: Tensor) -> Part:
    card = own_cards(value).get("inversion")
    return _encoder(tensors, prefix, mean, encoder_of(card.config) if card else None)


def encoder_of(config: Any) -> EncoderConfig:
    """The configuration of an encoder on one of our cards; raises BadInput where it is none."""
    return sized(from_json(EncoderConfig, json.dumps(config), "The configuration of an encoder in this file"))


def _encoder(tensors: Mapping[str, Tensor], prefix: str, mean: Tensor, config: EncoderConfig | None) -> Part:
    own = named(tensors, prefix)
    config = config or encoder_config(own)
    if mean.dim() > 2:
        raise BadInput("latent_avg in this file is no code.")
    if mean.dim() == 2 and mean.shape[0] != config.styles:
        raise BadInput(f"latent_avg has {len(mean)} rows, and the encoder tells {config.styles} codes.")
    what = f"pSp's encoder for {config.input_channels} channels"
    return Part(config, fitted(own, lambda: GradualStyleEncoder(config), what), {"w_mean": mean.float()})


def encoder_config(tensors: Mapping[str, Tensor]) -> EncoderConfig:
    """The sizes of an encoder of the published depth, read from its tensors."""
    what = "pSp's encoder"
    channels = shape_of(tensors, "input_layer.0.weight", what, 4)[1]
    styles = numbered(tensors, r"styles\.(\d+)\.", what)
    return replace(PSP, input_channels=channels, styles=styles)
