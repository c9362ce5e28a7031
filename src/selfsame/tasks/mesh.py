"""Meshes: the surface on which a tri-plane's density passes a level, with the colours it has there."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core.errors import BadInput
from selfsame.nets.triplane import TriPlane

if TYPE_CHECKING:
    import trimesh

LEVEL = 10.0  # density at which published EG3D meshes are cut
GRID = 160
POINTS_AT_ONCE = 2**17

Field = Callable[[Tensor], tuple[Tensor, Tensor]]  # points (N, 3) to density (N,) and colours (N, 3) in [0, 1]


def surface_of(net: TriPlane, w_plus: Float[Tensor, "1 l w"], grid: int = GRID) -> "trimesh.Trimesh":
    """The largest closed piece of one look's surface, in world units, y up.

    Raises BadInput where the density never passes LEVEL.
    """
    with torch.no_grad():
        planes = net.planes(w_plus)

        def field(points: Tensor) -> tuple[Tensor, Tensor]:
            features, raw = net.field(planes, points[None])
            return torch.nn.functional.softplus(raw[0, :, 0] - 1), features[0, :, :3]

        return mesh_of(field, net.config.box_warp / 2, grid)


def mesh_of(field: Field, reach: float, grid: int = GRID, level: float = LEVEL) -> "trimesh.Trimesh":
    """Marching cubes of a density field on a cube of half side `reach` with `grid` points a side."""
    import trimesh
    from skimage.measure import marching_cubes

    line = torch.linspace(-reach, reach, grid)
    places = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    density = torch.cat([field(part)[0] for part in places.split(POINTS_AT_ONCE)]).reshape(grid, grid, grid)
    closed = torch.nn.functional.pad(density, (1,) * 6)  # what touches the box is closed there
    if closed.max() <= level:
        raise BadInput("This look has no surface: its density is too thin.", "Train the model longer.")
    corners, faces, _, _ = marching_cubes(closed.cpu().numpy(), level)
    vertices = (corners - 1) * (2 * reach / (grid - 1)) - reach
    colours = torch.cat([field(p)[1] for p in torch.from_numpy(vertices).float().split(POINTS_AT_ONCE)])
    pixels = (colours.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    # Marching cubes orders corners for a field that falls inwards; ours rises, so turn the faces outwards.
    whole = trimesh.Trimesh(vertices, np.ascontiguousarray(faces[:, ::-1]), vertex_colors=pixels, process=False)
    pieces = whole.split(only_watertight=False)
    largest: trimesh.Trimesh = max(pieces, key=lambda piece: len(piece.vertices))
    return largest
