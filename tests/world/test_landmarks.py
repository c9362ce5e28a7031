"""Landmarks lie where the renderer draws what they name, and move as faces do."""

from dataclasses import replace

import pytest
import torch

from selfsame.core.camera import facing
from selfsame.faces.align import EG3D_LANDMARKS
from selfsame.world import album, person
from selfsame.world.landmarks import GROUPS, landmarks
from selfsame.world.person import CODE_DIM, Look
from selfsame.world.render import render
from selfsame.world.surface import surface

FRONT = facing(torch.zeros(1), torch.zeros(1))


def face(**expression: float) -> Look:
    """The average face, with parts of its expression."""
    look = person.decode(torch.zeros(1, CODE_DIM))
    set_to = {name: torch.tensor([value]) for name, value in expression.items()}
    return replace(look, expression=replace(look.expression, **set_to))


def test_the_five_points_are_those_that_crops_are_made_by() -> None:
    found = landmarks(face(), FRONT)[0, GROUPS["five"]]
    assert (found - torch.tensor(EG3D_LANDMARKS)).abs().max() < 0.02


def test_every_point_has_a_name_and_lies_on_the_head() -> None:
    found = landmarks(face(), FRONT)[0]
    named = sorted(i for part in GROUPS.values() for i in range(part.start, part.stop))
    assert named == list(range(len(found)))
    mask = render(surface(face()), FRONT, 64, 1).mask[0, 0]
    column, row = (found.clamp(0, 0.999) * 64).long().unbind(-1)
    assert bool((mask[row, column] > 0.9).all())


@pytest.mark.parametrize(
    ("expression", "group", "rest"),
    [
        ({"mouth_open": 0.8}, "lips", "eyes"),
        ({"lid_close": 1.0}, "eyes", "lips"),
        ({"brow_raise": 0.9}, "brows", "lips"),
    ],
)
def test_an_expression_moves_what_it_should(expression: dict[str, float], group: str, rest: str) -> None:
    calm = dict.fromkeys(("mouth_open", "lid_close", "brow_raise"), 0.0)
    before, after = (landmarks(face(**e), FRONT)[0] for e in (calm, calm | expression))
    moved = (after - before).abs().amax(-1)
    assert moved[GROUPS[group]].max() > 0.005 > 1e-6 > moved[GROUPS[rest]].max()


def test_an_open_mouth_parts_the_lips_where_the_picture_gets_dark() -> None:
    look = face(mouth_open=0.9)
    points = landmarks(look, FRONT)[0, GROUPS["lips"]]
    inside = (points[5] + points[6]) / 2  # between the inner edges of the lips, in the middle
    picture = album.photograph(look, FRONT, 128)[0].mean(0)
    x, y = (int(v * 128) for v in inside)
    skin_x, skin_y = (int(v * 128) for v in landmarks(look, FRONT)[0, GROUPS["cheeks"]][0])
    assert picture[y, x] < picture[skin_y, skin_x] - 0.3
