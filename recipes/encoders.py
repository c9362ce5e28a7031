"""Train the starter inversion encoder, then SAM's age encoder on it, with the starter StyleGAN2 and the judges.

    python recipes/aged_photos.py --out runs/aged
    P="python recipes/encoders.py --data runs/aged --prior PRIOR --judge src/selfsame/starter/judge"
    $P --stage inversion --out runs/inversion --publish runs/inverter
    $P --stage sam --inversion runs/inverter --age-judge src/selfsame/starter/age --out runs/sam --publish SAM

The inversion sees photos, and at every second step pictures that the prior made, whose codes are known. SAM sees photos
alone, and no age but the judge's. Both resume: run the same command again. Measured are people never seen in training.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from aged_photos import read
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import image, rng, weights
from selfsame.core.memory import keep_freed_memory
from selfsame.core.results import Measured
from selfsame.losses.image import mse
from selfsame.metrics import stats
from selfsame.nets import age, judges
from selfsame.nets.stylegan2 import StyleGAN2, StyleGAN2Config
from selfsame.tasks import encoders, reage
from selfsame.tasks.aging import SAM_STARTER, train_sam
from selfsame.tasks.encoders import STARTER_INVERSION, Batch, Batches, Inversion, train_inversion
from selfsame.tasks.reage import Sam

PRIOR_KIND = "stylegan2-prior"
MEAN_SAMPLES = 600
DECADES = (20, 30, 40, 50, 60, 70, 80)
BATCH = 8


@dataclass(frozen=True, eq=False)
class Prior:
    """A frozen StyleGAN2, the mean of its codes w, and its digest."""

    net: StyleGAN2
    w_mean: Tensor
    digest: str


def load_prior(folder: Path, device: str) -> Prior:
    """The StyleGAN2 in a folder."""
    tensors, card = weights.load(folder, PRIOR_KIND)
    net = StyleGAN2(weights.config_of(card, StyleGAN2Config))
    net.load_state_dict(tensors)
    net = net.eval().requires_grad_(False)
    w = net.map(torch.randn(MEAN_SAMPLES, net.config.z_dim, generator=rng.generator(0, "w statistics")))[:, 0]
    return Prior(net.to(device), w.mean(0).to(device), card.digest)


def photo_batches(folder: Path, device: str) -> Batches:
    """Photos in shuffled epochs, without ages: SAM has them judged."""
    photos, _, _ = read(folder)

    def batch(step: int) -> Batch:
        which = rng.batch_indices(len(photos), BATCH, 0, step)
        return Batch(photos[which].to(device).float() / 127.5 - 1)

    return batch


def with_made(photos: Batches, prior: Prior) -> Batches:
    """At every second step pictures that the prior makes of random codes, with these."""

    def batch(step: int) -> Batch:
        if step % 2 == 0:
            return photos(step // 2)
        z = torch.randn(BATCH, prior.net.config.z_dim, generator=rng.generator(0, "made pictures", step))
        with torch.no_grad():
            w_plus = prior.net.map(z.to(prior.w_mean.device))
            return Batch(prior.net(w_plus).clamp(-1, 1), w_plus=w_plus)

    return batch


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """As metrics.portrait.ssim (B,), without its library, which a machine for training may lack."""
    x = torch.arange(11.0, device=a.device) - 5
    line = (-x.square() / (2 * 1.5**2)).softmax(0)
    kernel = torch.outer(line, line).expand(3, 1, 11, 11)
    a, b = (F.pad(t.clamp(-1, 1) / 2 + 0.5, (5,) * 4, mode="reflect") for t in (a, b))

    def blurred(t: Tensor) -> Tensor:
        return F.conv2d(t, kernel, groups=3)

    mean_a, mean_b = blurred(a), blurred(b)
    var_a, var_b = blurred(a * a) - mean_a**2, blurred(b * b) - mean_b**2
    both = blurred(a * b) - mean_a * mean_b
    light = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    return (light * (2 * both + 0.03**2) / (var_a + var_b + 0.03**2)).mean((1, 2, 3))


class Unseen:
    """Photos of people whom no training saw, and what they are measured with."""

    def __init__(self, folder: Path, judge: judges.Judge, device: str) -> None:
        photos, _, people = read(folder, "test")
        self.photos, self.people, self.judge = photos.to(device).float() / 127.5 - 1, people.tolist(), judge

    def figure(self, name: str, values: Tensor, better: Literal["high", "low"]) -> Measured:
        """The mean over people with its interval."""
        return stats.measure(name, values.tolist(), better=better, units=self.people)

    def through(self, make: Callable[[Tensor], Tensor]) -> Tensor:
        """What `make` makes of the photos, at their size."""
        made = torch.cat([make(part) for part in self.photos.split(BATCH)]).clamp(-1, 1)
        return image.resize(made, self.photos.shape[-1])

    def alike(self, made: Tensor) -> Tensor:
        """Cosines of identities."""
        pairs = zip(made.split(64), self.photos.split(64), strict=True)
        return torch.cat([(self.judge.embed(a) * self.judge.embed(b)).sum(1) for a, b in pairs])

    @torch.no_grad()
    def inversion(self, inversion: Inversion, prior: Prior) -> tuple[Measured, ...]:
        """How well the prior shows what the encoder found."""
        made = self.through(lambda x: prior.net(inversion.invert(x)))
        return (
            self.figure("PSNR (dB), inversions of unseen people", 10 * (4 / mse(made, self.photos)).log10(), "high"),
            self.figure("SSIM, inversions of unseen people", ssim(made, self.photos), "high"),
            self.figure("identity cosine, inversions of unseen people", self.alike(made), "high"),
        )

    @torch.no_grad()
    def sam(self, sam: Sam, years: age.AgeJudge) -> tuple[Measured, ...]:
        """For each target age how far off the judged age is, by the judge of the training, and the likeness."""
        found = []
        for decade in DECADES:
            made = self.through(lambda x, decade=decade: sam.reage(x, decade))  # type: ignore[misc]
            off = torch.cat([years(part) for part in made.split(64)]) - decade
            found.append(self.figure(f"absolute error of judged age (years) at {decade}", off.abs(), "low"))
            found.append(self.figure(f"identity cosine with the photo at {decade}", self.alike(made), "high"))
        return tuple(found)


def say(done: int, losses: dict[str, float]) -> None:
    if done % 25 == 0:
        print(json.dumps({"step": done} | {k: round(v, 4) for k, v in losses.items()}), flush=True)


@torch.no_grad()
def sheet(unseen: Unseen, rows: list[Callable[[Tensor], Tensor]], path: Path) -> None:
    """Eight unseen photos, and below them what each row makes of them."""
    photos = unseen.photos[:16:2]
    made = [image.resize(make(photos).clamp(-1, 1), photos.shape[-1]) for make in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(image.grid(torch.cat([photos, *made]), columns=len(photos)), path)


def train_inverter(given: argparse.Namespace, prior: Prior, judge: judges.Judge) -> None:
    """The first stage."""
    net = prior.net
    sizes = replace(STARTER_INVERSION.encoder, styles=net.num_ws, w_dim=net.config.w_dim)
    config = replace(STARTER_INVERSION, encoder=sizes, steps=given.steps or STARTER_INVERSION.steps)
    data = with_made(photo_batches(given.data, given.device), prior)
    encoder = train_inversion(prior, data, judge, config, given.out, on_step=say)
    card = encoders.card_of(config, prior.digest, licence="Apache-2.0", command=command("inversion", config.steps))
    inversion, unseen = Inversion(encoder, prior.w_mean, card), Unseen(given.data, judge, given.device)
    sheet(unseen, [lambda x: net(inversion.invert(x))], given.out / "preview.png")
    measured = unseen.inversion(inversion, prior)
    show(measured)
    encoders.save(given.publish, replace(inversion, card=replace(card, measured=measured)), half=True)


def train_ager(given: argparse.Namespace, prior: Prior, judge: judges.Judge) -> None:
    """The second stage."""
    inversion = encoders.load(given.inversion, prior.digest, given.device)
    years = age.load(given.age_judge, given.device)
    config = replace(SAM_STARTER, steps=given.steps or SAM_STARTER.steps)
    data = photo_batches(given.data, given.device)
    encoder = train_sam(inversion, prior, data, judge, years, config, given.out, on_step=say)
    card = weights.Card(
        kind=reage.KIND, config={}, seed=config.seed, licence="Apache-2.0", command=command("sam", config.steps)
    )
    sam, unseen = Sam(encoder, inversion, prior.net, card), Unseen(given.data, judge, given.device)
    sheet(unseen, [lambda x, d=d: sam.reage(x, d) for d in DECADES], given.out / "preview.png")  # type: ignore[misc]
    measured = unseen.sam(sam, years)
    show(measured)
    reage.save(given.publish, replace(sam, card=replace(card, measured=measured)), half=True)


def command(stage: str, steps: int) -> str:
    return f"python recipes/encoders.py --stage {stage} --steps {steps}"


def show(measured: tuple[Measured, ...]) -> None:
    for figure in measured:
        print(figure, flush=True)


STAGES = {"inversion": train_inverter, "sam": train_ager}


def main() -> None:
    """Train one stage, measure it, and write it with its card."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--stage", choices=STAGES, required=True)
    options.add_argument("--data", type=Path, required=True, help="the folder that aged_photos.py wrote")
    options.add_argument("--prior", type=Path, required=True)
    options.add_argument("--judge", type=Path, required=True)
    options.add_argument("--inversion", type=Path, help="stage sam: the encoder that the first stage wrote")
    options.add_argument("--age-judge", type=Path, help="stage sam")
    options.add_argument("--out", type=Path, required=True, help="the run's folder")
    options.add_argument("--publish", type=Path, required=True, help="where the weights go")
    options.add_argument("--steps", type=int)
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = options.parse_args()
    keep_freed_memory()
    STAGES[given.stage](given, load_prior(given.prior, given.device), judges.load(given.judge, given.device))


if __name__ == "__main__":
    main()
