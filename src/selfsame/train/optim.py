"""Optimizer settings and schedules of EG3D and its projectors, all of them functions of the step."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer


def lazy(lr: float, betas: tuple[float, float], interval: int) -> tuple[float, tuple[float, float]]:
    """Learning rate and betas corrected for a regulariser that takes a step of its own every `interval` steps.

    [StyleGAN2, appendix B: with c = interval / (interval + 1), lr c and betas to the power c.]
    """
    c = interval / (interval + 1)
    return lr * c, (betas[0] ** c, betas[1] ** c)


EG3D_LR, EG3D_BETAS = lazy(0.0025, (0.0, 0.99), interval=4)  # 0.002 and (0, 0.992)


def adam(
    parameters: Iterable[Tensor],
    lr: float = EG3D_LR,
    betas: tuple[float, float] = EG3D_BETAS,
    eps: float = 1e-8,
) -> Adam:
    """Adam with the settings that EG3D and My3DGen train with."""
    return Adam(parameters, lr=lr, betas=betas, eps=eps)


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Give every parameter group this learning rate, times its `pace` where it has one."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("pace", 1.0)


def update(optimizer: Optimizer, loss: Tensor) -> None:
    """One step down the gradient of a scalar loss; gradients that are no numbers are cleaned first."""
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    clean_gradients(optimizer)
    optimizer.step()


def clean_gradients(optimizer: Optimizer) -> None:
    """In place, NaN to 0 and infinities to 1e5 with their sign [StyleGAN3 and EG3D, training loop]."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                torch.nan_to_num(parameter.grad, nan=0.0, posinf=1e5, neginf=-1e5, out=parameter.grad)


def cosine_lr(step: int, steps: int, base: float) -> float:
    """Learning rate that falls from `base` to nothing by half a cosine [Loshchilov and Hutter 2017, equation 5]."""
    return base * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def projector_lr(step: int, steps: int, base: float) -> float:
    """Learning rate of StyleGAN2's projector: up over the first 5 % of the steps, down (cosine) over the last 25 %."""
    t = step / steps
    down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - t) / 0.25))
    return base * down * min(1.0, t / 0.05)


def projector_noise(step: int, steps: int, w_std: float) -> float:
    """Strength of the noise that the projector adds to w: 0.05 `w_std` at first, nothing after 75 % of the steps."""
    return w_std * 0.05 * max(0.0, 1 - step / steps / 0.75) ** 2
