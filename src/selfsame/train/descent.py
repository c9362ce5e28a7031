"""One step down a gradient: gathered part by part, averaged over processes, and in fp16 taken of a loss scaled up."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor
from torch.optim import Optimizer

from selfsame.train import optim
from selfsame.train.devices import Devices, Share

FIRST_SCALE, LARGEST_SCALE, STEPS_TO_DOUBLE = 2.0**12, 2.0**16, 2000.0  # of losses in fp16

Scale = Tensor
"""What a loss is multiplied by (first number), and for how many steps it has been that (second)."""


def scales(devices: Devices, *names: str) -> dict[str, Scale]:
    """The first scale of each loss in fp16, whose gradients would vanish in it; none in other precisions."""
    if devices.precision != "fp16":
        return {}
    return {name: torch.tensor([FIRST_SCALE, 0.0], device=devices.device) for name in names}


def step(
    optimizer: Optimizer,
    losses: Callable[[Share], Mapping[str, Tensor]],
    devices: Devices,
    *,
    weight: float = 1.0,
    scale: Scale | None = None,
) -> dict[str, Tensor]:
    """One step down the gradient of `weight` times the mean over the global batch of `losses(share)["loss"]`.

    Each loss is a mean over the rows of its share. Returns the means over the global batch, equal in all processes.
    """
    optimizer.zero_grad(set_to_none=True)
    shares = devices.shares()
    seen = []
    for share in shares:
        found = losses(share)
        seen.append(torch.stack([value.detach() for value in found.values()]))
        loss = found["loss"] * (weight / len(shares))
        torch.autograd.backward(loss if scale is None else loss * scale[0])
    finish(optimizer, devices, scale)
    means = devices.mean(torch.stack(seen).mean(0))
    return dict(zip(found, means, strict=True))


def finish(optimizer: Optimizer, devices: Devices, scale: Scale | None) -> None:
    """Average the gradients over all processes, clean them, and go; not where they overflowed under a scale."""
    parameters = list(_parameters(optimizer))
    devices.average_gradients(parameters)
    if scale is None or unscale(parameters, scale):
        optim.clean_gradients(optimizer)
        optimizer.step()


def _parameters(optimizer: Optimizer) -> Iterator[Tensor]:
    return (parameter for group in optimizer.param_groups for parameter in group["params"])


@torch.no_grad()
def unscale(parameters: list[Tensor], scale: Scale) -> bool:
    """Divide the gradients by `scale`'s first number; False, and half of it next time, where one is not finite.

    The second number counts the steps since, and after STEPS_TO_DOUBLE of them the first is doubled.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    finite = all(bool(g.isfinite().all()) for g in gradients)
    for gradient in gradients:
        gradient.div_(scale[0])
    if not finite:
        scale.copy_(torch.stack([scale[0] / 2, torch.zeros_like(scale[1])]))
        return False
    scale[1] += 1
    if scale[1] >= STEPS_TO_DOUBLE:
        scale.copy_(torch.stack([(scale[0] * 2).clamp(max=LARGEST_SCALE), torch.zeros_like(scale[1])]))
    return True
