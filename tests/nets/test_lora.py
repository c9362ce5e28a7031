"""The contract of low-rank weights, on a toy generator."""

import copy
from dataclasses import replace
from typing import Literal

import pytest
import torch

from selfsame.core.camera import from_angles
from selfsame.core.errors import BadInput
from selfsame.core.rng import generator
from selfsame.nets import lora
from selfsame.nets.lora import LowRankConfig
from selfsame.nets.triplane import EG3D_FFHQ512, STARTER_3D, TriPlane

TOY = replace(
    STARTER_3D, channel_base=128, channel_max=8, plane_px=16, plane_channels=4, w_dim=8, z_dim=8, feature_channels=4,
    decoder_hidden=8, neural_px=8, image_px=16, superres_channels=(4, 4), depth_samples=4, importance_samples=4,
    mapping_layers=1, backdrop_px=2,
)  # fmt: skip
CAMERA = from_angles(torch.tensor([0.2]), torch.tensor([0.1]))
CONFIGS = [LowRankConfig(2, 3.0, "my3dgen"), LowRankConfig(3, 1.0, "plain"), LowRankConfig(2, 3.0, "loralib")]


@pytest.fixture
def prior() -> TriPlane:
    return TriPlane(TOY)


def image(model: TriPlane, seed: int = 0) -> torch.Tensor:
    w_plus = model.map(torch.randn(1, 8, generator=generator(seed, "z")))
    return model(w_plus, CAMERA).image


def trained(prior: TriPlane, config: LowRankConfig, steps: int = 3) -> TriPlane:
    """A personal model that has moved away from its prior."""
    model = lora.add_low_rank(prior, config, generator(0, "low rank"))
    optimizer = torch.optim.Adam(lora.trainable(model).values(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        (image(model) - 0.5).square().mean().backward()
        optimizer.step()
    return model


@pytest.mark.parametrize("config", CONFIGS)
def test_identity_at_start_bitwise(prior: TriPlane, config: LowRankConfig) -> None:
    model = lora.add_low_rank(prior, config, generator(0, "low rank"))
    assert torch.equal(image(prior), image(model))


@pytest.mark.parametrize("config", CONFIGS)
def test_only_adapters_move(prior: TriPlane, config: LowRankConfig) -> None:
    before = copy.deepcopy(prior.state_dict())
    start = lora.add_low_rank(prior, config, generator(0, "low rank"))
    model = trained(prior, config)
    assert all(torch.equal(before[k], v) for k, v in prior.state_dict().items()), "the prior itself has changed"
    own = {id(p) for p in lora.trainable(model).values()}
    for (name, old), (_, new) in zip(start.named_parameters(), model.named_parameters(), strict=True):
        moves = id(new) in own and not ("superresolution" in name and name.endswith("noise_strength"))
        assert moves != torch.equal(old, new), name
        assert new.requires_grad == (id(new) in own)
    assert not torch.equal(image(prior), image(model))


def test_which_parts_train(prior: TriPlane) -> None:
    names = lora.trainable(lora.add_low_rank(prior, CONFIGS[0], generator(0, "low rank")))
    assert not any(part in name for name in names for part in ("mapping", "decoder"))
    for name in (
        "backbone.synthesis.b4.const",
        "backbone.synthesis.b8.conv0.weight.a",
        "backbone.synthesis.b8.conv0.noise_strength",
        "backbone.synthesis.b16.torgb.affine.weight.b",
        "superresolution.block1.conv1.affine.bias",
        "backdrop.weight.a",
        "backdrop.bias",
    ):
        assert name in names


@pytest.mark.parametrize("config", CONFIGS)
def test_save_and_load_bitwise(prior: TriPlane, config: LowRankConfig) -> None:
    model = trained(prior, config)
    other = lora.add_low_rank(prior, config, generator(1, "low rank"))
    lora.load(other, lora.state(model))
    assert torch.equal(image(model), image(other))


@pytest.mark.parametrize("config", CONFIGS)
def test_merge_equals_adapter(prior: TriPlane, config: LowRankConfig) -> None:
    model = trained(prior, config)
    base = copy.deepcopy(prior.state_dict())
    merged = TriPlane(TOY)
    merged.load_state_dict(lora.merge(prior.state_dict(), lora.state(model), config))
    assert torch.equal(image(model), image(merged))
    assert all(torch.equal(base[k], v) for k, v in prior.state_dict().items()), "merge has written into its input"


def test_a_foreign_adapter_is_refused(prior: TriPlane) -> None:
    adapter = lora.state(lora.add_low_rank(prior, LowRankConfig(2), generator(0, "low rank")))
    with pytest.raises(BadInput):
        lora.load(lora.add_low_rank(prior, LowRankConfig(1), generator(0, "low rank")), adapter)
    with pytest.raises(BadInput):
        lora.merge({}, adapter, LowRankConfig(2))


@pytest.mark.parametrize("rule", ["my3dgen", "loralib"])
def test_fully_connected_change_has_no_weight_gain(rule: Literal["my3dgen", "loralib"], prior: TriPlane) -> None:
    """The published code adds x A^T B^T (alpha / rank) to the layer's output."""
    config = LowRankConfig(2, 3.0, rule)
    model = trained(prior, config)
    name = "backbone.synthesis.b8.conv0.affine"
    adapter = lora.state(model)
    x = torch.randn(5, 8)
    low_rank = x @ adapter[f"{name}.weight.a"].T @ adapter[f"{name}.weight.b"].T * (3.0 / 2)
    layer = prior.get_submodule(name)
    expected = x @ (layer.weight * layer.weight_gain).T + adapter[f"{name}.bias"] + low_rank
    torch.testing.assert_close(model.get_submodule(name)(x), expected)


def test_published_counts() -> None:
    with torch.device("meta"):
        prior = TriPlane(EG3D_FFHQ512)
    for rank in (1, 4):
        model = lora.add_low_rank(prior, LowRankConfig(rank), generator(0, "low rank"))
        assert lora.low_rank_count(model) == 219_174 * rank
        assert lora.trainable_count(model) == 219_174 * rank + 24_791


def test_counts_of_the_first_version() -> None:
    """About 0.6 million numbers, as its abstract says; a 3 x 3 convolution of 512 channels has 2 * 12 * 1,536."""
    with torch.device("meta"):
        model = lora.add_low_rank(TriPlane(EG3D_FFHQ512), LowRankConfig(4, 4.0, "loralib"), generator(0, "low rank"))
    assert lora.low_rank_count(model) == 561_048
    assert lora.trainable_count(model) == 585_839
    factors = lora.trainable(model)
    shapes = [tuple(factors[f"backbone.synthesis.b8.conv0.weight.{name}"].shape) for name in "ab"]
    assert shapes == [(12, 1536), (1536, 12)]


def test_loralibs_product_is_reshaped_as_it_lies() -> None:
    """Out k rows of in k columns, read line by line, are out x in x k x k."""
    config = LowRankConfig(1, 2.0, "loralib")
    a, b = torch.randn(3, 6), torch.randn(6, 3)
    made = lora.change(a, b, torch.Size([2, 2, 3, 3]), config)
    for o, i, y, x in torch.cartesian_prod(*map(torch.arange, (2, 2, 3, 3))).tolist():
        row, column = divmod(((o * 2 + i) * 3 + y) * 3 + x, 6)
        torch.testing.assert_close(made[o, i, y, x], 2.0 * (b[row] * a[:, column]).sum())
