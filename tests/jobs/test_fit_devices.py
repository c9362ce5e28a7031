"""A fit by two processes is one process's; run as a script, by torchrun, this file is the fit that they share."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import poses, tiny_album, tiny_judge, tiny_prior
from safetensors.torch import load_file
from torch import nn

from selfsame.core import weights
from selfsame.core.errors import WrongUse
from selfsame.jobs import fit
from selfsame.jobs.fit import FitConfig, Fitted
from selfsame.tasks import anchors, model, personal
from selfsame.tasks.invert import InvertConfig
from selfsame.tasks.personal import PersonalConfig, Photos
from selfsame.train import devices, loop
from selfsame.train.devices import ALONE, Devices

TESTS = str(Path(__file__).parent.parent)
TRAIN = PersonalConfig(
    steps=4, batch=4, lr=0.01, depth_samples=6, importance_samples=4, save_every=2, symmetry_every=2, identity_every=3
)
CONFIG = FitConfig(
    InvertConfig(
        space="w_plus", steps=3, lr=0.05, noise=0.0, perceptual=0.0, rays=16, depth_samples=6, importance_samples=0,
        refine_camera=True,
    ),
    replace(TRAIN, batch=2, identity_every=0),
    held_back=0.3,
)  # fmt: skip


def trained(folder: Path, where: Devices) -> nn.Module:
    """In double precision, for Adam's first steps make much of gradients that are all rounding."""
    prior = tiny_prior()
    w_plus = prior.draw(6, 1).double()
    net, judge = prior.net.double(), tiny_judge().double()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            images = net(w_plus.flip(0), poses(6)).image
        return personal.personalize(net, Photos(w_plus, images, poses(6)), TRAIN, judge, folder, devices=where)
    finally:
        torch.set_default_dtype(torch.float32)


def fitted(folder: Path, where: Devices) -> Fitted:
    album = tiny_album(folder / f"toy {where.rank}", tiny_prior())
    return fit.fit(album, tiny_prior(), tiny_judge(), folder / "model", CONFIG, devices=where)


def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([TESTS, os.environ.get("PYTHONPATH", "")])}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", __file__]
    done = subprocess.run(
        [*launch, str(tmp_path / "two")], env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    alone = trained(tmp_path / "one" / "training", ALONE)
    start = personal.trained_tensors(personal.prepare(tiny_prior().net, TRAIN), TRAIN)
    one, two = (load_file(tmp_path / name / "training" / loop.CHECKPOINT_FILE) for name in ("one", "two"))
    assert one.keys() == two.keys() and one["weights/backbone.synthesis.b4.const"].dtype == torch.float64
    for name in personal.trained_tensors(alone, TRAIN):  # type: ignore[arg-type]
        key = f"weights/{name}"
        torch.testing.assert_close(two[key], one[key], atol=1e-6, rtol=1e-6, msg=lambda m, n=name: f"{n}: {m}")
    assert sum((one[f"weights/{name}"] - t).abs().max() > 1e-3 for name, t in start.items()) > 20
    histories = [loop.history(tmp_path / name / "training") for name in ("one", "two")]
    assert histories[0].keys() == histories[1].keys() >= {"symmetry", "identity"}
    for name, values in histories[0].items():
        assert histories[1][name] == pytest.approx(values, rel=1e-6, nan_ok=True)

    whole = fitted(tmp_path / "one", ALONE)
    shared = model.load(tmp_path / "two" / "model", tiny_prior())
    assert torch.equal(anchors.read(tmp_path / "two" / "model")[0], whole.photos.w_plus)
    pictures = [m.render(m.anchors, m.camera).image for m in (whole.model, shared)]
    torch.testing.assert_close(*pictures, atol=0.02, rtol=0)
    assert not list((tmp_path / "two").rglob(".*")), "a temporary file was left"


def test_how_it_was_computed_stands_on_the_card_and_older_runs_are_read_as_before(tmp_path: Path) -> None:
    how = Devices(precision="bf16", accumulate=2, recompute=True)
    made = fitted(tmp_path, how)
    card = weights.load(tmp_path / "model")[1]
    assert card.command == "selfsame fit toy 0 --precision bf16 --accumulate 2 --recompute"
    assert card.config.keys() == vars(TRAIN).keys()
    assert all(m.n == len(made.held_back.images) for m in made.measured if made.held_back)


def test_an_uneven_batch_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="A batch of 2 photos cannot be taken in 4 equal parts"):
        fitted(tmp_path, Devices(accumulate=4))
    assert not (tmp_path / "model").exists()


if __name__ == "__main__":
    torch.set_num_threads(1)
    both = devices.here()
    assert both.count == 2
    target = Path(sys.argv[1])
    trained(target / "training", both)
    told = fitted(target, both)
    assert len(told.measured) == 6
