"""Meshes against solids whose surface is known."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from selfsame.core.errors import BadInput
from selfsame.tasks import mesh
from selfsame.tasks.prior import Prior

GRID, REACH = 32, 0.5
CENTRE, RADIUS = (0.05, -0.08, 0.1), 0.22


def ball(points: Tensor, centre: tuple[float, float, float] = CENTRE, radius: float = RADIUS) -> Tensor:
    """Density that passes the level exactly on a sphere and rises inwards, one unit a hundredth."""
    return mesh.LEVEL + 100 * (radius - (points - torch.tensor(centre)).norm(dim=-1))


def striped(points: Tensor) -> Tensor:
    """Colours that say where a point lies: red along x, green along y, blue along z."""
    return points + REACH


def test_a_ball_comes_out_round_closed_and_facing_outwards() -> None:
    made = mesh.mesh_of(lambda p: (ball(p), striped(p)), REACH, GRID)
    gap = np.abs(np.linalg.norm(made.vertices - CENTRE, axis=1) - RADIUS)
    assert gap.max() < 0.1 * (2 * REACH / (GRID - 1))
    assert made.is_watertight
    assert made.volume == pytest.approx(4 / 3 * math.pi * RADIUS**3, rel=0.02)  # negative if faces looked inwards


def test_vertices_have_the_colours_of_their_places() -> None:
    made = mesh.mesh_of(lambda p: (ball(p), striped(p)), REACH, GRID)
    wanted = (made.vertices + REACH) * 255
    assert np.abs(made.visual.vertex_colors[:, :3] - wanted).max() <= 1


def test_only_the_largest_piece_stays() -> None:
    def two(p: Tensor) -> tuple[Tensor, Tensor]:
        return torch.maximum(ball(p), ball(p, (-0.35, 0.35, -0.35), 0.08)), striped(p)

    made = mesh.mesh_of(two, REACH, GRID)
    assert (np.linalg.norm(made.vertices - CENTRE, axis=1) < RADIUS + 0.02).all()


def test_a_solid_that_leaves_the_box_is_closed_at_its_side() -> None:
    made = mesh.mesh_of(lambda p: (ball(p, (0.0, -REACH, 0.0), 0.3), striped(p)), REACH, GRID)
    assert made.is_watertight and made.volume == pytest.approx(2 / 3 * math.pi * 0.3**3, rel=0.1)


def test_thin_air_has_no_surface() -> None:
    with pytest.raises(BadInput, match="no surface"):
        mesh.mesh_of(lambda p: (torch.zeros(len(p)), striped(p)), REACH, 8)


def test_a_look_of_a_prior_becomes_a_mesh_inside_its_box(prior: Prior, monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.no_grad():
        prior.net.decoder.net[2].bias[0] += 8.0  # a solid everywhere: the box itself
    made = mesh.surface_of(prior.net, prior.draw(1, 0), grid=12)
    assert np.abs(made.vertices).max() <= prior.net.config.box_warp / 2 * (1 + 2 / 11)
    assert made.visual.vertex_colors.shape == (len(made.vertices), 4)
