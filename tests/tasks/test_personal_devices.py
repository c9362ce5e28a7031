"""How a personal model is computed: in parts, with activations computed again, in 16 bits, and what must not change."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import poses
from torch import Tensor

from selfsame.core.errors import WrongUse
from selfsame.nets.judges import Judge
from selfsame.nets.layers import SynthesisBlock
from selfsame.nets.stylegan2 import StyleGAN2, StyleGAN2Config
from selfsame.tasks import personal, personal2d
from selfsame.tasks.personal import PersonalConfig, Photos, personalize
from selfsame.tasks.personal2d import TuningConfig
from selfsame.tasks.prior import Prior
from selfsame.train import loop
from selfsame.train.devices import ALONE, Devices

SHORT = PersonalConfig(
    steps=4, batch=4, lr=0.01, depth_samples=6, importance_samples=4, save_every=2, symmetry_every=2, identity_every=3
)
Train = Callable[[str, Devices, int], dict[str, Tensor]]


@pytest.fixture
def photos(prior: Prior) -> Photos:
    """Codes with pictures of other codes: there is something to learn."""
    with torch.no_grad():
        images = prior.net(prior.draw(6, 9, psi=1.0), poses(6)).image
    return Photos(prior.draw(6, 1), images, poses(6))


@pytest.fixture
def solid(prior: Prior, photos: Photos, judge: Judge, tmp_path: Path, one_thread: None) -> Train:
    """Training in 3D into a folder of that name, up to a step; gives the trained tensors."""

    def train(name: str, devices: Devices, steps: int = 4) -> dict[str, Tensor]:
        config = replace(SHORT, steps=steps)
        net = personalize(prior.net, photos, config, judge, tmp_path / name, replay=photos, devices=devices)
        assert not any(m.recompute for m in net.modules() if isinstance(m, SynthesisBlock))
        return {name: t.detach().clone() for name, t in personal.trained_tensors(net, config).items()}

    return train


@pytest.fixture
def flat(photos: Photos, judge: Judge, tmp_path: Path, one_thread: None) -> Train:
    """The same in 2D."""
    torch.manual_seed(0)
    net = StyleGAN2(StyleGAN2Config(16, z_dim=8, w_dim=16, mapping_layers=2, channel_base=256, channel_max=16))
    own = replace(photos, w_plus=net.map(torch.randn(6, 8)).detach())

    def train(name: str, devices: Devices, steps: int = 4) -> dict[str, Tensor]:
        config = TuningConfig(steps=steps, batch=4, lr=0.002, save_every=2)
        tuned = personal2d.tune(net.requires_grad_(False), own, config, judge, tmp_path / name, devices=devices)
        return {name: t.detach().clone() for name, t in personal.unmapped(tuned).items()}

    return train


@pytest.fixture(params=["solid", "flat"])
def train(request: pytest.FixtureRequest) -> Train:
    made: Train = request.getfixturevalue(request.param)
    return made


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_computing_again_changes_no_bit(train: Train) -> None:
    assert same(train("kept", ALONE, 4), train("again", Devices(recompute=True), 4))


def test_parts_and_computing_again_resume_bitwise(train: Train, tmp_path: Path) -> None:
    devices = Devices(accumulate=2, recompute=True)
    whole = train("whole", devices, 4)
    train("cut", devices, 3)
    (tmp_path / "cut" / loop.CONFIG_FILE).write_text((tmp_path / "whole" / loop.CONFIG_FILE).read_text())
    torch.randn(3)
    assert same(whole, train("cut", devices, 4))
    logs = [(tmp_path / name / loop.LOG_FILE).read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_a_run_may_go_on_on_a_smaller_card(solid: Train, tmp_path: Path) -> None:
    """How it is computed is no setting of the run."""
    solid("one", ALONE, 2)
    (tmp_path / "one" / loop.CONFIG_FILE).unlink()
    solid("one", Devices(accumulate=4, recompute=True), 4)
    assert loop.history(tmp_path / "one")["step"] == [0, 1, 2, 3]


def test_a_batch_in_parts_has_the_gradient_of_the_whole(
    prior: Prior, photos: Photos, judge: Judge, tmp_path: Path, one_thread: None
) -> None:
    """In double precision, for Adam's first steps make much of gradients that are all rounding."""
    torch.set_default_dtype(torch.float64)
    try:
        net, seen = prior.net.double(), replace(photos, w_plus=photos.w_plus.double(), images=photos.images.double())
        seen = replace(seen, camera=poses(6))
        found = {}
        for parts in (1, 2, 4):
            folder, devices = tmp_path / str(parts), Devices(accumulate=parts)
            made = personalize(net, seen, SHORT, judge.double(), folder, replay=seen, devices=devices)
            found[parts] = {n: t.detach().clone() for n, t in personal.trained_tensors(made, SHORT).items()}
            found[parts] |= {n: torch.tensor(v) for n, v in loop.history(folder).items()}
        start = personal.trained_tensors(personal.prepare(net, SHORT), SHORT)
        assert sum((found[1][name] - t).abs().max() > 1e-3 for name, t in start.items()) > 20
        for parts in (2, 4):
            for name, value in found[1].items():
                torch.testing.assert_close(found[parts][name], value, atol=1e-6, rtol=1e-6, equal_nan=True)
    finally:
        torch.set_default_dtype(torch.float32)


def test_sixteen_bits_train_weights_of_32(train: Train, tmp_path: Path) -> None:
    plain, half = train("plain", ALONE, 4), train("half", Devices(precision="bf16"), 4)
    assert {t.dtype for t in half.values()} == {torch.float32}
    assert all(t.isfinite().all() for t in half.values())
    assert not same(plain, half)
    one, other = (loop.history(tmp_path / name)["pixel"] for name in ("plain", "half"))
    assert other == pytest.approx(one, rel=0.05)


def test_an_uneven_batch_is_refused_before_anything_is_written(solid: Train, flat: Train, tmp_path: Path) -> None:
    for train in (solid, flat):
        with pytest.raises(WrongUse, match="A batch of 4 photos cannot be taken in 3 equal parts"):
            train("never", Devices(accumulate=3), 4)
    assert not (tmp_path / "never").exists()
