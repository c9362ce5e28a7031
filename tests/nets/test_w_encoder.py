"""The W encoder: begins at the prior's mean, comes back from disk as it was, refuses other weights."""

from pathlib import Path

import pytest
import torch
from helpers import tiny_judge

from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.nets import judges, w_encoder
from selfsame.nets.iresnet import IResNetConfig
from selfsame.nets.w_encoder import WEncoder, WEncoderConfig, WNetwork

SMALL = WEncoderConfig(IResNetConfig(stem=4, stages=((4, 1), (8, 1)), squeeze=2, size_px=16, embedding=8), w_dim=12)


def card() -> Card:
    return Card(kind="", config={}, seed=0, licence="For tests.", prior_digest="abc")


def test_codes_are_about_the_mean_and_of_any_picture_size() -> None:
    net = WNetwork(SMALL).eval()
    net.w_mean.fill_(5.0)
    torch.nn.init.zeros_(net.head.weight)
    torch.nn.init.zeros_(net.head.bias)
    assert torch.equal(net(torch.rand(2, 3, 32, 32)), torch.full((2, 12), 5.0))
    assert net(torch.rand(2, 3, 24, 24)).shape == (2, 12)


def test_it_comes_back_from_disk_with_its_priors_digest(tmp_path: Path) -> None:
    net = WNetwork(SMALL).eval()
    net.w_mean.normal_()
    w_encoder.save(tmp_path, net, card())
    encoder, read = w_encoder.load(tmp_path)
    pictures = torch.rand(3, 3, 16, 16)
    assert torch.equal(encoder(pictures), WEncoder(net)(pictures))
    assert read.prior_digest == "abc" and read.kind == w_encoder.W_ENCODER
    assert not any(p.requires_grad for p in encoder.parameters())


def test_another_network_is_refused(tmp_path: Path) -> None:
    judges.save(tmp_path, tiny_judge().network, card())
    with pytest.raises(BadInput, match="holds a identity judge, not a W encoder"):
        w_encoder.load(tmp_path)
