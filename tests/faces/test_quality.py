"""Quality rules: each finds its fault and passes a good face; blur lowers sharpness, one tint has no colour."""

import re
from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from selfsame.core import image
from selfsame.faces import intake, quality
from selfsame.faces.quality import RULES, Quality

GOOD = Quality(
    sharpness=200, exposure=0.5, face_px=90, yaw_degrees=0, pitch_degrees=0, pose_error=0.01, invented=0, hash="0",
    saturation=0.3, scatter=0.01, shut=0.1,
)  # fmt: skip
FACE = astronaut()[40:220, 140:320]


def standard(pixels: np.ndarray) -> np.ndarray:
    return quality.standard(image.from_uint8(np.ascontiguousarray(pixels)))


def grey(pixels: np.ndarray) -> np.ndarray:
    return quality.grey(standard(pixels))


def tinted(dark: tuple[int, int, int], light: tuple[int, int, int], jpeg: int) -> np.ndarray:
    """The portrait in one tint, saved as JPEG."""
    shade = cv2.cvtColor(np.ascontiguousarray(FACE), cv2.COLOR_RGB2GRAY)[..., None] / 255
    toned = (np.array(dark) + (np.array(light) - dark) * shade).astype(np.uint8)
    coded = cv2.imencode(".jpg", toned[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, jpeg])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1]


def limit(measure: str) -> float:
    """The only threshold of a measure."""
    (found,) = [rule.threshold for rule in RULES if rule.measure == measure]
    return found


def test_blur_lowers_sharpness() -> None:
    values = [quality.sharpness(grey(cv2.GaussianBlur(FACE, (0, 0), s) if s else FACE)) for s in (0, 1, 3, 8)]
    assert values == sorted(values, reverse=True)
    assert values[0] > limit("sharpness") > values[-1]


def test_exposure_is_the_mean_light() -> None:
    assert quality.exposure(grey(np.full((50, 50, 3), 51, np.uint8))) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(
    ("dark", "light"), [((0, 0, 0), (255, 255, 255)), ((35, 20, 8), (255, 240, 205)), ((10, 30, 60), (220, 240, 255))]
)
def test_a_photo_of_one_tint_has_no_colour_and_a_portrait_has(
    dark: tuple[int, int, int], light: tuple[int, int, int]
) -> None:
    assert quality.saturation(standard(tinted(dark, light, 60))) < limit("saturation")
    assert quality.saturation(standard(FACE)) > 2 * limit("saturation")


def test_scatter_adds_doubt_to_disagreement_and_allows_for_the_view() -> None:
    assert quality.scatter(0.01, 0.98, 0.0) == pytest.approx(0.03)
    assert quality.scatter(0.01, 0.98, 45.0) == quality.scatter(0.01, 0.98, -45.0) == pytest.approx(0.015)


def test_a_good_face_breaks_no_rule_and_a_covered_one_is_unsure() -> None:
    photo = astronaut()
    found = intake.measure(photo, 128).quality
    assert quality.why_unusable(found) is None
    covered = photo.copy()
    cv2.ellipse(covered, (222, 138), (40, 34), 0, 0, 360, (120, 125, 130), -1)  # mouth and nose
    worse = intake.measure(covered, 128).quality
    assert worse.scatter is not None and found.scatter is not None
    assert worse.scatter > limit("scatter") > found.scatter


def test_the_table_is_complete() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert {rule.measure for rule in RULES} <= {item.name for item in fields(Quality)}
    assert names == ["size", "cut off", "landmarks", "dark", "bright", "blur", "grey", "eyes", "unsure"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_has_a_sentence_with_value_and_threshold(rule: quality.Rule) -> None:
    assert quality.why_unusable(GOOD) is None
    bad = {"below": 0.5, "above": 1.03}[rule.wrong] * rule.threshold
    name, sentence = quality.why_unusable(replace(GOOD, **{rule.measure: bad})) or ("", "")
    assert name == rule.name
    said = [float(number) for number in re.findall(r"[0-9]+(?:\.[0-9]+)?", sentence)]
    scale = 100 if "%" in sentence else 1
    assert said[0] == pytest.approx(scale * bad, rel=0.05) and said[1] == pytest.approx(scale * rule.threshold)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_value_at_the_threshold_passes(rule: quality.Rule) -> None:
    assert not rule.broken(replace(GOOD, **{rule.measure: rule.threshold}))


def test_rules_pass_over_what_an_old_album_did_not_measure() -> None:
    assert quality.why_unusable(replace(GOOD, saturation=None, scatter=None, shut=None)) is None


def test_the_first_of_several_faults_is_told() -> None:
    both = replace(GOOD, sharpness=1.0, invented=0.5)
    assert (quality.why_unusable(both) or ("", ""))[0] == "cut off"
