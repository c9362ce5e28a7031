"""Pivotal tuning: fixed codes show their photos better, and only the copy's own numbers have moved."""

from dataclasses import replace

import pytest
import torch
from helpers import poses
from torch import Tensor

from selfsame.core import rng
from selfsame.nets import lora
from selfsame.nets.judges import Judge
from selfsame.nets.lora import MY3DGEN
from selfsame.nets.triplane import TriPlane
from selfsame.tasks import pivot
from selfsame.tasks.pivot import PivotConfig, tune
from selfsame.tasks.prior import Prior

SHORT = PivotConfig(steps=12, lr=5e-3, depth_samples=6, importance_samples=4, stop_perceptual=0.0)


def task(prior: Prior) -> tuple[Tensor, Tensor]:
    """Codes, and pictures of other codes: there is something to tune."""
    with torch.no_grad():
        return prior.draw(2, 1), prior.net(prior.draw(2, 9, psi=1.0), poses(2)).image


def distance(net: TriPlane, w_plus: Tensor, images: Tensor) -> float:
    with torch.no_grad():
        return float((net(w_plus, poses(2)).image - images).square().mean())


def low_rank(prior: Prior) -> TriPlane:
    return lora.add_low_rank(prior.net, MY3DGEN, rng.generator(0, "low-rank factors")).requires_grad_(False)


def moved(before: TriPlane, after: TriPlane) -> set[str]:
    old = dict(before.named_parameters())
    return {name for name, p in after.named_parameters() if not torch.equal(p, old[name])}


@pytest.mark.parametrize("trained", ["model", "all"])
@pytest.mark.parametrize("full", [True, False], ids=["full", "low-rank"])
def test_the_picture_nears_the_photo_and_the_network_passed_in_stays(
    prior: Prior, judge: Judge, trained: str, full: bool
) -> None:
    net = prior.net if full else low_rank(prior)
    before = {name: t.clone() for name, t in net.state_dict().items()}
    w_plus, images = task(prior)
    tuned = tune(net, w_plus, images, poses(2), replace(SHORT, trained=trained), judge.features)  # type: ignore[arg-type]
    assert distance(tuned, w_plus, images) < 0.8 * distance(net, w_plus, images)
    assert all(torch.equal(before[name], t) for name, t in net.state_dict().items())
    assert not any(p.requires_grad for p in tuned.parameters())
    changed = moved(net, tuned)
    assert not any("mapping" in name for name in changed)
    if full or trained == "all":
        assert "decoder.net.0.weight" in changed
    if not full:
        originals = [name for name in changed if name.endswith("original")]
        assert bool(originals) == (trained == "all")
        assert any(name.endswith(".0.b") for name in changed)


def test_tuning_ends_where_the_perceptual_distance_is_small(prior: Prior, judge: Judge) -> None:
    w_plus, images = task(prior)
    told: list[int] = []
    config = replace(SHORT, stop_perceptual=100.0)
    same = tune(prior.net, w_plus, images, poses(2), config, judge.features, on_step=told.append)
    assert not told
    assert not moved(prior.net, same)
    tune(prior.net, w_plus, images, poses(2), replace(SHORT, steps=3), judge.features, on_step=told.append)
    assert told == [1, 2, 3]


def test_tuning_repeats_itself(prior: Prior, judge: Judge) -> None:
    w_plus, images = task(prior)
    one, two = (tune(prior.net, w_plus, images, poses(2), replace(SHORT, steps=3), judge.features) for _ in range(2))
    assert not moved(one, two)


def test_raw_rendering_and_picture_both_pull(prior: Prior, judge: Judge) -> None:
    w_plus, images = task(prior)
    sizes: list[int] = []

    def features(pictures: Tensor) -> list[Tensor]:
        sizes.append(pictures.shape[-1])
        return judge.features(pictures)

    tune(prior.net, w_plus, images, poses(2), replace(SHORT, steps=1), features)
    assert sizes == [16, 8, 16, 8]  # the photos once, then one step's picture and raw rendering


def test_presets_are_published_and_affordable() -> None:
    assert PivotConfig(350, 3e-4, 1.0, 1.0, "model", 48, 48, 0.06) == pivot.PAPER
    assert pivot.QUICK.steps < pivot.PAPER.steps
