"""Train the starter judges on photographs of synthetic people, and measure them on people they never saw.

    python recipes/photo_data.py --out runs/photos --people 1400
    python recipes/judges.py identity --data runs/photos --out runs/identity --publish src/selfsame/starter/judge
    python recipes/judges.py referee --data runs/photos --out runs/referee --publish src/selfsame/starter/referee
    python recipes/judges.py age --data runs/photos --out runs/age --publish src/selfsame/starter/age
    python recipes/judges.py attributes --data runs/photos --out runs/attributes \\
        --publish src/selfsame/starter/attributes --start src/selfsame/starter/judge

Identity: ArcFace's margin [Deng et al. 2019]. The referee is a second identity judge, which no training listens to:
evaluations ask it. Age: years are classes, the expected year is what is told [DEX].
Attributes: the world's own numbers, by squared error, and the probability of glasses. Photos are shifted, scaled,
mirrored, blurred and relit, so that a judge looks at the face and not at the crop, and knows a blurred rendering for
who it is. Run again to resume. The perceptual judge has a recipe of its own.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from photo_data import Photos, blurred, moved, read
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.core import rng, weights
from selfsame.core.memory import keep_freed_memory
from selfsame.core.results import Measured
from selfsame.losses.latent import angular_margin
from selfsame.metrics import stats
from selfsame.nets import age, attributes, judges
from selfsame.nets.age import STARTER_AGE, AgeJudge, AgeResNet
from selfsame.nets.attributes import STARTER_ATTRIBUTES, AttributesJudge, AttributesResNet
from selfsame.nets.iresnet import STARTER_JUDGE, STARTER_REFEREE, IResNet, IResNetConfig
from selfsame.train import loop
from selfsame.train.devices import here
from selfsame.world import person
from selfsame.world.traits import GLASSES_FROM

BANDS = ((5, 12), (12, 18), (18, 30), (30, 45), (45, 60), (60, 75), (75, 90))
SPREAD_YEARS = 3.0  # by how much the true class is softened
MARGIN, SCALE = 0.2, 20.0  # ArcFace's, in radians and as a factor


@dataclass(frozen=True)
class JudgeTraining:
    """The run: steps of `batch` photos, learning rate with a cosine."""

    judge: str
    steps: int
    batch: int = 64
    lr: float = 2e-3
    seed: int = 0


def jitter(size_px: int, photos: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Photos (B, 3, s, s) in [-1, 1] as other cameras and crops would give them, averaged down to `size_px`.

    Also -1 for each photo that was mirrored, else 1.
    """
    b = len(photos)
    u = torch.rand(8, b, generator=g) * 2 - 1
    flip = torch.where(u[0] < 0, -1.0, 1.0)
    x = moved(judges.prepare(photos, size_px), 0.97 + 0.06 * u[1], 0.06 * u[2], 0.05 * u[3:5].T, flip)
    x = blurred(x, u[5].clamp_min(0))
    return ((1 + 0.15 * u[6])[:, None, None, None] * x + 0.12 * u[7][:, None, None, None]).clamp(-1, 1), flip


Jitter = Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]]
"""From photos to what is trained on, and -1 for each that was mirrored, else 1."""

Loss = Callable[[Tensor, Tensor, Tensor, float], dict[str, Tensor]]
"""From jittered photos, their numbers, -1 where they are mirrored and the share of the run that is done, to named
losses, `loss` first."""


def identity_parts(photos: Photos, start: Path | None, config: IResNetConfig = STARTER_JUDGE) -> tuple[nn.Module, Loss]:
    """The identity network with its class centres."""
    whole = nn.Module()
    whole.network = judges.load(start).network.requires_grad_(True) if start else IResNet(config)
    whole.centres = nn.Parameter(torch.randn(int(photos.people.max()) + 1, config.embedding) * 0.05)

    def loss(x: Tensor, which: Tensor, flip: Tensor, done: float) -> dict[str, Tensor]:
        _, embedding = whole.network(x)
        cosines = embedding.float() @ F.normalize(whole.centres, dim=1).T
        people = photos.people[which]
        margin = MARGIN * min(1.0, max(0.0, done - 0.4) / 0.3)  # first find people, then part them
        right = (cosines.argmax(1) == people).float().mean()
        return {"loss": angular_margin(cosines, people, margin=margin, scale=SCALE).mean(), "accuracy": right}

    return whole, loss


def age_parts(photos: Photos, start: Path | None) -> tuple[nn.Module, Loss]:
    """The age network; it may start from an identity judge's trunk."""
    assert STARTER_AGE.residual is not None
    whole = AgeResNet(STARTER_AGE.residual)
    begin(whole.trunk, start)
    years = photos.years

    def loss(x: Tensor, which: Tensor, flip: Tensor, done: float) -> dict[str, Tensor]:
        logits, true = whole(x).float(), years[which]
        soft = (-0.5 * ((torch.arange(age.AGES) - true[:, None]) / SPREAD_YEARS).square()).softmax(1)
        error = (age.expected_years(logits) - true).abs().mean()
        return {"loss": F.cross_entropy(logits, soft) + 0.02 * error, "years": error}

    return whole, loss


def attributes_parts(photos: Photos, start: Path | None) -> tuple[nn.Module, Loss]:
    """The attributes network; it may start from an identity judge's trunk. In the mirror light changes sides."""
    whole = AttributesResNet(STARTER_ATTRIBUTES)
    begin(whole.trunk, start)
    truth = true_attributes(photos)
    scale = truth.std(0)
    signs = torch.tensor([attributes.MIRRORED.get(name, 1.0) for name in attributes.NAMES])
    worn = attributes.NAMES.index("glasses")
    others = [i for i in range(len(attributes.NAMES)) if i != worn]

    def loss(x: Tensor, which: Tensor, flip: Tensor, done: float) -> dict[str, Tensor]:
        told, true = whole(x).float(), truth[which]
        true = torch.where(flip[:, None] < 0, signs * true, true)
        error = ((told - true) / scale)[:, others].square().mean(0)
        glasses = F.binary_cross_entropy_with_logits(told[:, worn], true[:, worn])
        named = {attributes.NAMES[i]: e for i, e in zip(others, error, strict=True)}
        return {"loss": error.sum() + 2 * glasses, "glasses": glasses, **named}

    return whole, loss


def true_attributes(photos: Photos) -> Tensor:
    """What `nets.attributes.NAMES` are on photos (N, 4): glasses 0 or 1, a mouth that cannot be opened less than 0."""
    look = person.decode(photos.codes)
    worn = (look.style.glasses > GLASSES_FROM).float()
    return torch.stack([look.expression.smile, worn, look.light.yaw, look.expression.mouth_open.clamp_min(0)], 1)


def begin(trunk: IResNet, start: Path | None) -> None:
    """Give a trunk the layers of the identity judge in a folder, but for the last ones."""
    if start:
        trained = judges.load(start).network.state_dict()
        body = {k: v for k, v in trained.items() if k.startswith(("input_layer.", "body."))}
        trunk.load_state_dict(body, strict=False)


def train(photos: Photos, whole: nn.Module, loss: Loss, jittered: Jitter, folder: Path, config: JudgeTraining) -> None:
    """The one loop on a network and whatever is trained with it."""
    devices = here("bf16")
    whole.to(memory_format=torch.channels_last).train()
    adam = torch.optim.AdamW(whole.parameters(), lr=config.lr, weight_decay=1e-4)

    def step(index: int) -> dict[str, Tensor]:
        cosine = 0.51 + 0.49 * math.cos(math.pi * index / config.steps)
        for group in adam.param_groups:
            group["lr"] = config.lr * min(1, (index + 1) / 50) * cosine
        which = rng.batch_indices(len(photos), config.batch, config.seed, index)
        x, flip = jittered(photos.images(which), rng.generator(config.seed, "jitter", index))
        with devices.autocast():
            found = loss(x.to(memory_format=torch.channels_last), which, flip, index / config.steps)
        adam.zero_grad()
        found["loss"].backward()
        adam.step()
        return {name: value.detach() for name, value in found.items()}

    def say(done: int, losses: dict[str, float]) -> None:
        if done % 25 == 0:
            print(done, {k: round(v, 4) for k, v in losses.items()}, flush=True)

    loop.run(loop.Run(folder, config, config.steps, 100), {"whole": whole, "adam": adam}, step, on_step=say)


@torch.no_grad()
def verify(judge: judges.Judge, photos: Photos) -> tuple[Measured, ...]:
    """Verification of unseen people at random ages and in random styles: error and accuracy, and the threshold."""
    found = torch.cat([judge.embed(photos.images(part)) for part in torch.arange(len(photos)).split(64)])
    similar, person = found @ found.T, photos.people
    same = person[:, None] == person[None]
    off = ~torch.eye(len(person), dtype=torch.bool)
    threshold = equal_error_threshold(similar[same & off], similar[~same])
    rejected = [(similar[i][same[i] & off[i]] < threshold).float().mean().item() for i in range(len(person))]
    accepted = [(similar[i][~same[i]] >= threshold).float().mean().item() for i in range(len(person))]
    error = [(a + r) / 2 for a, r in zip(accepted, rejected, strict=True)]
    people = person.tolist()
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


@torch.no_grad()
def tell_ages(judge: AgeJudge, photos: Photos) -> tuple[Measured, ...]:
    """The absolute error in years on unseen people, over all and by age band, and what one guess for all would get."""
    told = torch.cat([judge(photos.images(part)) for part in torch.arange(len(photos)).split(64)])
    years, people = photos.years, photos.people
    error = (told - years).abs()
    found = [stats.measure("absolute error (years)", error.tolist(), better="low", units=people.tolist())]
    for low, high in BANDS:
        band = (years >= low) & (years < high)
        name = f"absolute error (years) at {low} to {high}"
        found.append(stats.measure(name, error[band].tolist(), better="low", units=people[band].tolist()))
    guess = (years - years.median()).abs().tolist()
    return (*found, stats.measure("absolute error (years) of one guess", guess, better="low", units=people.tolist()))


@torch.no_grad()
def tell_attributes(judge: AttributesJudge, photos: Photos) -> tuple[Measured, ...]:
    """On unseen people: correlation with the truth and absolute error; of glasses, how often they are told right.

    Intervals are over people.
    """
    parts = [judge(photos.images(part)) for part in torch.arange(len(photos)).split(64)]
    people, found = photos.people, []
    for name, true in zip(attributes.NAMES, true_attributes(photos).unbind(1), strict=True):
        told = torch.cat([part[name] for part in parts])
        if name == "glasses":
            right, none = ((told > 0.5) == (true > 0.5)).tolist(), (true < 0.5).tolist()
            for label, values in (("glasses told right", right), ("glasses told right by guessing none", none)):
                found.append(stats.measure(label, values, better="high", units=people.tolist()))
            continue
        found.append(correlation(f"{name}: correlation with the truth", told, true, people))
        unit = " (radians)" if name == "light" else ""
        error = (told - true).abs().tolist()
        found.append(stats.measure(f"{name}: absolute error{unit}", error, better="low", units=people.tolist()))
    return tuple(found)


def correlation(name: str, told: Tensor, true: Tensor, people: Tensor, resamples: int = 2000) -> Measured:
    """Pearson's correlation over photos with its 95 % bootstrap interval over people."""
    rows = [torch.nonzero(people == p).flatten() for p in people.unique()]
    found = []
    for i in range(resamples):
        drawn = torch.randint(len(rows), (len(rows),), generator=rng.generator(0, "correlation", i)).tolist()
        which = torch.cat([rows[k] for k in drawn])
        found.append(torch.corrcoef(torch.stack([told[which], true[which]]))[0, 1])
    low, high = torch.stack(found).quantile(torch.tensor([0.025, 0.975])).tolist()
    return Measured(name, float(torch.corrcoef(torch.stack([told, true]))[0, 1]), low, high, len(rows), "high")


def publish(folder: Path, judge: str, whole: nn.Module, data: Path, config: JudgeTraining, start: Path | None) -> None:
    """Measure on the unseen people of the data and write the judge with its card."""
    unseen = read(data, "test")
    command = f"python recipes/judges.py {judge} --data runs/photos --out runs/{judge} --steps {config.steps}"
    command += f" --start {start}" if start else ""

    def card(kind: str, measured: tuple[Measured, ...]) -> weights.Card:
        for figure in measured:
            print(figure, flush=True)
        return weights.Card(
            kind=kind, config={}, seed=config.seed, licence="Apache-2.0", measured=measured, command=command
        )

    if judge == "age":
        age.save(folder, whole, card(age.AGE_JUDGE, tell_ages(AgeJudge(whole), unseen)), half=True)
    elif judge == "attributes":
        measured = tell_attributes(AttributesJudge(whole), unseen)
        attributes.save(folder, whole, card(attributes.ATTRIBUTES_JUDGE, measured), half=True)
    else:
        measured = verify(judges.Judge(whole.network), unseen)
        judges.save(folder, whole.network, card(judges.IDENTITY_JUDGE, measured), half=True)


PARTS = {
    "identity": (identity_parts, STARTER_JUDGE.size_px),
    "referee": (partial(identity_parts, config=STARTER_REFEREE), STARTER_REFEREE.size_px),
    "age": (age_parts, STARTER_JUDGE.size_px),
    "attributes": (attributes_parts, STARTER_ATTRIBUTES.residual.size_px),
}


def main() -> None:
    """Train one judge, measure it, and write it with its card."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("judge", choices=sorted(PARTS))
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--steps", type=int, default=1200)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--start", type=Path, help="an identity judge to start from")
    options.add_argument("--publish", type=Path, required=True)
    given = options.parse_args()
    keep_freed_memory()
    torch.manual_seed(given.seed)
    photos = read(given.data)
    make, size_px = PARTS[given.judge]
    whole, loss = make(photos, given.start)
    config = JudgeTraining(given.judge, given.steps, seed=given.seed)
    train(photos, whole, loss, partial(jitter, size_px), given.out, config)
    publish(given.publish, given.judge, whole, given.data, config, given.start)


if __name__ == "__main__":
    main()
