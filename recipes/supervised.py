"""What the two supervised priors share: Adam with a group a part, schedule, discriminator."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from selfsame.train import adversarial
from selfsame.train.checkpoint import State
from selfsame.train.devices import Devices

# The mapping stores its weights a hundred times as large; styles multiply, so that small steps of theirs go far.
LR_FACTORS = {"mapping": 200.0, "affine": 0.3, "decoder": 0.3, "rest": 1.0}
R1_EVERY, R1_GAMMA = 16, 1.0


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


def patch_discriminator() -> nn.Sequential:
    """Logits of overlapping patches of 34 px [Isola et al. 2017]: each step judges hundreds of places, not pictures."""
    widths = (3, 32, 64, 128)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Conv2d(inputs, outputs, 4, 2 if outputs < 128 else 1, 1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(128, 1, 4, 1, 1))


class Rival:
    """A discriminator of patches that learns beside the generator, with R1."""

    def __init__(self, devices: Devices) -> None:
        self.net = patch_discriminator().to(memory_format=torch.channels_last)
        self.adam = torch.optim.Adam(self.net.parameters(), 5e-4, betas=(0.5, 0.99))
        self.devices = devices

    @property
    def state(self) -> State:
        """What changes."""
        return {"rival": self.net, "rival adam": self.adam}

    def verdict(self, images: Tensor) -> Tensor:
        """Logits (N, 1) of all patches, high for photos."""
        with self.devices.autocast():
            logits: Tensor = self.net(images)
        return logits.float().reshape(-1, 1)

    def learn(self, photos: Tensor, made: Tensor, index: int) -> Tensor:
        """One step; returns its loss."""
        loss = adversarial.discriminator_loss(self.verdict(photos), self.verdict(made)).mean()
        total = loss
        if index % R1_EVERY == 0:
            photos = photos.clone().requires_grad_()
            steep = adversarial.r1(self.net(photos).mean((2, 3)), photos).mean()
            total = loss + R1_GAMMA / 2 * R1_EVERY * steep
        self.adam.zero_grad()
        total.backward()
        self.adam.step()
        return loss.detach()
