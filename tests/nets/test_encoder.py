import pytest
import torch
from encoder_toys import TINY, tiny_encoder
from torch import nn

from selfsame.nets.encoder import COARSE, MEDIUM, STARTER_ENCODER, GradualStyleEncoder, with_age


def test_the_starter_encoder_is_small() -> None:
    net = GradualStyleEncoder(STARTER_ENCODER)
    assert sum(p.numel() for p in net.parameters()) == 4_919_144
    assert 2 * sum(t.numel() for t in net.state_dict().values()) < 10e6  # bytes in half precision
    assert net.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 12, 256)


def test_heads_reduce_their_map_to_one_place() -> None:
    net = GradualStyleEncoder(STARTER_ENCODER)
    depths = [sum(isinstance(layer, nn.Conv2d) for layer in head.convs) for head in net.styles]
    assert depths == [2] * COARSE + [3] * (MEDIUM - COARSE) + [4] * (12 - MEDIUM)


def test_every_number_learns() -> None:
    net = GradualStyleEncoder(TINY)
    (net(torch.randn(4, 3, 32, 32)) * torch.randn(8, 16)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())


def test_a_photos_codes_do_not_depend_on_its_company() -> None:
    net = tiny_encoder().eval()
    x = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(net(x)[1:2], net(x[1:2]))


def test_the_age_is_a_fourth_channel_in_centuries() -> None:
    images = torch.randn(2, 3, 4, 4)
    x = with_age(images, torch.tensor([30.0, 71.5]))
    assert torch.equal(x[:, :3], images)
    assert x[:, 3].flatten(1).unique(dim=1).flatten().tolist() == pytest.approx([0.3, 0.715])
