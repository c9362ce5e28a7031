"""A user's own detector from one file: the documented example learns and is judged, and bad files are told apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from detect_toys import CROP, STILL, examples

from selfsame.core.errors import BadInput, WrongUse
from selfsame.detectors import explain, own, table
from selfsame.metrics import detection
from selfsame.tasks import detect, detector
from selfsame.tasks.detect_config import DetectConfig, preset

EXAMPLE = Path(__file__).parents[2] / "docs" / "own_detector.py"


def test_the_documented_example_learns_what_it_has_not_seen(tmp_path: Path) -> None:
    asked = replace(preset(str(EXAMPLE)), crop=CROP, augment=STILL, steps=40, batch=8, lr=3e-3, select_every=10)
    model = detect.train(tmp_path / "model", examples(0, 24), examples(100, 12), asked)
    again = detector.load(tmp_path / "model")
    shown = examples(300, 16)
    score = np.array([again.judge(e.crops()).mean() for e in shown])
    assert detection.auc(score, np.array([e.fake for e in shown])) > 0.8
    assert model.parts.training.code == own.digest(str(EXAMPLE))
    maps = explain.grad_cam(again.net, torch.rand(2, 4, 3, 112, 112) * 2 - 1, "both")
    assert maps.shape == (2, 4, 28, 28) and maps.abs().sum() > 0


def test_the_page_shows_the_example_as_it_is() -> None:
    assert EXAMPLE.read_text() in (EXAMPLE.parent / "detectors.md").read_text()


def test_a_file_that_was_changed_is_another_detector(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(EXAMPLE.read_text())
    asked = replace(preset(str(file)), crop=CROP, augment=STILL, steps=1, batch=4, select_every=1)
    detect.train(tmp_path / "model", examples(0, 8), examples(100, 4), asked)
    file.write_text(EXAMPLE.read_text() + "\n# changed\n")
    assert preset(str(file)).code != asked.code
    with pytest.raises(BadInput, match="was changed since"):
        detector.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("raise ValueError('no')", "does not run .ValueError: no"),
        ("x = 1", "has no detector"),
        ("def detector():\n    return 3", "gives no Detector"),
    ],
)
def test_files_that_give_no_detector_are_refused(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(BadInput, match=says):
        table.build(str(file))


def test_presets_and_paths_are_checked(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("PRESET = 3")
    with pytest.raises(BadInput, match="no DetectConfig"):
        preset(str(tmp_path / "mine.py"))
    with pytest.raises(WrongUse, match="does not exist"):
        table.build(str(tmp_path / "none.py"))
    with pytest.raises(WrongUse, match="There is no detector zzz"):
        preset("zzz")
    assert preset("cnn-small") == DetectConfig(**vars(preset("cnn-small")))
