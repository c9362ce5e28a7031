"""Published checkpoints of detectors: read without running them, filled exactly, judged as they are or trained on."""

from pathlib import Path

import pytest
import torch
from detect_toys import config, examples
from safetensors.torch import save_file

from selfsame.core.errors import BadInput
from selfsame.detectors import checkpoint, table, tall
from selfsame.jobs import published
from selfsame.tasks import detect, detector, pretrained


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint of a small TALL as repositories write them: nested, and under DataParallel's names."""
    as_ours = {"tall-small": lambda tensors: checkpoint.checked(tensors, tall.small, "tall-small")}
    monkeypatch.setattr(table, "PUBLISHED", as_ours)
    torch.manual_seed(5)
    tensors = {f"module.{name}": tensor for name, tensor in tall.small().state_dict().items()}
    torch.save({"model": tensors, "epoch": 3}, tmp_path / "tall.pth")
    return tmp_path / "tall.pth"


def test_without_steps_a_checkpoint_is_taken_as_it_is_and_calibrated(released: Path, tmp_path: Path) -> None:
    plain = published.ready("tall-small", released, tmp_path)
    assert plain and plain.suffix == ".safetensors" and published.ready("tall-small", plain, tmp_path) == plain
    written = plain.stat().st_mtime_ns
    assert published.ready("tall-small", released, tmp_path) == plain and plain.stat().st_mtime_ns == written
    asked = config("tall-small", steps=0)
    made = detect.train(tmp_path / "model", examples(0, 8), examples(100, 12), asked, backbone=plain)
    torch.manual_seed(5)
    for name, tensor in tall.small().state_dict().items():
        assert torch.equal(made.net.state_dict()[name], tensor)
    assert made.parts.step == 0 and made.parts.calibration != detector.Calibration()
    again = detector.load(tmp_path / "model")
    crops = examples(300, 1)[0].crops()
    assert (again.judge(crops) == made.judge(crops)).all()


def test_a_training_begins_at_the_checkpoint(released: Path, tmp_path: Path) -> None:
    asked = config("tall-small", steps=1, batch=4, select_every=1, lr=1e-9)
    plain = published.ready("tall-small", released, tmp_path)
    made = detect.train(tmp_path / "model", examples(0, 8), examples(100, 4), asked, backbone=plain)
    torch.manual_seed(5)
    torch.testing.assert_close(made.net.head.weight, tall.small().head.weight, atol=1e-6, rtol=0)


def test_files_of_other_networks_are_refused(released: Path, tmp_path: Path) -> None:
    for wrong in ({}, {"head.weight": torch.zeros(2, 96)}, {"state_dict": 3}):
        torch.save(wrong, tmp_path / "wrong.pth")
        with pytest.raises(BadInput, match="missing"):
            published.ready("tall-small", tmp_path / "wrong.pth", tmp_path)
    with pytest.raises(BadInput, match="No published checkpoint of cnn-small"):
        published.ready("cnn-small", released, tmp_path)
    cut = tmp_path / "cut.pth"
    cut.write_bytes(released.read_bytes()[:5000])
    with pytest.raises(BadInput):
        published.ready("tall-small", cut, tmp_path)
    net = table.build("tall-small")
    cut.rename(tmp_path / "cut.safetensors")
    with pytest.raises(BadInput, match="cannot be read as safetensors"):
        pretrained.load(net, "tall-small", tmp_path / "cut.safetensors")
    save_file({"head.weight": torch.zeros(1, 96)}, tmp_path / "part.safetensors")
    with pytest.raises(BadInput, match="another network than tall-small"):
        pretrained.load(net, "tall-small", tmp_path / "part.safetensors")
