"""People's low-rank weights in practice: bytes on disk, swaps, several people in one pass, and the listing.

    python benchmarks/adapters.py storage swap one-pass listing [--full] [--out adapters.json]
    python benchmarks/adapters.py half --model people/ada/models/main

Networks have random weights and people random numbers, which cost the same as trained ones. Every timed case runs in a
process of its own, so that its peak memory is its own. Wall times are what a user waits for, on a machine where other
work runs too; CPU seconds of one thread depend little on it.
"""

import argparse
import copy
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from selfsame.core import memory, rng, weights
from selfsame.core.camera import facing, orbit
from selfsame.nets import lora, ops
from selfsame.nets.lora import LowRankConfig
from selfsame.nets.rows import PerRow
from selfsame.nets.triplane import EG3D_FFHQ512, STARTER_3D, TriPlane
from selfsame.tasks import adapters, model, personal
from selfsame.tasks.adapters import Adapter, Together, Wearer
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import PAPER_V4, PersonalConfig
from selfsame.tasks.prior import KIND, Prior, load_prior, prior_card

SIZES = {"starter": STARTER_3D, "full": EG3D_FFHQ512}
PHOTOS = 50
ONE_PASS, KEPT, GROUPED, APART, TURNS = WAYS = (
    "one pass", "whole weights kept", "whole weights kept, grouped", "factors apart", "one by one, with swaps",
)  # fmt: skip
FULL_SAMPLES = 6  # and as many importance samples a ray, so that a case takes seconds: convolutions are all done


def prior_of(size: str) -> Prior:
    """A prior of random weights, whose statistics nobody asks for here."""
    torch.manual_seed(0)
    config = SIZES[size]
    if size == "full":
        config = replace(config, depth_samples=FULL_SAMPLES, importance_samples=FULL_SAMPLES)
    net = TriPlane(config).eval().requires_grad_(False)
    card = prior_card(config, seed=0, licence="None.", digest=weights.digest(net.state_dict()))
    return Prior(net, card, torch.zeros(config.w_dim), 1.0)


def numbers(prior: Prior, low_rank: LowRankConfig, seed: int) -> dict[str, Tensor]:
    """A person's tensors."""
    g = rng.generator(seed, "person")
    return {n: 0.02 * torch.randn(s, generator=g) for n, s in lora.shapes(prior.net, low_rank).items()}


def adapter_of(prior: Prior, config: PersonalConfig, seed: int, photos: int = PHOTOS) -> Adapter:
    assert config.low_rank is not None
    codes = torch.randn(photos, 1, prior.net.config.w_dim, generator=rng.generator(seed, "codes"))
    camera = facing(torch.zeros(photos), torch.zeros(photos))
    card = model.model_card(config, prior, "d" * 64, "selfsame fit ada --preset paper-v4")
    tensors = numbers(prior, config.low_rank, seed)
    return Adapter(tensors, config.low_rank, codes.expand(-1, prior.net.num_ws, -1), camera, card)


def write(folder: Path, prior: Prior, config: PersonalConfig, seed: int, half: bool = True) -> Path:
    """A person's model on disk."""
    given = adapter_of(prior, config, seed)
    net = personal.prepare(prior.net, config).requires_grad_(False)
    personal.begin_at(personal.trained_tensors(net, config), given.tensors)
    ids = [f"{rng.key(seed, 'photo', i):016x}"[:12] for i in range(PHOTOS)]
    model.save(folder, PersonalModel(net, given.anchors, given.camera, given.card), config, ids, half=half)
    return folder


def timed(run: Callable[[], object], count: int) -> dict[str, float]:
    """Milliseconds: median and worst of the wall's, median of the CPU's."""
    run()
    wall, cpu = [], []
    for _ in range(count):
        began, worked = time.perf_counter(), time.process_time()
        run()
        wall.append(1e3 * (time.perf_counter() - began))
        cpu.append(1e3 * (time.process_time() - worked))
    return {"n": count, "median": statistics.median(wall), "worst": max(wall), "least": min(wall),
            "cpu": statistics.median(cpu)}  # fmt: skip


def storage() -> dict[str, object]:
    """Bytes of a person on the full EG3D, with the anchors of 50 photos in W."""
    prior, found = prior_of("full"), {}
    for rank in (1, 4):
        config = replace(PAPER_V4, low_rank=LowRankConfig(rank, float(rank)))
        for half in (False, True):
            with tempfile.TemporaryDirectory() as place:
                folder = write(Path(place), prior, config, 0, half)
                sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
            name = f"rank {rank}, {16 if half else 32} bits"
            found[name] = sizes
            print(f"{name}: {sizes}, in all {sum(sizes.values()):,}")
    return found


def swap() -> dict[str, object]:
    """Another person in place from disk, beside loading networks."""
    prior = prior_of("full")
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as place:
        people = [write(Path(place) / str(seed), prior, PAPER_V4, seed) for seed in range(4)]
        whole = Path(place) / "whole"
        weights.save_net(whole, prior.net, prior_card(prior.net.config, seed=0, licence="None."))
        wearer, turn = Wearer(prior), iter(range(10**6))

        def deep() -> None:
            net = lora.add_low_rank(copy.deepcopy(prior.net), lora.MY3DGEN, rng.generator(0, "x"))
            lora.load(net, adapters.read(people[next(turn) % 4], prior).tensors)

        cases: dict[str, tuple[Callable[[], object], int]] = {
            "swap": (lambda: wearer.wear(people[next(turn) % 4]), 200),
            "model.load (prepares a copy that shares the weights)": (lambda: model.load(people[0], prior), 10),
            "deep copy, prepared anew": (deep, 10),
            "a whole network from disk": (lambda: weights.load_net(whole, KIND, type(prior.net.config), TriPlane), 5),
        }
        for name, (run, count) in cases.items():
            found[name] = told = timed(run, count)
            ratio = told["median"] / found["swap"]["median"], told["cpu"] / found["swap"]["cpu"]  # type: ignore[index]
            print(
                f"{name}: median {told['median']:.1f} ms, worst {told['worst']:.1f}, CPU {told['cpu']:.1f} ms, "
                f"n = {count}; {ratio[0]:.1f} times a swap, {ratio[1]:.1f} by CPU",
                flush=True,
            )
    return found


def computing(way: str) -> None:
    """Let this process compute convolutions by rows in another way than the package does.

    Whole weights are made in the first pass and kept, and convolved row by row or grouped; or factors stay apart: the
    shared weight is convolved once for the batch, and B times A's convolution is added.
    """
    usual, kept = ops.modulated_conv, {}

    def unfiltered(x: Tensor, weight: Tensor, up: bool, groups: int = 1) -> Tensor:
        if up:
            turned = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
            return torch.conv_transpose2d(x, turned, stride=2, groups=groups)
        return torch.conv2d(x, weight, padding=weight.shape[-1] // 2, groups=groups)

    def apart(x: Tensor, weight: PerRow, up: bool) -> Tensor:
        y = unfiltered(x, weight.shared, up)
        kernels = weight.a.unflatten(2, weight.shared.shape[1:])
        inner = torch.cat([unfiltered(row, kernel, up) for row, kernel in zip(x.split(1), kernels, strict=True)])
        flat = y.permute(0, 2, 3, 1).flatten(1, 2)
        flat.baddbmm_(inner.permute(0, 2, 3, 1).flatten(1, 2), weight.b.transpose(1, 2) * weight.gain)
        return flat.unflatten(1, y.shape[2:]).permute(0, 3, 1, 2)

    def modulated_conv(
        x: Tensor, weight: Tensor | PerRow, styles: Tensor, *, demodulate: bool = True, up: bool = False,
        gain: float = 1.0,
    ) -> Tensor:  # fmt: skip
        if not isinstance(weight, PerRow):
            return usual(x, weight, styles, demodulate=demodulate, up=up, gain=gain)
        key = weight.shared.data_ptr()
        if key not in kept:
            whole = torch.stack(list(weight))
            kept[key] = (None if way == APART else whole, whole.square().sum((3, 4)))
        whole, squares = kept[key]
        if way == KEPT:
            rows = zip(x.split(1), whole, styles.split(1), strict=True)
            return torch.cat([usual(*row, demodulate=demodulate, up=up, gain=gain) for row in rows])
        x = x * styles[:, :, None, None]
        if way == APART:
            y = apart(x, weight, up)
        else:
            y = unfiltered(x.reshape(1, -1, *x.shape[2:]), whole.flatten(0, 1), up, len(x))
            y = ops.fast_layout(y.reshape(len(x), -1, *y.shape[2:]))
        y = ops.filter_1331(y, gain=4.0) if up else y
        if demodulate:
            y = y * ((squares @ styles.square()[..., None])[..., 0] + 1e-8).rsqrt()[:, :, None, None]
        return y * gain

    ops.modulated_conv = modulated_conv


def case(size: str, way: str, count: int, repeat: int) -> dict[str, float]:
    """Milliseconds for a picture of each of `count` people, and this process's peak memory."""
    memory.keep_freed_memory()  # as the commands do
    prior = prior_of(size)
    people = [adapter_of(prior, PAPER_V4, seed, 1) for seed in range(count)]
    codes, view = torch.cat([p.anchors for p in people]), orbit(8)[1]
    with torch.no_grad():
        if way == TURNS:
            wearer = Wearer(prior)

            def run() -> None:
                for n, person in enumerate(people):
                    wearer.put_on(person).net(codes[n : n + 1], view)
        else:
            began = time.process_time()
            group = Together(prior, people)
            made = 1e3 * (time.process_time() - began)
            if way != ONE_PASS:
                computing(way)

            def run() -> None:
                group.render(codes, view)

        found = timed(run, repeat)
    if way == ONE_PASS:
        found["seated_cpu"] = made
    return found | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def one_pass(full: bool) -> dict[str, object]:
    """One, two, four and eight people at starter size, four at full size."""
    found: dict[str, object] = {}
    plan = [("starter", count, 5) for count in (1, 2, 4, 8)] + ([("full", 4, 2)] if full else [])
    for size, count, repeat in plan:
        for way in reversed(WAYS):
            command = [sys.executable, __file__, "case", "--given", size, way, str(count), str(repeat)]
            told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            found[f"{size}, {count}, {way}"] = told
            base = found[f"{size}, {count}, {TURNS}"]
            print(
                f"{size}, {count} people, {way}: median {told['median']:.0f} ms, least {told['least']:.0f}, "
                f"CPU {told['cpu']:.0f}, {told['cpu'] / base['cpu']:.2f} of one by one's; "  # type: ignore[index]
                f"peak {told['peak_mb']:.0f} MB; n = {repeat}"
                + (f"; seated in {told['seated_cpu']:.0f} CPU ms" if "seated_cpu" in told else ""),
                flush=True,
            )
    return found


def listing() -> dict[str, object]:
    """`selfsame people` over 1,000 copies of one person: 50 photos, two models."""
    with tempfile.TemporaryDirectory() as place:
        first = Path(place) / "people" / "p0000"
        photo = {
            "id": "0" * 12, "file": "photo_000.jpg", "time_s": None, "digest": "0" * 64, "taken": "2013-01-09T19:08:08",
            "age_years": 33.02, "session": 0, "size_px": 512, "camera": [0.9965234398841858] * 25,
            "landmarks": [[0.36482, 0.381732]] * 5, "why_left_out": None,
            "quality": {"sharpness": 275.98, "exposure": 0.3119, "face_px": 110.9, "hash": "0" * 64},
        }  # fmt: skip
        for run in ("main", "age"):
            weights.save(
                first / "models" / run, {"x": torch.zeros(9)}, adapter_of(prior_of("starter"), PAPER_V4, 0).card
            )
            (first / "models" / run / "training").mkdir()
            (first / "models" / run / "training" / "training.jsonl").write_text("{}\n")
        (first / "album.json").write_text(json.dumps({"photos": [photo] * PHOTOS}, indent=2))
        for number in range(1, 1000):
            shutil.copytree(first, first.parent / f"p{number:04d}")
        found: dict[str, object] = {"album_bytes": (first / "album.json").stat().st_size}
        for name, words in {
            "people": ["people"],
            "people --json": ["people", "--json"],
            "--version": ["--version"],
        }.items():
            command = [sys.executable, "-m", "selfsame", *words]

            def run(command: list[str] = command) -> None:
                subprocess.run(command, cwd=place, check=True, capture_output=True)

            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            told = timed(run, 7)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            found[name] = told | {"cpu": 1e3 * spent / 8}
            print(f"selfsame {name}: median {told['median']:.0f} ms, least {told['least']:.0f}, worst "
                  f"{told['worst']:.0f}, CPU {1e3 * spent / 8:.0f}; n = 7")  # fmt: skip
    return found


def half(folder: Path) -> dict[str, object]:
    """How far a trained model's pictures move when its numbers are stored in 16 bits."""
    one = model.load(folder, load_prior())
    config = weights.config_of(one.card, PersonalConfig)
    count = min(8, len(one.anchors))
    before = one.render(one.anchors[:count], one.camera[:count]).image
    tensors = personal.trained_tensors(one.net, config)
    personal.begin_at(tensors, {name: t.half() for name, t in tensors.items()})
    away = (one.render(one.anchors[:count], one.camera[:count]).image - before) / 2  # of [0, 1]
    psnr = -10 * away.square().mean((1, 2, 3)).log10()
    found = {"n": count, "psnr_least": float(psnr.min()), "psnr_mean": float(psnr.mean()),
             "largest_of_255": 255 * float(away.abs().max())}  # fmt: skip
    print(found)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", choices=["storage", "swap", "one-pass", "listing", "half", "case"])
    parser.add_argument("--full", action="store_true", help="one pass at full size too")
    parser.add_argument("--model", type=Path, help="for half: a model on the starter prior")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--given", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.what == ["case"]:
        size, way, count, repeat = asked.given
        print(json.dumps(case(size, way, int(count), int(repeat))))
        return
    print(f"{platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads, load {os.getloadavg()}")
    runs: dict[str, Callable[[], dict[str, object]]] = {
        "storage": storage, "swap": swap, "one-pass": lambda: one_pass(asked.full), "listing": listing,
        "half": lambda: half(asked.model),
    }  # fmt: skip
    found = {name: runs[name]() for name in asked.what}
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
