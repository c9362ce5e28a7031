"""A time machine: SAM alone or with a person's adapter; saved, loaded, and refused on another SAM."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from encoder_toys import TinyPrior, pictures, sam_card, tiny_encoder, tiny_image_prior, tiny_inversion

from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.nets.age_adapter import AdapterConfig, AgeAdapter
from selfsame.tasks import time_machine
from selfsame.tasks.reage import Sam
from selfsame.tasks.time_machine import Personal, TimeMachine

SIZES = AdapterConfig(styles=8, w_dim=16, bottleneck=4, shared=4, age=4, hidden=4)


@pytest.fixture(scope="module")
def stylegan() -> TinyPrior:
    return tiny_image_prior()


@pytest.fixture(scope="module")
def sam(stylegan: TinyPrior) -> Sam:
    card = replace(sam_card(), digest="a" * 64)
    return Sam(tiny_encoder(channels=4, seed=3), tiny_inversion(stylegan), stylegan.net, card)


@pytest.fixture(scope="module")
def personal(sam: Sam) -> Personal:
    torch.manual_seed(0)
    card = Card(kind="personal-aging", config={}, seed=0, licence="For tests.", prior_digest=sam.card.digest)
    return Personal(AgeAdapter(SIZES), (30, 42), card)


def test_alone_it_is_sam_and_with_a_person_the_adapter_moves_sams_codes(
    sam: Sam, personal: Personal, stylegan: TinyPrior
) -> None:
    photos, years = pictures(stylegan, 0).images, torch.tensor([20.0, 40.0, 60.0, 80.0])
    by_sam = sam.encode(photos, years)
    assert torch.equal(TimeMachine(sam).encode(photos, years), by_sam)
    assert torch.equal(TimeMachine(sam, personal).encode(photos, years), personal.adapter(by_sam, years))
    assert torch.equal(TimeMachine(sam, personal).invert(photos), sam.invert(photos))


def test_many_pictures_are_those_of_each_and_none_leaves_the_range(
    sam: Sam, personal: Personal, stylegan: TinyPrior
) -> None:
    machine, photos = TimeMachine(sam, personal), pictures(stylegan, 1, 11).images
    made = machine.reage(photos, 50)
    assert made.shape == photos.shape and made.abs().max() <= 1 and not made.requires_grad
    assert torch.allclose(made[9:10], machine.reage(photos[9:10], 50), atol=1e-4)


def test_saved_and_loaded_it_is_the_same(sam: Sam, personal: Personal, stylegan: TinyPrior, tmp_path: Path) -> None:
    kept = time_machine.save(tmp_path, personal)
    again = time_machine.load(tmp_path, sam)
    assert again.personal is not None
    assert again.personal.span == (30, 42) and again.personal.card.digest == kept.card.digest
    photos = pictures(stylegan, 0).images
    assert torch.equal(again.reage(photos, 70), TimeMachine(sam, personal).reage(photos, 70))


def test_another_sam_is_refused(sam: Sam, personal: Personal, tmp_path: Path) -> None:
    time_machine.save(tmp_path, personal)
    other = replace(sam, card=replace(sam.card, digest="b" * 64))
    with pytest.raises(BadInput, match="made on the prior aaaaaaaaaaaa, not on the prior bbbbbbbbbbbb"):
        time_machine.load(tmp_path, other)
