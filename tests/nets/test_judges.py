from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.losses.image import perceptual
from selfsame.nets import judges
from selfsame.nets.iresnet import STARTER_JUDGE, IResNet
from selfsame.nets.judges import IDENTITY_JUDGE, Judge, prepare


@pytest.fixture(scope="module")
def network() -> IResNet:
    torch.manual_seed(0)
    net = IResNet(STARTER_JUDGE)
    net(torch.randn(4, 3, 64, 64))  # running averages other than the start's
    return net


@pytest.fixture(scope="module")
def judge(network: IResNet) -> Judge:
    return Judge(network)


def test_the_starter_judge_is_small(network: IResNet) -> None:
    assert sum(p.numel() for p in network.parameters()) == 1_107_112


def test_an_embedding_has_length_one_whatever_the_size(judge: Judge) -> None:
    for size_px in (48, 64, 128):
        embedding = judge.embed(torch.rand(2, 3, size_px, size_px) * 2 - 1)
        assert embedding.shape == (2, 128)
        assert torch.allclose(embedding.norm(dim=1), torch.ones(2), atol=1e-5)


def test_images_are_clamped_and_averaged() -> None:
    image = torch.tensor([[0.0, 4.0], [-0.5, -3.0]]).repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert prepare(image.expand(1, 3, 4, 4), 2)[0, 0].tolist() == [[0.0, 1.0], [-0.5, -1.0]]
    assert prepare(image.expand(1, 3, 4, 4), 1).flatten().tolist() == [-0.125] * 3


def test_features_are_normalised_maps_of_five_sizes(judge: Judge) -> None:
    features = judge.features(torch.rand(2, 3, 64, 64) * 2 - 1)
    assert [f.shape[1:] for f in features] == [(24, 64, 64), (24, 32, 32), (48, 16, 16), (96, 8, 8), (160, 4, 4)]
    for f in features:
        assert torch.allclose(f.square().sum(1), torch.full_like(f[:, 0], 0.2), atol=1e-4)


def test_the_distance_is_the_mean_over_layers_of_two_minus_two_cosines(judge: Judge) -> None:
    a, b = torch.rand(2, 2, 3, 64, 64) * 2 - 1
    maps = zip(judge.network(a)[0], judge.network(b)[0], strict=True)
    expected = torch.stack([(2 - 2 * F.cosine_similarity(x, y, dim=1)).mean((1, 2)) for x, y in maps]).mean(0)
    assert torch.allclose(perceptual(judge.features(a), judge.features(b)), expected, atol=1e-4)
    assert perceptual(judge.features(a), judge.features(a.clone())).tolist() == [0.0, 0.0]


def test_a_judge_never_changes_and_passes_gradients_to_the_images(judge: Judge) -> None:
    before = {k: v.clone() for k, v in judge.state_dict().items()}
    judge.train()
    images = torch.zeros(2, 3, 64, 64, requires_grad=True)
    seen = judge(images)
    (seen.embedding.sum() + sum(f.sum() for f in seen.features)).backward()
    assert images.grad is not None
    assert images.grad.isfinite().all()
    assert images.grad.abs().max() > 0
    assert all(torch.equal(v, before[k]) for k, v in judge.state_dict().items())
    assert not any(p.requires_grad for p in judge.parameters())
    assert not any(m.training for m in judge.modules())


def test_save_and_load(judge: Judge, tmp_path: Path) -> None:
    judges.save(tmp_path, judge.network, Card("", {}, seed=0, licence="Apache-2.0"))
    again = judges.load(tmp_path)
    images = torch.rand(2, 3, 80, 80)
    assert torch.equal(again.embed(images), judge.embed(images))
    assert again.network.config == STARTER_JUDGE
    assert not again.network.training


def test_other_weights_are_refused(tmp_path: Path) -> None:
    judges.weights.save(tmp_path, {"x": torch.ones(1)}, Card("prior", {}, seed=0, licence="Apache-2.0"))
    with pytest.raises(BadInput, match=f"holds a prior, not a {IDENTITY_JUDGE}"):
        judges.load(tmp_path)


def test_every_number_of_the_network_learns(network: IResNet) -> None:
    net = IResNet(STARTER_JUDGE)
    _, embedding = net(torch.randn(4, 3, 64, 64))
    (embedding @ torch.randn(128, 3)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())
