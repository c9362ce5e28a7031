"""The chances, turns and orders that the rules promise, beyond sizes and coverage."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from selfsame.core import rng
from selfsame.replay import select
from selfsame.replay.select import Pool, keep


def sessions_of(*sizes: int) -> Tensor:
    return torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))


def with_codes(codes: Tensor, sessions: Tensor) -> Pool:
    return Pool(codes, sessions, torch.zeros(len(codes)), seen=int((sessions != sessions.max()).sum()))


def shares(drawn: Tensor, of: int) -> list[float]:
    """How often each of `of` things stands in a draw."""
    return [float((drawn == thing).any(1).float().mean()) for thing in range(of)]


def after_sessions(method: str, sizes: list[int], size: int, seed: int) -> list[tuple[int, int]]:
    """What a buffer holds, by session and place in it, when sessions have arrived one after another."""
    held: list[tuple[int, int]] = []
    for session, arrived in enumerate(sizes):
        names = held + [(session, place) for place in range(arrived)]
        sessions = torch.tensor([s for s, _ in names])
        pool = Pool(torch.zeros(len(names), 1), sessions, torch.zeros(len(names)), seen=sum(sizes[:session]))
        held = [names[i] for i in keep(pool, size, method, rng.key(seed, session)).tolist()]
    return held


def test_draws_pass_over_emptied_sessions_and_end_with_a_random_one_of_the_others() -> None:
    sessions = sessions_of(6, 3, 1)
    drawn = select.draw(sessions, 6, 4000, rng.generator(0))
    counts = torch.stack([(sessions[drawn] == kind).sum(1) for kind in range(3)], 1)
    assert {tuple(c) for c in counts.tolist()} == {(3, 2, 1), (2, 3, 1)}
    assert float((counts[:, 0] == 3).float().mean()) == pytest.approx(0.5, abs=0.04)
    assert shares(drawn, 10) == pytest.approx([2.5 / 6] * 6 + [2.5 / 3] * 3 + [1], abs=0.04)


def test_draws_of_two_sessions_give_every_pair_equally_often() -> None:
    drawn = select.draw(sessions_of(3, 3), 2, 3000, rng.generator(0)).sort(1).values
    counts = Counter(map(tuple, drawn.tolist()))
    assert [n / 3000 for n in counts.values()] == pytest.approx([1 / 9] * 9, abs=0.03)


@pytest.mark.parametrize("method", ["random", "hull", "gdumb", "reservoir"])
def test_another_seed_keeps_others(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "CANDIDATES", 30)
    pool = with_codes(torch.randn(18, 5), sessions_of(6, 6, 6))
    assert len({tuple(keep(pool, 3, method, seed).tolist()) for seed in range(8)}) > 1


def test_a_reservoir_of_unequal_sessions_keeps_every_photo_with_equal_chance() -> None:
    sizes, size, runs = [2, 7, 1, 5], 4, 600
    counts = Counter(name for seed in range(runs) for name in after_sessions("reservoir", sizes, size, seed))
    assert len(counts) == sum(sizes)
    assert [n / runs for n in counts.values()] == pytest.approx([size / sum(sizes)] * sum(sizes), abs=0.085)


def test_a_reservoir_that_is_given_less_room_keeps_what_it_held_with_equal_chance() -> None:
    pool = Pool(torch.zeros(7, 1), sessions_of(6, 1), torch.zeros(7), seen=6)
    counts = Counter(item for seed in range(500) for item in keep(pool, 2, "reservoir", seed).tolist())
    assert [counts[item] / 500 for item in range(7)] == pytest.approx([2 / 7] * 7, abs=0.1)


def test_gdumb_holds_unequal_sessions_in_numbers_as_equal_as_can_be() -> None:
    for seed in range(10):
        counts = Counter(session for session, _ in after_sessions("gdumb", [5, 6, 5, 8, 5], 7, seed))
        assert sorted(counts.values()) == [1, 1, 1, 2, 2]
        assert Counter(s for s, _ in after_sessions("gdumb", [5, 1, 5], 7, seed)) == {0: 3, 1: 1, 2: 3}


@settings(max_examples=20)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(0, 4), st.integers(0, 10**6))
def test_gdumb_forgets_no_session_while_there_is_room_for_all(sizes: list[int], more: int, seed: int) -> None:
    held = after_sessions("gdumb", sizes, len(sizes) + more, seed)
    assert {session for session, _ in held} == set(range(len(sizes)))


def test_gdumb_keeps_every_photo_of_equal_sessions_with_equal_chance() -> None:
    counts = Counter(name for seed in range(300) for name in after_sessions("gdumb", [4, 4], 4, seed))
    assert [n / 300 for n in counts.values()] == pytest.approx([0.5] * 8, abs=0.15)


def test_kmeans_keeps_the_photo_nearest_to_the_middle_of_its_cluster() -> None:
    cluster = torch.arange(16) % 4
    codes = 50 * torch.eye(4)[cluster] + torch.randn(16, 4)
    for item in keep(with_codes(codes, sessions_of(12, 4)), 4, "kmeans", 0).tolist():
        apart = (codes - codes[cluster == cluster[item]].mean(0)).norm(dim=1)
        assert float(apart[item]) == pytest.approx(float(apart.min()), abs=1e-5)


def test_kmeans_keeps_different_photos_where_all_are_equal() -> None:
    with pytest.warns(match="distinct clusters"):
        assert len(keep(with_codes(torch.ones(6, 3), sessions_of(6)), 4, "kmeans", 0).unique()) == 4


def test_herding_begins_at_the_middle_of_each_session_and_goes_on_to_balance_it() -> None:
    line = torch.tensor([0.0, 2.0, 3.0, 11.0, 100.0, 101.0, 103.0])[:, None]  # the means are 4 and 101.33
    pool = with_codes(line, sessions_of(4, 3))
    assert keep(pool, 1, "herding", 0).tolist() == [5]  # the newest session goes first
    assert keep(pool, 2, "herding", 0).tolist() == [2, 5]
    assert keep(pool, 3, "herding", 0).tolist() == [2, 5, 6]  # (101 + 103) / 2 is nearer than (101 + 100) / 2


def test_volume_goes_round_the_sessions_before_it_takes_a_second_corner() -> None:
    """The old session lies far apart, the new one close together in its middle."""
    codes = torch.tensor([[-9.0, -9], [9, -9.1], [9.2, 9], [-9, 9.3], [0.1, 0], [0, 0.3], [0.2, 0.2]])
    pool = with_codes(codes, sessions_of(4, 3))
    for size, new in ((2, 1), (3, 1), (4, 2), (5, 2), (6, 3)):
        assert int((keep(pool, size, "volume", 0) >= 4).sum()) in (new, size - new)


def test_with_no_more_room_than_sessions_hulls_are_drawn_and_may_come_twice() -> None:
    found = select.candidates(sessions_of(3, 3, 3), 3, rng.generator(0))
    assert len(found) == select.CANDIDATES
    assert len({tuple(sorted(s)) for s in found.tolist()}) == 27


def test_gdumb_with_less_room_than_before_lets_the_largest_sessions_give_way() -> None:
    pool = with_codes(torch.zeros(8, 2), torch.tensor([0, 0, 0, 0, 1, 2, 3, 3]))
    for seed in range(10):
        held = pool.sessions[keep(pool, 4, "gdumb", seed)].tolist()
        assert {1, 2, 3} <= set(held) and len(held) == 4
