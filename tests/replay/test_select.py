"""Which photos a buffer keeps: as published where published, and what every rule promises."""

import published_hull
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selfsame.core.errors import WrongUse
from selfsame.replay.select import CANDIDATES, SELECTORS, TRIED, Pool, candidates, draw, hull_score, keep, spread

EVERY = [*SELECTORS, *TRIED]
CHOOSING = [name for name in EVERY if name not in ("all", "none")]
COVERING = ("random", "hull", "herding", "volume")


def make_pool(counts: list[int], seed: int = 0, width: int = 8) -> Pool:
    """A pool of sessions 2, 5, 8, ... with so many photos each, not in order but for the newest."""
    g = torch.Generator().manual_seed(seed)
    sessions = torch.tensor([2 + 3 * u for u, n in enumerate(counts) for _ in range(n)])
    sessions = sessions[torch.randperm(len(sessions), generator=g)]
    codes = torch.randn(len(sessions), width, generator=g) + torch.randn(99, width, generator=g)[sessions]
    return Pool(codes, sessions, torch.rand(len(sessions), generator=g) * 4, seen=20 * (len(counts) - 1))


def published_choice(pool: Pool, chosen: list[tuple[int, ...]]) -> list[int]:
    codes, sessions, spread = pool.codes.double().numpy(), pool.sessions.tolist(), pool.spread.tolist()
    return list(min(chosen, key=lambda row: published_hull.score(codes, sessions, spread, row)))


@pytest.mark.parametrize(("counts", "size"), [([9], 3), ([1, 7], 3), ([2, 6], 3), ([1, 2, 6], 5), ([7], 5)])
def test_hull_chooses_as_published_where_it_tries_all(counts: list[int], size: int) -> None:
    pool = make_pool(counts)
    chosen = published_hull.valid(pool.sessions.tolist(), size)
    tried = candidates(pool.sessions, size, torch.Generator())
    assert sorted(tuple(sorted(row)) for row in tried.tolist()) == sorted(chosen)
    assert keep(pool, size, "hull", 0).tolist() == published_choice(pool, chosen)


@pytest.mark.parametrize("size", [3, 5])
def test_hull_scores_as_published(size: int) -> None:
    pool = make_pool([1, 1, 2, 8], width=32)
    drawn = draw(pool.sessions, size, 12, torch.Generator().manual_seed(0))
    codes, sessions, spread = pool.codes.double().numpy(), pool.sessions.tolist(), pool.spread.tolist()
    expected = [published_hull.score(codes, sessions, spread, tuple(row)) for row in drawn.tolist()]
    torch.testing.assert_close(hull_score(pool, drawn), torch.tensor(expected).double(), rtol=1e-5, atol=0)
    assert drawn[hull_score(pool, drawn).argmin()].tolist() == published_choice(
        pool, [tuple(r) for r in drawn.tolist()]
    )


@pytest.mark.parametrize("name", CHOOSING)
@given(counts=st.lists(st.integers(1, 6), min_size=1, max_size=5), size=st.integers(0, 14), seed=st.integers(0, 99))
def test_every_rule_keeps_the_promises(name: str, counts: list[int], size: int, seed: int) -> None:
    pool = make_pool(counts, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("selfsame.replay.select.CANDIDATES", 60)
        patch.setattr("selfsame.replay.select.TRIES", 3)
        kept = keep(pool, size, name, seed)
        assert kept.equal(keep(pool, size, name, seed))
    assert kept.dtype == torch.long
    assert kept.tolist() == sorted(set(kept.tolist()))
    assert len(kept) == min(size, sum(counts))
    assert set(kept.tolist()) <= set(range(sum(counts)))
    if name in COVERING:
        assert len(pool.sessions[kept].unique()) == min(size, len(counts))


def test_the_bounds_ignore_the_size() -> None:
    pool = make_pool([2, 3])
    assert [len(keep(pool, size, "all", 0)) for size in (0, 2, 9)] == [5, 5, 5]
    assert [len(keep(pool, size, "none", 0)) for size in (0, 2, 9)] == [0, 0, 0]


@pytest.mark.parametrize("name", EVERY)
def test_a_negative_size_is_refused(name: str) -> None:
    with pytest.raises(WrongUse, match="-1 photos"):
        keep(make_pool([4]), -1, name, 0)


def test_an_unknown_rule_is_refused_and_the_others_are_named() -> None:
    with pytest.raises(WrongUse, match="reservoir"):
        keep(make_pool([4]), 1, "best", 0)


@pytest.mark.parametrize("size", [2, 3])
def test_hull_does_not_mind_codes_repeated_over_layers(size: int) -> None:
    pool = make_pool([1, 1, 7])
    wide = Pool(pool.codes.repeat(1, 14), pool.sessions, pool.spread * 14**0.5, pool.seen)
    assert keep(pool, size, "hull", 3).equal(keep(wide, size, "hull", 3))


def test_a_session_kept_whole_counts_its_spread_and_points_inside_count_nothing() -> None:
    square = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [1.0, 1.0]])
    pool = Pool(square, torch.tensor([0, 1, 1, 1]), torch.tensor([6.0, 1.0, 1.0, 1.0]), 20)
    torch.testing.assert_close(hull_score(pool, torch.tensor([[0, 1, 2]])), torch.tensor([3.0]).double())
    assert spread(square[:3]).tolist() == pytest.approx([4.0, 2 + 8**0.5, 2 + 8**0.5])
    assert spread(square[:1]).tolist() == [0.0]


def test_draws_take_turns_at_random() -> None:
    group = torch.tensor([0, 1, 1, 2, 2, 2, 2, 2])
    drawn = draw(group, 2, 6000, torch.Generator().manual_seed(0))
    held = torch.stack([(group[drawn] == u).sum(1) for u in range(3)], 1)
    assert held.max() == 1
    torch.testing.assert_close(held.double().mean(0), torch.full((3,), 2 / 3).double(), atol=0.02, rtol=0)
    of_last = torch.tensor([(drawn == i).sum() for i in range(3, 8)]) / 6000
    torch.testing.assert_close(of_last, torch.full((5,), 2 / 15), atol=0.015, rtol=0)
    assert {tuple(row) for row in group[draw(group, 6, 50, torch.Generator())].sort(1).values.tolist()} == {
        (0, 1, 1, 2, 2, 2)
    }


def test_distinct_draws_are_as_many_as_asked_for_or_as_there_are() -> None:
    group = torch.tensor([0] + [1] * 20)  # of the first there is one, of the other a choice of six out of twenty
    drawn = candidates(group, 7, torch.Generator())
    assert len({tuple(row) for row in drawn.tolist()}) == len(drawn) == CANDIDATES
    few = candidates(torch.tensor([0, 1, 1, 1, 1, 1]), 4, torch.Generator())
    assert sorted(few.tolist()) == sorted([0, *rest] for rest in torch.combinations(torch.arange(1, 6), 3).tolist())


def test_all_sets_are_tried_where_they_are_few() -> None:
    assert len(candidates(torch.zeros(20).long(), 3, torch.Generator())) == 1140  # 20 over 3
    group = torch.tensor([0] * 3 + [1] * 20)
    assert len(candidates(group, 3, torch.Generator())) == 3 * 190 + 3 * 20
    many = candidates(torch.zeros(20).long(), 5, torch.Generator())  # of 15,504
    assert len({tuple(sorted(row)) for row in many.tolist()}) == len(many) == CANDIDATES


def stream(name: str, size: int, sessions: int, each: int, seed: int) -> list[tuple[int, int]]:
    """What a buffer holds after sessions of so many photos, as (session, photo)."""
    kept: list[tuple[int, int]] = []
    for t in range(sessions):
        pooled = kept + [(t, i) for i in range(each)]
        codes = torch.tensor(pooled).float()
        pool = Pool(codes, codes[:, 0].long(), torch.zeros(len(pooled)), t * each)
        kept = [pooled[i] for i in keep(pool, size, name, seed * 100 + t).tolist()]
    return kept


def test_reservoir_gives_all_photos_the_same_chance() -> None:
    held = torch.zeros(4, 5)
    for seed in range(400):
        for t, i in stream("reservoir", 4, 4, 5, seed):
            held[t, i] += 1
    expected = 400 * 4 / 20
    assert ((held - expected).square() / expected).sum() < 43.8  # 0.1 % of chi squares with 19 degrees are above
    assert (held.sum(1) - 400).abs().max() < 70


def test_gdumb_keeps_sessions_balanced() -> None:
    for seed in range(10):
        held = torch.tensor([t for t, _ in stream("gdumb", 6, 4, 8, seed)]).bincount(minlength=4)
        assert held.max() - held.min() <= 1


def test_kmeans_keeps_one_of_each_cluster() -> None:
    centres = torch.eye(4)[torch.arange(20) % 4] * 50
    pool = Pool(centres + torch.randn(20, 4), torch.zeros(20).long(), torch.zeros(20), 0)
    assert sorted((keep(pool, 4, "kmeans", 0) % 4).tolist()) == [0, 1, 2, 3]


def test_herding_keeps_the_mean_and_volume_the_corners() -> None:
    codes = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 8.0], [9.0, 9.0], [5.0, 4.0], [4.0, 4.0], [5.0, 5.5]])
    pool = Pool(codes, torch.zeros(7).long(), torch.zeros(7), 0)
    assert keep(pool, 4, "volume", 0).tolist() == [0, 1, 2, 3]
    assert keep(pool, 1, "herding", 0).tolist() == [4]
