"""Shape as a picture: the normals of a plane and of a sphere are known."""

import torch

from selfsame.core.camera import facing, rays
from selfsame.tasks import shading

SIDE = 48


def test_a_plane_has_one_normal_and_its_slope_is_its_shade() -> None:
    tilt = torch.tensor([0.0, 0.7])
    camera = facing(torch.zeros(2), torch.zeros(2))
    normal = torch.stack([tilt.sin(), torch.zeros(2), tilt.cos()], -1)  # towards the camera at +z
    origins, directions = rays(camera, SIDE)
    steps = -(origins @ normal[..., None])[..., 0] / (directions @ normal[..., None])[..., 0]
    depth = steps[:, None].unflatten(2, (SIDE, SIDE))
    found = shading.normals(depth, camera)[..., 4:-4, 4:-4]
    torch.testing.assert_close(found, normal[..., None, None].expand_as(found), atol=2e-3, rtol=0)
    seen = shading.shaded(depth, torch.ones_like(depth), camera, SIDE)
    shade = (seen[:, 0, SIDE // 2, SIDE // 2] + 1) / 2
    wanted = shading.ALBEDO * (shading.AMBIENT + (1 - shading.AMBIENT) * tilt.cos())
    torch.testing.assert_close(shade, wanted, atol=5e-3, rtol=0)


def test_a_sphere_darkens_to_its_edge_from_every_side() -> None:
    yaw = torch.tensor([0.0, 1.2])
    camera = facing(yaw, torch.zeros(2))
    centre = torch.tensor([0.0, 0.0056, 0.15014])
    origins, directions = rays(camera, SIDE)
    out = origins - centre
    along = (out * directions).sum(-1)
    under = along.square() - out.square().sum(-1) + 0.15**2
    depth = (-along - under.clamp_min(0).sqrt())[:, None].unflatten(2, (SIDE, SIDE))
    alpha = (under > 0).float()[:, None].unflatten(2, (SIDE, SIDE))
    found = shading.normals(depth, camera)
    points = (origins + depth.flatten(2).transpose(1, 2) * directions - centre) / 0.15
    wanted = points.transpose(1, 2).unflatten(2, (SIDE, SIDE))
    middle = (slice(None), slice(None), slice(SIDE // 2 - 6, SIDE // 2 + 6), slice(SIDE // 2 - 6, SIDE // 2 + 6))
    torch.testing.assert_close(found[middle], wanted[middle], atol=0.05, rtol=0)
    seen = shading.shaded(depth, alpha, camera, SIDE)
    torch.testing.assert_close(seen[0], seen[1], atol=0.05, rtol=0)
    row = seen[0, 0, SIDE // 2]
    assert float(row[SIDE // 2]) > float(row[SIDE // 2 + 10])
    assert float(row[0]) == 1.0
