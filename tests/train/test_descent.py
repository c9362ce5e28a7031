"""A step down a gradient that is gathered in parts, and the scale of losses in fp16."""

import math

import pytest
import torch
from torch import Tensor

from selfsame.train import descent
from selfsame.train.devices import ALONE, Devices, Share


def stepped(devices: Devices, data: Tensor, weight: float = 1.0) -> tuple[Tensor, dict[str, Tensor]]:
    point = torch.tensor([1.0, -2.0], requires_grad=True)
    sgd = torch.optim.SGD([point], lr=0.1)

    def losses(share: Share) -> dict[str, Tensor]:
        rows = share.take(data)
        return {"loss": ((rows * point).sum(1) - 1).square().mean(), "rows": rows.sum(1).mean()}

    told = descent.step(sgd, losses, devices, weight=weight)
    return point.detach(), told


def test_parts_add_up_to_the_whole() -> None:
    data = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    whole, told = stepped(ALONE, data, weight=2.0)
    x = torch.tensor([1.0, -2.0])
    by_hand = x - 0.1 * 2.0 * (2 * ((data @ x) - 1)[:, None] * data).mean(0)
    torch.testing.assert_close(whole, by_hand)
    for parts in (2, 3, 6):
        again, same = stepped(Devices(accumulate=parts), data, weight=2.0)
        torch.testing.assert_close(again, whole)
        torch.testing.assert_close(same, told)


def test_gradients_that_are_no_numbers_are_cleaned() -> None:
    """Without a scale, as published: NaN becomes 0, infinities 100,000."""
    point = torch.tensor([3.0, 3.0, 3.0], requires_grad=True)
    sgd = torch.optim.SGD([point], lr=1e-5)
    factors = torch.tensor([math.nan, math.inf, -math.inf])
    descent.step(sgd, lambda share: {"loss": (point * factors).sum()}, ALONE)
    torch.testing.assert_close(point.detach(), torch.tensor([3.0, 2.0, 4.0]))


def test_an_overflow_skips_the_step_and_halves_the_scale() -> None:
    point = torch.tensor([3.0], requires_grad=True)
    sgd = torch.optim.SGD([point], lr=0.5)
    scale = torch.tensor([8.0, 0.0])
    descent.step(sgd, lambda share: {"loss": point.sum() * math.inf}, ALONE, scale=scale)
    assert point.tolist() == [3.0] and scale.tolist() == [4.0, 0.0]
    descent.step(sgd, lambda share: {"loss": point.sum() * 2}, ALONE, scale=scale)
    assert point.tolist() == [2.0] and scale.tolist() == [4.0, 1.0]


def test_a_scale_halves_where_gradients_overflow_and_doubles_after_a_while() -> None:
    weight, scale = torch.zeros(2, requires_grad=True), torch.tensor([8.0, 0.0])
    weight.grad = torch.tensor([math.inf, 1.0])
    assert not descent.unscale([weight], scale)
    assert scale.tolist() == [4.0, 0.0]
    weight.grad = torch.tensor([8.0, 4.0])
    assert descent.unscale([weight], scale)
    assert weight.grad.tolist() == [2.0, 1.0] and scale.tolist() == [4.0, 1.0]
    scale[1] = descent.STEPS_TO_DOUBLE - 1
    descent.unscale([weight], scale)
    assert scale.tolist() == [8.0, 0.0]


@pytest.mark.parametrize(("precision", "names"), [("no", set()), ("bf16", set()), ("fp16", {"a", "b"})])
def test_only_fp16_has_scales(precision: str, names: set[str]) -> None:
    assert descent.scales(Devices(precision=precision), "a", "b").keys() == names  # type: ignore[arg-type]
