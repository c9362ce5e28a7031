"""People who take turns on one network, and several drawn at once."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import poses, tiny_prior

from selfsame.core import rng, weights
from selfsame.core.errors import BadInput, WrongUse
from selfsame.nets import lora
from selfsame.nets.lora import LowRankConfig
from selfsame.tasks import adapters, model, personal
from selfsame.tasks.adapters import Together, Wearer
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import PersonalConfig
from selfsame.tasks.prior import Prior

CONFIG = PersonalConfig(steps=1)


@torch.no_grad()
def person(folder: Path, prior: Prior, seed: int, config: PersonalConfig = CONFIG, *, half: bool = True) -> Path:
    """A person's model of random numbers in a folder."""
    net = personal.prepare(prior.net, config).requires_grad_(False)
    g = rng.generator(seed, "person")
    for tensor in personal.trained_tensors(net, config).values():
        tensor += 0.1 * torch.randn(tensor.shape, generator=g)
    card = model.model_card(config, prior, f"{seed:064x}", "selfsame fit toy")
    made = PersonalModel(net, prior.draw(3, seed), poses(3), card)
    model.save(folder, made, config, ["a", "b", "c"], half=half)
    return folder


def same(one: PersonalModel, other: PersonalModel) -> bool:
    views = poses(2)
    a, b = one.render(one.anchors[:2], views), other.render(other.anchors[:2], views)
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in vars(a)) and one.card == other.card


@pytest.mark.parametrize("half", [False, True])
def test_nothing_of_the_person_before_remains(prior: Prior, tmp_path: Path, half: bool) -> None:
    ada, bo = (person(tmp_path / name, prior, seed, half=half) for seed, name in enumerate(("ada", "bo")))
    wearer = Wearer(prior)
    for folder in (ada, bo, ada):
        worn, fresh = wearer.wear(folder), model.load(folder, prior)
        assert same(worn, fresh)
        assert torch.equal(worn.anchors, fresh.anchors) and torch.equal(worn.camera.pack(), fresh.camera.pack())
        assert all(torch.equal(t, fresh.net.state_dict()[n]) for n, t in worn.net.state_dict().items())
    assert not same(model.load(ada, prior), model.load(bo, prior))


def test_swapping_leaves_the_prior_as_it_was(prior: Prior, tmp_path: Path) -> None:
    before = {name: t.clone() for name, t in prior.net.state_dict().items()}
    Wearer(prior).wear(person(tmp_path, prior, 0))
    assert all(torch.equal(before[name], t) for name, t in prior.net.state_dict().items())


def test_who_does_not_fit_is_refused_and_the_person_before_stays(prior: Prior, tmp_path: Path) -> None:
    wearer = Wearer(prior)
    ada = person(tmp_path / "ada", prior, 0)
    worn = wearer.wear(ada)
    two = replace(CONFIG, low_rank=LowRankConfig(2, 2.0))
    other = tiny_prior(5)
    cut = person(tmp_path / "cut", prior, 3)
    tensors, card = weights.load(cut)
    tensors.pop("backbone.synthesis.b4.const")
    weights.save(cut, tensors, card)
    for folder, words in (
        (
            person(tmp_path / "rank", prior, 1, two),
            "rank 2, alpha 2, rule my3dgen; this network was prepared for rank 1",
        ),
        (person(tmp_path / "prior", other, 1), "was made on the prior"),
        (person(tmp_path / "full", prior, 1, replace(CONFIG, low_rank=None)), "tuned in full"),
        (cut, "holds the weights of another network"),
        (tmp_path / "nobody", "does not exist"),
    ):
        with pytest.raises(BadInput, match=words):
            wearer.wear(folder)
        assert same(worn, model.load(ada, prior))
    with pytest.raises(BadInput, match="was made on the prior"):
        wearer.put_on(adapters.read(tmp_path / "prior", other))


@pytest.mark.parametrize("low_rank", [LowRankConfig(1, 1.0), LowRankConfig(4, 4.0, "plain")], ids=str)
def test_people_together_are_what_they_are_alone(prior: Prior, tmp_path: Path, low_rank: LowRankConfig) -> None:
    config = replace(CONFIG, low_rank=low_rank)
    folders = [person(tmp_path / str(seed), prior, seed, config) for seed in range(3)]
    group = Together(prior, [adapters.read(folder, prior) for folder in folders])
    codes = torch.cat([adapter.most_frontal() for adapter in group.adapters])
    made = group.render(codes, poses(1))
    for n, folder in enumerate(folders):
        alone = model.load(folder, prior)
        assert torch.equal(codes[n], alone.anchors[alone.most_frontal()])
        expected = alone.render(codes[n : n + 1], poses(1)).image
        torch.testing.assert_close(made.image[n : n + 1], expected, atol=1e-4, rtol=1e-4)


def test_people_of_different_ranks_and_wrong_batches_are_refused(prior: Prior, tmp_path: Path) -> None:
    one = adapters.read(person(tmp_path / "1", prior, 0), prior)
    plain = replace(CONFIG, low_rank=LowRankConfig(rank_rule="plain"))
    other = adapters.read(person(tmp_path / "2", prior, 1, plain), prior)
    with pytest.raises(
        BadInput, match="differ in kind: rank 1, alpha 1, rule my3dgen, and rank 1, alpha 1, rule plain"
    ):
        Together(prior, [one, other])
    with pytest.raises(WrongUse, match="3 codes and 1 cameras do not fit 1 people"):
        Together(prior, [one]).render(one.anchors, poses(1))


def test_the_shapes_of_an_adapter_are_known_without_one(prior: Prior) -> None:
    for config in (LowRankConfig(1), LowRankConfig(3, rank_rule="plain")):
        own = lora.trainable(lora.add_low_rank(prior.net, config, rng.generator(0, "x")))
        assert lora.shapes(prior.net, config) == {name: t.shape for name, t in own.items()}
