"""The networks that a training of a prior begins with: new ones of a chosen width, or a prior's own."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from selfsame.core import rng, store, weights
from selfsame.core.errors import WrongUse
from selfsame.core.weights import Card
from selfsame.jobs.picture_data import Kind
from selfsame.nets.stylegan2 import Discriminator, DiscriminatorConfig, StyleGAN2, StyleGAN2Config
from selfsame.nets.triplane import EG3D_FFHQ512, STARTER_3D, TriPlane, TriPlaneConfig
from selfsame.tasks.players import Flat, Posed
from selfsame.tasks.prior import Prior, Prior2D

Width = Literal["small", "paper"]

DISCRIMINATOR = "stylegan2-discriminator"
"""The `kind` on the card of a discriminator."""

SMALLEST_PX, LARGEST_PX = 16, 1024
SMALL_2D = StyleGAN2Config(z_dim=64, w_dim=256, mapping_layers=4, channel_base=4096, channel_max=192)


def players(
    kind: Kind,
    size_px: int,
    width: Width,
    seed: int,
    start: Prior | Prior2D | None,
    critic: Discriminator | None = None,
) -> Flat | Posed:
    """Generator and discriminator; the generator is a copy of `start`'s where one is given, `critic` goes on training.

    Raises WrongUse for a size that is no power of two and for a start of another kind or size.
    """
    check_size(size_px)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.key(seed, "networks"))
        if kind == "2d":
            flat = StyleGAN2(config_2d(size_px, width)) if start is None else _copy(start, Prior2D, kind, size_px)
            assert isinstance(flat, StyleGAN2)
            return Flat(flat, _against(flat.config, critic))
        solid = TriPlane(config_3d(size_px, width)) if start is None else _copy(start, Prior, kind, size_px)
        assert isinstance(solid, TriPlane)
        return Posed(solid, _against(solid.config, critic))


def _against(config: StyleGAN2Config | TriPlaneConfig, critic: Discriminator | None) -> Discriminator:
    """The discriminator that a generator is trained against; that of a tri-plane reads the raw rendering too."""
    channels = 6 if isinstance(config, TriPlaneConfig) else 3
    wanted = DiscriminatorConfig(config.image_px, config.channel_base, config.channel_max, channels)
    if critic is None:
        return Discriminator(wanted)
    if critic.config != wanted:
        raise WrongUse("The discriminator to start from is not of the generator's size.", "Give another, or none.")
    return critic


def load_discriminator(where: str | Path) -> tuple[Discriminator, Card]:
    """An imported discriminator by name or folder; raises BadInput where there is none."""
    return weights.load_net(store.find(where), DISCRIMINATOR, DiscriminatorConfig, Discriminator)


def check_size(size_px: int) -> None:
    """Raise WrongUse unless the networks can draw this size."""
    if size_px.bit_count() != 1 or not SMALLEST_PX <= size_px <= LARGEST_PX:
        raise WrongUse(
            f"No network draws {size_px} pixels.", f"Give a power of two from {SMALLEST_PX} to {LARGEST_PX}."
        )


def config_2d(size_px: int, width: Width) -> StyleGAN2Config:
    """StyleGAN2 at one size: `small` for a CPU or little data, `paper` as published [StyleGAN2-ADA, for 256 and up]."""
    if width == "small":
        return replace(SMALL_2D, image_px=size_px)
    return StyleGAN2Config(image_px=size_px, channel_base=32768 if size_px > 256 else 16384)


def config_3d(size_px: int, width: Width) -> TriPlaneConfig:
    """A tri-plane generator at one size, not conditioned on the camera, so that what is on a picture cannot tell it."""
    if width == "small":
        return replace(STARTER_3D, image_px=size_px, neural_px=size_px // 2, plane_px=size_px)
    return replace(EG3D_FFHQ512, c_dim=0, plane_order="orthogonal", image_px=size_px, neural_px=size_px // 4)


def _copy(start: Prior | Prior2D, wanted: type, kind: Kind, size_px: int) -> torch.nn.Module:
    if not isinstance(start, wanted):
        raise WrongUse(f"The prior to start from is not {kind}.", "Give --kind as the prior's, or another --start.")
    if start.net.config.image_px != size_px:
        raise WrongUse(
            f"The prior to start from draws {start.net.config.image_px} pixels, not {size_px}.",
            f"Give --size {start.net.config.image_px}.",
        )
    return copy.deepcopy(start.net).requires_grad_(True).train()
