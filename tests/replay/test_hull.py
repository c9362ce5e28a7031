"""Distances to convex hulls against the published way and against every face of the hull."""

from itertools import combinations

import numpy as np
import published_hull
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from selfsame.replay import hull


def by_all_faces(codes: Tensor, chosen: list[int]) -> Tensor:
    """Distance to the hull as the least over the affine hulls of all subsets whose nearest point lies in the subset."""
    best = torch.full((len(codes),), torch.inf, dtype=torch.float64)
    for size in range(1, len(chosen) + 1):
        for face in combinations(chosen, size):
            corner, edges = codes[face[0]], codes[list(face[1:])] - codes[face[0]]
            share = (codes - corner) @ torch.linalg.pinv(edges) if size > 1 else torch.zeros(len(codes), 0).double()
            inside = (share >= -1e-12).all(1) & (share.sum(1) <= 1 + 1e-12)
            away = (codes - corner - share @ edges).norm(dim=1)
            best = torch.where(inside, torch.minimum(best, away), best)
    return best


@pytest.mark.parametrize("size", [3, 5])
def test_the_distances_are_those_of_the_published_rule(size: int) -> None:
    codes = torch.randn(14, 32, dtype=torch.float64)
    candidates = torch.rand(6, 14).argsort(1)[:, :size]
    expected = np.stack([published_hull.distances(codes.numpy(), tuple(row)) for row in candidates.tolist()])
    np.testing.assert_allclose(hull.distances(codes, candidates).numpy(), expected, rtol=1e-5)


@given(
    seed=st.integers(0, 10_000),
    width=st.integers(1, 8),
    size=st.integers(1, 6),
    kind=st.sampled_from(["spread", "repeated", "on a line", "almost on a line", "all one"]),
)
def test_the_distances_are_the_least_over_all_faces(seed: int, width: int, size: int, kind: str) -> None:
    g = torch.Generator().manual_seed(seed)
    codes = torch.randn(10, width, generator=g, dtype=torch.float64)
    line = torch.randn(8, 1, generator=g).double() * codes[0] + codes[1]
    if kind == "repeated":
        codes[2:7] = codes[1:6].clone()
    elif kind == "on a line":
        codes[:8] = line
    elif kind == "almost on a line":
        codes[:8] = line + 1e-3 * codes[:8]
    elif kind == "all one":
        codes[:] = codes[0].clone()
    chosen = torch.randperm(10, generator=g)[:size]
    found = hull.distances(codes, chosen[None])[0]
    within = 5e-4 if kind == "almost on a line" else 2e-5
    torch.testing.assert_close(found, by_all_faces(codes, chosen.tolist()), rtol=1e-6, atol=within)
    assert (found[chosen] == 0).all()


def test_a_point_inside_is_at_zero_and_one_outside_is_not() -> None:
    corners = torch.randn(5, 16)
    share = torch.rand(20, 5)
    inside = (share / share.sum(1, keepdim=True)) @ corners
    away = hull.distances(torch.cat([corners, inside, 2 * corners]), torch.arange(5)[None])[0]
    assert away[:25].max() < 1e-6
    assert away[25:].min() > 0.1


def test_the_answer_does_not_depend_on_unit_place_or_company() -> None:
    codes = torch.randn(12, 8, dtype=torch.float64)
    candidates = torch.rand(300, 12).argsort(1)[:, :4]
    found = hull.distances(codes, candidates)
    torch.testing.assert_close(hull.distances(1e4 * codes + 7e4, candidates) / 1e4, found)
    torch.testing.assert_close(torch.cat([hull.distances(codes, row[None]) for row in candidates[:20]]), found[:20])


def test_codes_that_are_no_numbers_do_not_hang() -> None:
    codes = torch.randn(6, 4)
    codes[2] = torch.nan
    assert hull.distances(codes, torch.tensor([[0, 1, 3]])).isnan().any()
