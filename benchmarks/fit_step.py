"""How long one training step of a personal 3D model takes at EG3D's full size, and how much memory.

    OMP_NUM_THREADS=1 python benchmarks/fit_step.py --out runs/fit_step.jsonl

A step is that of the preset paper-v4 as `selfsame fit` runs it: 512 px, 48 + 48 samples a ray, squared error and
perceptual distance at both resolutions, forward, backward, Adam; the network's weights are random. The batch and how
it is computed differ from case to case. Every case runs in a process of its own, so that its peak memory is its own,
and prints one JSON line: the least of `--repeat` steps (on a CPU the first counts too, with what is found out once of
the photos, under a second). CPU seconds stand beside the wall's, which other work on the machine lengthens. Where there
is a GPU the same steps run there: seconds are then the wall's, memory is the card's, and fp16 is among the cases.

With `--gradients` it compares the gradients of bf16 (on a GPU fp16 too) with those of float32 instead.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import rng
from selfsame.core.camera import facing
from selfsame.core.memory import keep_freed_memory
from selfsame.jobs import parts
from selfsame.jobs.parts import WithLpips
from selfsame.nets.judges import Judge
from selfsame.nets.lpips import Lpips, LpipsConfig
from selfsame.nets.triplane import EG3D_FFHQ512, TriPlane
from selfsame.tasks import personal
from selfsame.tasks.personal import PAPER_V4, PersonalConfig, Photos
from selfsame.train import devices
from selfsame.train.devices import Share

GPU = torch.cuda.is_available()


@dataclass(frozen=True)
class Case:
    """What trains, on how many photos a step, and how it is computed; `judge` "lpips" is AlexNet, at random."""

    weights: str = "rank 1"
    batch: int = 1
    accumulate: int = 1
    precision: devices.Precision = "no"
    recompute: bool = False
    judge: str = "starter"


CASES = [
    Case(),
    Case(precision="bf16"),
    Case(recompute=True),
    Case(weights="full"),
    Case(weights="full", recompute=True),
    Case(judge="lpips"),
    Case(batch=2),
    Case(batch=4),
    Case(batch=4, accumulate=4),
    Case(batch=4, accumulate=4, recompute=True),
    Case(batch=4, recompute=True),
    Case(batch=4, precision="bf16", recompute=True),
]
ON_GPU = [Case(precision="fp16"), Case(batch=4, precision="fp16"), Case(batch=4, precision="bf16")]


class Enough(Exception):
    """The steps that were asked for are done."""


class Stamps:
    """Wall and CPU clock from before the first step to after the last."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def __call__(self, *_: object) -> None:
        """A step is done; raises Enough after the last that was asked for."""
        if GPU:
            torch.cuda.synchronize()
        self.wall.append(time.perf_counter())
        self.cpu.append(time.process_time())
        if len(self.wall) > self.steps:
            raise Enough

    def least(self, stamps: list[float]) -> float:
        """Of one step."""
        return min(after - before for before, after in pairwise(stamps))


def full_size(count: int) -> tuple[TriPlane, Photos]:
    """EG3D at random and photos of noise, which cost what others do."""
    torch.manual_seed(0)
    net = TriPlane(EG3D_FFHQ512).requires_grad_(False)
    yaw = torch.linspace(-0.4, 0.4, count)
    camera = facing(yaw, torch.zeros(count))
    w_plus = net.map(torch.randn(count, net.config.z_dim), camera)
    images = F.interpolate(torch.rand(count, 3, 16, 16), (512, 512), mode="bicubic") * 2 - 1
    return net, Photos(w_plus.contiguous(), images, camera)


def judge_of(case: Case) -> personal.Judge:
    """The starter judge, with LPIPS over an untrained AlexNet where the case says so."""
    judge = parts.load_judge()
    assert isinstance(judge, Judge)
    return judge if case.judge == "starter" else WithLpips(judge, Lpips(LpipsConfig("alex")))


def configured(case: Case, steps: int) -> PersonalConfig:
    low_rank = PAPER_V4.low_rank if case.weights == "rank 1" else None
    return replace(PAPER_V4, low_rank=low_rank, batch=case.batch, steps=steps, save_every=steps)


def peak_gb() -> float:
    """Of this process: the card's memory on a GPU, else what the system counts as VmHWM."""
    if GPU:
        return torch.cuda.max_memory_allocated() / 2**30
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20


def measure(case: Case, repeat: int) -> dict[str, object]:
    """Steps of `personalize` itself, which is stopped before the one that would also save."""
    keep_freed_memory()
    net, photos = full_size(4)
    how = devices.here(case.precision, accumulate=case.accumulate, recompute=case.recompute)
    told = Stamps(repeat)
    # The clock starts after the first step on a GPU, which warms it up, and before it on a CPU, where a step is long.
    if not GPU:
        told()
    with tempfile.TemporaryDirectory() as folder, suppress(Enough):
        config = configured(case, repeat + 2)
        personal.personalize(net, photos, config, judge_of(case), Path(folder), devices=how, on_step=told)
    return {
        **asdict(case), "seconds": told.least(told.wall), "cpu_seconds": told.least(told.cpu), "peak_gb": peak_gb(),
        "steps": repeat, "threads": torch.get_num_threads(), "load": os.getloadavg()[0], "torch": torch.__version__,
        "machine": torch.cuda.get_device_name() if GPU else platform.processor() or platform.machine(),
    }  # fmt: skip


def gradients(precision: devices.Precision) -> dict[str, Tensor]:
    """Of the low-rank weights after a few steps, so that both factors have one, on one photo."""
    net, photos = full_size(4)
    how = devices.here(precision)
    config = configured(Case(), 1)
    own = personal.prepare(net, config).to(how.device)
    tensors = personal.trained_tensors(own, config)
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in tensors.items():
            if name.endswith(".weight.b"):
                tensor.copy_(torch.randn(tensor.shape, generator=g) * 0.02)
    data = personal._Data(own, photos, judge_of(Case()), config, how)
    rows = Share().rows(rng.generator(0, "ray jitter", 0))
    data.reconstruction(torch.tensor([0]), config, rows)["loss"].backward()
    return {name: tensor.grad.double().cpu() for name, tensor in tensors.items() if tensor.grad is not None}


def compare() -> None:
    """One line for each precision: length and cosine of all gradients in one, and the lowest cosine of a tensor."""
    exact = gradients("no")
    for precision in ("bf16", "fp16") if GPU else ("bf16",):
        found = gradients(precision)
        whole = (
            torch.cat([exact[name].flatten() for name in exact]),
            torch.cat([found[name].flatten() for name in exact]),
        )
        lowest = min(exact, key=lambda name: F.cosine_similarity(exact[name].flatten(), found[name].flatten(), 0))
        print(json.dumps({
            "precision": precision, "length": float(whole[1].norm() / whole[0].norm()),
            "cosine": float(F.cosine_similarity(*whole, 0)), "lowest": lowest,
            "lowest_cosine": float(F.cosine_similarity(exact[lowest].flatten(), found[lowest].flatten(), 0)),
        }), flush=True)  # fmt: skip


def all_cases(repeat: int, only: list[int]) -> Iterator[str]:
    """One JSON line for each case, each from a process of its own."""
    cases = CASES + (ON_GPU if GPU else [])
    for number in only or range(len(cases)):
        words = [sys.executable, __file__, "--case", json.dumps(asdict(cases[number])), "--repeat", str(repeat)]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        yield done.stdout.strip() or json.dumps({**asdict(cases[number]), "failed": done.stderr[-300:]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON lines file to add to")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--only", type=int, nargs="*", default=[], help="numbers of cases, from 0")
    parser.add_argument("--gradients", action="store_true")
    parser.add_argument("--case", help="run one case in this process and print JSON")
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(Case(**json.loads(arguments.case)), arguments.repeat)))
        return
    if arguments.gradients:
        compare()
        return
    for line in all_cases(arguments.repeat, arguments.only):
        print(line, flush=True)
        if arguments.out:
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            with arguments.out.open("a") as file:
                file.write(line + "\n")


if __name__ == "__main__":
    main()
