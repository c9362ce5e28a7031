"""The lit solid: exact where a sphere stands in for the head, lawful for any head."""

import math
from dataclasses import replace

import pytest
import torch
from helpers import sphere
from torch import Tensor
from torch.nn import functional as F

from selfsame.world import grid, person
from selfsame.world.person import CODE_DIM, Look
from selfsame.world.surface import CENTRE, SCALE, Surface, distance, field, nearest, normals, surface
from selfsame.world.traits import traits

UP = torch.tensor([[0.0, 1.0, 0.0], [0.6, 0.8, 0.0], [0.6, 0.0, 0.8], [-0.6, 0.64, 0.48], [0.0, 0.6, -0.8]])


def world(points: Tensor) -> Tensor:
    """World points of points in head units."""
    return (points * SCALE + torch.tensor(CENTRE))[None]


def lit_from(yaw: float, pitch: float = 0.0) -> Look:
    look = person.decode(torch.zeros(1, CODE_DIM))
    return replace(look, light=replace(look.light, yaw=torch.tensor([yaw]), pitch=torch.tensor([pitch])))


def skin_at(s: Surface, lon: float, lat: float = 0.0) -> float:
    """Mean lit colour where the surface lies in a direction."""
    way = torch.tensor([[math.cos(lat) * math.sin(lon), math.sin(lat), math.cos(lat) * math.cos(lon)]])
    return float(grid.sample(s.colour, grid.to_map(way)[None]).mean())


def test_map_coordinates_find_the_texel_that_the_grid_put_there() -> None:
    g = grid.grid()
    h, w = grid.MAP_PX
    row, column = torch.tensor([1, 50, 100, 180]), torch.tensor([3, 100, 128, 250])
    uv = grid.to_map(g.direction[0, :, row, column].T)
    torch.testing.assert_close(uv[:, 0], column / (w - 1) * 2 - 1, atol=1e-4, rtol=0)
    torch.testing.assert_close(uv[:, 1], row / (h - 1) * 2 - 1, atol=1e-4, rtol=0)


def test_normals_of_a_sphere_point_outwards_along_the_radius() -> None:
    g = grid.grid()
    found = normals(g, torch.full((1, *grid.MAP_PX), 0.8))
    inner = slice(1, -1)
    torch.testing.assert_close(found[..., inner, inner], g.direction[..., inner, inner], atol=2e-3, rtol=0)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(1, *grid.MAP_PX))


@pytest.mark.parametrize("head_units", [0.25, 1.0, 1.6])
def test_distance_to_a_sphere_is_exact_along_the_radius(head_units: float) -> None:
    head = distance(sphere(), world(UP * head_units))[0][:, 0]
    torch.testing.assert_close(head, torch.full_like(head, (head_units - 1) * SCALE), atol=1e-5, rtol=0)


def test_nearest_is_the_least_of_its_parts_and_negative_inside() -> None:
    points = world(torch.randn(200, 3) * 1.2)
    parts = distance(sphere(), points)[0]
    assert parts.shape == (1, 4, 200)
    assert torch.equal(nearest(sphere(), points), parts.amin(1))
    inside = world(torch.tensor([[0.0, 0.0, 0.0], [0.0, -0.9, -0.25], [0.0, -2.0, -0.12]]))  # head, neck, body
    assert (nearest(sphere(), inside) < 0).all()
    assert (nearest(sphere(), world(torch.tensor([[0.0, 2.0, 0.0], [2.5, 0.0, 0.0]]))) > 0).all()


def test_hair_hangs_behind_the_neck_of_those_who_wear_it_long_and_loose() -> None:
    beside = world(torch.tensor([[0.5, -0.9, -0.25], [-0.5, -0.9, -0.25]]))
    assert (nearest(sphere(), beside) > 0).all()
    draped = replace(sphere(), drape=torch.tensor([[0.62, -1.05]]))
    inside, colour = field(draped, beside)
    assert (inside < 0).all()
    assert not torch.allclose(colour, field(sphere(), beside)[1], atol=0.02)
    assert (nearest(draped, world(torch.tensor([[0.6, -1.2, -0.25], [0.5, -0.9, 0.5]]))) > 0).all()  # below, in front


def test_points_of_the_head_have_its_colour_and_those_of_the_body_another() -> None:
    s = sphere(colour=(0.6, 0.4, 0.2))
    colour = field(s, world(torch.tensor([[0.0, 0.0, 1.0], [0.0, -1.9, 0.6]])))[1][0]
    torch.testing.assert_close(colour[:, 0], torch.tensor([0.6, 0.4, 0.2]))
    assert not torch.allclose(colour[:, 1], colour[:, 0], atol=0.05)


def test_colours_are_displayable_for_anybody_in_any_light() -> None:
    s = surface(person.decode(torch.randn(6, CODE_DIM) * 1.5, person.draw_marks(list(range(6)))))
    for values in (s.colour, s.top, s.bottom, field(s, torch.randn(6, 300, 3) * 0.4)[1]):
        assert float(values.min()) >= 0
        assert float(values.max()) <= 1
        assert values.isfinite().all()


def test_a_light_from_plus_x_lights_plus_x() -> None:
    from_left, from_right = surface(lit_from(1.0)), surface(lit_from(-1.0))
    assert skin_at(from_left, 0.6) > 1.3 * skin_at(from_left, -0.6)
    assert skin_at(from_right, -0.6) > 1.3 * skin_at(from_right, 0.6)
    torch.testing.assert_close(from_left.key[0], torch.tensor([math.sin(1.0), 0.0, math.cos(1.0)]))


def test_light_from_above_leaves_the_underside_of_the_chin_darker() -> None:
    above, level = surface(lit_from(0.0, 0.9)), surface(lit_from(0.0, 0.0))
    assert skin_at(above, 0.0, -1.0) / skin_at(above, 0.0, 0.5) < skin_at(level, 0.0, -1.0) / skin_at(level, 0.0, 0.5)


def test_the_slope_turns_radial_distance_into_distance() -> None:
    s = surface(person.decode(torch.zeros(1, CODE_DIM)))
    way = F.normalize(torch.tensor([[0.3, 0.4, 0.8], [0.5, -0.2, 0.6], [0.0, 0.7, 0.6]]), dim=-1)
    radius = grid.sample(s.maps, grid.to_map(way)[None])[0, 0]
    near = world(way * (radius + 0.05)[:, None])
    shell = F.normalize(torch.randn(20000, 3), dim=-1)
    points = world(shell * grid.sample(s.maps, grid.to_map(shell)[None])[0, 0][:, None])
    brute = torch.cdist(near[0], points[0]).amin(1)
    torch.testing.assert_close(nearest(s, near)[0], brute, atol=0.006, rtol=0.3)
    assert (nearest(s, near)[0] <= 0.05 * SCALE + 1e-6).all()


def test_older_people_have_greyer_hair_and_more_wrinkles() -> None:
    look = person.decode(torch.zeros(1, CODE_DIM).expand(2, -1))
    young, old = surface(replace(look, age=person.Age(torch.tensor([22.0, 80.0]))))[[0, 1]].colour
    crown = grid.sample(torch.stack([young, old]), grid.to_map(torch.tensor([[0.0, 0.9, 0.43]]).expand(2, 1, 3)))[
        ..., 0
    ]
    spread = crown.amax(1) - crown.amin(1)
    assert float(spread[1]) < float(spread[0])


def test_children_have_larger_eyes_and_smaller_noses() -> None:
    code = torch.zeros(1, CODE_DIM).expand(2, -1)
    t = traits(replace(person.decode(code), age=person.Age(torch.tensor([6.0, 30.0]))))
    child, adult = 0, 1
    assert t.eye_size[child] > 1.1 * t.eye_size[adult]
    assert t.nose_height[child] < 0.8 * t.nose_height[adult]
    assert t.mouth_height[child] > t.mouth_height[adult]


def test_a_closed_lid_covers_the_eye() -> None:
    look = person.decode(torch.zeros(1, CODE_DIM).expand(2, -1))
    shut = replace(look.expression, lid_close=torch.tensor([0.0, 1.0]))
    s = surface(replace(look, expression=shut))
    t = traits(look)
    lon, lat = float(t.eye_apart[0]), float(t.eye_height[0]) + 0.008
    way = torch.tensor([[math.cos(lat) * math.sin(lon), math.sin(lat), math.cos(lat) * math.cos(lon)]])
    pupil = grid.sample(s.colour, grid.to_map(way)[None].expand(2, -1, -1)).mean(1)[:, 0]
    assert pupil[0] < 0.25
    assert pupil[1] > 1.5 * pupil[0]


def test_part_of_a_batch_is_that_part() -> None:
    s = surface(person.decode(torch.randn(3, CODE_DIM)))
    assert len(s[1:]) == 2
    assert torch.equal(s[[2, 0]].colour[1], s.colour[0])
