"""How fast detectors learn and judge, and the memory they take.

    python benchmarks/detector_speed.py [NAME ...] [--seconds 5] [--batch 32] [--judge]

Random pictures of each detector's own size, fresh weights; on a GPU every precision, on a CPU fp32 alone. One pass of
`batch` units (a frame, or a run of frames) is a training step by the detector's own lesson with AdamW, or a judgement
without gradients; the first two passes are not counted. A clip is as many units as the preset cuts of it. Each detector
has a process of its own, whose peak (VmHWM) is the memory on a CPU; --judge leaves training out.
"""

import argparse
import multiprocessing
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch

from selfsame.detectors import table
from selfsame.tasks.detect_config import preset
from selfsame.train import devices
from selfsame.train.devices import Devices, Precision

WARM = 2
THREADS = torch.get_num_threads()


def passes_a_second(step: Callable[[], object], seconds: float, device: torch.device) -> float:
    """How often a step runs in a second."""
    for _ in range(WARM):
        step()
    _wait(device)
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        step()
        count += 1
        _wait(device)
    return count / (time.perf_counter() - started)


def measure(name: str, precision: Precision, batch: int, seconds: float, judged_alone: bool) -> tuple[float, ...]:
    """Units a second in judging and the most memory in GiB; then both in training, where that is asked for."""
    torch.set_num_threads(THREADS)
    here: Devices = devices.here(precision)
    net = table.build(name).to(here.device)
    sight = net.sight
    clips = torch.rand(batch, sight.pictures, 3, sight.px, sight.px, device=here.device) * 2 - 1
    fake = torch.arange(batch, device=here.device) % 2.0
    adam = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=1e-5)
    if here.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()

    def learn() -> None:
        with here.autocast():
            loss = net.lesson.loss(net, clips, fake, torch.Generator())
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()

    @torch.inference_mode()
    def judge() -> None:
        with here.autocast():
            net(clips)

    net.eval()
    found = [passes_a_second(judge, seconds, here.device) * batch, peak_gib(here.device)]
    if not judged_alone:
        net.train()
        found += [passes_a_second(learn, seconds, here.device) * batch, peak_gib(here.device)]
    return tuple(found)


def peak_gib(device: torch.device) -> float:
    """The most memory so far: of the GPU, or of this process."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated() / 2**30)
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 2**20


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--judge", action="store_true", help="leave training out")
    asked = parser.parse_args()
    gpu = torch.cuda.is_available()
    processor = f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    machine = torch.cuda.get_device_name() if gpu else processor
    print(f"{machine}, torch {torch.__version__}, batches of {asked.batch}")
    print("| detector | precision | judges, units/s | clips/s | memory, GiB | learns, units/s | memory, GiB |")
    print("|---|---|---|---|---|---|---|")
    kinds: tuple[Precision, ...] = ("no", "bf16", "fp16") if gpu else ("no",)
    for name in asked.names or list(table.DETECTORS):
        for precision in kinds:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                found = pool.apply(measure, (name, precision, asked.batch, asked.seconds, asked.judge))
            with torch.device("meta"):
                crop, sight = preset(name).crop, table.build(name).sight
            units = crop.segments * (crop.length if sight.pictures == 1 else 1)
            words = "fp32" if precision == "no" else precision
            cells = [f"{found[0]:.2f}", f"{found[0] / units:.2f}", *(f"{value:.2f}" for value in found[1:])]
            print(f"| {name} | {words} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
