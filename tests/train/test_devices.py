"""Which rows a process sees and when, what is drawn for them, and what is moved where."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from selfsame.core import rng
from selfsame.core.errors import WrongUse
from selfsame.train import devices
from selfsame.train.devices import ALONE, Devices, Share, moved


@pytest.mark.parametrize(("count", "accumulate"), [(1, 1), (2, 1), (1, 3), (2, 3)])
def test_processes_and_turns_share_a_batch_and_its_draws(count: int, accumulate: int) -> None:
    size = 2 * count * accumulate
    batch = torch.arange(size)
    drawn = rng.uniform(rng.generator(0, "draws"), (size, 3))
    shares = [share for rank in range(count) for share in Devices(rank, count, accumulate=accumulate).shares()]
    assert len(shares) == count * accumulate
    assert sorted(torch.cat([share.take(batch) for share in shares]).tolist()) == batch.tolist()
    for share in shares:
        own = rng.uniform(share.rows(rng.generator(0, "draws")), (2, 3))
        assert torch.equal(own, drawn[share.take(batch)])


def test_alone_draws_what_a_generator_draws() -> None:
    (share,) = ALONE.shares()
    assert share == Share()
    one = rng.uniform(rng.generator(0), (4, 2))
    assert torch.equal(one, rng.uniform(share.rows(rng.generator(0)), (4, 2)))


def test_a_batch_that_does_not_part_is_refused() -> None:
    Devices(count=2, accumulate=3).check_parts(12)
    with pytest.raises(WrongUse, match=r"A batch of 4 photos cannot be taken in 3 equal parts.*a multiple of 3"):
        Devices(accumulate=3).check_parts(4)
    with pytest.raises(WrongUse, match=r"cannot be taken in 2 processes times 2 equal parts.*a multiple of 4"):
        Devices(count=2, accumulate=2).check_parts(6)


def test_sixteen_bits_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(WrongUse, match="fp16 needs a GPU"):
        devices.here("fp16")
    made = devices.here("bf16", accumulate=2, recompute=True)
    assert made.flags == " --precision bf16 --accumulate 2 --recompute"
    assert ALONE.flags == ""


@dataclass(frozen=True, eq=False)
class Record:
    net: nn.Module
    inside: tuple[Tensor, str]


def test_what_lies_elsewhere_is_moved_and_the_rest_stays() -> None:
    record = Record(nn.Linear(2, 2), (torch.ones(2), "a word"))
    same = moved(record, torch.device("cpu"))
    assert same.net is record.net and same.inside[0] is record.inside[0]
    there = moved(record, torch.device("meta"))
    assert there.net.weight.device.type == there.inside[0].device.type == "meta"
    assert there.inside[1] == "a word"
    assert record.net.weight.device.type == "cpu", "a network has to be copied, not taken away"
