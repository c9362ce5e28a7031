"""Activations that are computed again in the backward pass instead of being kept."""

import pytest
import torch
from helpers import TINY, poses
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from selfsame.core.rng import generator
from selfsame.nets import layers
from selfsame.nets.layers import SynthesisNetwork
from selfsame.nets.triplane import TriPlane


def trained(net: TriPlane, *, again: bool) -> tuple[Tensor, list[Tensor], int]:
    """The image, all gradients, and how many numbers the graph keeps but for weights."""
    layers.recompute_blocks(net, again)
    net.zero_grad(set_to_none=True)
    own = {p.data_ptr() for p in net.parameters()}
    kept = 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel() if tensor.data_ptr() not in own else 0
        return tensor

    w_plus = torch.randn(2, net.num_ws, 16, generator=generator(0, "w"))
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        planes = net.planes(w_plus)
        image = net.superresolution(net.raw(planes, w_plus[:, -1], poses(2))[0], w_plus[:, -1])
    image.square().mean().backward()
    return image.detach(), [p.grad for p in net.parameters() if p.grad is not None], kept


def test_less_is_kept_and_no_bit_differs() -> None:
    torch.manual_seed(0)
    net = TriPlane(TINY)
    one, other = trained(net, again=False), trained(net, again=True)
    assert torch.equal(one[0], other[0])
    assert len(one[1]) == len(other[1]) > 40
    assert all(torch.equal(a, b) for a, b in zip(one[1], other[1], strict=True))
    assert other[2] < 0.7 * one[2]


@pytest.mark.parametrize("again", [False, True])
def test_random_noise_is_drawn_once(again: bool) -> None:
    """A block with random noise is not computed again: it would draw other noise."""
    torch.manual_seed(0)
    net = SynthesisNetwork(8, 16, 3, 64, 8)
    layers.recompute_blocks(net, again)
    for name, parameter in net.named_parameters():
        if name.endswith("noise_strength"):
            torch.nn.init.ones_(parameter)
    w_plus = torch.randn(2, net.num_ws, 8)
    source = generator(0, "noise")
    net(w_plus, source).square().mean().backward()
    assert net.b16.conv1.noise_strength.grad is not None
    after = torch.rand(1, generator=source)
    source = generator(0, "noise")
    with torch.no_grad():
        net(w_plus, source)
    assert torch.equal(after, torch.rand(1, generator=source))
