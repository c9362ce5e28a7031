"""How good a crop is for training."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from selfsame.core import image
from selfsame.core.config import STRICT

Grey = UInt8[np.ndarray, "128 128"]

STANDARD_PX = 128  # every measure is taken at this size, so that numbers of different photos compare
FACE_SHARE = slice(STANDARD_PX // 4, 3 * STANDARD_PX // 4)  # the middle of an aligned crop: skin, not background

MIN_SHARPNESS = 12.0
DARK, BRIGHT = 0.06, 0.94
MAX_INVENTED = 0.25
MAX_POSE_ERROR = 0.06


@dataclass(frozen=True)
class Quality:
    """Measures of one crop: Laplacian variance, mean light in [0, 1], box side in photo px, degrees, shares.

    `saturation` is the mean colour of the face in [0, 1], `scatter` by how much the detector's views disagree on the
    landmarks in shares of the crop's side, `lids` how far the eyes are closed in [0, 1]; null where not measured.
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
    lids: float | None


def grey(picture: Float[Tensor, "1 3 h w"]) -> Grey:
    """The crop in 8-bit grey at STANDARD_PX, from which the measures are taken."""
    values: Grey = cv2.cvtColor(image.to_uint8(image.resize(picture, STANDARD_PX))[0], cv2.COLOR_RGB2GRAY)
    return values


def sharpness(values: Grey) -> float:
    """Variance of the Laplacian of the face; blur lowers it."""
    face = np.ascontiguousarray(values[FACE_SHARE, FACE_SHARE])
    return float(cv2.Laplacian(face, cv2.CV_64F).var())


def exposure(values: Grey) -> float:
    """Mean grey value of the face, 0 black to 1 white."""
    return float(values[FACE_SHARE, FACE_SHARE].mean() / 255)


def why_unusable(quality: Quality) -> tuple[str, str] | None:
    """The rule that leaves a crop of this quality out and the sentence that says why, or None."""
    sentence = _sentence(quality)
    return ("quality", sentence) if sentence else None


def _sentence(quality: Quality) -> str | None:
    if quality.invented > MAX_INVENTED:
        return f"The photo cuts the head off ({quality.invented:.0%} of the crop would be invented)."
    if quality.pose_error > MAX_POSE_ERROR:
        return "Eyes, nose and mouth do not lie as in a face; the detector may have erred."
    if not DARK < quality.exposure < BRIGHT:
        return f"The face is too {'dark' if quality.exposure <= DARK else 'bright'} ({quality.exposure:.0%} of white)."
    if quality.sharpness < MIN_SHARPNESS:
        return f"The face is blurred (sharpness {quality.sharpness:.0f}, at least {MIN_SHARPNESS:.0f} is needed)."
    return None
