"""Edits: what a hull's weights are, how far each policy goes, and the nearest point of a dilated hull."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from selfsame.core.errors import WrongUse
from selfsame.tasks import edit

BETA = 0.03


def toy(count: int = 6, layers: int = 2, width: int = 7, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Anchors about a mean far from the origin, as codes are, and a unit direction."""
    g = torch.Generator().manual_seed(seed)
    anchors = 2 + torch.randn(count, layers, width, generator=g)
    direction = torch.randn(width, generator=g)
    return anchors, direction / direction.norm()


def slsqp(alpha: np.ndarray, anchors: Tensor, beta: float) -> np.ndarray:
    """The projection by a general solver."""
    points = anchors.flatten(1).double().numpy()
    goal = alpha @ points
    found = minimize(
        lambda a: 0.5 * ((a @ points - goal) ** 2).sum(),
        np.full(len(points), 1 / len(points)),
        jac=lambda a: points @ (a @ points - goal),
        bounds=[(-beta, None)] * len(points),
        constraints={"type": "eq", "fun": lambda a: a.sum() - 1, "jac": lambda a: np.ones_like(a)},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 2000},
    )
    return np.asarray(found.x)


@pytest.mark.parametrize(("count", "beta"), [(6, BETA), (6, 0.0), (12, 0.1), (2, BETA)])
def test_a_projection_is_the_general_solvers(count: int, beta: float) -> None:
    anchors, _ = toy(count, layers=3)
    alpha = torch.randn(8, count, generator=torch.Generator().manual_seed(1)) * 0.6 + 1 / count
    mine = edit.projected(alpha, anchors, beta)
    torch.testing.assert_close(mine.sum(1), torch.ones(8, dtype=torch.float64))
    assert float(mine.min()) >= -beta - 1e-9
    for got, a in zip(mine.numpy(), alpha.double().numpy(), strict=True):
        np.testing.assert_allclose(got, slsqp(a, anchors, beta), atol=2e-5)


def test_more_anchors_than_dimensions_project_to_the_same_point_as_by_the_general_solver() -> None:
    anchors, _ = toy(20, layers=1, width=4)
    alpha = torch.randn(5, 20, generator=torch.Generator().manual_seed(1))
    points = anchors.flatten(1).double().numpy()
    for got, a in zip(edit.projected(alpha, anchors, BETA).numpy(), alpha.double().numpy(), strict=True):
        goal = a @ points
        theirs = np.linalg.norm(slsqp(a, anchors, BETA) @ points - goal)
        assert np.linalg.norm(got @ points - goal) <= theirs * (1 + 1e-6) + 1e-9


def test_an_anchor_weighs_one_and_a_mixture_what_it_is_mixed_from() -> None:
    anchors, _ = toy()
    torch.testing.assert_close(
        edit.weights_of(anchors.flatten(1), anchors), torch.eye(6, dtype=torch.float64), atol=1e-6, rtol=0
    )
    share = torch.tensor([[0.5, 0.2, 0.3, 0, 0, 0]])
    mixed = torch.einsum("bn,nlw->blw", share, anchors)
    torch.testing.assert_close(edit.weights_of(mixed.flatten(1), anchors), share.double(), atol=1e-6, rtol=0)


def test_repeated_anchors_and_more_than_dimensions_have_weights_all_the_same() -> None:
    anchors, direction = toy(9, layers=1, width=4)
    anchors = torch.cat([anchors, anchors[:2]])
    made = edit.edit(anchors[:1], direction, anchors, [-1.0, 0.0, 1.0])
    assert made.kept == pytest.approx(1.0, abs=1e-4)  # the anchors span everything, so the edit is the free one
    free = edit.edit(anchors[:1], direction, anchors, [-1.0, 0.0, 1.0], "free")
    torch.testing.assert_close(made.w_plus, free.w_plus, atol=1e-3, rtol=0)


def test_a_direction_in_the_span_is_walked_as_it_is_and_one_across_it_not_at_all() -> None:
    anchors, _ = toy(3, layers=1, width=5)
    inside = anchors[0, 0] - anchors[1, 0]
    inside = inside / inside.norm()
    made = edit.edit(anchors[:1], inside, anchors, [2.0])
    torch.testing.assert_close(made.w_plus[0], anchors[0] + 2 * inside, atol=1e-4, rtol=0)
    assert made.kept == pytest.approx(1.0, abs=1e-5)
    across = torch.linalg.svd(anchors[:, 0]).Vh[-1]
    made = edit.edit(anchors[:1], across, anchors, [2.0])
    torch.testing.assert_close(made.w_plus, anchors[:1], atol=1e-4, rtol=0)
    assert made.kept < 1e-4


@pytest.mark.parametrize("policy", ["continue", "stop", "project", "free"])
def test_no_edit_leaves_the_code_be_it_in_the_hull_or_not(policy: edit.Policy) -> None:
    anchors, direction = toy()
    far = torch.randn(1, 2, 7, generator=torch.Generator().manual_seed(4)) * 5
    for code in (anchors[2:3], far):
        made = edit.edit(code, direction, anchors, [0.0], policy, BETA)
        torch.testing.assert_close(made.w_plus, code, atol=1e-5, rtol=0)


def test_stop_goes_to_the_border_and_not_beyond() -> None:
    anchors, direction = toy()
    code = anchors.mean(0, keepdim=True)
    thetas = [-50.0, -0.01, 0.0, 0.01, 50.0]
    made = edit.edit(code, direction, anchors, thetas, "stop", BETA)
    assert made.alpha is not None
    assert made.alpha.amin(1).tolist() == pytest.approx([-BETA, *made.alpha[1:4].amin(1).tolist(), -BETA], abs=1e-5)
    assert made.alpha.amin(1).min() >= -BETA - 1e-5
    assert made.theta[1:4].tolist() == pytest.approx(thetas[1:4])
    assert -50 < made.theta[0] < 0 < made.theta[4] < 50
    on = edit.edit(code, direction, anchors, thetas, "continue", BETA)
    assert on.alpha is not None and on.alpha[4].min() < -1
    assert on.theta.tolist() == pytest.approx(thetas)


def test_stop_lets_a_code_outside_go_no_farther() -> None:
    alpha, gamma = torch.tensor([-0.5, 0.5, 1.0]), torch.tensor([-1.0, 0.2, 0.8])
    first, last = edit.allowed(alpha, gamma, BETA)
    assert last == 0
    assert first == pytest.approx(-1.03 / 0.8)


def test_project_stays_in_the_dilated_hull_from_an_anchor_and_equals_continue_inside() -> None:
    anchors, direction = toy()
    made = edit.edit(anchors[:1], direction, anchors, [-9.0, 9.0], "project", BETA)
    assert made.alpha is not None
    assert made.alpha.min() >= -BETA - 1e-5
    torch.testing.assert_close(made.alpha.sum(1), torch.ones(2), atol=1e-5, rtol=0)
    along = anchors[0] - anchors[1]
    span = along[:1].expand(2, -1)
    flat = torch.stack([a[:1].expand(2, -1) for a in anchors])  # W codes: one w for all layers
    code = flat.mean(0, keepdim=True)
    near = [edit.edit(code, span[0] / span[0].norm(), flat, [0.05], p, BETA) for p in ("continue", "project")]
    torch.testing.assert_close(near[0].w_plus, near[1].w_plus, atol=1e-4, rtol=0)


def test_presets_are_the_published_ones_and_symmetric() -> None:
    assert edit.PRESETS["paper-3d"].thetas[::14] == [-10.0, 10.0] and len(edit.PRESETS["paper-3d"].thetas) == 15
    assert len(edit.PRESETS["paper-2d"].thetas) == 11 and edit.PRESETS["paper-2d"].thetas[5] == 0
    anchors, direction = toy()
    with pytest.raises(WrongUse):
        edit.edit(anchors[:1], direction, anchors, [1.0], beta=-1)
