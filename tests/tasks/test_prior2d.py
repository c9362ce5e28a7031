"""2D priors on disk, and the one `load` for both kinds."""

from pathlib import Path

import pytest
import torch

import selfsame
from selfsame.core import store
from selfsame.core.errors import BadInput
from selfsame.nets.stylegan2 import StyleGAN2, StyleGAN2Config
from selfsame.tasks import prior as priors
from selfsame.tasks import prior2d
from selfsame.tasks.prior import Prior, Prior2D, save_prior
from selfsame.tasks.prior2d import load_prior2d, prior2d_card, save_prior2d

SMALL = StyleGAN2Config(16, z_dim=8, w_dim=16, mapping_layers=2, channel_base=256, channel_max=16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    net = StyleGAN2(SMALL)
    save_prior2d(net, tmp_path / "p", prior2d_card(SMALL, seed=0, licence="For tests."))
    return tmp_path / "p"


def test_a_saved_prior_is_loaded_with_its_digest(folder: Path) -> None:
    one, two = load_prior2d(folder), load_prior2d(str(folder))
    assert one.digest == two.digest and one.card.kind == "stylegan2-prior" and one.net.config == SMALL
    code = one.draw(3, 0)
    assert torch.equal(one.net(code), two.net(code)) and one.net(code).shape == (3, 3, 16, 16)
    assert not any(p.requires_grad for p in one.net.parameters()) and one.w_std > 0
    assert torch.equal(one.draw(2, 0, psi=0.0), one.w_mean.expand(2, one.net.num_ws, -1))


def test_load_takes_either_kind(folder: Path, prior: Prior, tmp_path: Path) -> None:
    save_prior(prior.net, tmp_path / "three", prior.card)
    assert isinstance(selfsame.load(folder), Prior2D)
    assert isinstance(selfsame.load(tmp_path / "three"), Prior)
    assert isinstance(selfsame.load("starter-3d"), Prior)


def test_each_loader_refuses_the_other_kind(folder: Path, prior: Prior, tmp_path: Path) -> None:
    save_prior(prior.net, tmp_path / "three", prior.card)
    with pytest.raises(BadInput, match="holds a triplane-prior, not a stylegan2-prior"):
        load_prior2d(tmp_path / "three")
    with pytest.raises(BadInput, match="holds a stylegan2-prior, not a triplane-prior"):
        priors.load_prior(folder)


def test_a_starter_that_is_not_there_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(store.STARTER, "starter-2d", tmp_path / "nowhere")
    for load in (prior2d.load, load_prior2d):
        with pytest.raises(BadInput, match=r"starter-2d is not in this version.*selfsame train prior"):
            load("starter-2d")
    with pytest.raises(BadInput, match=r"no prior called nobody\. There are starter-3d[, ;]"):
        prior2d.load("nobody")
