"""Adversarial training: the losses by hand, the contract of the step, several processes as one.

Run as a script, by torchrun, this file is the training that two processes share.
"""

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from helpers import TINY, poses
from safetensors.torch import load_file
from torch import Tensor, nn

from selfsame.core import rng
from selfsame.core.errors import WrongUse
from selfsame.nets.stylegan2 import Discriminator, DiscriminatorConfig, StyleGAN2, StyleGAN2Config
from selfsame.nets.triplane import TriPlane
from selfsame.tasks.players import Flat, Posed
from selfsame.train import adversarial, checkpoint, devices, loop
from selfsame.train.ada import AdaConfig
from selfsame.train.adversarial import AdversarialConfig, Match, Players
from selfsame.train.devices import ALONE, Devices

PX = 16
CONFIG = AdversarialConfig(batch=8, r1_every=3, augment=AdaConfig(images_to_one=100, every=2, target=-1.5))
KINDS = ("flat", "posed")
# The gradient in the picture of a piecewise linear network does not depend on its biases, but for what they add to the
# deviation of the batch.
AFTER_DEVIATION = {"b4.conv.bias", "b4.fc.bias", "b4.out.bias"}
TESTS = str(Path(__file__).parent.parent)


@dataclass(frozen=True, eq=False)
class Toys:
    """Pictures of one colour each, with cameras."""

    count: int = 40

    def __len__(self) -> int:
        return self.count

    def images(self, which: Tensor) -> Tensor:
        shades = torch.stack([which / self.count, which % 7 / 7, which % 3 / 3], 1) * 2 - 1
        return shades[:, :, None, None].expand(-1, -1, PX, PX) + 0.1 * torch.linspace(-1, 1, PX)

    def labels(self, which: Tensor) -> Tensor:
        return poses(self.count).pack()[which]


def players(kind: str) -> Players:
    torch.manual_seed(0)
    if kind == "flat":
        net = StyleGAN2(StyleGAN2Config(PX, z_dim=8, w_dim=16, mapping_layers=2, channel_base=256, channel_max=16))
        return Flat(net, Discriminator(DiscriminatorConfig(PX, 256, 16)))
    return Posed(TriPlane(TINY), Discriminator(DiscriminatorConfig(PX, 256, 16, 6)))


def train(folder: Path, kind: str, steps: int, where: Devices = ALONE, config: AdversarialConfig = CONFIG) -> Match:
    config = replace(config, density=0.25, density_every=2) if kind == "posed" else config
    match = adversarial.begin(players(kind), config, where)
    job = loop.Run(folder, config, steps, save_every=2)
    step = lambda index: adversarial.step(match, Toys(), config, where, 0, index)  # noqa: E731
    loop.run(job, match.state, step, devices=where)
    return match


@contextmanager
def digits(kind: str) -> Iterator[None]:
    """Double precision for the tri-planes: Adam's first steps make much of gradients that are all rounding."""
    torch.set_default_dtype(torch.float64 if kind == "posed" else torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def tensors(match: Match) -> dict[str, Tensor]:
    return {
        f"{name}/{key}": value.detach().clone()
        for name, part in match.state.items()
        for key, value in checkpoint.named(part).items()
    }


def test_losses_by_hand() -> None:
    logits = torch.tensor([[0.0], [3.0]])
    expected = [math.log(2), math.log(1 + math.exp(-3))]
    assert adversarial.generator_loss(logits).flatten().tolist() == pytest.approx(expected)
    assert adversarial.discriminator_loss(-logits, logits)[1].item() == pytest.approx(2 * math.log(1 + math.exp(3)))
    x = torch.ones(2, 3, 2, 2, requires_grad=True)
    size = adversarial.r1((x.square() * torch.tensor([1.0, 2.0])[:, None, None, None]).sum((1, 2, 3))[:, None], x)
    assert size.tolist() == [12 * 4.0, 12 * 16.0]
    (again,) = torch.autograd.grad(size.sum(), x)
    assert again[0].unique().tolist() == [8.0]


def test_the_average_forgets_half_in_its_half_life() -> None:
    config = AdversarialConfig(batch=10, ema_images=1000, ema_ramp=0.05)
    assert adversarial.ema_decay(config, 10**6) ** 100 == pytest.approx(0.5)
    assert adversarial.ema_decay(config, 0) == pytest.approx(0.5 ** (1 / 0.05))
    kept, new = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    nn.init.constant_(new.weight, 3.0)
    new.running_mean += 5.0
    adversarial.average(kept, new, 0.75)
    assert kept.weight.tolist() == [1.5, 1.5] and kept.running_mean.tolist() == [5.0, 5.0]


@pytest.mark.parametrize("kind", KINDS)
def test_k_and_the_rest_equal_all_bitwise(kind: str, tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", kind, 7)
    train(tmp_path / "parts", kind, 3)
    torch.randn(5)
    parts = train(tmp_path / "parts", kind, 7)
    one, two = tensors(whole), tensors(parts)
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    for name in (loop.LOG_FILE, loop.CHECKPOINT_FILE):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    assert {"generator adam", "discriminator adam", "ema", "augmentation"} <= {name.split("/")[0] for name in one}
    assert 0 < float(whole.augmentation["p"]) < 1
    assert not torch.equal(one["ema/" + next(iter(whole.ema.state_dict()))], torch.zeros(1))


@pytest.mark.parametrize("kind", KINDS)
def test_each_phase_gives_every_tensor_of_its_own_a_gradient_and_no_other(kind: str) -> None:
    match = adversarial.begin(players(kind), CONFIG, ALONE)
    turn = adversarial._Turn(match, Toys(), CONFIG, ALONE, 0, 0)
    nets = {"generator": match.players.generator, "discriminator": match.players.discriminator}
    for phase, own in (("generator", "generator"), ("discriminator", "discriminator"), ("r1", "discriminator")):
        for net in nets.values():
            net.zero_grad(set_to_none=True)
        getattr(turn, f"{phase}_phase")()
        without = {name for name, p in nets[own].named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
        without -= {n for n in without if n.startswith("superresolution") and n.endswith("noise_strength")}  # not used
        assert without <= (AFTER_DEVIATION if phase == "r1" else set()), f"{phase}: {without}"
        (other,) = nets.keys() - {own}
        assert all(p.grad is None for p in nets[other].parameters())


def test_the_density_is_smoothed_and_nothing_else_moves() -> None:
    match = adversarial.begin(players("posed"), replace(CONFIG, density=100.0), ALONE)
    turns = [adversarial._Turn(match, Toys(), replace(CONFIG, density=100.0), ALONE, 0, i) for i in range(12)]
    before = {name: p.detach().clone() for name, p in match.players.generator.named_parameters()}
    rough = [float(turn.density_phase()) for turn in turns]
    assert rough[-1] < 0.7 * rough[0]
    moved = {name for name, p in match.players.generator.named_parameters() if not torch.equal(p, before[name])}
    assert {"decoder.net.2.weight", "backbone.synthesis.b8.conv1.weight", "backbone.mapping.fc0.weight"} <= moved
    assert not any("superresolution" in name or "backdrop" in name for name in moved)


def test_pictures_have_no_density() -> None:
    with pytest.raises(WrongUse, match="no density"):
        players("flat").roughness(1, rng.generator(0))


def test_r1_reaches_the_pictures_through_the_augmentation() -> None:
    match = adversarial.begin(players("flat"), CONFIG, ALONE)
    match.augmentation["p"].fill_(1.0)
    adversarial._Turn(match, Toys(), CONFIG, ALONE, 0, 0).r1_phase()
    assert all(
        p.grad is not None for n, p in match.players.discriminator.named_parameters() if n not in AFTER_DEVIATION
    )


def test_bf16_trains(tmp_path: Path) -> None:
    where = Devices(precision="bf16")
    for kind in KINDS:
        match = train(tmp_path / kind, kind, 2, where)
        assert all(t.isfinite().all() for t in tensors(match).values())
        assert {p.dtype for p in match.players.generator.parameters()} == {torch.float32}


def test_a_batch_must_part_evenly() -> None:
    Devices(count=2).check_batch(16)
    ALONE.check_batch(3)
    for batch in (7, 12):
        with pytest.raises(WrongUse, match="multiple of 8"):
            Devices(count=2).check_batch(batch)


def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    """Both resume, too: what is trained for 3 steps goes on to 5."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([TESTS, os.environ.get("PYTHONPATH", "")])}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", __file__]
    words = [*launch, str(tmp_path / "two"), "3", "5"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for kind in KINDS:
        with digits(kind):
            train(tmp_path / "one" / kind, kind, 5)
            start = players(kind).generator.state_dict()
        one, two = (load_file(tmp_path / name / kind / loop.CHECKPOINT_FILE) for name in ("one", "two"))
        assert one.keys() == two.keys() and len(one) > 60
        for name in one:
            if "adam" not in name:
                torch.testing.assert_close(
                    two[name], one[name], atol=1e-5, rtol=1e-5, msg=lambda m, n=name: f"{n}: {m}"
                )
        assert loop.history(tmp_path / "two" / kind)["step"] == [0, 1, 2, 3, 4]
        assert sum((one[f"generator/{name}"] - start[name]).abs().max() > 1e-3 for name in start) > 20


if __name__ == "__main__":
    torch.set_num_threads(1)
    shared = devices.here()
    assert shared.count == 2
    for each in KINDS:
        with digits(each):
            for upto in sys.argv[2:]:
                train(Path(sys.argv[1]) / each, each, int(upto), shared)
