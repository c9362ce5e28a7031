"""Draw the picture of docs/edit.md anew: two synthetic people, each edited along four directions.

selfsame world album ina --seed 962000 --photos 18 && selfsame fit ina --steps 60
selfsame world album jon --seed 962001 --photos 18 && selfsame fit jon --steps 60
python docs/make_edits.py people/ina/models/main people/jon/models/main
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from selfsame.core import image
from selfsame.core.camera import facing
from selfsame.core.memory import keep_freed_memory
from selfsame.faces import draw
from selfsame.jobs import edit, history, parts, showing
from selfsame.tasks import directions

ASSET = Path(__file__).parent / "assets" / "edits.png"
ROWS = ("smile", "age", "glasses", "light")
BY = (-3.0, -1.5, 0.0, 1.5, 3.0)  # standard deviations of random people
TILE_PX, GAP_PX = 132, 12


def rows(folder: Path, policy: edit.Policy) -> dict[str, Tensor]:
    """The tiles (5, 3, t, t) of each direction of the model in a folder, labelled with the judged score."""
    state = history.current(folder)
    model, scorer, judge = edit.solid(showing.load(state)), parts.load_scorer(), parts.load_judge()
    found = edit.find(model, state, scorer, directions.QUICK)
    code = model.anchors[[model.most_frontal()]]
    made = {}
    for name in ROWS:
        thetas = [by * found[name].figures.spread for by in BY]
        front = facing(torch.zeros(1), torch.zeros(1))
        swept = edit.sweep(model, code, front, found[name], name, thetas, judge, scorer, policy)
        pairs = zip(swept.images, swept.steps, strict=True)
        made[name] = torch.cat([draw.captioned(x[None], f"{name} {s.score:.2f}", TILE_PX) for x, s in pairs])
    return made


def main() -> None:
    """Draw the sheet: a row a direction, the people beside each other."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("models", type=Path, nargs="+")
    options.add_argument("--policy", choices=edit.POLICIES, default="free")
    options.add_argument("--out", type=Path, default=ASSET)
    given = options.parse_args()
    keep_freed_memory()
    people = [rows(folder, given.policy) for folder in given.models]
    columns = [image.grid(torch.cat(list(person.values())), columns=len(BY)) for person in people]
    gap = torch.ones(1, 3, columns[0].shape[2], GAP_PX)
    image.save(torch.cat([x for column in columns for x in (column, gap)][:-1], 3), given.out)


if __name__ == "__main__":
    main()
