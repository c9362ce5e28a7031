"""What makers of fakes share: a clip whose truth is known, somebody acting after another, pictures bent and blended."""

from dataclasses import dataclass, fields, replace
from functools import cached_property

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from selfsame.core.camera import Camera
from selfsame.faces import align
from selfsame.faces.align import Affine
from selfsame.world import person
from selfsame.world.landmarks import GROUPS, landmarks
from selfsame.world.person import Expression, Look

Frames = UInt8[np.ndarray, "t h w 3"]
Picture = UInt8[np.ndarray, "h w 3"]
Points = Float[np.ndarray, "p 2"]
Weight = Float[np.ndarray, "h w"]

GRID_PX = 2  # how finely a bend is worked out: the lips of a closed mouth are a pixel or two apart
STILL_OPEN = 0.3  # mouth opening of a good portrait: what a mouth hides cannot be bent into sight
TONE = 0.05  # standard deviation of what counts as tone and not as detail, as a share of a picture's side
MOST_CONTRAST = 1.4  # that matching colours may give or take


@dataclass(frozen=True, eq=False)
class Shot:
    """Frames (T, H, H, 3) of one talking person, and the true look (T) and camera (T) of each."""

    frames: Frames
    look: Look
    camera: Camera

    def __len__(self) -> int:
        return len(self.frames)

    @cached_property
    def points(self) -> Float[np.ndarray, "t p 2"]:
        """The landmarks in pixels (x right, y down, x = 0 is the centre of the first pixel)."""
        return places(self.look, self.camera, self.frames.shape[1])


def places(look: Look, camera: Camera, size_px: int) -> Float[np.ndarray, "t p 2"]:
    """The landmarks of looks in pixels of square frames."""
    found: Float[np.ndarray, "t p 2"] = landmarks(look, camera).numpy().astype(np.float64) * size_px - 0.5
    return found


def still(shot: Shot) -> int:
    """The frame that makes the best portrait: eyes open, lips a little apart."""
    e = shot.look.expression
    return int(((e.mouth_open - STILL_OPEN).abs() + 2 * e.lid_close).argmin())


@dataclass(frozen=True, eq=False)
class Act:
    """The person of a portrait doing what a driver does: looks (T), cameras (T), and the landmarks in pixels."""

    look: Look
    camera: Camera
    points: Float[np.ndarray, "t p 2"]


def act(portrait: Shot, driver: Shot) -> Act:
    """The portrait's person, from their best still on, with the driver's face and the driver's movements of the head.

    Movements count from the driver's frame whose face is nearest to the still's.
    """
    at = still(portrait)
    begin = nearest(driver.look.expression, portrait.look.expression, at)
    look = wearing(person.select(portrait.look, [at] * len(driver)), driver.look.expression)
    poses, first = driver.camera.cam2world, driver.camera.cam2world[begin]
    moved = poses @ torch.linalg.inv(first) @ portrait.camera.cam2world[at]
    camera = Camera(moved, portrait.camera.intrinsics[[at] * len(driver)])
    return Act(look, camera, places(look, camera, portrait.frames.shape[1]))


def nearest(among: Expression, other: Expression, at: int) -> int:
    """The item of `among` whose mouth and lids are most like those of `other` at one place."""
    names = ("mouth_open", "mouth_round", "lid_close")
    away = torch.stack([(getattr(among, name) - getattr(other, name)[at]).abs() for name in names])
    return int(away.sum(0).argmin())


def wearing(look: Look, expression: Expression, names: tuple[str, ...] = ()) -> Look:
    """The looks with another expression, or only the named parts of it."""
    wanted = names or tuple(f.name for f in fields(Expression))
    return replace(look, expression=replace(look.expression, **{name: getattr(expression, name) for name in wanted}))


def crops(points: Float[np.ndarray, "t p 2"], size_px: int, *, upright: bool = True) -> list[Affine]:
    """From the frames' pixels to the face crop of `size_px` that the networks know."""
    return [align.eg3d_transform(p[GROUPS["five"]], size_px, upright=upright) for p in points]


def bend(picture: Picture, begin: Points, end: Points) -> Picture:
    """The picture bent by a thin plate so that what is at `begin` comes to `end`; beyond its edges it is mirrored."""
    height, width = picture.shape[:2]
    x, y = (np.arange(0, side + GRID_PX, GRID_PX, dtype=float) for side in (width, height))
    grid = np.stack(np.meshgrid(x, y), -1)
    offset = _plate(end, begin - end, grid.reshape(-1, 2)).reshape(grid.shape).astype(np.float32)
    # Nodes stand GRID_PX apart at pixel centres, and so must the enlarged field.
    scale = np.array([[GRID_PX, 0, 0], [0, GRID_PX, 0]], float)
    fine = cv2.warpAffine(offset, scale, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return shifted(picture, fine)


def shifted(picture: Picture, offset: Float[np.ndarray, "h w 2"]) -> Picture:
    """The picture whose pixel at x shows what stood at x + offset."""
    height, width = picture.shape[:2]
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1)
    where = (pixels + offset).astype(np.float32)
    done: Picture = cv2.remap(picture, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return done


def carry(picture: np.ndarray, begin: Points, end: Points) -> np.ndarray:
    """A picture (H, W, 3) moved as a turning head, about: by the affine map that best brings points to others."""
    known = np.hstack([begin, np.ones((len(begin), 1))])
    place = np.linalg.lstsq(known, end, rcond=None)[0].T
    made: np.ndarray = cv2.warpAffine(picture, place, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    return made


def _plate(nodes: Points, values: Points, wanted: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """The thin plate spline through `values` at `nodes`, a little relaxed, at the places wanted [Bookstein 1989]."""
    count = len(nodes)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(nodes, nodes) + 0.5 * np.eye(count)
    system[:count, count:] = np.hstack([np.ones((count, 1)), nodes])
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.vstack([values, np.zeros((3, 2))]))
    made: Float[np.ndarray, "n 2"] = _kernel(wanted, nodes) @ weights[:count] + weights[count] + wanted @ weights[-2:]
    return made


def _kernel(a: Float[np.ndarray, "n 2"], b: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "n m"]:
    squared = np.square(a[:, None] - b).sum(-1)
    made: Float[np.ndarray, "n m"] = squared * np.log(squared + 1e-9)
    return made


def soft_hull(points: Points, shape: tuple[int, ...], feather_px: float) -> Weight:
    """A weight (H, W) in [0, 1]: 1 well inside the convex hull of points, 0 outside, with a soft edge between."""
    hull = cv2.convexHull(np.round(points * 16).astype(np.int32))
    inside = np.zeros(shape[:2], np.float32)
    cv2.fillConvexPoly(inside, hull, 1.0, shift=4)
    weight: Weight = np.clip(2 * cv2.GaussianBlur(inside, (0, 0), feather_px) - 1, 0, 1) * inside
    return weight


def toned(picture: Picture, wanted: Picture, weight: Weight) -> Picture:
    """The picture with the contrast, and place by place the colours, that `wanted` has where the weight is."""
    share = (weight / max(float(weight.sum()), 1e-6))[..., None]
    spreads = [np.sqrt((share * (p - (share * p).sum((0, 1))) ** 2).sum((0, 1))) for p in (picture, wanted)]
    even = picture * np.clip(spreads[1] / np.maximum(spreads[0], 1e-3), 1 / MOST_CONTRAST, MOST_CONTRAST)
    missed = ((wanted - even) * weight[..., None]).astype(np.float32)
    away, reach = (cv2.GaussianBlur(x, (0, 0), TONE * len(picture)) for x in (missed, weight))
    return to_bytes(even + away / (reach + 1e-3)[..., None])


def blend(below: Picture, above: Picture, weight: Weight) -> Picture:
    """`above` over `below` by weight; pixels of weight zero stay as they are."""
    mixed = below + weight[..., None] * (above.astype(np.float32) - below)
    return np.where(weight[..., None] > 0, to_bytes(mixed), below)


def to_bytes(pixels: Float[np.ndarray, "h w 3"]) -> Picture:
    """Pixels about [0, 255], rounded and clamped."""
    made: Picture = np.clip(np.round(pixels), 0, 255).astype(np.uint8)
    return made
