"""Fakes made by generators: decoded latent codes, a head in three dimensions, a face at another age."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image
from selfsame.core.camera import Camera
from selfsame.faces import align, paste
from selfsame.faces.align import Affine
from selfsame.tasks import fake_kit as kit
from selfsame.tasks.fake_kit import Frames, Picture, Shot, Weight
from selfsame.tasks.prior import Prior
from selfsame.tasks.reage import Sam
from selfsame.world import person
from selfsame.world.landmarks import GROUPS

BATCH = 8
AGED_BY = 6.0  # years
STICKING = 0.7  # of the still's detail that the decoder misses and that stays where it is
FACE = ("brows", "jaw", "chin", "cheeks", "forehead")
FEATHER = 0.03  # of a frame's side
SOLID = 0.7  # cover from which a head hides what is behind it: thin hair shows the network's own backdrop
GIVING_WAY = 0.06  # standard deviation, as a share of a frame's side, of where a led crop's surroundings follow
EDGE = 0.08  # of a crop's side over which it fades out
AGED_DETAIL = 0.6  # of what the decoder misses that is put back
DEPTHS = (16, 12)  # samples along a ray, first and second: half of what the prior was trained with


@dataclass(frozen=True, eq=False)
class Networks:
    """The generators that fakes are made with."""

    sam: Sam
    prior: Prior


@torch.no_grad()
def latent(portrait: Shot, driver: Shot, nets: Networks) -> Frames:
    """The still's code moved as the driver's codes move, decoded frame by frame and blended into the still's head.

    As in an aligned generator the face turns and talks in its crop, to which hair and the finest texture stick; the
    crop goes where the driver's would.
    """
    sam, at = nets.sam, kit.still(portrait)
    size_px, plate = sam.decoder.config.image_px, portrait.frames[at]
    place = kit.crops(portrait.points[at : at + 1], size_px)
    own = _crops(plate[None], place, size_px)
    others = _crops(driver.frames, kit.crops(driver.points, size_px), size_px)
    begin = kit.nearest(driver.look.expression, portrait.look.expression, at)
    w_plus = torch.cat([sam.invert(part) for part in others.split(BATCH)])
    codes = sam.invert(own) + w_plus - w_plus[begin]
    missed, whole = own - sam.decoder(sam.invert(own)), np.ones((size_px, size_px), np.float32)
    sticking = _sticking(missed, whole, align.apply(place[0], portrait.points[at]), driver)
    made = torch.cat([sam.decoder(part) for part in codes.split(BATCH)]) + sticking
    weight, frames = _inside(portrait.points[at], plate), []
    for picture, there in zip(made, kit.crops(kit.act(portrait, driver).points, size_px), strict=True):
        frames.append(_led(_over(plate, picture, place[0], weight), place[0], there, size_px))
    return np.stack(frames)


@torch.no_grad()
def rerender(portrait: Shot, driver: Shot, nets: Networks) -> Frames:
    """The still lifted to three dimensions and rendered as the driver moves and talks, before its frozen backdrop."""
    net, at, acted = nets.prior.net, kit.still(portrait), kit.act(portrait, driver)
    size_px, plate = net.config.image_px, portrait.frames[at]
    where = kit.crops(acted.points, size_px, upright=False)
    place = kit.crops(portrait.points[at : at + 1], size_px, upright=False)
    seen, cover = _render(nets.prior, portrait.look, portrait.camera, place, [at], len(plate))
    missed = _crops(plate[None], place, size_px) - seen
    before = align.apply(place[0], portrait.points[at])
    sticking = _sticking(missed, cover[0], before, driver)
    window = _window(size_px)
    made, covers = _render(nets.prior, acted.look, acted.camera, where, list(range(len(driver))), len(plate))
    frames = []
    for picture, stuck, alpha, points, there in zip(made, sticking, covers, acted.points, where, strict=True):
        seen = picture + _carried(stuck, before, align.apply(there, points))
        # Below it the still's own head goes along: the hair that a crop cuts off, or that the network draws too thin.
        below = kit.carry(plate, portrait.points[at], points)
        inside = _over(below, seen, there, _spread(alpha, there, plate.shape))
        frames.append(kit.blend(plate, inside, _spread(window, there, plate.shape)))
    return np.stack(frames)


@torch.no_grad()
def reage(portrait: Shot, driver: Shot, nets: Networks) -> Frames:
    """The portrait's own clip with the face a few years older, aged and decoded anew in every frame."""
    sam, size_px = nets.sam, nets.sam.decoder.config.image_px
    where = kit.crops(portrait.points, size_px)
    crops = _crops(portrait.frames, where, size_px)
    years = portrait.look.age.years + AGED_BY
    frames: list[Picture] = []
    for part in torch.arange(len(crops)).split(BATCH):
        both = sam.decoder(sam.encode(crops[part], years[part])), sam.decoder(sam.invert(crops[part]))
        for i, aged, as_is in zip(part.tolist(), *(pictures.split(1) for pictures in both), strict=True):
            frame = portrait.frames[i]
            older = paste.back(frame, where[i], aged, as_is, detail=AGED_DETAIL)
            frames.append(kit.blend(frame, older, _inside(portrait.points[i], frame)))
    return np.stack(frames)


def _crops(frames: Frames, where: list[Affine], size_px: int) -> Float[Tensor, "t 3 s s"]:
    pairs = zip(frames, where, strict=True)
    return torch.cat([image.from_uint8(align.warp(frame, place, size_px)) for frame, place in pairs])


def _render(
    prior: Prior, look: person.Look, camera: Camera, where: list[Affine], which: list[int], frame_px: int
) -> tuple[Float[Tensor, "t 3 s s"], Float[np.ndarray, "t s s"]]:
    """Pictures of looks in their crops, and how far a head covers each pixel."""
    size_px = prior.net.config.image_px
    codes = person.encode(person.select(look, which))
    views = cropped(camera[which], where, size_px, frame_px)
    pictures, covers = [], []
    for part in torch.arange(len(which)).split(BATCH):
        made = prior.net(prior.net.map(codes[part]), views[part], depth_samples=DEPTHS[0], importance_samples=DEPTHS[1])
        pictures.append(made.image)
        covers.append(image.resize(made.alpha, size_px)[:, 0] / SOLID)
    return torch.cat(pictures), torch.cat(covers).clamp(0, 1).numpy()


def cropped(camera: Camera, where: list[Affine], size_px: int, frame_px: int) -> Camera:
    """The cameras that see of square frames only what upright crops show."""
    # u of the frame is pixel u * frame_px - 1/2, and that of the crop likewise.
    zoom = torch.tensor(np.array([place[0, 0] for place in where]), dtype=torch.float32)
    offset = torch.tensor(np.array([place[:, 2] for place in where]), dtype=torch.float32)
    cut = torch.zeros(len(where), 3, 3)
    cut[:, 0, 0] = cut[:, 1, 1] = zoom * frame_px / size_px
    cut[:, :2, 2] = (offset + 0.5 - 0.5 * zoom[:, None]) / size_px
    cut[:, 2, 2] = 1
    return Camera(camera.cam2world, cut @ camera.intrinsics)


def _sticking(
    missed: Float[Tensor, "1 3 s s"], cover: Weight, points: kit.Points, driver: Shot
) -> Float[Tensor, "t 3 s s"]:
    """What a generator misses of a still crop where that is covered, to be added to each frame: its tone, and of its
    detail a share.

    The detail of the mouth is left out, that of the eyes while they are shut, that of the head's outline: what moves
    must not show twice.
    """
    size_px = missed.shape[-1]
    pixels = missed[0].permute(1, 2, 0).numpy() * cover[..., None]
    blurred, reach = (cv2.GaussianBlur(x, (0, 0), kit.TONE * size_px) for x in (pixels, cover))
    tone = torch.from_numpy(blurred / (reach + 0.05)[..., None]).permute(2, 0, 1)[None]
    sides = np.split(points[GROUPS["eyes"]], 2)
    mouth, *eyes = (
        torch.from_numpy(kit.soft_hull(spots, (size_px, size_px), 2.0))
        for spots in (np.vstack([points[GROUPS["lips"]], points[GROUPS["chin"]]]), *sides)
    )
    shut = driver.look.expression.lid_close[:, None, None, None]
    head = torch.from_numpy(kit.soft_hull(points, (size_px, size_px), 4.0))
    kept = head * (1 - mouth) * (1 - torch.maximum(*eyes) * shut)
    return tone + STICKING * kept * (missed - tone)


def _carried(picture: Float[Tensor, "3 s s"], begin: kit.Points, end: kit.Points) -> Float[Tensor, "3 s s"]:
    """`fake_kit.carry` for a tensor."""
    pixels = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
    return torch.from_numpy(kit.carry(pixels, begin, end)).permute(2, 0, 1)


def _window(size_px: int) -> Weight:
    """1 in a crop, falling to 0 at its edges."""
    away = np.minimum(np.arange(size_px), np.arange(size_px)[::-1]) / (EDGE * size_px)
    ramp = np.clip(away, 0, 1).astype(np.float32)
    weight: Weight = np.minimum(ramp, ramp[:, None])
    return weight


def _led(frame: Picture, begin: Affine, end: Affine, size_px: int) -> Picture:
    """The frame with what its crop `begin` shows at `end`; the way is shorter outside, and none far from the crop.

    The picture gives way instead of being cut: a seam through hair would show light beside it.
    """
    pixels = np.stack(np.meshgrid(np.arange(frame.shape[1]), np.arange(frame.shape[0])), -1).reshape(-1, 2)
    back = align.apply(cv2.invertAffineTransform(begin), align.apply(end, pixels.astype(float)))
    near = cv2.GaussianBlur(_spread(_window(size_px), end, frame.shape), (0, 0), GIVING_WAY * len(frame))
    return kit.shifted(frame, near[..., None] * (back - pixels).reshape(*frame.shape[:2], 2))


def _inside(points: kit.Points, frame: Picture) -> Weight:
    """The face within the outline of the head, beside which a halo would be seen at once."""
    face = np.vstack([points[GROUPS[name]] for name in FACE])
    return kit.soft_hull(face, frame.shape, FEATHER * len(frame))


def _spread(crop: Float[np.ndarray, "s s *c"], place: Affine, shape: tuple[int, ...]) -> Float[np.ndarray, "h w *c"]:
    """A crop as it lies in a frame of this shape, zero elsewhere."""
    made: np.ndarray = cv2.warpAffine(crop, place, shape[1::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return made


def _over(plate: Picture, picture: Float[Tensor, "3 s s"], place: Affine, weight: Weight) -> Picture:
    """A decoded crop over the frame that it was cut from."""
    pixels = picture.permute(1, 2, 0).numpy() * 127.5 + 127.5
    return kit.blend(plate, kit.to_bytes(_spread(np.ascontiguousarray(pixels), place, plate.shape)), weight)
