"""Quality: blur lowers sharpness, each fault has its sentence."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from selfsame.core import image
from selfsame.faces import quality

GOOD = quality.Quality(
    sharpness=200, exposure=0.5, face_px=90, yaw_degrees=0, pitch_degrees=0, pose_error=0.01, invented=0, hash="0",
    saturation=0.3, scatter=0.01, lids=0.1,
)  # fmt: skip


def standard(pixels: np.ndarray) -> np.ndarray:
    return quality.standard(image.from_uint8(np.ascontiguousarray(pixels)))


def grey(pixels: np.ndarray) -> np.ndarray:
    return quality.grey(standard(pixels))


def test_blur_lowers_sharpness() -> None:
    face = astronaut()[40:220, 140:320]
    values = [quality.sharpness(grey(cv2.GaussianBlur(face, (0, 0), s) if s else face)) for s in (0, 1, 3, 8)]
    assert values == sorted(values, reverse=True)
    assert values[0] > quality.MIN_SHARPNESS > values[-1]


def test_exposure_is_the_mean_light() -> None:
    assert quality.exposure(grey(np.full((50, 50, 3), 51, np.uint8))) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"sharpness": 1.0}, "blurred"),
        ({"exposure": 0.01}, "too dark"),
        ({"exposure": 0.99}, "too bright"),
        ({"invented": 0.4}, "cuts the head off"),
        ({"pose_error": 0.2}, "do not lie as in a face"),
    ],
)
def test_each_fault_has_its_sentence(fault: dict[str, float], sentence: str) -> None:
    assert quality.why_unusable(GOOD) is None
    assert sentence in (quality.why_unusable(replace(GOOD, **fault)) or "")
