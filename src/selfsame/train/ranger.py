"""Ranger: rectified Adam that looks ahead, with centred gradients; what pSp and SAM train with."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class Ranger(Optimizer):
    """RAdam [Liu et al. 2020] inside Lookahead [Zhang et al. 2019], gradients centred [Yong et al. 2020].

    The defaults are the settings of pSp and SAM. Every `period` steps the slow weights go the share `ahead` of the way
    to the fast ones, which then go on from there. While the second moment has too few steps behind it to be trusted
    (`threshold` of RAdam's measure of length), a step is one of plain momentum.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.95, 0.999),
        eps: float = 1e-5,
        period: int = 6,
        ahead: float = 0.5,
        threshold: float = 5.0,
    ) -> None:
        fixed = {"lr": lr, "betas": betas, "eps": eps, "period": period, "ahead": ahead, "threshold": threshold}
        super().__init__(parameters, fixed)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        assert closure is None, "Ranger's steps take no closure"
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, centred(parameter.grad), group)

    def _move(self, x: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[x]
        if not state:
            state["step"] = torch.tensor(0.0)  # a tensor, as in torch's own optimizers, so that checkpoints hold it
            state["exp_avg"] = torch.zeros_like(x)
            state["exp_avg_sq"] = torch.zeros_like(x)
            state["slow"] = x.clone()
        state["step"] += 1
        step = int(state["step"])
        lr, (beta1, beta2) = group["lr"], group["betas"]
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.mul_(beta1).add_(gradient, alpha=1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        rectified = rectification(step, beta2, group["threshold"])
        size = lr / (1 - beta1**step)
        if rectified is None:
            x.add_(mean, alpha=-size)
        else:
            x.addcdiv_(mean, square.sqrt().add_(group["eps"]), value=-size * rectified)
        if step % group["period"] == 0:
            state["slow"].lerp_(x, group["ahead"])
            x.copy_(state["slow"])


def centred(gradient: Tensor) -> Tensor:
    """A matrix's or a convolution's gradient less its mean for each output; a vector's as it is [Yong et al.]."""
    if gradient.ndim < 2:
        return gradient
    return gradient - gradient.mean(tuple(range(1, gradient.ndim)), keepdim=True)


def rectification(step: int, beta: float, threshold: float = 5.0) -> float | None:
    """RAdam's factor of step 1, 2, ... with the second moment's correction of bias in it; None while it is not trusted.

    [Liu et al., algorithm 2.]
    """
    longest = 2 / (1 - beta) - 1
    left = beta**step
    length = longest - 2 * step * left / (1 - left)
    if length <= threshold:
        return None
    ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    return math.sqrt((1 - left) * ratio)
