"""The contract of the loop; run as a script, this file is the toy run that a test kills."""

import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from selfsame.core import rng
from selfsame.core.errors import BadInput
from selfsame.train import checkpoint
from selfsame.train.loop import Run, history, run
from selfsame.train.optim import adam, projector_lr, set_lr, update


@dataclass(frozen=True)
class Inner:
    width: int = 16


@dataclass(frozen=True)
class Settings:
    lr: float = 0.01
    net: Inner = Inner()


class Toy:
    """A network with batch norm and dropout, a latent, a running average, two optimizers: all kinds of state."""

    def __init__(self) -> None:
        torch.manual_seed(3)
        layers = [nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.3), nn.Conv2d(16, 3, 3)]
        self.net = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.w = torch.zeros(1, 3, 12, 12, requires_grad=True)
        self.mean = {"w": torch.zeros(1, 3, 12, 12)}
        self.of_net, self.of_w = adam(self.net.parameters()), torch.optim.SGD([self.w], 0.1, momentum=0.9)
        self.state = {
            "net": self.net,
            "latent": {"w": self.w},
            "mean": self.mean,
            "net adam": self.of_net,
            "w sgd": self.of_w,
        }

    def step(self, index: int) -> Mapping[str, Tensor | float]:
        set_lr(self.of_net, projector_lr(index, 40, 0.01))
        noise = torch.randn(2, 3, 12, 12, generator=rng.generator(0, "noise", index))
        loss = (self.net(self.w + noise) - noise[:, :, 2:-2, 2:-2]).square().mean()
        update(self.of_net, loss)
        if index % 4 == 0:
            size = self.w.square().mean() + 0.1 * self.net(self.w).mean()
            update(self.of_w, size)
            self.mean["w"].lerp_(self.w.detach(), 0.1)
            return {"loss": loss, "size": size}
        return {"loss": loss}

    def tensors(self) -> dict[str, Tensor]:
        return {
            f"{name}/{key}": value.detach().clone()
            for name, part in self.state.items()
            for key, value in checkpoint.named(part).items()
        }


def train(folder: Path, steps: int, step: Callable[[Toy, int], Mapping[str, Tensor | float]] = Toy.step) -> Toy:
    toy = Toy()
    run(Run(folder, Settings(), steps, save_every=7), toy.state, lambda index: step(toy, index))
    return toy


def same(a: Toy, b: Toy) -> bool:
    one, two = a.tensors(), b.tensors()
    assert len(one) == len(two) > 20
    return all(torch.equal(one[name], two[name]) for name in one)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Toy, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return train(folder, 40), folder


def test_k_and_the_rest_equal_all_bitwise(whole: tuple[Toy, Path], tmp_path: Path) -> None:
    train(tmp_path, 13)
    torch.randn(5)  # a different state of the global generator must not matter
    again = train(tmp_path, 40)
    assert same(again, whole[0])
    for name in ("training.jsonl", "checkpoint.safetensors", "config.json"):
        assert (tmp_path / name).read_bytes() == (whole[1] / name).read_bytes(), name
    assert not same(train(tmp_path / "shorter", 39), whole[0])


def test_a_killed_run_goes_on_bitwise(whole: tuple[Toy, Path], tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, __file__, str(tmp_path)])
    log = tmp_path / "training.jsonl"
    deadline = time.monotonic() + 120
    while not (log.exists() and log.read_bytes().count(b"\n") > 17) and time.monotonic() < deadline:
        time.sleep(0.005)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    lines = log.read_bytes().count(b"\n")
    assert 17 < lines < 40
    with log.open("ab") as file:
        file.write(b'{"step": 9')  # what a kill in the middle of a write leaves
    called: list[int] = []

    def step(toy: Toy, index: int) -> Mapping[str, Tensor | float]:
        called.append(index)
        return toy.step(index)

    assert same(train(tmp_path, 40, step), whole[0])
    assert called == list(range(lines - lines % 7, 40)) or called == list(range(lines - lines % 7 - 7, 40))
    assert log.read_bytes() == (whole[1] / "training.jsonl").read_bytes()


def test_the_log_has_every_step_once(whole: tuple[Toy, Path]) -> None:
    columns = history(whole[1])
    assert columns["step"] == list(range(40))
    assert [math.isnan(v) for v in columns["size"]] == [i % 4 != 0 for i in range(40)]
    assert columns["loss"][-1] < columns["loss"][0]
    assert history(whole[1] / "nowhere") == {}


def test_a_finished_run_does_nothing_and_restores_its_state(whole: tuple[Toy, Path]) -> None:
    def never(_: Toy, index: int) -> Mapping[str, float]:
        raise AssertionError(f"step {index} ran again")

    assert same(train(whole[1], 40, never), whole[0])


def test_progress_is_told_after_each_step(tmp_path: Path) -> None:
    told: list[tuple[int, dict[str, float]]] = []
    job = Run(tmp_path, Settings(), 3, save_every=2)
    run(job, {}, lambda index: {"a": index * 2.0}, on_step=lambda done, losses: told.append((done, losses)))
    assert told == [(1, {"a": 0.0}), (2, {"a": 2.0}), (3, {"a": 4.0})]


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_state(tmp_path: Path) -> None:
    def step(toy: Toy, index: int) -> Mapping[str, Tensor | float]:
        return dict(toy.step(index)) | ({"worse": math.nan} if index == 9 else {})

    with pytest.raises(BadInput, match="Step 9: the loss worse is nan"):
        train(tmp_path, 40, step)
    assert same(train(tmp_path, 7), train(tmp_path / "good", 7))


def test_another_configuration_is_refused(tmp_path: Path) -> None:
    train(tmp_path, 2)
    other = Run(tmp_path, Settings(net=Inner(8)), 4, save_every=7)
    with pytest.raises(BadInput, match=r"holds a run with net\.width 16, not 8"):
        run(other, {}, lambda _: {})


def test_fewer_steps_than_made_are_refused(tmp_path: Path) -> None:
    train(tmp_path, 3)
    with pytest.raises(BadInput, match="a run of 3 steps, more than the 2 asked for"):
        train(tmp_path, 2)


@pytest.mark.parametrize(
    "state",
    [
        {"net": nn.Linear(2, 2)},
        {"net": nn.Linear(2, 3), "optimizer": adam([torch.zeros(1, requires_grad=True)])},
        {"net": nn.Linear(2, 2), "optimizer": adam(nn.Linear(2, 2).parameters())},
    ],
)
def test_a_checkpoint_of_another_state_is_refused(tmp_path: Path, state: dict[str, nn.Module]) -> None:
    net = nn.Linear(3, 2)
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, {"net": net, "optimizer": adam(net.parameters())}, {"step": 1})
    with pytest.raises(BadInput, match=r"holds another (net|state) than this run"):
        checkpoint.restore(path, state)


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    train(tmp_path, 7)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BadInput, match="is damaged"):
        train(tmp_path, 8)


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def step(toy: Toy, index: int) -> Mapping[str, Tensor | float]:
        if index == 9:
            monkeypatch.setattr("os.fsync", full)
        return toy.step(index)

    with pytest.raises(BadInput, match="No space left"):
        train(tmp_path, 40, step)
    monkeypatch.undo()
    assert same(train(tmp_path, 7), train(tmp_path / "good", 7))


def test_no_pickle_in_a_run_folder(whole: tuple[Toy, Path]) -> None:
    assert {p.name for p in whole[1].iterdir()} == {"config.json", "checkpoint.safetensors", "training.jsonl"}
    assert json.loads((whole[1] / "config.json").read_text()) == {"lr": 0.01, "net": {"width": 16}}


if __name__ == "__main__":
    torch.set_num_threads(2)

    def slow(toy: Toy, index: int) -> Mapping[str, Tensor | float]:
        time.sleep(0.05)
        return toy.step(index)

    train(Path(sys.argv[1]), 40, slow)
