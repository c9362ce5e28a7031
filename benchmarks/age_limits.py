"""Children, old age, glasses, dyed hair: what the starter SAM does with the cases that re-aging is known to fail in.

    python benchmarks/age_limits.py --people 24

Each person is photographed from the front at 40 three times, alike but for one thing: without glasses and with their
own hair; with dark glasses; with dyed hair; and once at 8. SAM takes the photos to some ages, and the world shows the
same moments at these ages. "Drawn" says how much of what glasses (or dye) change in the true picture SAM's pictures
change alike: the slope of made on true difference over the pixels about the eyes (or of the hair), 1 where they are
drawn as they are, 0 where not at all. One JSON line a figure, means over people with 95 % intervals; and a sheet.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from selfsame.core import image
from selfsame.core.memory import keep_freed_memory
from selfsame.jobs import parts
from selfsame.metrics import portrait, stats
from selfsame.tasks.time_machine import TimeMachine
from selfsame.world import person
from selfsame.world.album import front, photograph
from selfsame.world.life import HAIR
from selfsame.world.person import Age, Look

FIRST = 955_000  # seeds that no recipe trains on and that chose nothing
TARGETS = (8, 25, 40, 55, 70, 85)
CHILD_YEARS = 8
SIZE_PX = 128
EYES = (slice(40, 58), slice(30, 98))  # rows and columns of a frontal portrait of 128 px
SHOWN = 3


def sitters(people: int) -> Look:
    """One calm look a person at 40, without glasses and dye."""
    look = person.draw_photos([FIRST + i for i in range(people)], FIRST)
    none = torch.zeros(people)
    style = replace(look.style, glasses=none, dye=none)
    return replace(look, style=style, expression=replace(look.expression, lid_close=none), age=Age(none + 40))


def with_style(look: Look, **values: float) -> Look:
    """The same moments with something else worn."""
    tensors = {name: torch.full((len(look),), value) for name, value in values.items()}
    return replace(look, style=replace(look.style, **tensors))


def taken(look: Look, years: float) -> Tensor:
    """The moments at an age, from the front."""
    aged = replace(look, age=Age(torch.full((len(look),), float(years))))
    return photograph(aged, front(0.0, 0.0, len(look)), SIZE_PX, 1)


def drawn(made: Tensor, plain_made: Tensor, truth: Tensor, plain_truth: Tensor, where: tuple[slice, slice]) -> Tensor:
    """The slope of the made on the true difference, one a person."""
    a, b = ((x - y)[:, :, where[0], where[1]].flatten(1) for x, y in ((made, plain_made), (truth, plain_truth)))
    return (a * b).sum(1) / b.square().sum(1)


def say(name: str, values: Tensor, digits: int = 2) -> None:
    """One figure as a line of JSON."""
    m = stats.measure(name, values.tolist(), better="high")
    print(json.dumps({"what": name, "n": m.n, "mean": round(m.mean, digits),
                      "interval": [round(m.low, digits), round(m.high, digits)]}), flush=True)  # fmt: skip


@torch.no_grad()
def main() -> None:
    """Print the figures and write the sheet."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=int, default=24)
    options.add_argument("--sheet", type=Path, default=Path("runs/age_limits.png"))
    given = options.parse_args()
    keep_freed_memory()
    machine, judge, years = TimeMachine(parts.load_sam()), parts.load_judge(), parts.load_age_judge()
    plain = sitters(given.people)
    worn = {
        "plain": plain,
        "glasses": with_style(plain, glasses=0.97, glasses_shape=0.9),
        "dyed": with_style(plain, dye=1.0, dye_tone=0.97),
    }
    photos = {name: taken(look, 40) for name, look in worn.items()} | {"child": taken(plain, CHILD_YEARS)}
    rows = []
    for target in TARGETS:
        truth = {name: taken(look, target) for name, look in worn.items()} | {"child": taken(plain, target)}
        made = {name: machine.reage(photo, target) for name, photo in photos.items()}
        for name in ("plain", "child"):
            at = f"{name} photo at {target}"
            say(f"{at}: years from the truth", (years(made[name]) - years(truth[name])).abs(), 1)
            say(
                f"{at}: identity of the truth",
                portrait.identity_similarity(judge.embed(made[name]), judge.embed(truth[name])),
                3,
            )
            say(f"{at}: PSNR to the truth", portrait.psnr(made[name], truth[name]), 1)
        say(f"glasses drawn at {target}", drawn(made["glasses"], made["plain"], truth["glasses"], truth["plain"], EYES))
        if target > CHILD_YEARS:  # children of the world dye no hair
            say(f"dye drawn at {target}", drawn(made["dyed"], made["plain"], truth["dyed"], truth["plain"], HAIR))
        rows.append((made, truth))
    tiles = []
    for i in range(SHOWN):
        for name, photo in photos.items():
            tiles += [photo[i : i + 1], *(made[name][i : i + 1] for made, _ in rows)]
            tiles += [photo[i : i + 1], *(truth[name][i : i + 1] for _, truth in rows)]
    given.sheet.parent.mkdir(parents=True, exist_ok=True)
    image.save(image.grid(torch.cat(tiles), columns=len(TARGETS) + 1), given.sheet)


if __name__ == "__main__":
    main()
