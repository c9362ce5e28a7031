"""A found photo on disk: back as it was, tuned network and all, and never on another model."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import poses

from selfsame.core import rng
from selfsame.core.errors import BadInput
from selfsame.core.weights import WEIGHTS_FILE, Card
from selfsame.nets import lora
from selfsame.nets.lora import MY3DGEN
from selfsame.tasks import found
from selfsame.tasks.found import Found, FoundConfig
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.pivot import PivotConfig
from selfsame.tasks.prior import Prior

CONFIG = FoundConfig("photo.jpg", "hull", 0.03, PivotConfig(steps=3))


@pytest.fixture
def model(prior: Prior) -> PersonalModel:
    net = lora.add_low_rank(prior.net, MY3DGEN, rng.generator(0, "low-rank factors")).requires_grad_(False)
    card = Card(kind="personal-3d", config={}, seed=0, licence="A test's.", digest="a" * 64)
    return PersonalModel(net, prior.draw(3, 1), poses(3), card)


def tuned(model: PersonalModel) -> Found:
    after = found.Found(CONFIG, model.anchors[:1], poses(1)).network(model.net)
    assert after is model.net
    after = copy.deepcopy(model.net)
    with torch.no_grad():
        after.superresolution.block0.conv0.bias += 0.5
        after.backbone.synthesis.b8.conv0.parametrizations.weight[0].b += 0.1
    return Found(CONFIG, model.anchors[1:2] + 0.1, poses(3)[2], found.moved(model.net, after))


def test_a_found_photo_comes_back_with_its_network(model: PersonalModel, tmp_path: Path) -> None:
    one = tuned(model)
    assert len(one.tuned) == 2
    found.save(tmp_path, one, model, "d" * 64, "selfsame invert ada photo.jpg")
    other = found.load(tmp_path, model)
    assert other.config == CONFIG
    assert torch.equal(other.w_plus, one.w_plus)
    assert torch.equal(other.camera.pack(), one.camera.pack())
    a, b = (f.network(model.net)(f.w_plus, f.camera).image for f in (one, other))
    assert torch.equal(a, b)
    assert not torch.equal(a, model.net(one.w_plus, one.camera).image)


def test_without_tuning_the_models_own_network_shows_it(model: PersonalModel, tmp_path: Path) -> None:
    plain = Found(FoundConfig("photo.jpg", "w"), model.anchors[:1], poses(1))
    found.save(tmp_path, plain, model, "d" * 64, "")
    back = found.load(tmp_path, model)
    assert back.network(model.net) is model.net
    assert back.config.pivot is None


def test_it_is_refused_on_another_model_and_when_damaged(model: PersonalModel, tmp_path: Path) -> None:
    found.save(tmp_path, tuned(model), model, "d" * 64, "")
    other = PersonalModel(model.net, model.anchors, model.camera, replace(model.card, digest="b" * 64))
    with pytest.raises(BadInput, match=r"found in another model \(aaaaaaaaaaaa, not bbbbbbbbbbbb\)"):
        found.load(tmp_path, other)
    file = tmp_path / WEIGHTS_FILE
    data = file.read_bytes()
    file.write_bytes(data[:-8] + bytes(8))
    with pytest.raises(BadInput, match="damaged"):
        found.load(tmp_path, model)
    with pytest.raises(BadInput, match="does not exist"):
        found.load(tmp_path / "nowhere", model)
