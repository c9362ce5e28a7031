"""What lies below the head, as solids with closed formulas: neck, shoulders, and hair that hangs behind the neck.

Points are in head units about the middle of the head.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from selfsame.world.grid import smooth

NECK_AT, NECK_SLANT = -0.22, 0.12
BODY_CENTRE, BODY_SIZE = (0.0, -2.00, -0.12), (1.38, 0.72, 0.62)
DRAPE_AT, DRAPE_FRONT = -0.20, 0.02
NECK, BODY, DRAPE = 0, 1, 2


def neck_radius(neck: Float[Tensor, "b 2"], y: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """Radius at height y of a neck of (radius, height of the collar): wider to the shoulders, and under the collar."""
    return neck[:, :1] + 0.34 * smooth(-y, 0.92, 1.6) + 0.012 * smooth(neck[:, 1:] - y, 0.0, 0.03)


def distances(
    neck: Float[Tensor, "b 2"], drape: Float[Tensor, "b 2"], p: Float[Tensor, "b n 3"]
) -> Float[Tensor, "b 3 n"]:
    """Signed distances in head units to NECK, BODY and DRAPE (see `hair.drape`; far away where it has no width)."""
    x, y, z = p.unbind(-1)
    from_axis = (x**2 + _from_neck(y, z) ** 2).sqrt()
    to_neck = torch.maximum(from_axis - neck_radius(neck, y), y + 0.35)
    e = (p - torch.tensor(BODY_CENTRE, device=p.device)) / torch.tensor(BODY_SIZE, device=p.device)
    to_body = (e.norm(dim=-1) - 1) * 0.55
    wide, ends = drape[:, :1].clamp_min(0.05) + 0.15 * smooth(y, -1.05, -0.35), drape[:, 1:] + 0.25 * x.abs() ** 2
    tube = ((x / wide) ** 2 + ((z - DRAPE_AT) / 0.62) ** 2 + 1e-9).sqrt()
    to_hair = torch.stack([(tube - 1) * 0.55, z - DRAPE_FRONT - 0.10 * x.abs(), ends - y, y - 0.05]).amax(0)
    to_hair = torch.where(drape[:, :1] > 0, to_hair, torch.ones_like(to_hair))
    return torch.stack([to_neck, to_body, to_hair], 1)


def normals(p: Float[Tensor, "b n 3"], part: Int[Tensor, "b n"]) -> Float[Tensor, "b 3 n"]:
    """Outward normals of the part (NECK, BODY or DRAPE) that each point lies on."""
    x, y, z = p.unbind(-1)
    neck = torch.stack([x, torch.full_like(x, 0.3), _from_neck(y, z)], -1)
    body = (p - torch.tensor(BODY_CENTRE, device=p.device)) / torch.tensor(BODY_SIZE, device=p.device) ** 2
    front = smooth(z, DRAPE_FRONT - 0.12, DRAPE_FRONT + 0.02)
    hair = torch.stack([x * 2, torch.full_like(x, 0.15), (z - DRAPE_AT) * 2 + 0.9 * front], -1)
    which = part[..., None]
    return F.normalize(torch.where(which == NECK, neck, torch.where(which == BODY, body, hair)), dim=-1).transpose(1, 2)


def shadow(p: Float[Tensor, "b n 3"], part: Int[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """The share of light that reaches a point: little under the chin and inside hanging hair."""
    x, y, z = p.unbind(-1)
    neck = 0.40 + 0.45 * smooth(-y, 0.72, 1.25)
    body = 0.72 + 0.28 * smooth(x.abs(), 0.3, 0.7)
    strands = torch.sin(31 * torch.atan2(x, z - DRAPE_AT) + 2.2 * torch.sin(3 * y + 4 * x))
    hair = 0.70 + 0.24 * smooth(x.abs(), 0.30, 0.62) + 0.09 * strands
    return torch.where(part == NECK, neck, torch.where(part == BODY, body, hair))


def _from_neck(y: Tensor, z: Tensor) -> Tensor:
    return z - NECK_AT + NECK_SLANT * (y + 0.6)
