"""The one training loop. To resume, run the same command again: the result is an uninterrupted run's, bitwise.

That holds on one kind of machine with the same number of threads. On CUDA some of torch's gradients add up in no fixed
order, and the last bits differ from run to run with or without a resume.
"""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from selfsame.core import rng
from selfsame.core.config import to_json, write_atomic, writing
from selfsame.core.errors import BadInput
from selfsame.train import checkpoint
from selfsame.train.checkpoint import State
from selfsame.train.devices import ALONE, Devices

CHECKPOINT_FILE = "checkpoint.safetensors"
CONFIG_FILE = "config.json"
LOG_FILE = "training.jsonl"

Losses = dict[str, float]
Step = Callable[[int], Mapping[str, Tensor | float]]


@dataclass(frozen=True)
class Run:
    """Where a run lives and what fixes it: `config` is a dataclass, written beside the checkpoints."""

    folder: Path
    config: Any
    steps: int
    save_every: int
    seed: int = 0


def run(
    job: Run,
    state: State,
    step: Step,
    *,
    on_step: Callable[[int, Losses], None] | None = None,
    devices: Devices = ALONE,
) -> None:
    """Call `step(0)` to `step(job.steps - 1)`, each once, going on where an earlier call of the same run was stopped.

    `step(index)` changes `state` (everything that it changes, and nothing else, stands there) and returns its losses;
    all else it reads is fixed by `index`, through `core.rng`. The global generator is seeded before each step, so
    dropout keeps the rule too. `on_step(done, losses)` is told how many steps are done. The folder gets
    `config.json`, a checkpoint every `save_every` steps and at the end, and one line of losses a step in
    `training.jsonl`. Raises BadInput where the folder holds a run of another configuration, and where a loss is no
    longer a number: the last good checkpoint then stays.

    Of several processes the first writes and the others read; all see the same folder and keep the same state.
    """
    if devices.first:
        _check_config(job)
    devices.wait()
    _check_config(job)
    start, log_bytes = _resume(job, state)
    devices.wait()  # nobody may still be reading the checkpoint when the first writes the next
    with _log(job.folder / LOG_FILE, log_bytes) if devices.first else nullcontext() as log:
        for index in range(start, job.steps):
            torch.manual_seed(rng.key(job.seed, "step", index))
            losses = _numbers(step(index), index)
            done = index + 1
            if log is not None:
                _write_line(log, {"step": index, **losses})
                if done % job.save_every == 0 or done == job.steps:
                    _save(job, state, done, log)
            if on_step is not None:
                on_step(done, losses)


def history(folder: Path) -> dict[str, list[float]]:
    """The columns of a run's `training.jsonl`: `step` and each loss; NaN where a step did not compute that loss."""
    path = folder / LOG_FILE
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    names = dict.fromkeys(name for line in lines for name in line)
    return {name: [line.get(name, math.nan) for line in lines] for name in names}


def _check_config(job: Run) -> None:
    path = job.folder / CONFIG_FILE
    text = to_json(job.config)
    if not path.exists():
        write_atomic(path, text)
        return
    there, here = _flat(json.loads(path.read_text())), _flat(json.loads(text))
    for key in sorted(there.keys() | here.keys()):
        if there.get(key) != here.get(key):
            raise BadInput(
                f"{job.folder} holds a run with {key} {there.get(key)}, not {here.get(key)}.",
                "Give the same settings to go on with it, or another folder.",
            )


def _flat(record: dict[str, Any], place: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in record.items():
        flat |= _flat(value, f"{place}{key}.") if isinstance(value, dict) else {place + key: value}
    return flat


def _resume(job: Run, state: State) -> tuple[int, int]:
    """The next step and the length in bytes of the log that belongs to it."""
    path = job.folder / CHECKPOINT_FILE
    if not path.exists():
        return 0, 0
    facts = checkpoint.restore(path, state)
    if facts["step"] > job.steps:
        raise BadInput(
            f"{job.folder} holds a run of {facts['step']} steps, more than the {job.steps} asked for.",
            "Ask for at least as many, or give another folder.",
        )
    return facts["step"], facts["log_bytes"]


def _save(job: Run, state: State, done: int, log: IO[bytes]) -> None:
    with writing(job.folder / LOG_FILE):  # its later lines are cut off on resume, its earlier ones must not be lost
        os.fsync(log.fileno())
    checkpoint.save(job.folder / CHECKPOINT_FILE, state, {"step": done, "log_bytes": log.tell()})


def _numbers(losses: Mapping[str, Tensor | float], index: int) -> Losses:
    numbers = {name: float(torch.as_tensor(value).detach()) for name, value in losses.items()}
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise BadInput(
                f"Step {index}: the loss {name} is {number}.",
                "Lower the learning rate; the last good checkpoint is kept.",
            )
    return numbers


@contextmanager
def _log(path: Path, length: int) -> Iterator[IO[bytes]]:
    """The log, cut to `length` bytes and open at its end, without a buffer so that others can follow it."""
    with path.open("ab", buffering=0) as file:
        file.truncate(min(length, path.stat().st_size))
        file.seek(0, os.SEEK_END)
        yield file


def _write_line(log: IO[bytes], record: Mapping[str, float]) -> None:
    with writing(Path(log.name)):
        log.write(json.dumps(record).encode() + b"\n")
