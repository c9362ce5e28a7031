"""Pictures of solids against geometry, and the conventions of cameras."""

import math
from dataclasses import replace

import pytest
import torch
from helpers import sphere
from torch import Tensor

from selfsame.core import camera as cameras
from selfsame.core.camera import FACE_PIVOT, Camera
from selfsame.world import person
from selfsame.world.person import CODE_DIM, Look
from selfsame.world.render import backdrop, render
from selfsame.world.surface import CENTRE, SCALE, nearest, surface

PX = 48
HALF = 2.0  # focal length at which the whole head and the sky beside it are in view


def at(yaw: float, pitch: float = 0.0, focal: float = HALF) -> Camera:
    return cameras.from_angles(torch.tensor([yaw]), torch.tensor([pitch]), pivot=CENTRE, focal=focal)


def average(seed: int | None = None) -> Look:
    """The average person under a light from straight ahead, with no unevenness; or somebody."""
    look = person.decode(torch.zeros(1, CODE_DIM) if seed is None else person.encode(person.draw_photos([seed], seed)))
    frontal = replace(look.light, yaw=torch.zeros(1))
    style = replace(look.style, hair_part=torch.zeros(1))
    return replace(look, light=frontal, style=style)


def hits(camera: Camera, radius: float) -> Tensor:
    """Distance along each ray (PX, PX) to a sphere about the head's centre, from the quadratic formula; NaN beside."""
    origin, direction = (x[0] for x in cameras.rays(camera, PX))
    offset = origin - torch.tensor(CENTRE)
    along = (offset * direction).sum(-1)
    return (-along - (along**2 - offset.square().sum(-1) + radius**2).sqrt()).reshape(PX, PX)


@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (0.7, 0.3), (-1.2, 0.1)])
def test_depth_of_a_sphere_is_the_analytic_one(yaw: float, pitch: float) -> None:
    camera = at(yaw, pitch)
    made = render(sphere(), camera, PX, 1)
    middle = slice(PX // 2 - 6, PX // 2 + 6)
    found, wanted = made.depth[0, 0, middle, middle], hits(camera, SCALE)[middle, middle]
    torch.testing.assert_close(found, wanted, atol=2e-3, rtol=0)
    assert (made.mask[0, 0, middle, middle] == 1).all()


def test_the_mask_ends_where_the_sphere_does() -> None:
    camera = at(0.0)
    made = render(sphere(), camera, PX, 4)
    upper = slice(0, PX // 2)  # neck and shoulders are below
    inside = hits(camera, SCALE)[upper].isfinite().float()
    assert float((made.mask[0, 0, upper] - inside).abs().mean()) < 0.02
    assert float(made.mask[0, 0, 0, 0]) == float(made.depth[0, 0, 0, 0]) == 0
    assert float(made.mask[0, 0, PX // 2, PX // 2]) == 1


def test_what_is_not_the_solid_is_the_backdrop() -> None:
    s = sphere()
    made = render(s, at(0.0), PX, 1)
    torch.testing.assert_close(made.image[..., 0], backdrop(s, PX)[..., 0] * 2 - 1)
    torch.testing.assert_close(backdrop(s, PX)[0, :, 0, 0], s.top[0])
    torch.testing.assert_close(backdrop(s, PX)[0, :, -1, 0], s.bottom[0])
    aside = backdrop(replace(s, side=torch.tensor([[0.05]])), PX)
    torch.testing.assert_close(aside[0, :, 5, -1] - aside[0, :, 5, 0], torch.full((3,), 0.1))
    torch.testing.assert_close((made.image[0, :, PX // 2, PX // 2] + 1) / 2, torch.tensor([0.6, 0.4, 0.2]))


def test_a_picture_is_the_same_twice_and_alone_as_in_a_batch() -> None:
    look = person.draw_photos([3, 4], 0)
    camera = cameras.cat([at(0.2), at(-0.4)])
    together = render(surface(look), camera, 32)
    assert torch.equal(together.image, render(surface(look), camera, 32).image)
    alone = render(surface(person.select(look, [1])), camera[1], 32)
    torch.testing.assert_close(alone.image, together.image[1:], atol=2e-3, rtol=0)
    assert together.image.shape == (2, 3, 32, 32)
    assert together.depth.shape == together.mask.shape == (2, 1, 32, 32)


def test_depth_leads_to_the_surface() -> None:
    s, camera = surface(average(5)), cameras.facing(torch.tensor([0.4]), torch.tensor([0.1]))
    made = render(s, camera, PX, 1)
    origin, direction = cameras.rays(camera, PX)
    solid = made.mask[0, 0].flatten() == 1
    points = (origin + made.depth.flatten()[None, :, None] * direction)[:, solid]
    assert float(solid.float().mean()) > 0.3
    assert float(nearest(s, points).abs().quantile(0.99)) < 0.01


@pytest.mark.parametrize("yaw", [0.0, 0.5])
def test_a_mirrored_camera_gives_the_flipped_picture_of_a_symmetric_person(yaw: float) -> None:
    s, camera = surface(average()), at(yaw)
    one, other = render(s, camera, 64), render(s, cameras.mirror(camera), 64)
    assert float((one.mask - other.mask.flip(-1)).abs().mean()) < 0.01
    assert float((one.image - other.image.flip(-1)).abs().mean()) < 0.03  # strands and mottle are nobody's mirror image
    if yaw:
        assert float((one.image - other.image).abs().mean()) > 0.05


def test_from_positive_yaw_the_persons_left_ear_is_nearer() -> None:
    camera = at(math.radians(40))
    ears = torch.tensor([[[0.24, 0.036, -0.076], [-0.24, 0.036, -0.076]]])  # left is +x
    left, right = (ears[0] - camera.cam2world[:, :3, 3]).norm(dim=-1).tolist()
    assert left < right
    made = render(surface(average()), camera, PX, 1)
    nose = cameras.project(camera, torch.tensor([[[0.0, 0.0, 0.29]]]))[0, 0]
    assert float(nose[0]) < 0.5  # the face looks along +z, to the picture's left
    assert float(made.mask[0, 0, int(nose[1] * PX), int(nose[0] * PX)]) == 1


def test_more_rays_a_pixel_change_little_but_the_edges() -> None:
    s, camera = surface(average(9)), cameras.facing(torch.tensor([0.0]), torch.tensor([0.0]))
    coarse, fine = render(s, camera, 64, 1).image, render(s, camera, 64, 3).image
    assert float((coarse - fine).abs().mean()) < 0.04
    assert float(fine.abs().max()) <= 1


def test_the_pivot_of_every_crop_lies_inside_the_head() -> None:
    assert float(nearest(surface(average()), torch.tensor([[FACE_PIVOT]]))) < 0
