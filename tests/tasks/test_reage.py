"""SAM as a thing to use: what its codes are made of, that it never changes, and what its folder holds."""

from pathlib import Path

import pytest
import torch
from encoder_toys import TinyPrior, sam_card, tiny_encoder, tiny_image_prior, tiny_inversion

from selfsame.core import weights
from selfsame.core.errors import BadInput
from selfsame.nets.encoder import with_age
from selfsame.tasks import encoders, reage
from selfsame.tasks.reage import Sam

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def stylegan() -> TinyPrior:
    return tiny_image_prior()


@pytest.fixture
def sam(stylegan: TinyPrior) -> Sam:
    return Sam(tiny_encoder(channels=4, seed=3), tiny_inversion(stylegan), stylegan.net, sam_card())


IMAGES = torch.linspace(-1, 1, 2 * 3 * 32 * 32).reshape(2, 3, 32, 32).sin()


def test_codes_are_two_encoders_and_the_mean(sam: Sam, stylegan: TinyPrior) -> None:
    inverted = sam.inversion.encoder(IMAGES) + stylegan.w_mean
    assert torch.equal(sam.invert(IMAGES), inverted)
    years = torch.tensor([20.0, 70.0])
    moved = sam.age_encoder(with_age(IMAGES, years))
    assert torch.equal(sam.encode(IMAGES, years), moved + inverted)
    assert torch.equal(sam.reage(IMAGES, years), stylegan.net(moved + inverted))


def test_one_age_serves_all_and_ages_differ(sam: Sam) -> None:
    forty = sam.reage(IMAGES, 40)
    assert torch.equal(forty, sam.reage(IMAGES, torch.tensor([40.0, 40.0])))
    assert not torch.equal(forty, sam.reage(IMAGES, 41))


def test_photos_of_any_size(sam: Sam) -> None:
    large = IMAGES.repeat_interleave(4, 2).repeat_interleave(4, 3)
    torch.testing.assert_close(sam.reage(large, 40), sam.reage(IMAGES, 40))


def test_a_mean_for_each_layer(stylegan: TinyPrior) -> None:
    inversion = tiny_inversion(stylegan)
    each = encoders.Inversion(inversion.encoder, stylegan.w_mean.expand(8, -1), inversion.card)
    assert torch.equal(each.invert(IMAGES), inversion.invert(IMAGES))


def test_it_is_frozen_and_lets_gradients_through_to_codes(sam: Sam) -> None:
    nets = (sam.age_encoder, sam.inversion.encoder, sam.decoder)
    assert not any(m.training for net in nets for m in net.modules())
    assert not any(p.requires_grad for net in nets for p in net.parameters())
    assert not sam.reage(IMAGES, 40).requires_grad
    images = IMAGES.clone().requires_grad_()
    sam.reage(images, 40).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().max() > 0


def test_save_and_load(sam: Sam, stylegan: TinyPrior, tmp_path: Path) -> None:
    saved = reage.save(tmp_path, sam)
    again = reage.load(tmp_path, stylegan)
    assert again.card.digest == saved.card.digest != ""
    assert again.decoder is stylegan.net
    assert again.card.prior_digest == stylegan.digest
    assert again.card.config["inversion_digest"] == again.inversion.card.digest != ""
    assert torch.equal(again.w_mean, sam.w_mean)
    assert torch.equal(again.reage(IMAGES, 40), sam.reage(IMAGES, 40))


def test_the_decoder_is_not_stored(sam: Sam, tmp_path: Path) -> None:
    reage.save(tmp_path, sam, half=True)
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()} == {
        "card.json", "weights.safetensors", "inversion/card.json", "inversion/weights.safetensors",
    }  # fmt: skip
    stored = weights.load(tmp_path)[0].keys() | weights.load(tmp_path / "inversion")[0].keys()
    assert not any("synthesis" in name or "mapping" in name for name in stored)


def test_another_prior_is_refused(sam: Sam, tmp_path: Path) -> None:
    reage.save(tmp_path, sam)
    with pytest.raises(BadInput, match="sam was made on the prior"):
        reage.load(tmp_path, tiny_image_prior(seed=1))


def test_another_inversion_encoder_is_refused(sam: Sam, stylegan: TinyPrior, tmp_path: Path) -> None:
    reage.save(tmp_path, sam)
    other = encoders.Inversion(tiny_encoder(seed=9), stylegan.w_mean, sam.inversion.card)
    encoders.save(tmp_path / reage.INVERSION_FOLDER, other)
    with pytest.raises(BadInput, match="holds another encoder than SAM was trained on"):
        reage.load(tmp_path, stylegan)
