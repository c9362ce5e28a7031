"""The adapter: what it changes before training, what it reads, and that everything in it is trained."""

from dataclasses import replace

import torch

from selfsame.nets.age_adapter import STARTER_ADAPTER, AgeAdapter

SMALL = replace(STARTER_ADAPTER, styles=3, w_dim=8, bottleneck=4, shared=6, hidden=8)


def codes(count: int = 2) -> torch.Tensor:
    return torch.randn(count, SMALL.styles, SMALL.w_dim, generator=torch.Generator().manual_seed(1))


def test_a_zero_start_changes_nothing_and_the_published_start_does() -> None:
    torch.manual_seed(0)
    years = torch.tensor([30.0, 70.0])
    assert torch.equal(AgeAdapter(SMALL)(codes(), years), codes())
    assert (AgeAdapter(replace(SMALL, zero_start=False))(codes(), years) - codes()).abs().mean() > 0.01


def test_every_style_reads_the_age_and_all_styles() -> None:
    torch.manual_seed(0)
    adapter = AgeAdapter(replace(SMALL, zero_start=False))
    w = codes(1)
    offset = adapter(w, torch.tensor([30.0])) - w
    older = adapter(w, torch.tensor([70.0])) - w
    assert ((older - offset).abs().amax(2) > 1e-4).all()
    other = w.clone()
    other[:, 2] += 1
    changed = adapter(other, torch.tensor([30.0])) - other
    assert ((changed - offset).abs().amax(2) > 1e-4).all()


def test_each_photo_is_moved_on_its_own() -> None:
    torch.manual_seed(0)
    adapter = AgeAdapter(replace(SMALL, zero_start=False))
    w, years = codes(3), torch.tensor([20.0, 40.0, 60.0])
    alone = torch.cat([adapter(w[i : i + 1], years[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(adapter(w, years), alone)


def test_every_number_gets_a_gradient_after_one_step_from_zero() -> None:
    torch.manual_seed(0)
    adapter = AgeAdapter(SMALL)
    sgd = torch.optim.SGD(adapter.parameters(), lr=0.1)
    for _ in range(2):  # the first step moves the last layers alone: they are zero, and pass nothing on
        sgd.zero_grad()
        adapter(codes(), torch.tensor([30.0, 70.0])).square().sum().backward()
        sgd.step()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in adapter.parameters())
