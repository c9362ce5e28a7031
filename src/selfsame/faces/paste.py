"""A re-aged crop put back into the full picture: what aging changed is added, and nothing outside a soft mask moves."""

import math

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from selfsame.core import image
from selfsame.faces import align
from selfsame.faces.align import Affine

Pixels = Float[np.ndarray, "h w 3"]  # in [-1, 1]
Square = Float[np.ndarray, "s s 3"]

MASK_CENTRE = (0.5, 0.48)  # the middle of head and hair, as shares of the crop's side (u right, v down)
MASK_REACH = (0.48, 0.48)  # half axes at which the mask has fallen to zero
MASK_POWER = 2.5  # 2 would be an ellipse; a head with its hair is squarer
MASK_WHOLE = 0.8  # up to this share of the reach the mask is 1
DETAIL = 0.85  # how much of what the decoder misses is kept in full: measured on clips, docs/age-video.md
TONE = 0.08  # standard deviation, as a share of the crop's side, of what counts as tone and not as detail
ALIEN = 0.4  # tone this far from the decoder's (51 of 255): it draws something else there, and its change is not shown


def back(
    photo: UInt8[np.ndarray, "h w 3"],
    transform: Affine,
    aged: Float[Tensor, "1 3 s s"],
    as_is: Float[Tensor, "1 3 s s"],
    *,
    detail: float = DETAIL,
) -> UInt8[np.ndarray, "h w 3"]:
    """The photo with its face re-aged; `transform` leads from its pixels to those of the two decoded pictures.

    `aged` shows the face at the wanted age, `as_is` what the same decoder makes of the photo itself. What the decoder
    misses in the photo is put back: its tone always, so that colours match place by place; of its detail the share
    `detail`. At 1 the two pictures' difference is added to the photo. Where the mask is zero no pixel changes.
    """
    size_px = aged.shape[-1]
    rows, columns = _window(transform, size_px, photo.shape)
    part = photo[rows, columns]
    if not part.size:
        return photo.copy()
    local = transform.copy()
    local[:, 2] += transform[:, :2] @ np.array([columns.start, rows.start])
    seen, weight = _pixels(image.from_uint8(part)), mask(local, size_px, part.shape)[..., None]
    old, new = (_spread(_pixels(picture), local, part.shape) for picture in (as_is, aged))
    missed = seen - old
    tone = _tone(missed, TONE * size_px / math.hypot(*local[:, 0]))
    weight = weight * known(tone)
    missed = detail * missed + (1 - detail) * tone
    mixed = seen + weight * (new + missed - seen)
    done = photo.copy()
    done[rows, columns] = np.where(weight > 0, _bytes(mixed), part)
    return done


def put(
    photo: UInt8[np.ndarray, "h w 3"],
    transform: Affine,
    crop: Float[Tensor, "1 3 s s"],
    weight: Float[np.ndarray, "h w"],
) -> UInt8[np.ndarray, "h w 3"]:
    """The photo mixed with a crop that `transform` leads to, by `weight` in [0, 1]; where it is zero no pixel moves."""
    seen = _pixels(image.from_uint8(photo))
    mixed = seen + weight[..., None] * (_spread(_pixels(crop), transform, photo.shape) - seen)
    done: UInt8[np.ndarray, "h w 3"] = np.where(weight[..., None] > 0, _bytes(mixed), photo)
    return done


def mask(transform: Affine, size_px: int, shape: tuple[int, ...]) -> Float[np.ndarray, "h w"]:
    """The weight in [0, 1] of the re-aged face at each pixel of a picture of `shape` (height, width, ...)."""
    column, row = np.arange(shape[1]), np.arange(shape[0])[:, None]
    u, v = (
        ((a * column + b * row + c + 0.5) / size_px - middle) / reach
        for (a, b, c), middle, reach in zip(transform, MASK_CENTRE, MASK_REACH, strict=True)
    )
    radius = (np.abs(u) ** MASK_POWER + np.abs(v) ** MASK_POWER) ** (1 / MASK_POWER)
    x = np.clip((1 - radius) / (1 - MASK_WHOLE), 0, 1)
    weight: Float[np.ndarray, "h w"] = (x * x * (3 - 2 * x)).astype(np.float32)
    return weight


def known(tone: Pixels) -> Float[np.ndarray, "h w 1"]:
    """How far, in [0, 1], a place is what the decoder takes it for, by the tone that it misses there.

    Where it draws hair before a bright street, greying that hair would leave a white patch on the street.
    """
    trust: Float[np.ndarray, "h w 1"] = np.exp(-((np.abs(tone).max(-1, keepdims=True) / ALIEN) ** 4))
    return trust


def _tone(pixels: Pixels, spread_px: float) -> Pixels:
    """The pixels without detail; reduced first, since a wide blur at full size is slow."""
    shrink = max(1, math.floor(spread_px / 4))
    size = tuple(max(1, round(side / shrink)) for side in pixels.shape[1::-1])
    small = cv2.GaussianBlur(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), (0, 0), spread_px / shrink)
    tone: Pixels = cv2.resize(small, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return tone


def _window(transform: Affine, size_px: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns of a picture of `shape` that the crop covers, perhaps none."""
    end = size_px - 0.5
    corners = np.array([[-0.5, -0.5], [end, -0.5], [-0.5, end], [end, end]])
    places = align.apply(cv2.invertAffineTransform(transform), corners)
    (left, top), (right, bottom) = np.floor(places.min(0)), np.ceil(places.max(0)) + 1
    height, width = shape[:2]
    return slice(*np.clip([top, bottom], 0, height).astype(int)), slice(*np.clip([left, right], 0, width).astype(int))


def _spread(crop: Square, transform: Affine, shape: tuple[int, ...]) -> Pixels:
    """A crop seen from the picture of `shape` that `transform` leads from; where it is the larger it is averaged."""
    shrink = max(1, math.floor(math.hypot(*transform[:, 0])))
    if shrink > 1:
        side = max(1, round(len(crop) / shrink))
        transform = align.enlarge(transform, side / len(crop))
        crop = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    seen: Pixels = cv2.warpAffine(crop, transform, shape[1::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return seen


def _pixels(picture: Float[Tensor, "1 3 h w"]) -> Pixels:
    return np.ascontiguousarray(picture[0].detach().float().cpu().permute(1, 2, 0).numpy())


def _bytes(pixels: Pixels) -> UInt8[np.ndarray, "h w 3"]:
    bytes_: UInt8[np.ndarray, "h w 3"] = image.to_uint8(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0]
    return bytes_
