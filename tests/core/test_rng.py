import torch
from hypothesis import given
from hypothesis import strategies as st

from selfsame.core import rng


def test_a_key_is_the_same_on_every_machine_and_differs_by_every_word() -> None:
    assert rng.key(0, "depth jitter", 3) == rng.key(0, "depth jitter", 3) == 3401354822035250120
    others = [
        rng.key(1, "depth jitter", 3),
        rng.key(0, "depth jitter", 4),
        rng.key(0, "depth", "jitter", 3),
        rng.key(0),
    ]
    assert len({rng.key(0, "depth jitter", 3), *others}) == 5


def test_generators_of_one_purpose_draw_the_same() -> None:
    first, second = (torch.randn(4, generator=rng.generator(7, "noise", 2)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, torch.randn(4, generator=rng.generator(7, "noise", 3)))


def test_rows_of_several_processes_are_the_draws_of_one() -> None:
    for draw in (rng.uniform, rng.normal):
        whole = draw(rng.generator(0, "rows"), (6, 3))
        assert torch.equal(whole, draw(rng.Rows(rng.generator(0, "rows")), (6, 3)))
        parts = [draw(rng.Rows(rng.generator(0, "rows"), first, 2), (3, 3)) for first in (0, 1)]
        assert torch.equal(torch.stack(parts, 1).flatten(0, 1), whole)
    assert torch.equal(rng.uniform(rng.generator(1), (2, 2)), torch.rand(2, 2, generator=rng.generator(1)))


@given(count=st.integers(1, 12), batch=st.integers(1, 30), steps=st.integers(1, 9), seed=st.integers(0, 3))
def test_batches_see_every_item_equally_often(count: int, batch: int, steps: int, seed: int) -> None:
    drawn = torch.cat([rng.batch_indices(count, batch, seed, step) for step in range(steps)])
    seen = torch.bincount(drawn, minlength=count)
    assert len(drawn) == batch * steps
    assert seen.max() - seen.min() <= 1
