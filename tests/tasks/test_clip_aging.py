"""A clip's shared offset, and a decoder tuned to a clip."""

import pytest
import torch
from encoder_toys import TinyPrior, pictures, sam_card, tiny_encoder, tiny_image_prior, tiny_inversion

from selfsame.nets.age_adapter import AdapterConfig, AgeAdapter
from selfsame.tasks import clip_aging
from selfsame.tasks.reage import Sam
from selfsame.tasks.time_machine import Personal, TimeMachine

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def prior() -> TinyPrior:
    return tiny_image_prior()


@pytest.fixture
def machine(prior: TinyPrior) -> TimeMachine:
    sam = Sam(tiny_encoder(channels=4, seed=3), tiny_inversion(prior), prior.net, sam_card())
    return TimeMachine(sam, Personal(AgeAdapter(AdapterConfig(8, 16, 4, 8, 4, 8)), (20, 60), sam_card()))


def test_the_offset_is_the_mean_of_the_frames_and_the_adapter_has_its_say(
    machine: TimeMachine, prior: TinyPrior
) -> None:
    crops = pictures(prior, 0, 10).images
    each = [clip_aging.offset(machine, crop[None], 60) for crop in crops]
    torch.testing.assert_close(clip_aging.offset(machine, crops, 60), torch.stack(each).mean(0))
    assert not torch.allclose(each[0], clip_aging.offset(TimeMachine(machine.sam, None), crops[:1], 60))


def test_a_tuned_decoder_shows_the_clip_and_the_machine_stays_as_it_was(machine: TimeMachine, prior: TinyPrior) -> None:
    crops = pictures(prior, 0, 4).images
    w_plus = machine.invert(crops)
    before, heard = machine.decode(w_plus), []
    tuned = clip_aging.tuned(machine, crops, w_plus, 20, heard.append)
    assert heard == list(range(1, 21))
    assert (tuned.decode(w_plus) - crops).abs().mean() < 0.9 * (before - crops).abs().mean()
    assert torch.equal(machine.decode(w_plus), before)
    assert not any(p.requires_grad for p in tuned.sam.decoder.parameters())
    assert not any(p.requires_grad for p in machine.sam.decoder.parameters())
    again = clip_aging.tuned(machine, crops, w_plus, 20)
    assert torch.equal(again.decode(w_plus), tuned.decode(w_plus))
