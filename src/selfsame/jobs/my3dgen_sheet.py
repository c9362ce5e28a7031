"""A picture of My3DGen's evaluation: held-back photos and their profiles, in truth and by the main methods."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image
from selfsame.jobs import my3dgen_people, my3dgen_tasks
from selfsame.jobs.my3dgen_methods import FULL, OURS, PRIOR
from selfsame.jobs.my3dgen_scores import file_of
from selfsame.nets.triplane import TriPlane

METHODS = (PRIOR, OURS, FULL)
PHOTOS = 3
ROWS = (0, 3)  # of a cell's sheet: as the photo, and from the first yaw of the profiles
GAP_PX = 8  # between people


def sheet(folder: Path, seeds: Sequence[int], net: TriPlane) -> Float[Tensor, "1 3 h w"]:
    """A row for the truth and for each of METHODS that is there a person; each photo and its profile side by side."""
    blocks: list[Tensor] = []
    for seed in seeds:
        person = my3dgen_people.synthetic(seed, folder / str(seed))
        held = my3dgen_tasks.few(person, my3dgen_tasks.INVERTED)
        views = my3dgen_tasks.unseen_views(person, net, folder / str(seed))
        truth = [person.images[held], views[ROWS[1] - 1].image]
        side = truth[0].shape[-1]
        count = min(PHOTOS, held.stop - held.start)
        rows = [pictures[i : i + 1] for i in range(count) for pictures in truth]
        for path in (file_of(folder, seed, method).with_suffix(".png") for method in METHODS):
            if path.exists():
                shown = image.load(path)
                rows += [_tile(shown, row, i, side) for i in range(count) for row in ROWS]
        blocks += [image.grid(rows, columns=2 * count)]
        blocks += [torch.ones(1, 3, GAP_PX, blocks[-1].shape[-1])]
    return torch.cat(blocks[:-1], -2)


def _tile(shown: Float[Tensor, "1 3 h w"], row: int, column: int, side: int) -> Float[Tensor, "1 3 s s"]:
    """One picture of a cell's sheet, whose gaps are `image.grid`'s."""
    top, left = row * (side + 2), column * (side + 2)
    return shown[..., top : top + side, left : left + side]
