"""Personalization: what moves, what must not, when the phases run, and that a resumed run is the same run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import poses
from torch import Tensor

from selfsame.core import camera as cameras
from selfsame.nets import lora
from selfsame.nets.judges import Judge
from selfsame.nets.lora import LowRankConfig
from selfsame.tasks import personal
from selfsame.tasks.personal import PersonalConfig, Photos, personalize
from selfsame.tasks.prior import Prior
from selfsame.train import loop, optim

SHORT = PersonalConfig(steps=4, batch=2, lr=0.01, depth_samples=6, importance_samples=0, save_every=2)


@pytest.fixture
def photos(prior: Prior) -> Photos:
    """Codes with pictures of other codes: there is something to learn."""
    with torch.no_grad():
        images = prior.net(prior.draw(4, 9, psi=1.0), poses(4)).image
    return Photos(prior.draw(4, 1), images, poses(4))


def values(net: torch.nn.Module, config: PersonalConfig) -> dict[str, Tensor]:
    return {name: t.detach().clone() for name, t in personal.trained_tensors(net, config).items()}  # type: ignore[arg-type]


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_training_lowers_the_loss(prior: Prior, photos: Photos, judge: Judge, tmp_path: Path) -> None:
    config = replace(SHORT, steps=24, batch=4, save_every=24)
    personalize(prior.net, photos, config, judge, tmp_path)
    losses = loop.history(tmp_path)["loss"]
    assert sum(losses[-4:]) < 0.7 * sum(losses[:4])


def test_only_the_persons_tensors_move(prior: Prior, photos: Photos, judge: Judge, tmp_path: Path) -> None:
    before = {name: t.clone() for name, t in prior.net.state_dict().items()}
    net = personalize(prior.net, photos, SHORT, judge, tmp_path)
    assert all(torch.equal(before[name], t) for name, t in prior.net.state_dict().items()), "the prior has changed"
    start = values(personal.prepare(prior.net, SHORT), SHORT)
    moved = {name for name, t in values(net, SHORT).items() if not torch.equal(t, start[name])}
    assert "backbone.synthesis.b8.conv0.weight.b" in moved
    assert "superresolution.block1.conv0.weight.b" in moved
    assert len(moved) > 0.7 * len(start)
    own = {id(p) for p in lora.trainable(net).values()}
    assert all(id(p) in own for p in net.parameters() if p.requires_grad)
    assert not any(part in name for name in start for part in ("mapping", "decoder"))


def test_anchors_and_photos_stay(prior: Prior, photos: Photos, judge: Judge, tmp_path: Path) -> None:
    before = photos.w_plus.clone(), photos.images.clone()
    personalize(prior.net, photos, SHORT, judge, tmp_path)
    assert torch.equal(photos.w_plus, before[0])
    assert torch.equal(photos.images, before[1])
    assert photos.w_plus.grad is None


def test_full_fine_tuning_leaves_the_mapping_alone(prior: Prior, photos: Photos, judge: Judge, tmp_path: Path) -> None:
    config = replace(SHORT, low_rank=None, steps=2)
    before = {name: t.clone() for name, t in prior.net.state_dict().items()}
    net = personalize(prior.net, photos, config, judge, tmp_path)
    changed = {name for name, t in net.state_dict().items() if not torch.equal(t, before[name])}
    assert not any("mapping" in name for name in changed)
    assert {"decoder.net.0.weight", "backbone.synthesis.b4.const", "superresolution.block1.torgb.weight"} <= changed
    assert not any("mapping" in name for name in personal.trained_tensors(net, config))
    assert all(torch.equal(before[name], t) for name, t in prior.net.state_dict().items())


@pytest.mark.parametrize("low_rank", [LowRankConfig(), LowRankConfig(2, 2.0, "plain"), None])
def test_a_resumed_run_equals_an_uninterrupted_one_bitwise(
    prior: Prior, photos: Photos, judge: Judge, tmp_path: Path, low_rank: LowRankConfig | None
) -> None:
    config = replace(SHORT, low_rank=low_rank, symmetry_every=2, identity_every=3)
    whole = personalize(prior.net, photos, config, judge, tmp_path / "whole")

    class Stop(Exception):
        pass

    def stop(done: int, losses: loop.Losses) -> None:
        if done == 3:
            raise Stop

    with pytest.raises(Stop):
        personalize(prior.net, photos, config, judge, tmp_path / "cut", on_step=stop)
    resumed = personalize(prior.net, photos, config, judge, tmp_path / "cut")
    assert same(values(whole, config), values(resumed, config))
    logs = [(tmp_path / name / loop.LOG_FILE).read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_phases_run_at_their_steps(prior: Prior, photos: Photos, judge: Judge, tmp_path: Path) -> None:
    config = replace(SHORT, steps=7, symmetry_every=3, identity_every=2)
    personalize(prior.net, photos, config, judge, tmp_path)
    history = loop.history(tmp_path)
    assert [i for i, v in enumerate(history["symmetry"]) if v == v] == [2, 5]
    assert [i for i, v in enumerate(history["identity"]) if v == v] == [1, 3, 5]
    assert all(0 <= v <= 2 for name in ("symmetry", "identity") for v in history[name] if v == v)


def test_the_symmetry_phase_alone_moves_only_the_persons_tensors(
    prior: Prior, photos: Photos, judge: Judge, tmp_path: Path
) -> None:
    config = replace(SHORT, steps=1, pixel=0.0, perceptual=0.0, symmetry_every=1)
    net = personalize(prior.net, photos, config, judge, tmp_path)
    start = values(personal.prepare(prior.net, config), config)
    assert not same(values(net, config), start)
    given = {name for name, p in net.named_parameters() if p.grad is not None}
    trainable = {id(p) for p in lora.trainable(net).values()}
    assert given
    assert all(id(p) in trainable for name, p in net.named_parameters() if name in given)
    assert all(p.grad is None for p in judge.parameters())


def test_symmetry_compares_mirrored_poses(prior: Prior, photos: Photos) -> None:
    """A judge that sees only the mean colour of each half tells apart an unflipped second picture."""
    taken: list[Tensor] = []

    class Halves:
        def embed(self, images: Tensor) -> Tensor:
            taken.append(images.detach())
            return torch.nn.functional.normalize(images.mean((1, 2)), dim=1)

        def features(self, images: Tensor) -> Sequence[Tensor]:
            return [images]

        def recognise(self, images: Tensor) -> Tensor:
            return images.mean((2, 3))

    data = personal._Data(prior.net, photos, Halves(), SHORT)
    data.symmetry(torch.tensor([0, 1]), SHORT, 0)
    poses_ = cameras.orbit(personal.ORBIT_FRAMES)
    shown = []
    with torch.no_grad():
        for frame in range(personal.ORBIT_FRAMES):
            made = prior.net(photos.w_plus[:2], poses_[[frame] * 2], depth_samples=6, importance_samples=0).image
            shown.append(made)
    one = next(i for i, made in enumerate(shown) if torch.allclose(made, taken[0], atol=1e-5))
    torch.testing.assert_close(shown[personal.ORBIT_FRAMES - 1 - one].flip(-1), taken[1])


def test_before_training_a_person_is_the_prior(prior: Prior, photos: Photos) -> None:
    for low_rank in (LowRankConfig(), None):
        net = personal.prepare(prior.net, replace(SHORT, low_rank=low_rank))
        with torch.no_grad():
            assert torch.equal(net(photos.w_plus, photos.camera).image, prior.net(photos.w_plus, photos.camera).image)


def test_the_cosine_schedule_ends_at_nothing_and_the_constant_one_does_not(
    prior: Prior, photos: Photos, judge: Judge, tmp_path: Path
) -> None:
    def last_move(config: PersonalConfig) -> float:
        """How far the last step goes, as a share of the first."""
        seen = []
        for steps in (1, config.steps - 1, config.steps):
            folder = tmp_path / config.schedule / str(steps)
            # The schedule knows all steps: a run that is stopped early is one of them.
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("selfsame.train.optim.cosine_lr", lambda step, _, base: usual(step, config.steps, base))
                net = personalize(prior.net, photos, replace(config, steps=steps), judge, folder)
            seen.append(torch.cat([t.flatten() for t in values(net, config).values()]))
        start = torch.cat([t.flatten() for t in values(personal.prepare(prior.net, config), config).values()])
        return float((seen[2] - seen[1]).norm() / (seen[0] - start).norm())

    usual = optim.cosine_lr
    config = replace(SHORT, steps=8, save_every=8)
    assert last_move(replace(config, schedule="cosine")) < 0.15
    assert last_move(config) > 0.3


def test_half_a_cosine_falls_from_the_base_to_nothing() -> None:
    assert [optim.cosine_lr(step, 4, 2.0) for step in (0, 2, 4)] == pytest.approx([2.0, 1.0, 0.0])
