"""pSp: what moves, what must not, what each term sees, and that a resumed run is the same run."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from encoder_toys import SHORT, TINY, TinyPrior, pictures, tiny_image_prior, tiny_inversion

from selfsame.core.errors import BadInput
from selfsame.nets.encoder import GradualStyleEncoder
from selfsame.nets.iresnet import IResNet, IResNetConfig
from selfsame.nets.judges import Judge
from selfsame.tasks import encoders
from selfsame.tasks.encoders import PSP_PAPER, InversionConfig, flip, pool, rate, train_inversion
from selfsame.train import loop

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def stylegan() -> TinyPrior:
    return tiny_image_prior()


def train(
    prior: TinyPrior, judge: Judge, folder: Path, config: InversionConfig = SHORT, stop: int = 0
) -> GradualStyleEncoder:
    """A run, stopped by an error after `stop` steps where that is given."""

    def told(done: int, _: loop.Losses) -> None:
        if done == stop:
            raise InterruptedError

    return train_inversion(prior, lambda index: pictures(prior, index), judge, config, folder, on_step=told)


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    one, two = a.state_dict(), b.state_dict()
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_published_weights() -> None:
    c = PSP_PAPER
    assert (c.pixel, c.perceptual, c.identity, c.w_norm, c.code) == (1.0, 0.8, 0.1, 0.0, 0.0)
    assert (c.optimizer, c.lr, c.face_identity) == ("ranger", 1e-4, True)


def test_training_lowers_the_loss(stylegan: TinyPrior, judge: Judge, tmp_path: Path) -> None:
    config = replace(SHORT, steps=40, code=1.0, flip=0.0, save_every=40)
    train_inversion(stylegan, lambda _: pictures(stylegan, 0), judge, config, tmp_path)
    losses = loop.history(tmp_path)
    for name in ("loss", "pixel", "perceptual", "identity", "code"):
        assert sum(losses[name][-5:]) < 0.7 * sum(losses[name][:5]), name


@pytest.mark.parametrize("optimizer", ["adam", "ranger"])
def test_only_the_encoder_moves(stylegan: TinyPrior, judge: Judge, tmp_path: Path, optimizer: str) -> None:
    before = {k: v.clone() for net in (stylegan.net, judge) for k, v in net.state_dict().items()}
    start = encoders.untrained(SHORT.encoder, encoders.rng.key(SHORT.seed, "encoder"))
    net = train(stylegan, judge, tmp_path, replace(SHORT, optimizer=optimizer, flip=0.0))
    frozen = {k: v for net in (stylegan.net, judge) for k, v in net.state_dict().items()}
    assert all(torch.equal(v, before[k]) for k, v in frozen.items())
    assert all(p.grad is None for p in [*stylegan.net.parameters(), *judge.parameters()])
    for (name, p), old in zip(net.named_parameters(), start.parameters(), strict=True):
        assert p.grad is not None and p.grad.abs().max() > 0, name
        assert not torch.equal(p, old), name


@pytest.mark.parametrize("optimizer", ["adam", "ranger"])
def test_a_resumed_run_equals_an_uninterrupted_one_bitwise(
    stylegan: TinyPrior, judge: Judge, tmp_path: Path, optimizer: str
) -> None:
    config = replace(SHORT, optimizer=optimizer, steps=8, schedule="projector")
    whole = train(stylegan, judge, tmp_path / "whole", config)
    with pytest.raises(InterruptedError):
        train(stylegan, judge, tmp_path / "cut", config, stop=5)
    assert same(train(stylegan, judge, tmp_path / "cut", config), whole)
    logs = [(tmp_path / name / loop.LOG_FILE).read_bytes() for name in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_the_code_of_a_mirrored_picture_is_not_known(stylegan: TinyPrior, judge: Judge, tmp_path: Path) -> None:
    train(stylegan, judge, tmp_path / "all", replace(SHORT, steps=1, flip=1.0))
    assert loop.history(tmp_path / "all")["code"] == [0.0]
    train(stylegan, judge, tmp_path / "none", replace(SHORT, steps=1, flip=0.0))
    assert loop.history(tmp_path / "none")["code"][0] > 0


def test_flip() -> None:
    images = torch.randn(64, 3, 4, 4)
    mirrored, which = flip(images, 0.5, torch.Generator().manual_seed(0))
    assert 20 < which.sum() < 44
    assert torch.equal(mirrored[which], images[which].flip(-1))
    assert torch.equal(mirrored[~which], images[~which])


def test_schedules() -> None:
    assert [rate(step, 10, 2.0, "constant") for step in (0, 9)] == [2.0, 2.0]
    rates = [rate(step, 100, 2.0, "projector") for step in range(100)]
    assert 0 < rates[0] < 0.5
    assert max(rates) == 2.0
    assert 0 < rates[-1] < 0.02


def test_pooling_averages() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert pool(x, 2).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert pool(x, 4) is x


@pytest.mark.parametrize("half", [False, True])
def test_save_and_load(stylegan: TinyPrior, tmp_path: Path, half: bool) -> None:
    inversion = tiny_inversion(stylegan)
    saved = encoders.save(tmp_path, inversion, half=half)
    again = encoders.load(tmp_path, stylegan.digest)
    assert saved.card.digest == again.card.digest != ""
    assert again.card.prior_digest == stylegan.digest
    assert not again.encoder.training
    assert not any(p.requires_grad for p in again.encoder.parameters())
    images = torch.rand(2, 3, 64, 64)
    error = (again.invert(images) - inversion.invert(images)).abs().max()
    assert error < 1e-2 if half else error == 0
    assert encoders.save(tmp_path / "again", again, half=half).card.digest == saved.card.digest


def test_another_prior_is_refused(stylegan: TinyPrior, tmp_path: Path) -> None:
    encoders.save(tmp_path, tiny_inversion(stylegan))
    with pytest.raises(BadInput, match="inversion encoder was made on"):
        encoders.load(tmp_path, tiny_image_prior(seed=1).digest)


def test_an_encoder_may_begin_with_the_layers_of_a_recognition_network() -> None:
    sizes = IResNetConfig(stem=8, stages=TINY.stages, squeeze=2, size_px=32, embedding=8)
    network = IResNet(sizes)
    net, fresh = encoders.recognising(SHORT.encoder, network, 3), encoders.untrained(SHORT.encoder, 3)
    known = network.state_dict()
    for name, tensor in net.state_dict().items():
        expected = known[name] if name.startswith(("input_layer.", "body.")) else fresh.state_dict()[name]
        assert torch.equal(tensor, expected), name


def test_only_the_last_layers_of_heads_have_another_pace() -> None:
    net = encoders.untrained(SHORT.encoder, 0)
    slow, fast = encoders.optimizer_of("ranger", net, 0.1, 20.0).param_groups
    last = {id(p) for head in net.styles for p in head.linear.parameters()}
    assert {id(p) for p in fast["params"]} == last
    assert len(slow["params"]) + len(fast["params"]) == len(list(net.parameters()))
    assert (slow["pace"], fast["pace"]) == (1.0, 20.0)
