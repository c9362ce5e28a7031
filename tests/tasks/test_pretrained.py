"""Published checkpoints of detectors: read without running them, filled exactly, judged as they are or trained on."""

from pathlib import Path

import pytest
import torch
from detect_toys import config, examples

from selfsame.core.errors import BadInput
from selfsame.detectors import table, tall
from selfsame.tasks import detect, detector, pretrained


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint of a small TALL as its repository writes them: nested, and under DataParallel's names."""
    monkeypatch.setattr(table, "PUBLISHED", {"tall-small": lambda tensors: dict(tensors)})
    torch.manual_seed(5)
    tensors = {f"module.{name}": tensor for name, tensor in tall.small().state_dict().items()}
    torch.save({"model": tensors, "epoch": 3}, tmp_path / "tall.pth")
    return tmp_path / "tall.pth"


def test_without_steps_a_checkpoint_is_taken_as_it_is_and_calibrated(published: Path, tmp_path: Path) -> None:
    asked = config("tall-small", steps=0)
    made = detect.train(tmp_path / "model", examples(0, 8), examples(100, 12), asked, backbone=published)
    torch.manual_seed(5)
    for name, tensor in tall.small().state_dict().items():
        assert torch.equal(made.net.state_dict()[name], tensor)
    assert made.parts.step == 0 and made.parts.calibration != detector.Calibration()
    again = detector.load(tmp_path / "model")
    crops = examples(300, 1)[0].crops()
    assert (again.judge(crops) == made.judge(crops)).all()


def test_a_training_begins_at_the_checkpoint(published: Path, tmp_path: Path) -> None:
    asked = config("tall-small", steps=1, batch=4, select_every=1, lr=1e-9)
    made = detect.train(tmp_path / "model", examples(0, 8), examples(100, 4), asked, backbone=published)
    torch.manual_seed(5)
    torch.testing.assert_close(made.net.head.weight, tall.small().head.weight, atol=1e-6, rtol=0)


def test_files_of_other_networks_are_refused(published: Path, tmp_path: Path) -> None:
    net = table.build("tall-small")
    for wrong, says in (({}, "lacks"), ({"head.weight": torch.zeros(2, 96)}, "lacks"), ({"state_dict": 3}, "lacks")):
        torch.save(wrong, tmp_path / "wrong.pth")
        with pytest.raises(BadInput, match=says):
            pretrained.load(net, "tall-small", tmp_path / "wrong.pth")
    with pytest.raises(BadInput, match="No published checkpoint of cnn-small"):
        pretrained.load(net, "cnn-small", published)
    cut = tmp_path / "cut.pth"
    cut.write_bytes(published.read_bytes()[:5000])
    with pytest.raises(BadInput):
        pretrained.load(net, "tall-small", cut)
