"""How long the full EG3D takes on this machine, stage by stage: one 512 px image, one low-rank training step.

    python benchmarks/eg3d_speed.py --out runs/speed.json

Every case runs in a process of its own, so that its peak memory is its own. A stage's time is the least of `--repeat`
runs; its multiply-adds are counted from shapes, forward and backward. CPU seconds stand beside the wall's, which other
work on the machine lengthens. The published code's times are those of issue 2 on two idle cores.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from selfsame.core import memory
from selfsame.core.camera import from_angles, rays
from selfsame.core.rng import generator
from selfsame.nets import lora, ops, planes, render, triplane
from selfsame.nets.triplane import EG3D_FFHQ512, TriPlane, pixel_centres

PUBLISHED = {"image": {"seconds": [5.6, 6.2]}, "step": {"seconds": [22, 22], "peak_gb": 6.2}}
TARGET = {"image": {"seconds": 3.0}, "step": {"seconds": 11.0, "peak_gb": 4.0}}
CAMERA = from_angles(torch.tensor([0.3]), torch.tensor([0.1]))


class Clock:
    """Wall and CPU seconds by stage; stages inside a stage are taken off it."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)
        self.open: list[str] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what stands inside, unless it is part of a backward pass, which is one stage."""
        if any("backward" in outer for outer in self.open):
            yield
            return
        wall, cpu = time.perf_counter(), time.process_time()
        self.open.append(name)
        try:
            yield
        finally:
            self.open.pop()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            self.wall[name] += wall
            self.cpu[name] += cpu
            if self.open:
                self.wall[self.open[-1]] -= wall
                self.cpu[self.open[-1]] -= cpu

    def timed(self, name: str, function: Callable) -> Callable:
        """The function inside a stage."""

        def wrapped(*args, **kwargs):
            with self.stage(name):
                return function(*args, **kwargs)

        return wrapped


def instrument(model: TriPlane, clock: Clock) -> None:
    """Put the clock around the stages of `model`, from outside."""
    for name, module in (
        ("mapping", model.backbone.mapping),
        ("backbone", model.backbone.synthesis),
        ("decoder", model.decoder),
        ("super-resolution", model.superresolution),
    ):
        module.forward = clock.timed(name, module.forward)
    planes.lookup = clock.timed("plane lookup", planes.lookup)
    render.render_rays = clock.timed("marching", render.render_rays)


def image(model: TriPlane, clock: Clock) -> None:
    """One 512 px image, 48 + 48 samples a ray."""
    with torch.no_grad(), clock.stage("rest"):
        w_plus = model.map(torch.randn(1, 512), CAMERA)
        model(w_plus, CAMERA)


def step(model: TriPlane, clock: Clock) -> None:
    """Forward and backward of one image, 48 samples a ray, with gradients of low-rank weights, biases and constant.

    The backward runs stage by stage through detached tensors, which computes the same and lets each be timed.
    """
    w_plus = model.map(torch.randn(1, 512), CAMERA).detach()
    with clock.stage("rest"):
        drawn = model.planes(w_plus)
        held_drawn = drawn.detach().requires_grad_()
        seen = _features(model, held_drawn, w_plus)
        held = seen.detach().requires_grad_()
        picture = model.superresolution(held, w_plus[:, -1])
        loss = picture.square().mean() + held[:, :3].square().mean()
        with clock.stage("super-resolution, backward"):
            loss.backward()
        with clock.stage("rendering, backward (forward again in chunks)"):
            seen.backward(held.grad)
        with clock.stage("backbone, backward"):
            drawn.backward(held_drawn.grad)
        with clock.stage("optimiser"):
            model.optimizer.step()
            model.optimizer.zero_grad()


def _features(model: TriPlane, drawn: Tensor, w_plus: Tensor) -> Tensor:
    size = model.config.neural_px
    origins, directions = rays(CAMERA, size)
    uv = pixel_centres(size, origins.device)[None]
    seen = model.render_rays(drawn, w_plus[:, -1], origins, directions, uv, importance_samples=0)
    return seen.features.transpose(1, 2).unflatten(2, (size, size))


CASES = {"image": image, "step": step}
WAYS = ("published choices", "ours", "ours, freed memory kept")


def choose(way: str) -> None:
    """Set this process to one way of computing the same.

    The baseline makes the published code's choices inside our code: channels first, `grid_sample`, all rays at once.
    """
    if way == WAYS[0]:
        ops.fast_layout = lambda x: x
        planes.lookup = planes._lookup_by_grid
        triplane.POINTS_AT_ONCE = {"cpu": 2**40}
        triplane.POINTS_KEPT_FOR_GRADIENT = 2**40
    if way == WAYS[2]:
        memory.keep_freed_memory()


def multiply_adds(case: str) -> dict[str, float]:
    """Giga multiply-adds by stage from the layers' shapes; a backward that trains needs up to twice its forward."""
    c = EG3D_FFHQ512
    with torch.device("meta"):
        model = TriPlane(c).requires_grad_(False)
        w_plus = torch.zeros(1, model.num_ws, c.w_dim)
        features = torch.zeros(1, c.feature_channels, c.neural_px, c.neural_px)
        counted = {
            "backbone": _count(lambda: model.planes(w_plus)),
            "super-resolution": _count(lambda: model.superresolution(features, w_plus[:, -1])),
        }
    points = c.neural_px**2 * (c.depth_samples + (c.importance_samples if case == "image" else 0))
    counted["plane lookup"] = points * 12 * c.plane_channels / 1e9
    counted["decoder"] = points * c.decoder_hidden * (c.plane_channels + 1 + c.feature_channels) / 1e9
    if case == "step":
        for stage in ("backbone", "super-resolution"):
            counted[f"{stage}, backward"] = 2 * counted[stage]
        both = counted["plane lookup"] + counted["decoder"]
        counted["rendering, backward (forward again in chunks)"] = 2 * both
    return counted


def _count(run: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return counter.get_total_flops() / 2 / 1e9


def measure(case: str, repeat: int) -> dict:
    """Run one case here: least seconds by stage, and this process's peak memory."""
    model = TriPlane(EG3D_FFHQ512)
    if case == "step":
        model = lora.add_low_rank(model, lora.MY3DGEN, generator(0, "low rank"))
        model.optimizer = torch.optim.Adam(lora.trainable(model).values(), lr=0.002, betas=(0.0, 0.992))
    else:
        model.requires_grad_(False)
    clock = Clock()
    instrument(model, clock)
    runs = []
    for _ in range(repeat + 1):  # the first warms up
        clock.wall.clear()
        clock.cpu.clear()
        CASES[case](model, clock)
        runs.append((sum(clock.wall.values()), dict(clock.wall), dict(clock.cpu)))
    total, wall, cpu = min(runs[1:], key=lambda run: run[0])
    return {
        "seconds": total,
        "cpu_seconds": sum(cpu.values()),
        "least_cpu_seconds": min(sum(run[2].values()) for run in runs[1:]),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "stages": {name: {"seconds": wall[name], "cpu_seconds": cpu[name]} for name in wall},
    }


def in_own_process(case: str, repeat: int, way: str) -> dict:
    command = [sys.executable, __file__, "--case", case, "--repeat", str(repeat), "--way", way]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for stage, giga in multiply_adds(case).items():
        result["stages"][stage]["giga_multiply_adds"] = giga
    return result


def table(case: str, result: dict) -> str:
    """Lines for a person."""
    lines = [
        f"{case}: {result['seconds']:.2f} s wall, {result['cpu_seconds']:.2f} s CPU, {result['peak_gb']:.1f} GB peak"
    ]
    lines.append(f"  published {PUBLISHED[case]}, target {TARGET[case]}")
    lines.append(f"  {'stage':46s} {'wall s':>8s} {'CPU s':>8s} {'GMAC':>8s} {'GFLOP/s':>8s}")
    for name, stage in sorted(result["stages"].items(), key=lambda item: -item[1]["seconds"]):
        giga = stage.get("giga_multiply_adds")
        rate = f"{giga:8.1f} {2 * giga / stage['seconds']:8.0f}" if giga else ""
        lines.append(f"  {name:46s} {stage['seconds']:8.3f} {stage['cpu_seconds']:8.3f} {rate}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help="only this way of computing")
    parser.add_argument("--case", choices=CASES, help="run one case in this process and print JSON")
    arguments = parser.parse_args()
    if arguments.case:
        choose(arguments.way or WAYS[1])
        print(json.dumps(measure(arguments.case, arguments.repeat)))
        return
    results = {"load": os.getloadavg(), "threads": torch.get_num_threads(), "torch": torch.__version__}
    for case in CASES:
        for way in [arguments.way] if arguments.way else WAYS:
            results[f"{case}, {way}"] = result = in_own_process(case, arguments.repeat, way)
            print(f"\n{way}: {table(case, result)}", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
