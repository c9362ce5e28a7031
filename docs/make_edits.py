"""Draw the picture of docs/edit.md anew: synthetic people, each edited along four directions of the starter prior.

python benchmarks/editing.py --out runs/editing --people 2     # two models, and the prior's directions
python docs/make_edits.py runs/editing/957000 runs/editing/957001 --directions runs/editing/prior
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from selfsame.core import image
from selfsame.core.camera import facing
from selfsame.core.memory import keep_freed_memory
from selfsame.faces import draw
from selfsame.jobs import edit, parts
from selfsame.tasks import directions
from selfsame.tasks import model as models
from selfsame.tasks.directions import Direction
from selfsame.tasks.edit import Policy
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.prior import load_prior

ASSET = Path(__file__).parent / "assets" / "edits.png"
ROWS = ("smile", "age", "light", "mouth_open")
BY = (-3.0, -1.5, 0.0, 1.5, 3.0)  # standard deviations of random people
CONFIG = replace(directions.QUICK, samples=1000)
TILE_PX, GAP_PX = 132, 12


def rows(model: PersonalModel, found: dict[str, Direction], policy: Policy) -> dict[str, Tensor]:
    """The tiles (5, 3, t, t) of each direction, labelled with the judged score."""
    scorer, judge = parts.load_scorer(), parts.load_judge()
    code = model.anchors[[model.most_frontal()]]
    made = {}
    for name in ROWS:
        front = facing(torch.zeros(1), torch.zeros(1))
        swept = edit.sweep(
            model, code, front, found[name], name, BY, judge, scorer, policy, unit=found[name].figures.spread
        )
        pairs = zip(swept.images, swept.steps, strict=True)
        made[name] = torch.cat([draw.captioned(x[None], f"{name} {s.score:.2f}", TILE_PX) for x, s in pairs])
    return made


def main() -> None:
    """Draw the sheet: a row a direction, the people beside each other."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("models", type=Path, nargs="+")
    options.add_argument("--directions", type=Path, help="where the prior's directions are kept")
    options.add_argument("--policy", choices=get_args(Policy), default="free")
    options.add_argument("--out", type=Path, default=ASSET)
    given = options.parse_args()
    keep_freed_memory()
    prior = load_prior()
    found = directions.find(prior.net, prior.digest, parts.load_scorer(), CONFIG, given.directions)
    people = [rows(models.load(folder, prior), found, given.policy) for folder in given.models]
    columns = [image.grid(torch.cat(list(person.values())), columns=len(BY)) for person in people]
    gap = torch.ones(1, 3, columns[0].shape[2], GAP_PX)
    image.save(torch.cat([x for column in columns for x in (column, gap)][:-1], 3), given.out)


if __name__ == "__main__":
    main()
