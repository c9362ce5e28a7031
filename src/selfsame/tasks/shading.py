"""The shape of a rendering as a picture: a grey surface lit from the camera, its normals taken from the depth."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsame.core.camera import Camera, rays

AMBIENT = 0.2  # what a surface seen edge-on still shows
ALBEDO = 0.8  # of a surface seen head-on
BACKGROUND = 1.0
SMOOTH = 3  # pixels over which depth is averaged: it trembles by less than a sample's distance


def shaded(
    depth: Float[Tensor, "b 1 p p"], alpha: Float[Tensor, "b 1 p p"], camera: Camera, size_px: int
) -> Float[Tensor, "b 3 s s"]:
    """The surface at `depth` along the rays of `camera`, shaded grey on white, in [-1, 1] at `size_px`."""
    normal = normals(depth, camera)
    forward = camera.cam2world[:, :3, 2, None, None]
    facing = (normal * -forward).sum(1, keepdim=True).clamp(0, 1)
    tone = ALBEDO * (AMBIENT + (1 - AMBIENT) * facing) * 2 - 1
    seen = tone * alpha + BACKGROUND * (1 - alpha)
    return F.interpolate(seen, (size_px, size_px), mode="bilinear", align_corners=False).expand(-1, 3, -1, -1)


def normals(depth: Float[Tensor, "b 1 p p"], camera: Camera) -> Float[Tensor, "b 3 p p"]:
    """Unit normals, towards the camera, of the surface that lies at `depth` (world units) along each pixel's ray."""
    side = depth.shape[-1]
    smooth = F.avg_pool2d(F.pad(depth, (SMOOTH // 2,) * 4, mode="replicate"), SMOOTH, 1)
    origins, directions = rays(camera, side)
    points = (origins + smooth.flatten(2).transpose(1, 2) * directions).transpose(1, 2).unflatten(2, (side, side))
    padded = F.pad(points, (1,) * 4, mode="replicate")
    across = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    return F.normalize(torch.linalg.cross(down, across, dim=1), dim=1)
