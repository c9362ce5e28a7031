"""Personal models on disk and what they show."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import poses, tiny_prior
from safetensors.torch import save as to_safetensors

from selfsame.core import camera as cameras
from selfsame.core import weights
from selfsame.core.errors import BadInput
from selfsame.nets import lora
from selfsame.nets.judges import Judge
from selfsame.nets.lora import LowRankConfig
from selfsame.nets.triplane import EG3D_FFHQ512, TriPlane
from selfsame.tasks import anchors, model
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import PAPER_V4, PersonalConfig, Photos, personalize
from selfsame.tasks.prior import Prior, prior_card

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


@pytest.mark.parametrize("low_rank", [LowRankConfig(), None])
def test_a_model_in_half_precision_is_what_is_loaded(
    prior: Prior, judge: Judge, tmp_path: Path, low_rank: LowRankConfig | None
) -> None:
    config = replace(SHORT, low_rank=low_rank)
    whole = made(tmp_path, prior, judge, config)
    before, pictures = (tmp_path / "weights.safetensors").stat().st_size, whole.render(whole.anchors, whole.camera)
    one = model.save(tmp_path, whole, config, ["a", "b", "c"], half=True)
    two = model.load(tmp_path, prior)
    a, b = one.render(one.anchors, one.camera), two.render(two.anchors, two.camera)
    assert torch.equal(a.image, b.image), "in memory are other numbers than on disk"
    assert one.card == two.card and weights.is_half(tmp_path)
    assert (tmp_path / "weights.safetensors").stat().st_size < 0.6 * before
    assert 0 < float((a.image - pictures.image).abs().max()) < 0.05


@torch.no_grad()
def test_a_person_on_the_full_eg3d_takes_half_a_megabyte(tmp_path: Path) -> None:
    net = TriPlane(EG3D_FFHQ512)
    card = prior_card(EG3D_FFHQ512, seed=0, licence="NVIDIA's: " + 200 * "x", digest="0" * 64)
    own = model.model_card(PAPER_V4, Prior(net, card, torch.zeros(512), 1.0), "0" * 64, "selfsame fit ada")
    personal = lora.add_low_rank(net, lora.MY3DGEN, torch.Generator().manual_seed(0))
    codes = torch.randn(50, 1, 512).expand(50, net.num_ws, 512)
    ids = [f"{i:012x}" for i in range(50)]
    model.save(tmp_path, PersonalModel(personal, codes, poses(50), own), PAPER_V4, ids, half=True)
    sizes = {file.name: file.stat().st_size for file in tmp_path.iterdir()}
    assert sizes["weights.safetensors"] <= 500_000
    assert sizes["anchors.safetensors"] <= 110_000
    back, _ = weights.load(tmp_path)
    assert sum(t.numel() for t in back.values()) == 243_965
    assert all(torch.equal(back[name], t.half().float()) for name, t in lora.state(personal).items())


@pytest.mark.parametrize("layers", [1, 4])
def test_codes_in_w_are_stored_once_and_come_back_bitwise(tmp_path: Path, layers: int) -> None:
    once = torch.randn(6, 1, 16)
    for codes in (once.expand(6, layers, 16), torch.randn(6, layers, 16)):
        anchors.write(tmp_path, codes, poses(6), list("abcdef"))
        read, camera = anchors.read(tmp_path)
        assert torch.equal(read, codes) and read.is_contiguous()
        assert torch.equal(camera.pack(), poses(6).pack())
        assert anchors.ids_of(tmp_path) == list("abcdef")
    anchors.write(tmp_path, once.expand(6, 4, 16), poses(6), list("abcdef"))
    assert (tmp_path / anchors.ANCHORS_FILE).stat().st_size < 4 * 6 * (16 + 25) + 400


def test_anchors_of_earlier_versions_are_read(tmp_path: Path) -> None:
    codes = torch.randn(2, 3, 16)
    data = {"w_plus": codes, "camera": poses(2).pack()}
    (tmp_path / anchors.ANCHORS_FILE).write_bytes(to_safetensors(data, {"photos": "a b"}))
    assert torch.equal(anchors.read(tmp_path)[0], codes)


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
