from pathlib import Path

import pytest
import torch
from encoder_toys import tiny_age_judge

from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.nets import age
from selfsame.nets.age import AGE_JUDGE, DEX, STARTER_AGE, AgeResNet, DexVgg, expected_years


def test_the_expected_year() -> None:
    logits = torch.full((2, 101), -1e4)
    logits[0, 33] = 0.0
    logits[1, 20] = 0.0
    logits[1, 60] = torch.tensor(3.0).log()
    assert expected_years(logits).tolist() == pytest.approx([33.0, 50.0])


def test_the_starter_network_is_small() -> None:
    assert sum(p.numel() for p in age.build(STARTER_AGE).parameters()) == 949_645


def test_the_configuration_chooses_the_network() -> None:
    with torch.device("meta"):
        published, small = age.build(DEX), age.build(STARTER_AGE)
    assert isinstance(published, DexVgg)
    assert isinstance(small, AgeResNet)
    assert (published.config, small.config) == (DEX, STARTER_AGE)


def test_the_published_network_takes_images_resized_and_not_clamped() -> None:
    with torch.device("meta"):
        net = DexVgg()
    images = torch.tensor([[-3.0, 1.0]]).repeat(1, 3, 2, 1)
    prepared = net.prepare(images)
    assert prepared.shape == (1, 3, 224, 224)
    assert (prepared.min(), prepared.max()) == (-3, 1)
    assert prepared[0, 0, 0, 111].item() == pytest.approx(-1 - 4 * 0.5 / 112)


def test_a_judge_never_changes_and_passes_gradients_to_the_images() -> None:
    judge = tiny_age_judge()
    before = {k: v.clone() for k, v in judge.state_dict().items()}
    judge.train()
    images = torch.zeros(2, 3, 24, 24, requires_grad=True)
    years = judge(images)
    assert years.shape == (2,)
    assert ((years >= 0) & (years <= 100)).all()
    years.sum().backward()
    assert images.grad is not None
    assert images.grad.abs().max() > 0
    assert all(torch.equal(v, before[k]) for k, v in judge.state_dict().items())
    assert not any(p.requires_grad for p in judge.parameters())
    assert not any(m.training for m in judge.modules())


def test_save_and_load(tmp_path: Path) -> None:
    judge = tiny_age_judge()
    age.save(tmp_path, judge.network, Card("", {}, seed=0, licence="For tests."))
    images = torch.rand(3, 3, 20, 20)
    assert torch.equal(age.load(tmp_path)(images), judge(images))


def test_other_weights_are_refused(tmp_path: Path) -> None:
    age.weights.save(tmp_path, {"x": torch.ones(1)}, Card("prior", {}, seed=0, licence="For tests."))
    with pytest.raises(BadInput, match=f"holds a prior, not a {AGE_JUDGE}"):
        age.load(tmp_path)


def test_every_number_of_the_network_learns() -> None:
    net = AgeResNet(tiny_age_judge().network.trunk.config)
    (net(torch.randn(4, 3, 16, 16)) * torch.randn(101)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())
