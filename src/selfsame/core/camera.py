"""Cameras with EG3D's axes: OpenCV cam2world (x right, y down, z forward), world y up, the face looks along +z.

This is the only file that knows the packed 25 numbers of EG3D (16 of cam2world row-major, then 9 of intrinsics).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

FFHQ_FOCAL = 2985.29 / 700  # normalised by the image's side [EG3D, FFHQ preprocessing]
FFHQ_RADIUS = 2.7
FACE_PIVOT = (0.0, 0.0056, 0.15014)  # the world point on which every EG3D crop is centred (derived in docs/album.md)
FACE_DISTANCE = 2.54986  # between the camera and FACE_PIVOT at the crop's magnification
MIRROR_SIGNS = ((0, 1), (0, 2), (1, 0), (2, 0), (0, 3))


@dataclass(frozen=True)
class Camera:
    """A batch of cameras: `cam2world` (B, 4, 4) in world units, `intrinsics` (B, 3, 3) normalised by image side."""

    cam2world: Float[Tensor, "b 4 4"]
    intrinsics: Float[Tensor, "b 3 3"]

    def __len__(self) -> int:
        return len(self.cam2world)

    def __getitem__(self, index: int | slice | Tensor | Sequence[int]) -> "Camera":
        """The chosen cameras, always still a batch."""
        if isinstance(index, int):
            index = slice(index, index + 1) if index != -1 else slice(-1, None)
        return Camera(self.cam2world[index], self.intrinsics[index])

    def to(self, device: torch.device | str) -> "Camera":
        """The same cameras on another device."""
        return Camera(self.cam2world.to(device), self.intrinsics.to(device))

    def pack(self) -> Float[Tensor, "b 25"]:
        """EG3D's label of 25 numbers."""
        return torch.cat([self.cam2world.flatten(1), self.intrinsics.flatten(1)], 1)

    @staticmethod
    def unpack(label: Float[Tensor, "b 25"]) -> "Camera":
        """The cameras of EG3D labels."""
        return Camera(label[:, :16].reshape(-1, 4, 4), label[:, 16:].reshape(-1, 3, 3))


def cat(cameras: Sequence[Camera]) -> Camera:
    """Cameras one after the other in one batch."""
    return Camera(torch.cat([c.cam2world for c in cameras]), torch.cat([c.intrinsics for c in cameras]))


def pinhole(count: int, focal: float = FFHQ_FOCAL) -> Float[Tensor, "b 3 3"]:
    """Intrinsics with the principal point in the middle, `focal` in units of the image side."""
    matrix = torch.tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]])
    return matrix.expand(count, 3, 3).clone()


def look_from(
    position: Float[Tensor, "b 3"], target: Float[Tensor, "b 3"], roll: Float[Tensor, "b"] | None = None
) -> Float[Tensor, "b 4 4"]:
    """cam2world (B, 4, 4) at `position` that look at `target`, y up, turned by `roll` radians about the view axis."""
    forward = torch.nn.functional.normalize(target - position, dim=-1)
    up = torch.tensor([0.0, 1.0, 0.0], device=position.device).expand_as(forward)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, up), dim=-1)
    down = torch.linalg.cross(forward, right)
    rotation = torch.stack([right, down, forward], -1)
    if roll is not None:
        c, s, zero = roll.cos(), roll.sin(), torch.zeros_like(roll)
        turn = torch.stack([c, -s, zero, s, c, zero, zero, zero, zero + 1], -1).reshape(-1, 3, 3)
        rotation = rotation @ turn
    matrix = torch.eye(4, device=position.device).repeat(len(position), 1, 1)
    matrix[:, :3, :3] = rotation
    matrix[:, :3, 3] = position
    return matrix


def from_angles(
    yaw: Float[Tensor, "b"],
    pitch: Float[Tensor, "b"],
    *,
    roll: Float[Tensor, "b"] | None = None,
    pivot: Sequence[float] = (0.0, 0.0, 0.0),
    radius: float = FFHQ_RADIUS,
    focal: float = FFHQ_FOCAL,
) -> Camera:
    """Cameras on a sphere about `pivot`, angles in radians.

    Yaw 0 and pitch 0 is frontal, positive yaw moves the camera to +x (the person's left), positive pitch upwards.
    """
    direction = torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], -1)
    target = torch.tensor(pivot, dtype=yaw.dtype, device=yaw.device).expand_as(direction)
    pose = look_from(direction * radius + target, target, roll)
    return Camera(pose, pinhole(len(yaw), focal).to(yaw.device))


def angles(camera: Camera) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
    """Yaw and pitch in radians of the view direction (inverse of `from_angles` without roll)."""
    forward = camera.cam2world[:, :3, 2]
    return torch.atan2(-forward[:, 0], -forward[:, 2]), torch.asin((-forward[:, 1]).clamp(-1, 1))


def most_frontal(camera: Camera) -> int:
    """The number of the camera that looks most nearly from the front."""
    yaw, pitch = angles(camera)
    return int((yaw.abs() + pitch.abs()).argmin())


def eg3d_look_at(
    horizontal: Float[Tensor, "b"],
    vertical: Float[Tensor, "b"],
    *,
    radius: float = FFHQ_RADIUS,
    focal: float = FFHQ_FOCAL,
) -> Camera:
    """EG3D's LookAtPoseSampler: horizontal = vertical = pi/2 is frontal, phi = arccos(1 - 2 vertical / pi)."""
    phi = torch.arccos(1 - 2 * vertical / math.pi)
    theta = math.pi - horizontal
    direction = torch.stack([phi.sin() * theta.cos(), phi.cos(), phi.sin() * theta.sin()], -1)
    return Camera(look_from(direction * radius, torch.zeros_like(direction)), pinhole(len(phi), focal).to(phi.device))


def facing(yaw: Float[Tensor, "b"], pitch: Float[Tensor, "b"], roll: Float[Tensor, "b"] | None = None) -> Camera:
    """Cameras of ideal EG3D crops seen from these angles (radians): FACE_PIVOT central, FACE_DISTANCE away."""
    return from_angles(yaw, pitch, roll=roll, pivot=FACE_PIVOT, radius=FACE_DISTANCE)


def orbit(frames: int, *, focal: float = FFHQ_FOCAL) -> Camera:
    """EG3D's standard orbit: yaw pi/2 + 0.35 sin, pitch pi/2 - 0.05 + 0.25 cos over one turn of `frames`."""
    phase = 2 * math.pi * torch.arange(frames) / frames
    return eg3d_look_at(math.pi / 2 + 0.35 * phase.sin(), math.pi / 2 - 0.05 + 0.25 * phase.cos(), focal=focal)


def mirror(camera: Camera) -> Camera:
    """The cameras of left-right mirrored photos (EG3D's preprocessing: entries 01, 02, 10, 20, 03 change sign)."""
    signs = torch.ones(4, 4, device=camera.cam2world.device)
    for row, column in MIRROR_SIGNS:
        signs[row, column] = -1
    return Camera(camera.cam2world * signs, camera.intrinsics)


def rays(camera: Camera, size_px: int) -> tuple[Float[Tensor, "b n 3"], Float[Tensor, "b n 3"]]:
    """Origins and unit directions (B, size_px**2, 3) in world space of the rays through pixel centres, row by row."""
    centres = (torch.arange(size_px, device=camera.cam2world.device, dtype=camera.cam2world.dtype) + 0.5) / size_px
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    k = camera.intrinsics[:, :, :, None]
    y = (v.flatten() - k[:, 1, 2]) / k[:, 1, 1]
    x = (u.flatten() - k[:, 0, 2] - k[:, 0, 1] * y) / k[:, 0, 0]
    local = torch.stack([x, y, torch.ones_like(x)], -1)
    directions = torch.nn.functional.normalize(local @ camera.cam2world[:, :3, :3].transpose(1, 2), dim=-1)
    return camera.cam2world[:, None, :3, 3].expand_as(directions), directions


def project(camera: Camera, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 2"]:
    """Normalised image positions (u right, v down, [0, 1] inside the picture) of world points."""
    rotation, position = camera.cam2world[:, :3, :3], camera.cam2world[:, None, :3, 3]
    local = (points - position) @ rotation
    image = local @ camera.intrinsics.transpose(1, 2)
    return image[..., :2] / image[..., 2:]


def rotation(turn: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3 3"]:
    """The rotation matrices of rotation vectors (radians); differentiable, zeros give the identity."""
    x, y, z = turn.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    made: Float[Tensor, "b 3 3"] = torch.linalg.matrix_exp(skew)
    return made


def between(a: Camera, b: Camera, share: Float[Tensor, "t"]) -> Camera:
    """Cameras (T) on the way from one camera to another, each a batch of one: turned evenly about FACE_PIVOT.

    At 0 and 1 they are the two themselves.
    """
    first, last = a.cam2world[:, :3, :3], b.cam2world[:, :3, :3]
    turn = rotation_vector(last @ first.transpose(1, 2))
    poses = rotation(share[:, None] * turn) @ first
    pivot = torch.tensor(FACE_PIVOT, dtype=share.dtype, device=share.device)
    seen = [((c.cam2world[:, None, :3, 3] - pivot) @ c.cam2world[:, :3, :3])[:, 0] for c in (a, b)]  # in its own axes
    place = torch.lerp(seen[0], seen[1], share[:, None])
    made = a.cam2world.repeat(len(share), 1, 1)
    made[:, :3, :3] = poses
    made[:, :3, 3] = (poses @ place[..., None])[..., 0] + pivot
    return Camera(made, torch.lerp(a.intrinsics, b.intrinsics, share[:, None, None]))


def rotation_vector(matrix: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 3"]:
    """The rotation vectors (radians) of rotation matrices by less than half a turn; inverse of `rotation`."""
    angle = torch.arccos(((matrix.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1))
    skew = matrix - matrix.transpose(1, 2)
    axis = torch.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], -1) / 2  # times the sine of the angle
    return axis / torch.sinc(angle / math.pi)[:, None].clamp_min(1e-6)


def nudge(camera: Camera, turn: Float[Tensor, "b 3"], shift: Float[Tensor, "b 3"], pivot: Sequence[float]) -> Camera:
    """The cameras carried about `pivot` by the rotation vectors `turn` (radians, world axes), then moved by `shift`.

    `shift` is along the camera's own axes, in world units. Differentiable; zeros change nothing.
    """
    turned = rotation(turn)
    about = torch.tensor(pivot, dtype=turn.dtype, device=turn.device)
    pose = turned @ camera.cam2world[:, :3, :3]
    place = (turned @ (camera.cam2world[:, :3, 3] - about)[..., None])[..., 0] + about
    place = place + (pose @ shift[..., None])[..., 0]
    last = camera.cam2world[:, 3:]
    return Camera(torch.cat([torch.cat([pose, place[..., None]], -1), last], 1), camera.intrinsics)
