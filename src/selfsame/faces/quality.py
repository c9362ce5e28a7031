"""How good a crop is for training: what is measured of it, and the rules that leave it out.

Thresholds were chosen on synthetic people, and rates measured on others (`benchmarks/album_rules.py`, docs/album.md).
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from selfsame.core import image
from selfsame.core.config import STRICT
from selfsame.faces import detect

Colours = UInt8[np.ndarray, "128 128 3"]
Grey = UInt8[np.ndarray, "128 128"]

STANDARD_PX = 128  # every measure is taken at this size, so that numbers of different photos compare
FACE_SHARE = slice(STANDARD_PX // 4, 3 * STANDARD_PX // 4)  # the middle of an aligned crop: skin, not background
MAX_POSE_ERROR = 0.06  # no camera explains landmarks that miss by more
MAX_SHUT = 0.7  # calls 0 of 149 photos with open eyes shut, 2 % of those half shut (25 synthetic people)
TINT_PX, LEVELS = 48, 16  # side at which colours are compared, and in how many steps of lightness


@dataclass(frozen=True)
class Quality:
    """Measures of one crop: Laplacian variance, mean light in [0, 1], box side in photo px, degrees, shares.

    `saturation` is how far the colours depart from a single tint (grey and sepia: 0), `scatter` by how much the
    detector's views disagree on the landmarks in shares of the crop's side; null in albums of format 1. `shut` is the
    probability that the eyes are (`lids`), null in those of format 1 and 2.
    """

    __pydantic_config__ = STRICT

    sharpness: float
    exposure: float
    face_px: float
    yaw_degrees: float
    pitch_degrees: float
    pose_error: float
    invented: float
    hash: str
    saturation: float | None
    scatter: float | None
    shut: float | None


@dataclass(frozen=True)
class Rule:
    """A crop is left out where its `measure` (a field of Quality) lies `wrong` of the `threshold`, in `unit`.

    `says` is the sentence for the user, with places for the {value} and the {threshold}.
    """

    name: str
    measure: str
    wrong: Literal["below", "above"]
    threshold: float
    unit: str
    says: str

    def broken(self, quality: Quality) -> bool:
        """Whether a crop of this quality is left out; never for what was not measured."""
        value: float | None = getattr(quality, self.measure)
        if value is None:
            return False
        return value < self.threshold if self.wrong == "below" else value > self.threshold

    def sentence(self, quality: Quality) -> str:
        """Why a crop of this quality is left out, in words."""
        return self.says.format(value=getattr(quality, self.measure), threshold=self.threshold)


# In the order in which they are asked: the first broken rule gives the reason.
RULES = (
    Rule("size", "face_px", "below", detect.MIN_FACE_PX, "px of the photo", detect.TOO_SMALL),
    Rule(
        "cut off", "invented", "above", 0.25, "share of the crop",
        "The photo cuts the head off ({value:.1%} of the crop would be invented, at most {threshold:.0%} may be).",
    ),
    Rule(
        "landmarks", "pose_error", "above", MAX_POSE_ERROR, "share of the crop's side",
        "Eyes, nose and mouth do not lie as in a face ({value:.1%} off, at most {threshold:.0%}); "
        "the detector may have erred.",
    ),
    Rule(
        "dark", "exposure", "below", 0.06, "share of white",
        "The face is too dark ({value:.1%} of white, at least {threshold:.0%} is needed).",
    ),
    Rule(
        "bright", "exposure", "above", 0.94, "share of white",
        "The face is too bright ({value:.1%} of white, at most {threshold:.0%} may be).",
    ),
    Rule(
        "blur", "sharpness", "below", 20.0, "variance of the Laplacian at 128 px",
        "The face is blurred (sharpness {value:.1f}, at least {threshold:.0f} is needed).",
    ),
    Rule(
        "grey", "saturation", "below", 0.014, "CIELAB units of 100",
        "The photo is grey or of one tint ({value:.1%} of colour, at least {threshold:.1%} is needed): "
        "it would teach grey skin.",
    ),
    Rule(
        "eyes", "shut", "above", MAX_SHUT, "probability",
        "The eyes are closed (probability {value:.1%}, at most {threshold:.0%} may be).",
    ),
    Rule(  # at 0.016 it found twice as many covers, and left out dark skins' photos twice as often as others'
        "unsure", "scatter", "above", 0.025, "share of the crop's side",
        "Something may cover the face: the detector is unsure of it ({value:.1%}, at most {threshold:.1%} may be).",
    ),
)  # fmt: skip


def why_unusable(quality: Quality) -> tuple[str, str] | None:
    """The name of the first rule that leaves a crop of this quality out and the sentence that says why, or None."""
    return next(((rule.name, rule.sentence(quality)) for rule in RULES if rule.broken(quality)), None)


def standard(picture: Float[Tensor, "1 3 h w"]) -> Colours:
    """The crop in 8-bit RGB at STANDARD_PX, from which the measures are taken."""
    pixels: Colours = image.to_uint8(image.resize(picture, STANDARD_PX))[0]
    return pixels


def grey(pixels: Colours) -> Grey:
    """The crop in 8-bit grey."""
    values: Grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return values


def sharpness(values: Grey) -> float:
    """Variance of the Laplacian of the face; blur lowers it."""
    face = np.ascontiguousarray(values[FACE_SHARE, FACE_SHARE])
    return float(cv2.Laplacian(face, cv2.CV_64F).var())


def exposure(values: Grey) -> float:
    """Mean grey value of the face, 0 black to 1 white."""
    return float(values[FACE_SHARE, FACE_SHARE].mean() / 255)


def saturation(pixels: Colours) -> float:
    """How far the crop's colours depart from a single tint: CIELAB's a and b about their means at equal lightness, RMS.

    0 is grey, and whatever is toned as a whole (sepia, a faded print), which a mean saturation takes for colour. In
    units of 100. The picture is reduced first, as JPEG's colours are noisy.
    """
    small = cv2.resize(pixels, (TINT_PX, TINT_PX), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    levels = np.array_split(lab[lab[:, 0].argsort(kind="stable"), 1:], LEVELS)
    return float(np.sqrt(np.mean([level.var(0).sum() for level in levels])) / 100)


def scatter(spread: float, probability: float, yaw_degrees: float) -> float:
    """How unsure the detector's views are of a face: their `spread` (share of the crop's side) plus their mean doubt.

    Both grow as a head turns with nothing before it, about threefold to the profile: told is what they would be from
    the front.
    """
    return (spread + 1 - probability) / (1 + 2 * abs(yaw_degrees) / 90)
