"""Several people in one forward pass give what each person's own model gives."""

import copy

import pytest
import torch
from helpers import TINY, poses

from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.rng import generator
from selfsame.nets import lora, ops
from selfsame.nets.lora import LowRankConfig
from selfsame.nets.rows import PerRow
from selfsame.nets.several import several
from selfsame.nets.triplane import STARTER_3D, TriPlane, TriPlaneConfig

CONFIGS = [
    LowRankConfig(1, 1.0, "my3dgen"), LowRankConfig(4, 2.0, "my3dgen"), LowRankConfig(1, 3.0, "plain"),
    LowRankConfig(4, 4.0, "plain"), LowRankConfig(2, 3.0, "loralib"),
]  # fmt: skip


@torch.no_grad()
def people(net: TriPlane, config: LowRankConfig, count: int = 3) -> list[TriPlane]:
    """Models whose every number that can be a person's is far from the prior's."""
    made = []
    for seed in range(count):
        g = generator(seed, "person")
        model = lora.add_low_rank(net, config, g)
        for tensor in lora.trainable(model).values():
            tensor += 0.1 * torch.randn(tensor.shape, generator=g)
        made.append(model)
    return made


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("sizes", [TINY, STARTER_3D], ids=["tiny", "starter"])
@torch.no_grad()
def test_each_row_is_its_own_persons(sizes: TriPlaneConfig, config: LowRankConfig) -> None:
    net = TriPlane(sizes)
    models = people(net, config)
    w_plus, camera = torch.randn(3, net.num_ws, sizes.w_dim), poses(3)
    few = {"neural_px": 8, "depth_samples": 6, "importance_samples": 4}
    together = several(net, [lora.state(m) for m in models], config)(w_plus, camera, **few)
    alone = [m(w_plus[i : i + 1], camera[i], **few) for i, m in enumerate(models)]
    for name in ("image", "raw", "depth", "alpha"):
        expected = torch.cat([getattr(x, name) for x in alone])
        torch.testing.assert_close(getattr(together, name), expected, atol=2e-4, rtol=1e-4)
    assert (together.image - net(w_plus, camera, **few).image).abs().max() > 0.3, "the people are hardly themselves"


@torch.no_grad()
def test_the_generator_and_the_people_stay_as_they_are() -> None:
    net = TriPlane(TINY)
    before = copy.deepcopy(net.state_dict())
    adapter = lora.state(people(net, CONFIGS[0], 1)[0])
    several(net, [adapter, adapter], CONFIGS[0])(torch.randn(2, net.num_ws, TINY.w_dim), poses(2))
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_whole_weights_are_shared_and_no_persons_is_made() -> None:
    net = TriPlane(TINY)
    both = several(net, [lora.state(m) for m in people(net, CONFIGS[0], 2)], CONFIGS[0])
    layer, own = both.backbone.synthesis.b8.conv0, net.backbone.synthesis.b8.conv0
    assert isinstance(layer.weight, PerRow)
    assert layer.weight.shared.data_ptr() == own.weight.data_ptr()


def test_an_adapter_of_another_rank_or_network_and_nobody_are_refused() -> None:
    net = TriPlane(TINY)
    adapter = lora.state(people(net, CONFIGS[0], 1)[0])
    with pytest.raises(BadInput, match="another network or another rank"):
        several(net, [adapter, lora.state(people(net, CONFIGS[1], 1)[0])], CONFIGS[0])
    with pytest.raises(BadInput, match="another network or another rank"):
        several(net, [{name: t for name, t in adapter.items() if not name.endswith("const")}], CONFIGS[0])
    with pytest.raises(WrongUse, match="nobody"):
        several(net, [], CONFIGS[0])


@pytest.mark.parametrize("up", [False, True])
def test_a_convolution_by_rows_is_that_of_each_rows_whole_weight(up: bool) -> None:
    shared, a, b = torch.randn(5, 4, 3, 3), torch.randn(2, 3, 36), torch.randn(2, 5, 3)
    whole = [shared + 0.5 * torch.einsum("or,rikl->oikl", b[n], a[n].reshape(3, 4, 3, 3)) for n in range(2)]
    x, styles = torch.randn(2, 4, 6, 6), torch.randn(2, 4)
    made = ops.modulated_conv(x, PerRow(shared, a, b, 0.5), styles, up=up, gain=1.5)
    expected = [ops.modulated_conv(x[n : n + 1], whole[n], styles[n : n + 1], up=up, gain=1.5) for n in range(2)]
    torch.testing.assert_close(made, torch.cat(expected), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_what_convolutions_draw_has_the_bits_of_the_persons_own_model() -> None:
    net = TriPlane(TINY)
    models = people(net, CONFIGS[1])
    w_plus = torch.randn(3, net.num_ws, TINY.w_dim)
    together = several(net, [lora.state(m) for m in models], CONFIGS[1]).planes(w_plus)
    assert torch.equal(together, torch.cat([m.planes(w_plus[i : i + 1]) for i, m in enumerate(models)]))


def test_one_persons_gradient_to_their_code_is_the_same_in_a_batch() -> None:
    net = TriPlane(TINY).requires_grad_(False)
    models = people(net, CONFIGS[0], 2)
    both = several(net, [lora.state(m) for m in models], CONFIGS[0])
    w_plus = torch.randn(2, net.num_ws, TINY.w_dim)
    code, own = w_plus.clone().requires_grad_(), w_plus[1:].clone().requires_grad_()
    both(code, poses(2)).image[1].square().mean().backward()
    models[1].requires_grad_(False)(own, poses(2)[1]).image.square().mean().backward()
    assert code.grad is not None and own.grad is not None
    torch.testing.assert_close(code.grad[1:], own.grad, atol=1e-5, rtol=1e-3)
    assert not code.grad[0].any()
