"""Re-aging a clip: every frame keeps its own code, and one shared offset carries the age."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import rng
from selfsame.tasks.time_machine import TimeMachine

TUNING_BATCH = 4
TUNING_LR = 5e-4


def offset(machine: TimeMachine, crops: Float[Tensor, "n 3 s s"], years: float) -> Float[Tensor, "l w"]:
    """What leads from a clip's codes as they are to those at an age, averaged over some of its crops.

    One for all frames: what the age encoder makes of a smile or a turned head would flicker, and its mean does not.
    """
    moved = [
        machine.encode(part, torch.full((len(part),), float(years)).to(part)) - machine.invert(part)
        for part in crops.split(8)
    ]
    return torch.cat(moved).mean(0)


def tuned(
    machine: TimeMachine,
    crops: Float[Tensor, "n 3 p p"],
    w_plus: Float[Tensor, "n l w"],
    steps: int,
    on_step: Callable[[int], None] | None = None,
) -> TimeMachine:
    """The machine with a decoder that shows these crops (of the decoder's size) at these codes [Roich et al. 2022]."""
    decoder = deepcopy(machine.sam.decoder)
    weights = [p.requires_grad_() for p in decoder.synthesis.parameters()]
    optimizer = torch.optim.Adam(weights, lr=TUNING_LR)
    for step in range(steps):
        which = rng.batch_indices(len(crops), TUNING_BATCH, 0, step)
        loss = F.l1_loss(decoder(w_plus[which]), crops[which])
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        if on_step:
            on_step(step + 1)
    return replace(machine, sam=replace(machine.sam, decoder=decoder))
