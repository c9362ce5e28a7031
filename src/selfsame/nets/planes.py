"""Looking up points in three feature planes.

The published code interpolates each plane and averages. Here a point's twelve corners (three planes of four) are rows
of one table, and the average is one weighted sum of rows: `embedding_bag` does this at the speed of memory on a CPU.
Other devices use `grid_sample`.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

PlaneOrder = Literal["eg3d", "orthogonal"]

# World axes that become (column, row) of planes 0, 1, 2. The released EG3D weights were trained with a third plane
# that repeats the second transposed, so nothing ever sees (y, z); only with that order do they give their pictures.
AXES: dict[PlaneOrder, tuple[tuple[int, int], ...]] = {
    "eg3d": ((0, 1), (0, 2), (2, 0)),
    "orthogonal": ((0, 1), (1, 2), (2, 0)),
}


def table(planes: Float[Tensor, "b 3 c p p"]) -> Float[Tensor, "rows c"]:
    """The planes as rows of channels, row ((image * p + y) * p + x) * 3 + plane; a view if channels come last."""
    return planes.permute(0, 3, 4, 1, 2).reshape(-1, planes.shape[2])


def lookup(
    planes: Float[Tensor, "b 3 c p p"], points: Float[Tensor, "b n 3"], *, box: float, order: PlaneOrder
) -> Float[Tensor, "b n c"]:
    """Mean over the planes of the bilinear samples at `points` (a cube of side `box` about 0), zeros outside."""
    if not planes.is_cpu:
        return _lookup_by_grid(planes, points, box=box, order=order)
    rows, weights = _corners(points, planes.shape[-1], box, AXES[order])
    features = F.embedding_bag(rows, table(planes), per_sample_weights=weights, mode="sum")
    result: Tensor = features.reshape(*points.shape[:2], -1)
    return result


def _lookup_by_grid(planes: Tensor, points: Tensor, *, box: float, order: PlaneOrder) -> Tensor:
    grid = torch.stack([points[..., list(axes)] for axes in AXES[order]], 1).flatten(0, 1) * (2 / box)
    samples = F.grid_sample(planes.flatten(0, 1), grid[:, None], align_corners=False)
    return samples.reshape(len(points), 3, planes.shape[2], -1).mean(1).transpose(1, 2)


def _corners(points: Tensor, size_px: int, box: float, axes: tuple[tuple[int, int], ...]) -> tuple[Tensor, Tensor]:
    """Rows of `table` (b * n, 12) and their weights (b * n, 12); weight zero stands for a corner outside."""
    place = points.movedim(-1, 0) * (size_px / box) + (size_px - 1) / 2  # (3, b, n), pixel centres at whole numbers
    low = place.detach().floor()
    part = place - low
    low, high = low.int(), low.int() + 1
    outside = [(i < 0) | (i >= size_px) for i in (low, high)]
    share = [(1 - part).masked_fill(outside[0], 0), part.masked_fill(outside[1], 0)]
    near = [i.clamp(0, size_px - 1) * 3 for i in (low, high)]
    image = torch.arange(len(points), dtype=torch.int32, device=points.device)[:, None] * (3 * size_px**2)
    rows, weights = [], []
    for plane, (column, row) in enumerate(axes):
        for i in (0, 1):
            start = near[i][row] * size_px + (image + plane)
            third = share[i][row] / 3
            rows += [start + near[0][column], start + near[1][column]]
            weights += [third * share[0][column], third * share[1][column]]
    return torch.stack(rows, -1).flatten(0, 1), torch.stack(weights, -1).flatten(0, 1)
