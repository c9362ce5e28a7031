"""How long ER-Hull takes to score 5,000 candidate buffers, beside the published rule's way of measuring them.

    python benchmarks/hull.py --out runs/hull.jsonl

The pool is one of 30 photos of 512 numbers in ten sessions. Ours measures all candidates; the published way (PCA, hull,
SLSQP for each item, as the tests keep it in `tests/published_hull.py`) a few of them, and its time is scaled to all.
One JSON line a buffer size: CPU seconds of one thread, the ratio, and the largest relative difference of a distance.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch

from selfsame.core import rng
from selfsame.replay import hull

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import published_hull

PHOTOS, SESSIONS, WIDTH = 30, 10, 512


def compare(size: int, candidates: int, literal: int) -> dict[str, float]:
    """The figures of one buffer size."""
    g = rng.generator(0, "hull benchmark", size)
    codes = rng.normal(g, (SESSIONS, WIDTH))[torch.arange(PHOTOS) % SESSIONS] + 0.7 * rng.normal(g, (PHOTOS, WIDTH))
    drawn = rng.uniform(g, (candidates, PHOTOS)).argsort(1)[:, :size]
    hull.distances(codes, drawn[:100])  # warms up
    started = time.process_time()
    found = hull.distances(codes, drawn)
    figures: dict[str, float] = {"b": size, "candidates": candidates, "cpu_s": round(time.process_time() - started, 3)}
    wide, started = codes.double().numpy(), time.process_time()
    slow = [torch.from_numpy(published_hull.distances(wide, tuple(row))) for row in drawn[:literal].tolist()]
    published_s = (time.process_time() - started) * candidates / literal
    worst = max(float(((a - b).abs() / b.clamp(min=1e-9)).max()) for a, b in zip(found, slow, strict=False))
    figures |= {"published_cpu_s": round(published_s), "ratio": round(published_s / figures["cpu_s"])}
    figures["largest_relative_difference"] = worst
    return figures


def main() -> None:
    """Print one line a buffer size."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sizes", type=int, nargs="+", default=[3, 5, 10])
    options.add_argument("--candidates", type=int, default=5000)
    options.add_argument("--literal", type=int, default=20, help="candidates that the published way measures")
    options.add_argument("--out", type=Path)
    given = options.parse_args()
    torch.set_num_threads(1)
    lines = []
    for size in given.sizes:
        lines.append(json.dumps(compare(size, given.candidates, given.literal)))
        print(lines[-1], flush=True)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
