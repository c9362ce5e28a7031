"""How long one training step of a personal aging adapter takes at full size, and how much memory.

    python benchmarks/age_step.py --repeat 3 --out runs/age_step.jsonl

The networks are the published ones in size (two encoders of 256 px, StyleGAN2 of 1024 px, the adapter, IR-SE50, DEX's
VGG16, LPIPS over AlexNet), their weights random; the batch is one photo. Our steps run through `train_adapter`. The
reference has the structure of the released step: eight decodes, no evaluation without a graph, gradients through both
encoders, the decoder's layers as published. Every case runs in a process of its own, so that its peak memory is its
own, and prints one JSON line: median, least and most of `--repeat` steps after one that warms up. CPU seconds stand
beside the wall's, which other work on the machine lengthens.

With `--gradients` it compares the adapter's gradients in bf16 with those in float32 instead.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.core.memory import keep_freed_memory
from selfsame.core.weights import Card
from selfsame.jobs.parts import WithLpips
from selfsame.nets import ops
from selfsame.nets.age import AgeJudge, DexVgg
from selfsame.nets.age_adapter import AgeAdapter
from selfsame.nets.encoder import PSP, SAM_AGE, GradualStyleEncoder, with_age
from selfsame.nets.iresnet import IResNet
from selfsame.nets.judges import Judge
from selfsame.nets.lpips import Lpips, LpipsConfig
from selfsame.nets.stylegan2 import STYLEGAN2_FFHQ1024, StyleGAN2
from selfsame.tasks.encoders import Inversion, pool
from selfsame.tasks.personal_aging import RELEASED, AgedPhotos, PersonalAgingConfig, begin, train_adapter
from selfsame.tasks.reage import Sam
from selfsame.train.devices import Devices

AIM = {"seconds": 33.0, "peak_gb": 6.0}
CARD = Card(kind="benchmark", config={}, seed=0, licence="Random numbers.")
ONLY = {"stay": (1.0, 0.0), "inside": (0.0, 0.0), "outside": (0.0, 1.0)}  # the config's `stay` and `outside`
REFERENCE = "released structure"


@dataclass(frozen=True)
class Case:
    """One mode of our step, or the reference; `losses` "pixel" leaves out every network that judges."""

    mode: str
    losses: str = "all"
    precision: str = "no"

    @property
    def share(self) -> float:
        """How often the preset has this mode."""
        return {"stay": RELEASED.stay, "outside": RELEASED.outside}.get(self.mode, 1 - RELEASED.stay - RELEASED.outside)


class Blind:
    """A judge to which all pictures look the same."""

    def embed(self, images: Tensor) -> Tensor:
        """One number."""
        return images.new_ones(len(images), 1)

    recognise = embed

    def features(self, images: Tensor) -> list[Tensor]:
        """One map of one place."""
        return [images.new_zeros(len(images), 1, 1, 1)]

    def years(self, images: Tensor) -> Tensor:
        """No age."""
        return images.new_zeros(len(images))


def full_size() -> tuple[Sam, AgedPhotos]:
    """SAM in its published size and two photos, which its decoder makes."""
    torch.manual_seed(0)
    net = StyleGAN2(STYLEGAN2_FFHQ1024)
    with torch.no_grad():
        z = torch.randn(512, net.config.z_dim)
        w_mean = net.map(z)[:, 0].mean(0)
        images = torch.cat([pool(net(net.map(z[i : i + 1], psi=0.7)), PSP.input_px) for i in range(2)])
    images = images / images.abs().amax((1, 2, 3), keepdim=True)
    sam = Sam(GradualStyleEncoder(SAM_AGE), Inversion(GradualStyleEncoder(PSP), w_mean, CARD), net, CARD)
    return sam, AgedPhotos(images, torch.tensor([30, 50]))


def judges(losses: str) -> tuple[Blind | WithLpips, Callable[[Tensor], Tensor]]:
    """The judges of the published losses, or blind ones."""
    if losses == "pixel":
        return Blind(), Blind().years
    return WithLpips(Judge(IResNet()), Lpips(LpipsConfig())), AgeJudge(DexVgg())


def configured(case: Case, steps: int) -> PersonalAgingConfig:
    stay, outside = ONLY[case.mode]
    return replace(RELEASED, batch=1, steps=steps, stay=stay, outside=outside, save_every=steps)


class Enough(Exception):
    """The steps that were asked for are done."""


class Stamps:
    """Wall and CPU clock after every step."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def __call__(self, *_: object) -> None:
        """A step is done; raises Enough after the last that was asked for."""
        self.wall.append(time.perf_counter())
        self.cpu.append(time.process_time())
        if len(self.wall) > self.steps:
            raise Enough


def ours(case: Case, told: Stamps) -> None:
    """The steps of `train_adapter`; it is stopped before the last one, which would also save."""
    sam, photos = full_size()
    judge, years = judges(case.losses)
    devices = Devices(precision=case.precision)
    config = configured(case, told.steps + 2)
    with tempfile.TemporaryDirectory() as folder:
        train_adapter(sam, begin(config), photos, judge, years, config, Path(folder), devices=devices, on_step=told)


def released(told: Stamps) -> None:
    """The structure of the released step, with the pixel loss alone, written down as plainly as it is described."""
    ops.styled_layer, ops.fast_layout = published_layer, lambda x: x
    sam, photos = full_size()
    adapter = AgeAdapter()
    optimizer = torch.optim.Adam(adapter.parameters(), lr=1e-4)
    for encoder in (sam.age_encoder, sam.inversion.encoder):  # which no optimiser moves, but which collect gradients
        encoder.requires_grad_(True)

    def prior(images: Tensor, years: Tensor) -> tuple[Tensor, Tensor]:
        codes = sam.age_encoder(with_age(images, years)) + sam.invert(images)
        return codes, sam.decoder(codes)

    def there(images: Tensor, years: Tensor, photo: Tensor) -> tuple[Tensor, Tensor]:
        prior(images, years)  # the local pass, of which nothing is used
        codes, _ = prior(images, years)  # the global pass
        made = pool(sam.decoder(adapter(codes, years)), PSP.input_px)
        _, guide = prior(images, years)  # what the loss may compare with
        return made, F.mse_loss(made, photo) + 0 * F.mse_loss(made, pool(guide, PSP.input_px))

    photo, own, target = photos.images[:1], photos.years[:1].float(), torch.tensor([70.0])
    while True:
        optimizer.zero_grad()
        made, loss = there(photo, target, photo)
        loss.backward()
        _, loss = there(made.detach(), own, photo)
        loss.backward()
        optimizer.step()
        told()


def published_layer(x: Tensor, weight: Tensor, styles: Tensor, offsets: list[Tensor], *, up: bool = False) -> Tensor:
    """The decoder's layer as published: a weight of the image's own, nothing in place, gradients by torch."""
    own = weight * styles[0, :, None, None]
    own = own * (own.square().sum((1, 2, 3), keepdim=True) + 1e-8).rsqrt()
    y = ops.conv(x, own * ops.LRELU_GAIN, up=up)
    return F.leaky_relu(y + sum(offsets), ops.LRELU_SLOPE)


def measure(case: Case, repeat: int) -> dict:
    """Run one case here."""
    keep_freed_memory()
    told = Stamps(repeat)
    with suppress(Enough):
        released(told) if case.mode == REFERENCE else ours(case, told)
    wall = [b - a for a, b in zip(told.wall, told.wall[1:], strict=False)]
    cpu = [b - a for a, b in zip(told.cpu, told.cpu[1:], strict=False)]
    return {
        "seconds": round(median(wall), 2),
        "from": round(min(wall), 2),
        "to": round(max(wall), 2),
        "cpu_seconds": round(median(cpu), 2),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2),
        "repetitions": repeat,
    }


def gradient(case: Case) -> Tensor:
    """The adapter's gradient in the first step of a case."""
    sam, photos = full_size()
    judge, years = judges(case.losses)
    with tempfile.TemporaryDirectory() as folder:
        devices = Devices(precision=case.precision)
        config = configured(case, 1)
        adapter = train_adapter(sam, begin(config), photos, judge, years, config, Path(folder), devices=devices)
    return nn.utils.parameters_to_vector(p.grad for p in adapter.parameters())


def in_own_process(case: Case, repeat: int) -> dict:
    command = [sys.executable, __file__, "--repeat", str(repeat), "--case", json.dumps(asdict(case))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def machine() -> dict:
    """What the figures are of."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    threads = torch.get_num_threads()
    return {"machine": f"{name}, {os.cpu_count()} cores", "threads": threads, "torch": torch.__version__}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="file for the JSON lines")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--precision", choices=("no", "bf16"), nargs="+", default=["no", "bf16"])
    parser.add_argument("--mode", choices=ONLY, nargs="+", default=list(ONLY))
    parser.add_argument("--losses", choices=("all", "pixel"), nargs="+", default=["all", "pixel"])
    parser.add_argument("--without-reference", action="store_true")
    parser.add_argument("--gradients", action="store_true", help="compare gradients instead")
    parser.add_argument("--case", help="run one case in this process")
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measure(Case(**json.loads(given.case)), given.repeat)))
        return
    lines: list[str] = []

    def tell(figure: dict) -> None:
        lines.append(json.dumps(figure | machine() | {"load": round(os.getloadavg()[0], 1)}))
        print(lines[-1], flush=True)
        if given.out:
            given.out.write_text("\n".join(lines) + "\n")

    if given.gradients:
        for mode in given.mode:
            exact, rounded = (gradient(Case(mode, precision=p)).double() for p in ("no", "bf16"))
            cosine = F.cosine_similarity(exact, rounded, dim=0)
            longer = rounded.norm() / exact.norm()
            tell({"figure": f"gradient, {mode}, bf16", "cosine": float(cosine), "length": float(longer)})
        return
    reference = None
    if not given.without_reference:
        reference = in_own_process(Case(REFERENCE, "pixel"), given.repeat)
        tell({"figure": f"{REFERENCE}, pixel loss"} | reference)
    for precision in given.precision:
        for losses in given.losses:
            found = {}
            for case in (Case(mode, losses, precision) for mode in given.mode):
                found[case] = in_own_process(case, given.repeat)
                tell({"figure": f"{case.mode}, losses: {losses}, precision: {precision}"} | found[case])
            weight = sum(case.share for case in found)
            average = {
                name: round(sum(case.share * result[name] for case, result in found.items()) / weight, 2)
                for name in ("seconds", "cpu_seconds")
            }
            average["peak_gb"] = max(result["peak_gb"] for result in found.values())
            if reference:
                average |= {f"{name}_share": round(average[name] / reference[name], 3) for name in average}
            modes = " ".join(given.mode)
            tell({"figure": f"average of {modes}, losses: {losses}, precision: {precision}", "aim": AIM} | average)


if __name__ == "__main__":
    main()
