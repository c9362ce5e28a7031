"""Train the starter identity judge on photographs of synthetic people, and measure it on people it never saw.

    python recipes/photo_data.py --out runs/photos --people 1200
    python recipes/identity_judge.py --data runs/photos --out runs/judge --publish src/selfsame/starter/judge

ArcFace's loss [Deng et al. 2019]; photos are shifted, scaled, mirrored, blurred and relit so that the judge looks at
the face and not at the crop, and knows a blurred rendering for who it is. Run again to resume.
"""

import argparse
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from photo_data import photograph, read
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.core import rng, weights
from selfsame.core.memory import keep_freed_memory
from selfsame.core.results import Measured
from selfsame.losses.latent import angular_margin
from selfsame.metrics import stats
from selfsame.nets import judges
from selfsame.nets.iresnet import STARTER_JUDGE, IResNet
from selfsame.train import loop

TEST_FIRST, TEST_PEOPLE, TEST_LOOKS = 900_000, 100, 8  # seeds that no recipe trains on


@dataclass(frozen=True)
class JudgeTraining:
    """The run: steps of `batch` photos, learning rate with a cosine, ArcFace's margin (radians) and scale."""

    steps: int = 1500
    batch: int = 64
    lr: float = 2e-3
    margin: float = 0.2
    scale: float = 20.0
    seed: int = 0


def jitter(photos: Tensor, g: torch.Generator) -> Tensor:
    """Photos (B, 3, s, s) in [-1, 1] as other cameras and crops would give them, at the judge's size."""
    b, size = len(photos), STARTER_JUDGE.size_px
    u = torch.rand(8, b, generator=g) * 2 - 1
    flip = torch.where(u[0] < 0, -1.0, 1.0)
    scale, turn = 0.90 + 0.05 * u[1], 0.06 * u[2]
    theta = torch.zeros(b, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = flip * scale * turn.cos(), -scale * turn.sin()
    theta[:, 1, 0], theta[:, 1, 1] = flip * scale * turn.sin(), scale * turn.cos()
    theta[:, :, 2] = 0.05 * u[3:5].T
    x = F.grid_sample(photos, F.affine_grid(theta, [b, 3, size, size], align_corners=False), align_corners=False)
    small = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode="bilinear", align_corners=False)
    blur = u[5].clamp_min(0)[:, None, None, None]
    x = x + blur * (small - x)
    return ((1 + 0.15 * u[6])[:, None, None, None] * x + 0.12 * u[7][:, None, None, None]).clamp(-1, 1)


def train(data: Path, folder: Path, config: JudgeTraining) -> IResNet:
    """The one loop on the judge and its class centres."""
    photos, people = read(data)
    torch.manual_seed(config.seed)
    network = IResNet(STARTER_JUDGE).to(memory_format=torch.channels_last).train()
    centres = nn.Parameter(torch.randn(int(people.max()) + 1, STARTER_JUDGE.embedding) * 0.05)
    adam = torch.optim.AdamW([*network.parameters(), centres], lr=config.lr, weight_decay=1e-4)

    def step(index: int) -> dict[str, Tensor]:
        for group in adam.param_groups:
            group["lr"] = (
                config.lr * min(1, (index + 1) / 50) * (0.51 + 0.49 * math.cos(math.pi * index / config.steps))
            )
        which = rng.batch_indices(len(photos), config.batch, config.seed, index)
        x = jitter(photos[which].float() / 127.5 - 1, rng.generator(config.seed, "jitter", index))
        _, embedding = network(x.to(memory_format=torch.channels_last))
        cosines = embedding @ F.normalize(centres, dim=1).T
        margin = config.margin * min(
            1.0, max(0.0, index / config.steps - 0.4) / 0.3
        )  # first find people, then part them
        loss = angular_margin(cosines, people[which], margin=margin, scale=config.scale).mean()
        right = (cosines.argmax(1) == people[which]).float().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        return {"loss": loss.detach(), "accuracy": right}

    def say(done: int, losses: dict[str, float]) -> None:
        if done % 25 == 0:
            print(done, {k: round(v, 4) for k, v in losses.items()}, flush=True)

    state = {"network": network, "centres": {"centres": centres}, "adam": adam}
    loop.run(loop.Run(folder, config, config.steps, 100), state, step, on_step=say)
    return network


@torch.no_grad()
def verify(judge: judges.Judge) -> tuple[Measured, ...]:
    """Verification of unseen people at random ages: accuracy and equal error rate over people, and the threshold."""
    people = [TEST_FIRST + i // TEST_LOOKS for i in range(TEST_PEOPLE * TEST_LOOKS)]
    photos = photograph(people, TEST_FIRST)[:, :, 4:-4, 4:-4].float() / 127.5 - 1
    found = torch.cat([judge.embed(part) for part in photos.split(64)])
    similar, person = found @ found.T, torch.tensor(people)
    same = person[:, None] == person[None]
    off = ~torch.eye(len(people), dtype=torch.bool)
    threshold = equal_error_threshold(similar[same & off], similar[~same])
    rejected = [(similar[i][same[i] & off[i]] < threshold).float().mean().item() for i in range(len(people))]
    accepted = [(similar[i][~same[i]] >= threshold).float().mean().item() for i in range(len(people))]
    error = [(a + r) / 2 for a, r in zip(accepted, rejected, strict=True)]
    return (
        stats.measure("equal error rate on unseen people", error, better="low", units=people),
        stats.measure("verification accuracy on unseen people", [1 - e for e in error], better="high", units=people),
        threshold_interval(similar, person, float(threshold)),
    )


def threshold_interval(similar: Tensor, person: Tensor, threshold: float, resamples: int = 60) -> Measured:
    """The threshold at equal error with its 95 % bootstrap interval over people."""
    people, found = person.unique(), []
    for i in range(resamples):
        drawn = people[torch.randint(len(people), (len(people),), generator=rng.generator(0, "threshold", i))]
        rows = torch.cat([torch.nonzero(person == p).flatten() for p in drawn])
        part, same = similar[rows][:, rows], person[rows][:, None] == person[rows][None]
        found.append(float(equal_error_threshold(part[same & (part < 1 - 1e-6)], part[~same])))
    low, high = torch.tensor(found).quantile(torch.tensor([0.025, 0.975])).tolist()
    return Measured("cosine at equal error", threshold, low, high, len(people), "high")


def equal_error_threshold(same: Tensor, other: Tensor) -> Tensor:
    """The similarity at which as many pairs of one person are refused as pairs of two are accepted."""
    candidates = torch.linspace(-0.5, 1, 1501)
    refused = (same[None] < candidates[:, None]).float().mean(1)
    accepted = torch.stack([(other >= c).float().mean() for c in candidates])
    return candidates[(refused - accepted).abs().argmin()]


def main() -> None:
    """Train, measure, and write the judge with its card."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--steps", type=int, default=1500)
    options.add_argument("--publish", type=Path)
    given = options.parse_args()
    keep_freed_memory()
    config = replace(JudgeTraining(), steps=given.steps)
    network = train(given.data, given.out, config)
    measured = verify(judges.Judge(network))
    for figure in measured:
        print(figure)
    if given.publish:
        card = weights.Card(
            kind=judges.IDENTITY_JUDGE,
            config=asdict(STARTER_JUDGE),
            seed=config.seed,
            licence="Apache-2.0",
            measured=measured,
            command="python recipes/identity_judge.py --data runs/photos --out runs/judge",
        )
        judges.save(given.publish, network, card, half=True)


if __name__ == "__main__":
    main()
