"""Inversion of pictures that the network made itself: a code that shows them exists."""

from dataclasses import replace

import pytest
import torch
from helpers import poses

from selfsame.core import camera as cameras
from selfsame.core.camera import FACE_PIVOT
from selfsame.tasks import invert as invert_module
from selfsame.tasks.invert import PRESETS, InvertConfig, invert, invert_all
from selfsame.tasks.prior import Prior

WHOLE = InvertConfig(
    space="w_plus", steps=60, lr=0.05, noise=0.0, perceptual=0.0, depth_samples=6, importance_samples=4
)
CAMERA = poses(3)


def pictures(prior: Prior) -> torch.Tensor:
    with torch.no_grad():
        return prior.net(prior.draw(3, 1, psi=1.0), CAMERA).image


@pytest.mark.parametrize(
    "config", [WHOLE, replace(WHOLE, rays=32, steps=80), replace(WHOLE, space="w")], ids=["w_plus", "rays", "w"]
)
def test_a_picture_of_the_network_is_found_again(prior: Prior, config: InvertConfig) -> None:
    images = pictures(prior)
    before = invert(prior.net, images, CAMERA, prior.w_mean, replace(config, steps=1, lr=0.0)).loss
    found = invert(prior.net, images, CAMERA, prior.w_mean, config)
    assert float(found.loss.sum()) < float(before.sum()) / 3
    with torch.no_grad():
        made = prior.net(found.w_plus, CAMERA).image
        mean = prior.net(prior.w_mean.expand_as(found.w_plus), CAMERA).image
    assert float((made - images).square().mean()) < float((mean - images).square().mean()) / 3
    assert torch.equal(found.camera.cam2world, CAMERA.cam2world)


def test_space_w_repeats_one_code_and_w_plus_does_not(prior: Prior) -> None:
    images = pictures(prior)
    one = invert(prior.net, images, CAMERA, prior.w_mean, replace(WHOLE, space="w", steps=5)).w_plus
    many = invert(prior.net, images, CAMERA, prior.w_mean, replace(WHOLE, steps=5)).w_plus
    assert one.shape == many.shape == (3, prior.net.num_ws, 16)
    torch.testing.assert_close(one, one[:, :1].expand_as(one))
    assert not torch.allclose(many, many[:, :1].expand_as(many), atol=1e-3)


def test_a_nudged_camera_comes_back(prior: Prior) -> None:
    codes = prior.draw(3, 1, psi=1.0)
    off = cameras.nudge(CAMERA, torch.tensor([[0.0, 0.1, 0.0]]).expand(3, -1), torch.zeros(3, 3), FACE_PIVOT)
    with torch.no_grad():
        images = prior.net(codes, CAMERA, depth_samples=12, importance_samples=0).image
    config = replace(
        WHOLE, steps=60, lr=0.0, depth_samples=12, importance_samples=0, refine_camera=True, camera_lr=0.005
    )
    found = invert(prior.net, images, off, codes, config)
    truth, start = (cameras.angles(c)[0] for c in (CAMERA, off))
    assert float((start - truth).abs().min()) > 0.09
    assert float((cameras.angles(found.camera)[0] - truth).abs().max()) < 0.03
    assert torch.equal(found.w_plus, codes)


def test_inversion_changes_no_network_and_repeats_itself(prior: Prior) -> None:
    before = {name: t.clone() for name, t in prior.net.state_dict().items()}
    config = replace(WHOLE, noise=0.05, steps=4)
    one, two = (invert(prior.net, pictures(prior), CAMERA, prior.w_mean, config, w_std=1.0) for _ in range(2))
    assert torch.equal(one.w_plus, two.w_plus)
    assert all(torch.equal(before[name], t) for name, t in prior.net.state_dict().items())
    assert all(p.grad is None for p in prior.net.parameters())
    other = invert(prior.net, pictures(prior), CAMERA, prior.w_mean, replace(config, seed=1), w_std=1.0)
    assert not torch.equal(one.w_plus, other.w_plus)


def test_the_pull_to_the_start_keeps_codes_near_it(prior: Prior) -> None:
    free = invert(prior.net, pictures(prior), CAMERA, prior.w_mean, replace(WHOLE, steps=30)).w_plus
    held = invert(prior.net, pictures(prior), CAMERA, prior.w_mean, replace(WHOLE, steps=30, to_mean=100.0)).w_plus
    assert float((held - prior.w_mean).norm()) < 0.5 * float((free - prior.w_mean).norm())


def test_the_perceptual_term_uses_the_features_given(prior: Prior) -> None:
    seen: list[torch.Size] = []

    def features(images: torch.Tensor) -> list[torch.Tensor]:
        seen.append(images.shape)
        return [images[:, :1]]

    config = replace(WHOLE, steps=3, pixel=0.0, perceptual=1.0, lr=0.0)
    found = invert(prior.net, pictures(prior), CAMERA, prior.w_mean, config, features=features)
    with torch.no_grad():
        made = prior.net(found.w_plus, CAMERA).image
    torch.testing.assert_close(found.loss, (made - pictures(prior))[:, :1].square().mean((1, 2, 3)))
    assert seen == [torch.Size([3, 3, 16, 16])] * 4  # the photos once, each step's picture once


def test_every_step_is_told(prior: Prior) -> None:
    told: list[int] = []
    invert(prior.net, pictures(prior), CAMERA, prior.w_mean, replace(WHOLE, steps=3), on_step=told.append)
    assert told == [1, 2, 3]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_whole(name: str) -> None:
    assert PRESETS[name].steps > 0
    assert PRESETS[name].pixel > 0 or (PRESETS[name].perceptual > 0 and not PRESETS[name].rays)


@pytest.mark.parametrize("rays", [0, 16])
def test_all_photos_are_inverted_in_parts_that_bound_memory(
    prior: Prior, rays: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, sizes, told = pictures(prior), [], []
    monkeypatch.setattr("selfsame.tasks.invert.AT_ONCE", 2)
    whole = invert_module.invert

    def watched(net: object, part: torch.Tensor, *rest: object, **more: object) -> object:
        sizes.append(len(part))
        return whole(net, part, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("selfsame.tasks.invert.invert", watched)
    start = prior.w_mean.expand(3, prior.net.num_ws, -1)
    config = replace(WHOLE, steps=2, rays=rays)
    found = invert_all(prior.net, images, CAMERA, start, config, on_step=lambda done, total: told.append((done, total)))
    assert sizes == ([2, 1] if rays else [1, 1, 1])
    assert told == [(i + 1, 2 * len(sizes)) for i in range(2 * len(sizes))]
    alone = whole(prior.net, images[2:], CAMERA[2:3], start[2:], config)
    assert torch.equal(found.w_plus[2:], alone.w_plus) and len(found.camera) == len(found.loss) == 3
