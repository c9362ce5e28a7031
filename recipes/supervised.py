"""What the two supervised priors share: Adam with a group a part, the schedule, the average of the weights."""

import math

import torch
from torch import Tensor, nn

LR_FACTORS = {"mapping": 80.0, "decoder": 2.0, "rest": 1.0}  # the mapping stores its weights a hundred times as large


def adam_by_part(net: nn.Module, lr: float) -> torch.optim.Adam:
    """Adam on what is trained, with a group for the mapping, the decoder (where there is one) and the rest."""
    groups: dict[str, list[Tensor]] = {name: [] for name in LR_FACTORS}
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        groups[next((key for key in groups if key in name), "rest")].append(parameter)
    listed = [{"params": groups[key], "lr": lr * factor} for key, factor in LR_FACTORS.items()]
    return torch.optim.Adam(listed, betas=(0.9, 0.99), eps=1e-8)


def schedule(adam: torch.optim.Adam, lr: float, step: int, steps: int) -> None:
    """Warm up over 100 steps, then a cosine to a tenth."""
    rate = min(1.0, (step + 1) / 100) * (0.1 + 0.9 * (0.5 + 0.5 * math.cos(math.pi * step / steps)))
    for group, factor in zip(adam.param_groups, LR_FACTORS.values(), strict=True):
        group["lr"] = lr * factor * rate


@torch.no_grad()
def average(ema: nn.Module, net: nn.Module, decay: float) -> None:
    """One step of the running average of weights."""
    for kept, new in zip(ema.parameters(), net.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)
