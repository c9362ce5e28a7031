"""Hulls: every code in them is made of the anchors and of nothing else."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, nnls

from selfsame.core.errors import WrongUse
from selfsame.tasks import hull

ANCHORS = torch.randn(6, 4, 8, generator=torch.Generator().manual_seed(5))


def shares(codes: torch.Tensor) -> tuple[np.ndarray, float]:
    """Non-negative weights of the anchors that give each code, and what they leave over."""
    matrix = ANCHORS.flatten(1).T.double().numpy()
    found = [nnls(matrix, code.flatten().double().numpy()) for code in codes]
    return np.array([weights for weights, _ in found]), max(left for _, left in found)


def test_samples_are_convex_combinations_of_three_anchors() -> None:
    codes = hull.sample(ANCHORS, 20, seed=1)
    weights, left = shares(codes)
    assert left < 1e-4
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-4)
    assert ((weights > 1e-4).sum(1) <= 3).all()
    assert (weights.max(0) > 1e-4).all(), "some anchor is never used"


def test_samples_repeat_by_seed_and_differ_among_themselves() -> None:
    codes = hull.sample(ANCHORS, 5, seed=1)
    assert torch.equal(codes, hull.sample(ANCHORS, 5, seed=1))
    assert torch.equal(codes[:3], hull.sample(ANCHORS, 3, seed=1))
    assert not torch.equal(codes, hull.sample(ANCHORS, 5, seed=2))
    assert len({tuple(code.flatten().tolist()) for code in codes}) == 5


def test_few_anchors_make_a_small_hull_and_none_makes_none() -> None:
    torch.testing.assert_close(hull.sample(ANCHORS[:1], 2, seed=0), ANCHORS[:1].expand(2, -1, -1))
    with pytest.raises(WrongUse, match="at least one anchor"):
        hull.sample(ANCHORS[:0], 1, seed=0)


def test_equal_weights_give_the_mean() -> None:
    torch.testing.assert_close(hull.combine(torch.full((2, 6), 0.3), ANCHORS), ANCHORS.mean(0).expand(2, -1, -1))


def test_one_weight_gives_nearly_that_anchor() -> None:
    found = hull.combine(torch.eye(6)[2:3] * 50, ANCHORS, beta=0.0)
    torch.testing.assert_close(found, ANCHORS[2:3], atol=0.02, rtol=0)


def test_the_hull_is_dilated_by_beta_and_no_more() -> None:
    anchors = torch.eye(6)[:, None]  # a code then is its own weights
    alpha = torch.full((1, 6), -100.0)
    alpha[0, 0] = 1.0
    found = hull.combine(alpha, anchors, beta=0.03)[0, 0]
    assert float(found.sum()) == pytest.approx(1, abs=1e-5)
    assert float(found.min()) == pytest.approx(-0.03 / (1 - 5 * 0.03), abs=1e-4)
    assert float(hull.combine(alpha, anchors, beta=0.0).min()) >= 0


def test_combine_has_a_gradient_everywhere() -> None:
    alpha = torch.zeros(1, 6, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: hull.combine(a, ANCHORS.double()), (alpha,))


def test_interpolation_is_straight_and_ends_exactly() -> None:
    codes = hull.interpolate(ANCHORS[0], ANCHORS[1], 5)
    assert torch.equal(codes[0], ANCHORS[0])
    assert torch.equal(codes[-1], ANCHORS[1])
    torch.testing.assert_close(codes[2], (ANCHORS[0] + ANCHORS[1]) / 2)
    torch.testing.assert_close(codes.diff(dim=0), codes.diff(dim=0)[:1].expand(4, -1, -1), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("beta", [0.0, 0.03, 0.2])
def test_the_nearest_hull_weights_are_those_of_a_solver(beta: float) -> None:
    alpha = torch.randn(8, 5, generator=torch.Generator().manual_seed(2)).double()
    found = hull.nearest(alpha, beta)
    torch.testing.assert_close(found.sum(-1), torch.ones(8).double())
    assert float(found.min()) >= -beta - 1e-12
    for row, weights in zip(alpha.numpy(), found.numpy(), strict=True):
        solved = minimize(
            lambda a, row=row: ((a - row) ** 2).sum(),
            np.full(5, 0.2),
            jac=lambda a, row=row: 2 * (a - row),
            bounds=[(-beta, None)] * 5,
            constraints={"type": "eq", "fun": lambda a: a.sum() - 1, "jac": lambda a: np.ones(5)},
            method="SLSQP",
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(weights, solved.x, atol=1e-5)
    inside = torch.full((1, 5), 0.2).double()
    torch.testing.assert_close(hull.nearest(inside, beta), inside)


def test_variety_goes_from_the_middle_outwards_and_stays_in_the_dilated_hull() -> None:
    anchors = torch.eye(6)[:, None]  # a code then is its own weights
    spread = []
    for variety in (0.0, 0.5, 1.0, 1.5, 2.5, 10.0):
        weights = hull.sample(anchors, 40, seed=3, variety=variety)[:, 0]
        torch.testing.assert_close(weights.sum(-1), torch.ones(40))
        assert float(weights.min()) >= -hull.BETA - 1e-6
        spread.append(float((weights - 1 / 6).norm(dim=-1).mean()))
    assert spread[0] == pytest.approx(0, abs=1e-6)
    assert all(a < b for a, b in pairwise(spread))
    assert torch.equal(hull.sample(ANCHORS, 4, 1, variety=1.0), hull.sample(ANCHORS, 4, 1))
    with pytest.raises(WrongUse, match="below zero"):
        hull.sample(ANCHORS, 1, 0, variety=-1.0)
