"""Fakes made by moving pixels, without any network: bent portraits, borrowed mouths and faces, invented frames."""

from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float

from selfsame.tasks import fake_kit as kit
from selfsame.tasks.fake_kit import Frames, Picture, Points, Shot
from selfsame.world import person
from selfsame.world.landmarks import GROUPS

MOUTH = ("mouth_open", "mouth_round", "smile")
FACE = ("five", "eyes", "brows", "nose", "lips", "chin", "jaw", "cheeks")
LOWER = ("five", "nose", "lips", "chin", "jaw", "cheeks")
INNER = ("five", "eyes", "brows", "nose", "lips")
FEATHER = 0.02  # standard deviation of a seam, as a share of the frame's side
KEPT_EVERY = 4  # frames
SWAY = 0.6  # of the driver's head's way that the rigid picture goes
ZOOM = 1.06  # so that a picture that sways has no edge in sight
MARGIN = (2.0, 1.5)  # of the lips' width and height that is made anew with them
MOUTH_DETAIL = 0.5  # resolution at which a mouth is made anew


def warp(portrait: Shot, driver: Shot) -> Frames:
    """One still bent after the driver by a dense field; the edges of the picture hold, and the backdrop bends along."""
    at, target = kit.still(portrait), kit.act(portrait, driver).points
    photo, edge = portrait.frames[at], _edge(portrait.frames.shape[1])
    begin = np.vstack([portrait.points[at], edge])
    return np.stack([kit.bend(photo, begin, np.vstack([points, edge])) for points in target])


def mouth(portrait: Shot, driver: Shot) -> Frames:
    """The portrait's own clip with the driver's mouth, brought to its place, matched in colour and feathered in."""
    count = min(len(portrait), len(driver))
    look, said = (person.select(shot.look, slice(count)) for shot in (portrait, driver))
    target = kit.places(kit.wearing(look, said.expression, MOUTH), portrait.camera[:count], portrait.frames.shape[1])
    lower, made = picked(LOWER), []
    for i, own in enumerate(portrait.frames[:count]):
        here, there = portrait.points[i], target[i]
        moved = _coarse(kit.bend(driver.frames[i], driver.points[i][lower], there[lower]))
        weight = kit.soft_hull(_around_mouth(there, here), own.shape, FEATHER * len(own))
        lips = kit.soft_hull(np.vstack([p[GROUPS["lips"]] for p in (there, here)]), own.shape, 1.0)
        moved = kit.toned(moved, own, weight * (1 - lips))
        made.append(kit.blend(own, moved, weight))
    return np.stack(made)


def swap(portrait: Shot, driver: Shot) -> Frames:
    """The driver's clip with the portrait's face: its own features, the driver's outline, colours and expression."""
    at = kit.still(portrait)
    photo, begin = portrait.frames[at], portrait.points[at]
    look = kit.wearing(person.select(portrait.look, [at] * len(driver)), driver.look.expression)
    own = kit.places(look, driver.camera, driver.frames.shape[1])
    face, inner = picked(FACE), picked(INNER)
    made = []
    for frame, outline, features in zip(driver.frames, driver.points, own, strict=True):
        target = outline.copy()
        target[inner] = features[inner]
        weight = swap_weight(outline, frame.shape)
        moved = kit.toned(kit.bend(photo, begin[face], target[face]), frame, weight)
        made.append(kit.blend(frame, moved, weight))
    return np.stack(made)


def interpolate(portrait: Shot, driver: Shot) -> Frames:
    """The portrait's own clip, of which every fourth frame is kept and the rest invented by optical flow and fading."""
    frames = portrait.frames
    kept = sorted({*range(0, len(frames), KEPT_EVERY), len(frames) - 1})
    made = [frames[kept[0]]]
    for first, last in pairwise(kept):
        made += [*_between(frames[first], frames[last], last - first), frames[last]]
    return np.stack(made)


def photo(portrait: Shot, driver: Shot) -> Frames:
    """One still that sways as a rigid picture and opens its mouth as the driver does: no blink, no turn of the head."""
    at, size_px = kit.still(portrait), portrait.frames.shape[1]
    count = len(driver)
    look = kit.wearing(person.select(portrait.look, [at] * count), driver.look.expression, ("mouth_open",))
    target = kit.places(look, portrait.camera[[at] * count], size_px)
    edge = _edge(size_px)
    begin = np.vstack([portrait.points[at], edge])
    way = driver.points[:, GROUPS["five"]].mean(1)
    made = []
    for points, step in zip(target, SWAY * (way - way.mean(0)), strict=True):
        talking = kit.bend(portrait.frames[at], begin, np.vstack([points, edge]))
        made.append(_placed(talking, step, angle_deg=float(step[0]) / 3))
    return np.stack(made)


def picked(names: tuple[str, ...]) -> list[int]:
    """The numbers of the points in these groups."""
    return [i for name in names for i in range(GROUPS[name].start, GROUPS[name].stop)]


def swap_weight(points: Points, shape: tuple[int, ...]) -> kit.Weight:
    """Where the driver's face is replaced: from the brows to the chin."""
    eyes, brows = points[GROUPS["eyes"]].mean(0), points[GROUPS["brows"]]
    above = brows + 0.35 * (brows.mean(0) - eyes)
    hull = np.vstack([points[picked(("eyes", "nose", "lips", "chin", "cheeks"))], above])
    return kit.soft_hull(hull, shape, FEATHER * shape[0])


def _around_mouth(new: Points, old: Points) -> Float[np.ndarray, "q 2"]:
    """What holds both mouths: lips with a margin, down to the chins."""
    lips, chins = (np.vstack([points[GROUPS[name]] for points in (new, old)]) for name in ("lips", "chin"))
    middle = lips.mean(0)
    return np.vstack([middle + (lips - middle) * MARGIN, chins])


def _coarse(picture: Picture) -> Picture:
    """The picture as a network of less resolution would give it."""
    size = tuple(round(MOUTH_DETAIL * side) for side in picture.shape[1::-1])
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    made: Picture = cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return made


def _edge(size_px: int) -> Points:
    """Twelve points on the edge of a square picture."""
    ends = np.linspace(0, size_px - 1, 4)
    return np.array([(x, y) for x in ends for y in ends if {x, y} & {ends[0], ends[-1]}])


def _between(first: Picture, last: Picture, steps: int) -> list[Picture]:
    """The frames between two, each side moved along its own flow and the two faded into each other."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (first, last)]
    forth, back = (flow.calc(a, b, None) for a, b in (grey, grey[::-1]))
    made = []
    for share in np.arange(1, steps) / steps:
        before, after = kit.shifted(first, -share * forth), kit.shifted(last, -(1 - share) * back)
        made.append(kit.to_bytes((1 - share) * before + share * after.astype(np.float32)))
    return made


def _placed(picture: Picture, step: Float[np.ndarray, "2"], angle_deg: float) -> Picture:
    """The whole picture a little enlarged, turned and moved."""
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle_deg, ZOOM)
    turn[:, 2] += step
    made: Picture = cv2.warpAffine(
        picture, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return made
