"""How fast detectors learn and judge, and the memory they take: clips (of eight frames, or two runs) a second.

    python benchmarks/detector_speed.py [NAME ...] [--seconds 5] [--batch 32]

Random pictures of each detector's own size, fresh weights; on a GPU every precision, on a CPU fp32 alone. One pass of
`batch` units is a training step with AdamW, or a judgement without gradients; the first two passes are not counted.
"""

import argparse
import platform
import time
from collections.abc import Callable

import torch
from torch.nn import functional as F

from selfsame.detectors import table
from selfsame.train import devices
from selfsame.train.devices import Devices, Precision

WARM = 2


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


def measure(name: str, precision: Precision, batch: int, seconds: float) -> tuple[float, float, float]:
    """Units a second in training and in judging, and the most memory in GiB (of a GPU; 0 on a CPU)."""
    here: Devices = devices.here(precision)
    net = table.build(name).to(here.device)
    sight = net.sight
    clips = torch.rand(batch, sight.frames, 3, sight.px, sight.px, device=here.device) * 2 - 1
    fake = torch.arange(batch, device=here.device) % 2.0
    adam = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=1e-5)
    if here.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()

    def learn() -> None:
        with here.autocast():
            loss = F.binary_cross_entropy_with_logits(net(clips).float(), fake)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()

    @torch.inference_mode()
    def judge() -> None:
        with here.autocast():
            net(clips)

    learned = passes_a_second(learn, seconds, here.device) * batch
    net.eval()
    judged = passes_a_second(judge, seconds, here.device) * batch
    memory = torch.cuda.max_memory_allocated() / 2**30 if here.device.type == "cuda" else 0.0
    return learned, judged, memory


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--batch", type=int, default=32)
    asked = parser.parse_args()
    gpu = torch.cuda.is_available()
    processor = f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    machine = torch.cuda.get_device_name() if gpu else processor
    print(f"{machine}, torch {torch.__version__}, batches of {asked.batch}")
    print("| detector | precision | learns, units/s | judges, units/s | memory, GiB |\n|---|---|---|---|---|")
    kinds: tuple[Precision, ...] = ("no", "bf16", "fp16") if gpu else ("no",)
    for name in asked.names or list(table.DETECTORS):
        for precision in kinds:
            learned, judged, memory = measure(name, precision, asked.batch, asked.seconds)
            words = "fp32" if precision == "no" else precision
            print(f"| {name} | {words} | {learned:.0f} | {judged:.0f} | {memory:.1f} |", flush=True)


if __name__ == "__main__":
    main()
