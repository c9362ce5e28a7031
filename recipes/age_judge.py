"""Train the starter age judge on photographs of synthetic people, and measure it on people it never saw.

    python recipes/aged_photos.py --out runs/aged
    python recipes/age_judge.py --data runs/aged --out runs/age --publish src/selfsame/starter/age

Years are classes, and the expected year is what is told [Rothe et al. 2018, DEX]; photos are shifted, scaled, mirrored,
blurred and relit as for the identity judge. Run again to resume.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from aged_photos import read
from identity_judge import jitter
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import rng, weights
from selfsame.core.memory import keep_freed_memory
from selfsame.core.results import Measured
from selfsame.metrics import stats
from selfsame.nets import age
from selfsame.nets.age import STARTER_AGE, AgeJudge, AgeResNet
from selfsame.nets.judges import prepare
from selfsame.train import loop, optim

CROP_PX = 72  # a margin about the judge's 64, for jitter


@dataclass(frozen=True)
class AgeTraining:
    """The run: steps of `batch` photos, learning rate with a cosine; `spread` softens the true class, in years."""

    steps: int = 1500
    batch: int = 64
    lr: float = 2e-3
    spread: float = 3.0
    expected: float = 0.02
    seed: int = 0


def soft_classes(years: Tensor, spread: float) -> Tensor:
    """Probabilities (B, AGES) that fall off from the true year as a normal curve."""
    return (-0.5 * ((torch.arange(age.AGES) - years[:, None]) / spread).square()).softmax(1)


def train(data: Path, folder: Path, config: AgeTraining) -> AgeResNet:
    """The one loop on the network: cross entropy with softened classes, and the expected year's error."""
    photos, years, _ = read(data)
    torch.manual_seed(config.seed)
    assert STARTER_AGE.residual is not None
    network = AgeResNet(STARTER_AGE.residual).to(memory_format=torch.channels_last).train()
    adam = torch.optim.AdamW(network.parameters(), lr=config.lr, weight_decay=1e-4)

    def step(index: int) -> dict[str, Tensor]:
        optim.set_lr(adam, optim.projector_lr(index + 1, config.steps + 1, config.lr))
        which = rng.batch_indices(len(photos), config.batch, config.seed, index)
        small = prepare(photos[which].float() / 127.5 - 1, CROP_PX)
        x = jitter(small, rng.generator(config.seed, "jitter", index))
        logits = network(x.to(memory_format=torch.channels_last))
        error = (age.expected_years(logits) - years[which]).abs()
        classes = F.cross_entropy(logits, soft_classes(years[which], config.spread))
        optim.update(adam, classes + config.expected * error.mean())
        return {"loss": classes.detach(), "years": error.mean().detach()}

    def say(done: int, losses: dict[str, float]) -> None:
        if done % 25 == 0:
            print(done, {k: round(v, 3) for k, v in losses.items()}, flush=True)

    run = loop.Run(folder, config, config.steps, 100, config.seed)
    loop.run(run, {"network": network, "adam": adam}, step, on_step=say)
    return network


@torch.no_grad()
def measure(judge: AgeJudge, data: Path) -> tuple[Measured, ...]:
    """The error in years on unseen people, and what always guessing the middle age would get."""
    photos, years, people = read(data, "test")
    error = torch.cat([judge(part.float() / 127.5 - 1) for part in photos.split(64)]) - years
    columns = {
        "absolute error (years) on unseen people": error.abs(),
        "error (years) of one guess for all": (years - years.median()).abs(),
    }
    units = people.tolist()
    return tuple(stats.measure(name, values.tolist(), better="low", units=units) for name, values in columns.items())


def main() -> None:
    """Train, measure, and write the judge with its card."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--steps", type=int, default=1500)
    options.add_argument("--publish", type=Path)
    given = options.parse_args()
    keep_freed_memory()
    config = replace(AgeTraining(), steps=given.steps)
    network = train(given.data, given.out, config)
    measured = measure(AgeJudge(network), given.data)
    for figure in measured:
        print(figure)
    if given.publish:
        card = weights.Card(
            kind=age.AGE_JUDGE,
            config={},
            seed=config.seed,
            licence="Apache-2.0",
            measured=measured,
            command=f"python recipes/age_judge.py --data runs/aged --out runs/age --steps {config.steps}",
        )
        age.save(given.publish, network, card, half=True)


if __name__ == "__main__":
    main()
