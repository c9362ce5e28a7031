import math

import pytest
import torch

from selfsame.train.optim import adam, clean_gradients, lazy, projector_lr, projector_noise, set_lr, update


def test_eg3d_settings() -> None:
    group = adam([torch.zeros(1, requires_grad=True)]).param_groups[0]
    assert group["lr"] == pytest.approx(0.002)
    assert group["betas"] == (0.0, pytest.approx(0.99199, abs=1e-5))
    assert lazy(0.002, (0.0, 0.99), 16)[0] == pytest.approx(0.0018823529)


@pytest.mark.parametrize(
    ("step", "lr"),
    [(0, 0.0), (1, 0.002), (5, 0.01), (50, 0.01), (75, 0.01), (80, 0.00904508497), (87.5, 0.005), (99, 3.94265e-5)],
)
def test_projector_lr(step: float, lr: float) -> None:
    assert projector_lr(int(step * 10), 1000, 0.01) == pytest.approx(lr, rel=1e-4)


@pytest.mark.parametrize(("step", "noise"), [(0, 0.5), (30, 0.18), (75, 0.0), (99, 0.0)])
def test_projector_noise(step: int, noise: float) -> None:
    assert projector_noise(step, 100, w_std=10.0) == pytest.approx(noise, abs=1e-12)


def test_gradients_that_are_no_numbers_are_cleaned() -> None:
    x = torch.zeros(4, requires_grad=True)
    optimizer = adam([x, torch.zeros(1, requires_grad=True)])
    x.grad = torch.tensor([math.nan, math.inf, -math.inf, 2.0])
    clean_gradients(optimizer)
    assert x.grad.tolist() == [0.0, 1e5, -1e5, 2.0]


def test_an_update_is_one_adam_step_and_forgets_the_last_gradient() -> None:
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    optimizer = adam([x], lr=1.0)
    set_lr(optimizer, 0.1)
    update(optimizer, x.square().sum())  # Adam's first step has the size of the learning rate
    assert x.tolist() == pytest.approx([0.9, -1.9])
    update(optimizer, x.sum())
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 1.0]


def test_a_group_with_a_pace_learns_that_many_times_as_fast() -> None:
    slow, fast = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([{"params": [slow]}, {"params": [fast], "pace": 20.0}], 1.0)
    set_lr(optimizer, 0.01)
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.2]
