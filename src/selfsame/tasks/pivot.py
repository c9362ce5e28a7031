"""Pivotal tuning: the generator moves until fixed codes show their photos [PTI: Roich et al. 2021, section 3.2]."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from selfsame.core.camera import Camera
from selfsame.nets import lora
from selfsame.nets.triplane import TriPlane
from selfsame.tasks import personal
from selfsame.tasks.targets import Degrade, Features, Target
from selfsame.train import optim

ADAM_BETAS = (0.9, 0.999)


@dataclass(frozen=True)
class PivotConfig:
    """How a network is tuned about fixed codes.

    `trained` "model" tunes the low-rank numbers of a low-rank network and of any other everything but the mapping;
    "all" everything but the mapping, the weights under low-rank ones included, as My3DGen's evaluation does.
    `stop_perceptual` ends the tuning once the perceptual distance of every picture is that small (0: never) [PTI].
    """

    steps: int = 350
    lr: float = 3e-4
    pixel: float = 1.0
    perceptual: float = 1.0
    trained: Literal["model", "all"] = "model"
    depth_samples: int = 48
    importance_samples: int = 48
    stop_perceptual: float = 0.06


PAPER = PivotConfig()
# For the starter prior. On two photos of one synthetic person 15, 30 and 45 steps gave 29.6, 29.9 and 30.3 dB (28.8
# before) and new views went on gaining (27.0 to 28.0 dB); 3e-3 was twice as quick, but full networks share the setting.
QUICK = PivotConfig(steps=45, lr=1e-3, depth_samples=16, importance_samples=12, stop_perceptual=0.0)
PRESETS = {"paper": PAPER, "quick": QUICK}


def tune(
    net: TriPlane,
    w_plus: Float[Tensor, "b l w"],
    images: Float[Tensor, "b 3 s s"],
    camera: Camera,
    config: PivotConfig,
    features: Features,
    *,
    degrade: Degrade | None = None,
    on_step: Callable[[int], None] | None = None,
) -> TriPlane:
    """A frozen copy of `net` that shows `images` at their fixed codes from their cameras; `net` does not change.

    Squared error and perceptual distance of picture and raw rendering, as in the personal training;
    `degrade` stands between pictures and their comparison.
    """
    tuned = prepare(net, config.trained)
    moving = {name: p for name, p in tuned.named_parameters() if p.requires_grad}
    adam = optim.adam(moving.values(), lr=config.lr, betas=ADAM_BETAS)
    target = Target(tuned, images, features, raw_features=True, degrade=degrade)
    for step in range(config.steps):
        made = tuned(  # deterministic samples: the network must not chase the noise of the renderer
            w_plus, camera, depth_samples=config.depth_samples, importance_samples=config.importance_samples
        )
        seen = target.perceptual(made)
        if config.stop_perceptual and float(seen.detach().max()) <= config.stop_perceptual:
            break
        loss = config.pixel * target.pixel(made) + config.perceptual * (seen + target.perceptual_raw(made))
        optim.update(adam, loss.sum())
        if on_step:
            on_step(step + 1)
    return tuned.eval().requires_grad_(False)


def is_low_rank(net: nn.Module) -> bool:
    """Whether a network has low-rank weights."""
    return any(parametrize.is_parametrized(module) for module in net.modules())


def prepare(net: TriPlane, trained: Literal["model", "all"]) -> TriPlane:
    """A copy of a network that trains what `trained` says (see `PivotConfig`) and nothing else."""
    if trained == "all" or not is_low_rank(net):
        return personal.unfrozen(net)
    tuned = copy.deepcopy(net).requires_grad_(False)
    for parameter in lora.trainable(tuned).values():
        parameter.requires_grad_(True)
    return tuned
