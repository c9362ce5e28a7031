"""A picture of MyTimeMachine's evaluation: some people at every target age, in truth and by the main methods."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image
from selfsame.jobs import mytm_cases, mytm_table
from selfsame.jobs.mytm_cases import Case
from selfsame.jobs.mytm_scores import USUAL_PHOTOS, Cell, file_of

GAP_PX = 8  # between people


def sheet(folder: Path, case: Case, seeds: Sequence[int]) -> Float[Tensor, "1 3 h w"]:
    """Four rows a person: the photo and its truth; what SAM, SAM fine-tuned and ours make of the photo."""
    blocks = []
    for seed in seeds:
        photo, truths = mytm_cases.moment(seed, case)
        blocks.append(image.grid([photo, *truths], columns=len(truths) + 1))
        side = photo.shape[-1]
        for method in ("SAM", "SAM fine-tuned", mytm_table.ours()):
            row = image.load(file_of(folder, seed, Cell(case, method, USUAL_PHOTOS)).with_suffix(".png"))
            blocks.append(torch.cat([torch.ones(1, 3, side, side + 2), row], -1))
        blocks.append(torch.ones(1, 3, GAP_PX, blocks[-1].shape[-1]))
    return torch.cat(blocks[:-1], -2)
