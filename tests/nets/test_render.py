"""Volume rendering against what can be computed by hand."""

import math

import pytest
import torch

from selfsame.core.rng import generator
from selfsame.nets import planes, render

NEAR, FAR = 2.0, 3.0


def rays(count: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    direction = torch.nn.functional.normalize(torch.randn(1, count, 3), dim=-1)
    return torch.zeros(1, count, 3), direction


def slab(density: float, low: float, high: float):
    """A shell about the origin of constant density and colour 0.25, raw so that softplus(raw - 1) is the density."""
    raw = math.log(math.expm1(density)) + 1

    def field(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        distance = points.norm(dim=-1, keepdim=True)
        inside = (distance >= low) & (distance <= high)
        return torch.full((*points.shape[:2], 3), 0.25), torch.where(inside, raw, -60.0)

    return field


def seen(field, samples: int, more: int, seed: int | None = None) -> render.RayOutput:
    origins, directions = rays()
    draw = generator(seed, "jitter") if seed is not None else None
    jitter = render.draws(1, 5, samples, draw, origins.device, spread=False)
    uniform = render.draws(1, 5, more, draw, origins.device, spread=True)
    return render.render_rays(field, origins, directions, render.stratified_depths(jitter, NEAR, FAR), uniform)


@pytest.mark.parametrize("more", [0, 40])
@pytest.mark.parametrize("density", [0.5, 4.0])
def test_constant_density_has_the_analytic_transmittance(density: float, more: int) -> None:
    samples = 41
    output = seen(slab(density, 0.0, 10.0), samples, more)
    length = FAR - NEAR  # from the first to the last sample, wherever the jitter puts them
    alpha = 1 - math.exp(-density * length)
    torch.testing.assert_close(output.alpha, torch.full_like(output.alpha, alpha), rtol=1e-5, atol=0)
    torch.testing.assert_close(output.features, torch.full_like(output.features, 0.25 * alpha), rtol=1e-5, atol=0)
    depth = NEAR + length / (samples - 1) / 2 + (1 / density - length * math.exp(-density * length) / alpha)
    torch.testing.assert_close(output.depth, torch.full_like(output.depth, depth), rtol=0, atol=2e-3)


def test_importance_samples_find_a_thin_shell() -> None:
    shell = slab(200.0, 2.5, 2.52)
    origins, directions = rays()
    depths = render.stratified_depths(render.draws(1, 5, 24, None, origins.device, spread=False), NEAR, FAR)
    sigma = shell(origins[:, :, None].add(depths[..., None] * directions[:, :, None]).flatten(1, 2))[1]
    weights = render.interval_weights(sigma.reshape(1, 5, 24), depths)
    uniform = render.draws(1, 5, 48, None, origins.device, spread=True)
    fine = render.importance_depths(depths, weights, uniform)
    assert ((fine - 2.51).abs() < 0.1).float().mean() > 0.7
    assert (fine[..., 1:] >= fine[..., :-1]).all()
    torch.testing.assert_close(seen(shell, 24, 48).depth, torch.full((1, 5, 1), 2.5), rtol=0, atol=0.04)


def test_empty_space_is_far_away_and_has_finite_gradients() -> None:
    sigma = torch.full((1, 2, 8), -200.0, requires_grad=True)
    depths = torch.linspace(NEAR, FAR, 8).expand(1, 2, 8)
    weights = render.interval_weights(sigma, depths)
    depth = render.expected_depth(weights, depths)
    depth.sum().backward()
    assert (depth == FAR).all()
    assert sigma.grad is not None
    assert sigma.grad.isfinite().all()


def test_shares_of_samples_weigh_like_middles_of_intervals() -> None:
    weights, colours = torch.rand(1, 3, 7), torch.rand(1, 3, 8)
    by_interval = (weights * (colours[..., 1:] + colours[..., :-1]) / 2).sum(-1)
    torch.testing.assert_close((render.sample_shares(weights) * colours).sum(-1), by_interval)


def test_draws_come_from_the_generator_alone() -> None:
    first, again = seen(slab(4.0, 2.3, 2.6), 12, 12, seed=1), seen(slab(4.0, 2.3, 2.6), 12, 12, seed=1)
    torch.testing.assert_close(first.depth, again.depth)  # the shell looks the same along every ray
    assert not torch.allclose(first.depth, seen(slab(4.0, 2.3, 2.6), 12, 12, seed=2).depth)
    fixed = render.draws(2, 3, 4, None, torch.device("cpu"), spread=True)
    assert torch.equal(fixed[1, 2], torch.tensor([0.125, 0.375, 0.625, 0.875]))
    assert (render.draws(2, 3, 4, None, torch.device("cpu"), spread=False) == 0.5).all()


@pytest.mark.parametrize("order", ["eg3d", "orthogonal"])
def test_table_lookup_is_grid_sample(order: planes.PlaneOrder) -> None:
    features = torch.randn(2, 3, 4, 8, 8, dtype=torch.float64, requires_grad=True)
    points = ((torch.rand(2, 200, 3, dtype=torch.float64) - 0.5) * 1.5).requires_grad_()  # many lie outside the box
    ours = planes.lookup(features, points, box=1.0, order=order)
    reference = planes._lookup_by_grid(features, points, box=1.0, order=order)
    torch.testing.assert_close(ours, reference)
    direction = torch.randn_like(ours)
    for a, b in zip(
        torch.autograd.grad(ours, (features, points), direction),
        torch.autograd.grad(reference, (features, points), direction),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_orthogonal_planes_see_every_pair_of_axes_and_the_released_order_does_not() -> None:
    pairs = {order: {frozenset(axes) for axes in planes.AXES[order]} for order in planes.AXES}
    assert len(pairs["orthogonal"]) == 3
    assert pairs["eg3d"] == {frozenset({0, 1}), frozenset({0, 2})}
