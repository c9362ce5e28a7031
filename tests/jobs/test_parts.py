"""Where inversions begin: at the codes of the prior's own W encoder, and only where settings ask for it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import tiny_prior

from selfsame.core import store
from selfsame.core.errors import BadInput
from selfsame.jobs import parts
from selfsame.nets import w_encoder
from selfsame.tasks.invert import InvertConfig

ENCODER = InvertConfig(start="encoder")


def test_the_starter_prior_begins_at_its_encoders_codes() -> None:
    prior = parts.load_prior()
    images = torch.rand(2, 3, 128, 128) * 2 - 1
    encoder, _ = w_encoder.load(store.starter("w-encoder"))
    begun = parts.first_codes(prior.digest, images, ENCODER, prior.middle)
    assert torch.equal(begun, encoder(images)[:, None].expand(-1, prior.net.num_ws, -1))
    mean = parts.first_codes(prior.digest, images, replace(ENCODER, start="mean"), prior.middle)
    assert torch.equal(mean, prior.w_mean.expand_as(mean))


def test_a_prior_without_an_encoder_begins_at_its_mean_or_where_the_model_is() -> None:
    prior, images = tiny_prior(), torch.zeros(3, 3, 16, 16)
    begun = parts.first_codes(prior.digest, images, ENCODER, prior.middle)
    assert torch.equal(begun, prior.w_mean.expand(3, prior.net.num_ws, -1))
    own = torch.randn(prior.net.num_ws, 16)
    assert torch.equal(parts.first_codes(prior.digest, images, ENCODER, own), own.expand(3, -1, -1))


def test_a_lost_encoder_is_no_reason_to_begin_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that went away under a long run must stop it, not change what it measures."""
    prior = tiny_prior()
    monkeypatch.setattr(store, "STARTER_FOLDER", tmp_path)
    with pytest.raises(BadInput, match="w-encoder is missing from this installation"):
        parts.first_codes(prior.digest, torch.zeros(1, 3, 16, 16), ENCODER, prior.middle)
