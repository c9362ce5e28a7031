import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from selfsame.train import loop
from selfsame.train.optim import update
from selfsame.train.ranger import Ranger, centred, rectification


@dataclass(frozen=True)
class Settings:
    lr: float = 0.01


def test_published_settings() -> None:
    group = Ranger([torch.zeros(1, requires_grad=True)]).param_groups[0]
    del group["params"]
    assert group == {
        "lr": 1e-4, "betas": (0.95, 0.999), "eps": 1e-5, "period": 6, "ahead": 0.5, "threshold": 5.0,
    }  # fmt: skip


def test_gradients_are_centred_for_each_output() -> None:
    assert centred(torch.tensor([[1.0, 3.0], [4.0, 4.0]])).tolist() == [[-1.0, 1.0], [0.0, 0.0]]
    assert centred(torch.tensor([1.0, 3.0])).tolist() == [1.0, 3.0]
    assert centred(torch.randn(4, 3, 2, 2)).mean((1, 2, 3)).abs().max() < 1e-6


def test_rectification() -> None:
    """With beta 0.999 the length passes 5 at step 6; at last the factor is 1."""
    assert [rectification(step, 0.999) is None for step in range(1, 8)] == [True] * 5 + [False] * 2
    longest, left = 1999.0, 0.999**6
    length = longest - 12 * left / (1 - left)
    share = ((length - 4) / (longest - 4)) * ((length - 2) / (longest - 2)) * (longest / length)
    assert rectification(6, 0.999) == pytest.approx(math.sqrt((1 - left) * share))
    assert rectification(100_000, 0.999) == pytest.approx(1, abs=1e-6)


def test_the_first_seven_steps_by_hand() -> None:
    """A gradient of 2 throughout: the corrected mean is 2; momentum for five steps, then the rectified step."""
    x = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    ranger = Ranger([x], lr=0.1)
    expected = 1.0
    for step in range(1, 8):
        update(ranger, 2 * x.sum())
        if step < 6:
            expected -= 0.1 * 2
        else:
            factor = rectification(step, 0.999)
            assert factor is not None
            expected -= 0.1 * 2 * factor / (2 * math.sqrt(1 - 0.999**step) + 1e-5)
        if step == 6:
            expected = (1 + expected) / 2
        assert x.item() == pytest.approx(expected, rel=1e-9), f"step {step}"


def test_without_lookahead_and_centring_it_is_torchs_radam() -> None:
    """On vectors, whose gradients stay; torch takes the same threshold of 5."""
    a = torch.randn(5, dtype=torch.float64, requires_grad=True)
    b = a.detach().clone().requires_grad_()
    ranger = Ranger([a], lr=0.01, eps=1e-8, period=1, ahead=1.0)
    radam = torch.optim.RAdam([b], lr=0.01, betas=(0.95, 0.999), eps=1e-8)
    for _ in range(20):
        update(ranger, (a - 3).pow(4).sum())
        update(radam, (b - 3).pow(4).sum())
    torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)


def test_a_resumed_run_is_the_same_run_bitwise(tmp_path: Path) -> None:
    def train(folder: Path, steps: int) -> nn.Module:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.PReLU(8), nn.Conv2d(8, 3, 3)).to(memory_format=torch.channels_last)
        ranger = Ranger(net.parameters(), lr=0.01)

        def step(_: int) -> dict[str, Tensor]:
            loss = net(torch.randn(2, 3, 8, 8)).square().mean()
            update(ranger, loss)
            return {"loss": loss}

        job = loop.Run(folder, Settings(), steps, save_every=4)
        loop.run(job, {"net": net, "ranger": ranger}, step)
        return net

    whole = train(tmp_path / "whole", 15)
    train(tmp_path / "cut", 9)
    again = train(tmp_path / "cut", 15)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))
    names = [loop.CHECKPOINT_FILE, loop.LOG_FILE]
    assert all((tmp_path / "whole" / n).read_bytes() == (tmp_path / "cut" / n).read_bytes() for n in names)
