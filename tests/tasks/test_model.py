"""Personal models on disk and what they show."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import poses, tiny_prior

from selfsame.core import camera as cameras
from selfsame.core import weights
from selfsame.core.errors import BadInput
from selfsame.nets.judges import Judge
from selfsame.nets.lora import LowRankConfig
from selfsame.tasks import anchors, model
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import PersonalConfig, Photos, personalize
from selfsame.tasks.prior import Prior

SHORT = PersonalConfig(steps=2, batch=2, lr=0.01, depth_samples=6, importance_samples=0, save_every=2)


def made(folder: Path, prior: Prior, judge: Judge, config: PersonalConfig = SHORT) -> PersonalModel:
    with torch.no_grad():
        images = prior.net(prior.draw(3, 9), poses(3)).image
    photos = Photos(prior.draw(3, 1), images, poses(3))
    net = personalize(prior.net, photos, config, judge, folder / "training").eval().requires_grad_(False)
    card = model.model_card(config, prior, "0" * 64, "selfsame fit toy")
    return model.save(folder, PersonalModel(net, photos.w_plus, photos.camera, card), config, ["a", "b", "c"])


@pytest.fixture
def saved(prior: Prior, judge: Judge, tmp_path: Path) -> PersonalModel:
    return made(tmp_path, prior, judge)


@pytest.mark.parametrize("low_rank", [LowRankConfig(), LowRankConfig(2, 2.0, "plain"), None])
def test_a_loaded_model_shows_the_same_bitwise(
    prior: Prior, judge: Judge, tmp_path: Path, low_rank: LowRankConfig | None
) -> None:
    one = made(tmp_path, prior, judge, replace(SHORT, low_rank=low_rank))
    two = model.load(tmp_path, prior)
    assert two.card == one.card
    assert two.card.prior_digest == prior.digest
    assert torch.equal(one.anchors, two.anchors)
    a, b = one.render(one.anchors, one.camera), two.render(two.anchors, two.camera)
    assert torch.equal(a.image, b.image)
    assert torch.equal(a.depth, b.depth)
    assert not torch.equal(a.image, prior.net(one.anchors, one.camera).image)
    assert not any(p.requires_grad for p in two.net.parameters())


def test_loading_leaves_the_prior_as_it_was(saved: PersonalModel, prior: Prior, tmp_path: Path) -> None:
    before = {name: t.clone() for name, t in prior.net.state_dict().items()}
    model.load(tmp_path, prior)
    assert all(torch.equal(before[name], t) for name, t in prior.net.state_dict().items())


def test_another_prior_is_refused(saved: PersonalModel, tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match=r"was made on the prior \w{12}, not on the prior \w{12}\. Give the folder of that one"
    ):
        model.load(tmp_path, tiny_prior(5))


def test_weights_of_another_network_are_refused(saved: PersonalModel, prior: Prior, tmp_path: Path) -> None:
    tensors, card = weights.load(tmp_path)
    tensors.pop(next(iter(tensors)))
    weights.save(tmp_path, tensors, card)
    with pytest.raises(BadInput, match="another network"):
        model.load(tmp_path, prior)


@pytest.mark.parametrize("harm", ["cut", "missing", "noise"])
def test_a_damaged_anchors_file_is_refused(saved: PersonalModel, prior: Prior, tmp_path: Path, harm: str) -> None:
    file = tmp_path / anchors.ANCHORS_FILE
    data = file.read_bytes()
    file.unlink()
    if harm != "missing":
        file.write_bytes(data[: len(data) // 2] if harm == "cut" else b"\x00" * 40)
    with pytest.raises(BadInput, match=r"anchors.safetensors is missing or damaged\. Fit the model again"):
        model.load(tmp_path, prior)


def test_an_anchor_that_is_not_there_is_refused(saved: PersonalModel) -> None:
    for one, other in ((0, 3), (-1, 0)):
        with pytest.raises(BadInput, match=r"no anchor -?\d\. This model has 0 to 2"):
            saved.interpolate(one, other, 2)
    with pytest.raises(BadInput, match="no anchor 7"):
        saved.orbit(2, anchor=7)


def test_one_code_or_one_camera_is_repeated(saved: PersonalModel) -> None:
    views, codes = poses(9), saved.sample(9, 1)
    assert saved.render(saved.anchors[:1], views).image.shape == (9, 3, 16, 16)
    assert saved.render(codes, views[0]).image.shape == (9, 3, 16, 16)
    together, alone = saved.render(codes, views), saved.render(codes[8:], views[8])
    torch.testing.assert_close(together.image[8:], alone.image, atol=1e-4, rtol=1e-4)


def test_an_orbit_turns_about_one_photos_look(saved: PersonalModel) -> None:
    turned = saved.orbit(6, anchor=1)
    assert turned.image.shape == (6, 3, 16, 16)
    assert turned.depth.shape == (6, 1, 8, 8)
    assert float((turned.image[0] - turned.image[3]).abs().max()) > 0.01


def test_interpolation_ends_at_the_photos(saved: PersonalModel) -> None:
    codes = saved.interpolate(0, 2, 4)
    assert torch.equal(codes[0], saved.anchors[0])
    assert torch.equal(codes[-1], saved.anchors[2])


def test_the_most_frontal_photo_is_found(saved: PersonalModel) -> None:
    turned = cameras.cat([cameras.facing(torch.tensor([yaw]), torch.zeros(1)) for yaw in (0.5, -0.1, 0.3)])
    assert replace(saved, camera=turned).most_frontal() == 1
