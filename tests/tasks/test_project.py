"""Projection into the hull: its weights stay in it, mixtures are found again, and only what is left is compared."""

from dataclasses import replace

import pytest
import torch
from helpers import poses
from torch import Tensor

from selfsame.core import camera as cameras
from selfsame.core.camera import FACE_PIVOT
from selfsame.losses import image as losses
from selfsame.nets.judges import Judge
from selfsame.tasks import degrade, hull, project
from selfsame.tasks.prior import Prior
from selfsame.tasks.project import ProjectConfig, mixed

SHORT = ProjectConfig(
    steps=50, lr=0.05, ramp=True, perceptual=0.0, deltas=0.1, sums=0.1, depth_samples=6, importance_samples=4
)
SHARES = torch.tensor([[0.7, 0.2, 0.1, 0.0], [0.05, 0.15, 0.3, 0.5]])


@pytest.fixture
def anchors(prior: Prior) -> Tensor:
    return prior.draw(4, 2, psi=1.0)


def shown(prior: Prior, codes: Tensor) -> Tensor:
    with torch.no_grad():
        return prior.net(codes, poses(len(codes)), depth_samples=6, importance_samples=4).image


def test_a_mixture_is_found_again(prior: Prior, anchors: Tensor, judge: Judge) -> None:
    images = shown(prior, torch.einsum("bn,nlw->blw", SHARES, anchors))
    found = project.project(prior.net, anchors, images, poses(2), SHORT, judge.features)
    middle = shown(prior, anchors.mean(0, keepdim=True).expand(2, -1, -1))
    again = shown(prior, found.w_plus)
    assert float((again - images).square().mean()) < 0.1 * float((middle - images).square().mean())
    assert found.weights.shape == (2, prior.net.num_ws, 4)
    torch.testing.assert_close(found.weights.mean(1), SHARES, atol=0.12, rtol=0)


@pytest.mark.parametrize("beta", [0.0, 0.03, 0.2])
def test_weights_stay_in_the_dilated_hull(prior: Prior, anchors: Tensor, judge: Judge, beta: float) -> None:
    outside = shown(prior, anchors[:2] + 3 * (anchors[:2] - anchors.mean(0)))
    found = project.project(prior.net, anchors, outside, poses(2), replace(SHORT, beta=beta, steps=25), judge.features)
    torch.testing.assert_close(found.weights.sum(-1), torch.ones(2, prior.net.num_ws))
    # Each is at least -beta before all are divided by their sum, which stays near one.
    assert float(found.weights.min()) >= -1.3 * beta - 1e-6
    torch.testing.assert_close(found.w_plus, torch.einsum("bln,nlw->blw", found.weights, anchors))


def test_without_a_beta_weights_are_free(prior: Prior, anchors: Tensor, judge: Judge) -> None:
    outside = shown(prior, anchors[:2] + 3 * (anchors[:2] - anchors.mean(0)))
    free = project.project(prior.net, anchors, outside, poses(2), replace(SHORT, beta=None, steps=25), judge.features)
    assert float(free.weights.min()) < -0.05
    start = torch.full((1, 3, 4), 0.25)
    torch.testing.assert_close(mixed(start, anchors[:, :3], None), anchors[:, :3].mean(0, keepdim=True))


def test_the_bound_is_the_published_one(anchors: Tensor) -> None:
    alpha = torch.tensor([[[0.5, -0.2, 0.1, 0.0]]])
    soft = torch.log1p(torch.exp(100 * (alpha + 0.03))) / 100 - 0.03
    torch.testing.assert_close(project.shares(alpha, 0.03), soft / soft.sum())


def test_loss_is_perceptual_and_squared_error_and_penalties(prior: Prior, anchors: Tensor, judge: Judge) -> None:
    images = shown(prior, prior.draw(2, 9))
    config = replace(SHORT, steps=1, lr=0.0, perceptual=1.0)
    found = project.project(prior.net, anchors, images, poses(2), config, judge.features)
    middle = shown(prior, mixed(torch.full((2, len(anchors[0]), 4), 0.25), anchors, 0.03))
    wanted = losses.mse(middle, images) + losses.perceptual(judge.features(middle), judge.features(images))
    torch.testing.assert_close(found.loss, wanted)


def test_deltas_of_early_layers_are_held_more_than_late_ones(prior: Prior, anchors: Tensor, judge: Judge) -> None:
    images = shown(prior, prior.draw(2, 9, psi=1.0))
    found = project.project(prior.net, anchors, images, poses(2), replace(SHORT, deltas=1.0, beta=None), judge.features)
    off = (found.weights - found.weights.mean(1, keepdim=True)).norm(dim=-1)
    early = round(project.EARLY * prior.net.num_ws)
    shared = (found.weights[:, :early] - found.weights[:, :1]).norm(dim=-1).mean()
    assert float(shared) < 0.2 * float(off[:, early:].mean())


def test_damage_is_seen_by_both_sides(prior: Prior, anchors: Tensor, judge: Judge) -> None:
    images = shown(prior, torch.einsum("bn,nlw->blw", SHARES, anchors))
    hole = torch.zeros(1, 1, 16, 16)
    hole[..., :, :6] = 1
    other = torch.where(hole > 0, -images, images)
    config = replace(SHORT, steps=5, perceptual=1.0, sketch_steps=5, sketch_px=8)
    one, two = (
        project.project(prior.net, anchors, x, poses(2), config, judge.features, degrade=degrade.masked(hole))
        for x in (images, other)
    )
    assert torch.equal(one.w_plus, two.w_plus)


def test_sketches_alone_find_it_too_and_refine_the_camera(prior: Prior, anchors: Tensor, judge: Judge) -> None:
    images = shown(prior, torch.einsum("bn,nlw->blw", SHARES, anchors))
    config = replace(SHORT, steps=0, sketch_steps=50, sketch_px=8)
    found = project.project(prior.net, anchors, images, poses(2), config, judge.features)
    middle = shown(prior, anchors.mean(0, keepdim=True).expand(2, -1, -1))
    error = (shown(prior, found.w_plus) - images).square().mean()
    assert float(error) < 0.3 * float((middle - images).square().mean())
    assert torch.equal(found.camera.cam2world, poses(2).cam2world)
    off = cameras.nudge(poses(2), torch.tensor([[0.0, 0.1, 0.0]]).expand(2, -1), torch.zeros(2, 3), FACE_PIVOT)
    config = replace(config, refine_camera=True, camera_lr=0.005)
    refined = project.project(prior.net, anchors, images, off, config, judge.features).camera
    moved = refined.cam2world - off.cam2world
    wanted = poses(2).cam2world - off.cam2world
    assert float((moved * wanted).sum()) > 0.1 * float(wanted.square().sum())  # towards the true one


def test_presets_are_published_and_affordable() -> None:
    assert (project.PAPER.beta, project.PAPER.steps, project.PAPER.lr) == (hull.BETA, 1000, 5e-3)
    assert (project.PAPER.deltas, project.PAPER.sums, project.PAPER.sketch_steps) == (10.0, 10.0, 0)
    assert project.QUICK.steps + project.QUICK.sketch_steps < project.PAPER.steps
