"""Personal 2D priors: all of a StyleGAN2's synthesis tuned until a person's anchors show their photos [MyStyle]."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image
from selfsame.losses import image as losses
from selfsame.nets import layers
from selfsame.nets.stylegan2 import StyleGAN2
from selfsame.tasks.personal import Judge, Photos, batch, begin_at, unfrozen, unmapped
from selfsame.train import descent, loop
from selfsame.train.checkpoint import State
from selfsame.train.devices import ALONE, Devices, Share, moved


@dataclass(frozen=True)
class TuningConfig:
    """How a 2D model is tuned; the defaults are the continual paper's (1,000 epochs of 20 photos, 2 at a time).

    `size_px` compares smaller pictures, which StyleGAN2's skip architecture sums up on the way (0: the full ones).
    """

    steps: int = 10_000
    batch: int = 2
    lr: float = 3e-4
    pixel: float = 1.0
    perceptual: float = 1.0
    size_px: int = 0
    save_every: int = 250
    seed: int = 0


def tune(
    net: StyleGAN2,
    photos: Photos,
    config: TuningConfig,
    judge: Judge,
    folder: Path,
    *,
    start: Mapping[str, Tensor] | None = None,
    replay: Photos | None = None,
    devices: Devices = ALONE,
    on_step: Callable[[int, loop.Losses], None] | None = None,
) -> StyleGAN2:
    """Tune a copy of the prior's synthesis network on one person's photos; anchors and the prior stay as they are.

    `start` goes on from these trained tensors; each step also sees as many pictures of `replay` as new ones, and both
    sums weigh alike [continual paper]. The run lives in `folder`; the same call again resumes it bit for bit. `devices`
    says how it is computed, as in `personal.personalize`.
    """
    devices.check_parts(config.batch)
    personal = unfrozen(net).to(devices.device)
    layers.recompute_blocks(personal, devices.recompute)
    tensors = unmapped(personal)
    begin_at(tensors, start)
    adam = torch.optim.Adam(tensors.values(), lr=config.lr)
    both, judge = moved(photos if replay is None else photos.and_(replay), devices.device), moved(judge, devices.device)
    scales = descent.scales(devices, "loss")
    wanted = image.resize(both.images, config.size_px or net.config.image_px)
    with torch.no_grad():
        seen = [torch.cat(maps) for maps in zip(*(judge.features(x) for x in wanted.split(8)), strict=True)]

    def step(index: int) -> dict[str, Tensor]:
        which = batch(len(photos), len(wanted) - len(photos), config.batch, config.seed, index)

        def losses_of(share: Share) -> dict[str, Tensor]:
            own = share.take(which)
            made = draw(personal, both.w_plus[own], config.size_px, devices)
            pixel = losses.mse(made, wanted[own]).mean()
            perceptual = losses.perceptual(judge.features(made), [maps[own] for maps in seen]).mean()
            loss = config.pixel * pixel + config.perceptual * perceptual
            return {"loss": loss, "pixel": pixel, "perceptual": perceptual}

        weight = len(which) / config.batch
        return descent.step(adam, losses_of, devices, weight=weight, scale=scales.get("loss"))

    run = loop.Run(folder, config, config.steps, config.save_every, config.seed)
    state: State = {"weights": tensors, "adam": adam, **({"scales": scales} if scales else {})}
    loop.run(run, state, step, on_step=on_step, devices=devices)
    layers.recompute_blocks(personal, False)
    return personal


def draw(
    net: StyleGAN2, w_plus: Float[Tensor, "b l w"], size_px: int = 0, devices: Devices = ALONE
) -> Float[Tensor, "b 3 p p"]:
    """Photos of codes, of `size_px` or (0) the network's own size, not clamped."""
    with devices.autocast():
        made: Tensor = net.synthesis(w_plus, "const", size_px or None)
    return made.float()
