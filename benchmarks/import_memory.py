"""How much memory and time `selfsame weights import` takes for the largest published file, as a ratio to its size.

    python benchmarks/import_memory.py [--folder /tmp]

A checkpoint of the size of MyTimeMachine's (SAM with its two encoders, the StyleGAN2, the adapter: 2.3 GB) is made of
random numbers, as torch.save writes it, and imported by a process of its own. The peak is that of the system (VmHWM),
which counts every page of the file that was mapped; what the process holds with its libraries loaded and nothing read
is told apart.
"""

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from selfsame.convert import rosinality
from selfsame.nets.age_adapter import AgeAdapter
from selfsame.nets.encoder import PSP, SAM_AGE, GradualStyleEncoder
from selfsame.nets.stylegan2 import STYLEGAN2_FFHQ1024, StyleGAN2

IMPORT = """
import sys, time
from pathlib import Path
from selfsame.jobs.import_personal import Extra
from selfsame.jobs.import_weights import import_file
def peak():  # not ru_maxrss, which a process inherits from the one that started it
    return next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmHWM')) / 1024
before, started = peak(), time.perf_counter()
import_file(Path(sys.argv[1]), out=Path(sys.argv[2]), extra=Extra(ages=(30, 70)))
print(before, peak(), time.perf_counter() - started)
"""


def numbers(net: nn.Module, prefix: str) -> dict[str, torch.Tensor]:
    """Random tensors for a network on the meta device."""
    return {f"{prefix}{name}": torch.rand(t.shape).to(t.dtype) for name, t in net.state_dict().items()}


def write(path: Path) -> None:
    """The checkpoint."""
    with torch.device("meta"):
        nets = {"encoder.": GradualStyleEncoder(SAM_AGE), "pretrained_encoder.": GradualStyleEncoder(PSP)}
        adapter, decoder = AgeAdapter(), StyleGAN2(STYLEGAN2_FFHQ1024)
    state = {name: t for prefix, net in nets.items() for name, t in numbers(net, prefix).items()}
    published = rosinality.published(numbers(decoder, ""), STYLEGAN2_FFHQ1024)
    state |= numbers(adapter, "blender.") | {f"decoder.{name}": t for name, t in published.items()}
    torch.save({"state_dict": state, "latent_avg": torch.rand(18, 512), "opts": {}}, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where 5 GB are free")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        file = Path(name) / "iteration_10000.pt"
        write(file)
        size = file.stat().st_size / 2**20
        started = time.perf_counter()
        told = subprocess.run(
            [sys.executable, "-c", IMPORT, str(file), str(Path(name) / "model")],
            check=True,
            capture_output=True,
            text=True,
        )
        whole = time.perf_counter() - started
    before, peak, seconds = (float(word) for word in told.stdout.split())
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}")
    print(f"file {size:,.0f} MiB, libraries {before:,.0f} MiB, peak {peak:,.0f} MiB: {peak / size:.2f} times the file,")
    print(
        f"{(peak - before) / size:.2f} without the libraries; {seconds:.1f} s ({whole:.1f} s with the start of Python)"
    )


if __name__ == "__main__":
    main()
