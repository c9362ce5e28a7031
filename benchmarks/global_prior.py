"""Is the starter SAM right on average, and how wrong is it about one person? The world's truth is the reference.

    python benchmarks/global_prior.py --people 60

People whom no recipe trains on are photographed once, at 25 to 40 years. SAM takes each photo to each target age; the
world shows the same person in the same light at that age, as their own aging law has it. Each figure is the difference
"SAM minus truth": its mean over people tells whether SAM is right about people in general, its spread and its absolute
mean how wrong it is about one of them. Ages of both pictures are told by the starter age judge, so that the judge's own
bias counts in neither. Beside it: how far the truth of each person lies from that of the same person aging averagely.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from selfsame.core import image, rng
from selfsame.core.memory import keep_freed_memory
from selfsame.losses.image import l1
from selfsame.metrics import stats
from selfsame.nets import age
from selfsame.tasks import reage
from selfsame.tasks.prior import STARTER_FOLDER
from selfsame.tasks.prior2d import load_prior2d
from selfsame.world import person
from selfsame.world.aging import average_aging
from selfsame.world.album import front, photograph
from selfsame.world.life import hair_lightness
from selfsame.world.person import Age, Look

FIRST = 940_000  # seeds that no recipe trains on, and that chose nothing; 930_000 chose the weight of the codes
TARGETS = (10, 20, 30, 40, 50, 60, 70, 80)
TAKEN_AT = (25.0, 40.0)
SIZE_PX = 128


def sitters(count: int) -> Look:
    """One calm look a person, at the age of the photo."""
    look = person.draw_photos([FIRST + i for i in range(count)], FIRST)
    low, high = TAKEN_AT
    years = low + (high - low) * torch.rand(count, generator=rng.generator(FIRST, "years"))
    open_eyes = replace(look.expression, lid_close=torch.zeros(count))
    return replace(look, age=Age(years), expression=open_eyes)


def at(look: Look, years: float) -> Tensor:
    """The true pictures of the same people at an age, from the front."""
    aged = replace(look, age=Age(torch.full((len(look),), float(years))))
    return photograph(aged, front(0.0, 0.0, len(look)), SIZE_PX, 1)


def row(name: str, differences: Tensor) -> dict[str, object]:
    """Mean with interval, spread and absolute mean of one difference over people."""
    mean = stats.measure(name, differences.tolist(), better="low")
    alone = stats.measure(name, differences.abs().tolist(), better="low")
    return {
        "what": name, "n": mean.n, "mean": round(mean.mean, 2), "interval": [round(mean.low, 2), round(mean.high, 2)],
        "spread": round(float(differences.std()), 2), "absolute": round(alone.mean, 2),
        "absolute_interval": [round(alone.low, 2), round(alone.high, 2)],
    }  # fmt: skip


@torch.no_grad()
def main() -> None:
    """Print one JSON line a figure, and write a sheet of some people."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=int, default=60)
    options.add_argument("--sam", type=Path, default=STARTER_FOLDER / "sam")
    options.add_argument("--prior", type=Path, default=STARTER_FOLDER / "stylegan2")
    options.add_argument("--age-judge", type=Path, default=STARTER_FOLDER / "age")
    options.add_argument("--sheet", type=Path, default=Path("runs/global_prior.png"))
    given = options.parse_args()
    keep_freed_memory()
    sam, judge = reage.load(given.sam, load_prior2d(given.prior)), age.load(given.age_judge)
    look = sitters(given.people)
    own = photograph(look, front(0.0, 0.0, given.people), SIZE_PX, 1)
    average = replace(look, identity=average_aging(look.identity))
    shown, shown_truth = [own[:6]], [own[:6]]
    for target in TARGETS:
        truth, law = at(look, target), at(average, target)
        made = torch.cat([sam.reage(part, target) for part in own.split(8)]).clamp(-1, 1)
        years = f"judged age (years) at {target}"
        print(json.dumps(row(years, judge(made) - judge(truth))), flush=True)
        print(json.dumps(row(f"hair lightness at {target}", hair_lightness(made) - hair_lightness(truth))), flush=True)
        print(json.dumps(row(f"{years}, average law", judge(law) - judge(truth))), flush=True)
        print(json.dumps(row(f"hair lightness at {target}, average law", hair_lightness(law) - hair_lightness(truth))))
        nearer = (l1(made, law) < l1(made, truth)).float()
        print(json.dumps(row(f"share nearer to the average law than to the person at {target}", nearer)), flush=True)
        shown.append(made[:6])
        shown_truth.append(truth[:6])
    pairs = [torch.stack([*[s[i] for s in shown], *[s[i] for s in shown_truth]]) for i in range(6)]
    given.sheet.parent.mkdir(parents=True, exist_ok=True)
    image.save(image.grid(torch.cat(pairs), columns=len(TARGETS) + 1), given.sheet)


if __name__ == "__main__":
    main()
