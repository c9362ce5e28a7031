"""Priors on disk: the same network comes back, and nothing else is taken for one."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import TINY, poses, tiny_prior

from selfsame.core import weights
from selfsame.core.errors import BadInput
from selfsame.tasks.prior import KIND, Prior, load_prior, prior_card, save_prior


def test_a_saved_prior_is_loaded_with_its_digest(prior: Prior, tmp_path: Path) -> None:
    card = save_prior(prior.net, tmp_path / "p", prior_card(TINY, seed=0, licence="For tests."))
    one, two = load_prior(tmp_path / "p"), load_prior(str(tmp_path / "p"))
    assert one.digest == two.digest == card.digest
    assert one.net.config == TINY
    code, camera = one.draw(2, 0), poses(2)
    assert torch.equal(one.net(code, camera).image, two.net(code, camera).image)
    torch.testing.assert_close(one.net(code, camera).image, prior.net(code, camera).image, atol=0.02, rtol=0)  # halves


def test_another_network_has_another_digest(tmp_path: Path) -> None:
    cards = [save_prior(tiny_prior(s).net, tmp_path / str(s), prior_card(TINY, seed=0, licence="")) for s in (0, 1)]
    assert cards[0].digest != cards[1].digest


def test_a_prior_is_frozen_and_knows_its_codes(prior: Prior) -> None:
    assert not any(p.requires_grad for p in prior.net.parameters())
    assert not prior.net.training
    codes = prior.net.map(torch.randn(3000, TINY.z_dim))[:, 0]
    torch.testing.assert_close(prior.w_mean, codes.mean(0), atol=0.15, rtol=0)
    spread = float((codes - codes.mean(0)).square().sum(1).mean().sqrt())
    assert prior.w_std == pytest.approx(spread, rel=0.1)


def test_drawn_codes_repeat_and_psi_pulls_them_to_the_mean(prior: Prior) -> None:
    wide, narrow = prior.draw(4, 3, psi=1.0), prior.draw(4, 3, psi=0.25)
    assert wide.shape == (4, prior.net.num_ws, TINY.w_dim)
    assert torch.equal(wide, prior.draw(4, 3, psi=1.0))
    assert not torch.equal(wide, prior.draw(4, 4, psi=1.0))
    torch.testing.assert_close(narrow - prior.w_mean, 0.25 * (wide - prior.w_mean))
    assert torch.equal(prior.draw(2, 0, psi=0.0), prior.w_mean.expand(2, prior.net.num_ws, -1))


def test_an_unknown_name_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no prior called nobody.*starter-3d"):
        load_prior("nobody")
    with pytest.raises(BadInput, match="does not exist"):
        load_prior(tmp_path)


def test_weights_of_another_kind_are_refused(prior: Prior, tmp_path: Path) -> None:
    weights.save(tmp_path, prior.net.state_dict(), replace(prior.card, kind="personal-3d"))
    with pytest.raises(BadInput, match=f"holds a personal-3d, not a {KIND}"):
        load_prior(tmp_path)


def test_a_damaged_prior_is_refused(prior: Prior, tmp_path: Path) -> None:
    save_prior(prior.net, tmp_path, prior.card)
    file = tmp_path / weights.WEIGHTS_FILE
    data = bytearray(file.read_bytes())
    data[-3] ^= 0xFF
    file.write_bytes(bytes(data))
    with pytest.raises(BadInput, match="damaged"):
        load_prior(tmp_path)
