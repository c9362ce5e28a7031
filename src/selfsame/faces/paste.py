"""A re-aged crop put back into the full picture: what aging changed is added, and nothing outside a soft mask moves."""

import math
from dataclasses import dataclass

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

MASK_CENTRE = (0.5, 0.49)  # the middle of head and hair, as shares of the crop's side (u right, v down)
MASK_REACH = (0.49, 0.49)  # half axes at which the mask has fallen to zero
MASK_POWER = 3.0  # 2 would be an ellipse; a head with its hair is squarer
MASK_WHOLE = 0.85  # up to this share of the reach the mask is 1
STEADY = 0.05  # a ring of colours spread less than this, in [-1, 1], cannot tell a gain
GAIN_LIMITS = (0.8, 1.25)
OFFSET_LIMIT = 0.25
ROUNDS = 8  # of reweighting
TUKEY = 4.685  # standard deviations from which a pixel says nothing of the colours [Beaton and Tukey 1974]


@dataclass(frozen=True, eq=False)
class Match:
    """A change of colours: each channel times its `gain` (3) plus its `offset` (3)."""

    gain: Float[np.ndarray, "3"]
    offset: Float[np.ndarray, "3"]

    def __call__(self, pixels: Pixels) -> Pixels:
        """The changed colours."""
        changed: Pixels = (pixels * self.gain + self.offset).astype(np.float32)
        return changed


def back(
    photo: UInt8[np.ndarray, "h w 3"],
    transform: Affine,
    aged: Float[Tensor, "1 3 s s"],
    as_is: Float[Tensor, "1 3 s s"],
    *,
    detail: float = 1.0,
) -> UInt8[np.ndarray, "h w 3"]:
    """The photo with its face re-aged; `transform` leads from its pixels to those of the two decoded pictures.

    `aged` shows the face at the wanted age, `as_is` what the same decoder makes of the photo itself. The share `detail`
    of all that the decoder misses in the photo is kept: at 1 the two pictures' difference is added to the photo, at 0
    the face is replaced. Where the mask is zero no pixel changes.
    """
    size_px = aged.shape[-1]
    rows, columns = _window(transform, size_px, photo.shape)
    part = photo[rows, columns]
    if not part.size:
        return photo.copy()
    local = transform.copy()
    local[:, 2] += transform[:, :2] @ np.array([columns.start, rows.start])
    change = _decoder_to_photo(photo, transform, _pixels(as_is))
    old, new = change(_pixels(as_is)), change(_pixels(aged))
    seen, weight = _pixels(image.from_uint8(part)), mask(local, size_px, part.shape)[..., None]
    missed = seen - _spread(old, local, part.shape)
    mixed = seen + weight * (_spread(new, local, part.shape) + detail * missed - seen)
    done = photo.copy()
    done[rows, columns] = np.where(weight > 0, _bytes(mixed), part)
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


def match(source: Pixels, target: Pixels, weight: Float[np.ndarray, "h w"]) -> Match:
    """The gain and offset that bring the colours of `source` to those of `target`, most pixels agreeing.

    Pixels that differ otherwise than most (hair that turned grey) lose their say round by round.
    """
    fits = [_fit(source[..., i].ravel(), target[..., i].ravel(), weight.ravel()) for i in range(3)]
    return Match(np.array([gain for gain, _ in fits]), np.array([offset for _, offset in fits]))


def _fit(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], weight: Float[np.ndarray, "n"]) -> tuple[float, float]:
    """Gain and offset from x to y by reweighted least squares, the gain drawn towards 1 where x hardly varies."""
    used = weight > 0.05
    if not used.any():
        return 1.0, 0.0
    x, y, weight = (values[used].astype(float) for values in (x, y, weight))
    gain, offset = 1.0, float(np.median(y - x))
    for _ in range(ROUNDS):
        miss = y - gain * x - offset
        spread = 1.4826 * float(np.median(np.abs(miss))) + 1e-3
        trust = weight * np.clip(1 - (miss / (TUKEY * spread)) ** 2, 0, None) ** 2 + 1e-9
        trust /= trust.sum()
        x_mean, y_mean = trust @ x, trust @ y
        variance, covariance = trust @ (x - x_mean) ** 2, trust @ ((x - x_mean) * (y - y_mean))
        gain = float(np.clip((covariance + STEADY**2) / (variance + STEADY**2), *GAIN_LIMITS))
        offset = float(np.clip(y_mean - gain * x_mean, -OFFSET_LIMIT, OFFSET_LIMIT))
    return gain, offset


def _decoder_to_photo(photo: UInt8[np.ndarray, "h w 3"], transform: Affine, old: Square) -> Match:
    """What brings the decoder's colours to the photo's, told from the ring in which the mask fades."""
    size_px = len(old)
    here = np.hstack([np.eye(2), np.zeros((2, 1))])
    weight = mask(here, size_px, (size_px, size_px))
    inside = cv2.warpAffine(np.ones(photo.shape[:2], np.float32), transform, (size_px, size_px))
    seen = _pixels(image.from_uint8(align.warp(photo, transform, size_px)))
    return match(old, seen, 4 * weight * (1 - weight) * (inside > 0.99))


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
        factor = side / len(crop)
        crop = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        transform = transform * factor
        transform[:, 2] += (factor - 1) / 2
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    seen: Pixels = cv2.warpAffine(crop, transform, shape[1::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return seen


def _pixels(picture: Float[Tensor, "1 3 h w"]) -> Pixels:
    return np.ascontiguousarray(picture[0].detach().float().cpu().permute(1, 2, 0).numpy())


def _bytes(pixels: Pixels) -> UInt8[np.ndarray, "h w 3"]:
    bytes_: UInt8[np.ndarray, "h w 3"] = image.to_uint8(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0]
    return bytes_
