"""Fitting, and all the ways in which it can be cut short; run as a script, this file is the fit that a test kills."""

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import tiny_album, tiny_judge, tiny_prior

from selfsame.core.errors import BadInput
from selfsame.faces.album import Album
from selfsame.jobs import fit
from selfsame.jobs.fit import FitConfig, Fitted
from selfsame.tasks import anchors, model
from selfsame.tasks.invert import InvertConfig
from selfsame.tasks.personal import PersonalConfig
from selfsame.train import loop

STEPS = 6
CONFIG = FitConfig(
    InvertConfig(
        space="w_plus", steps=4, lr=0.05, noise=0.0, perceptual=0.0, rays=16, depth_samples=6, importance_samples=0,
        refine_camera=True,
    ),
    PersonalConfig(
        steps=STEPS, batch=2, lr=0.01, symmetry_every=3, depth_samples=6, importance_samples=0, save_every=2
    ),
    held_back=0.3,
)  # fmt: skip


def fitted(album: Album, folder: Path, config: FitConfig = CONFIG, told: list[str] | None = None) -> Fitted:
    def tell(stage: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        if told is not None:
            told.append(stage)

    return fit.fit(album, tiny_prior(), tiny_judge(), folder, config, tell)


def left_behind(folder: Path) -> dict[str, bytes]:
    """What a fit leaves for good, byte by byte."""
    files = (anchors.ANCHORS_FILE, "weights.safetensors", "card.json", "fit.json", f"training/{loop.LOG_FILE}")
    return {name: (folder / name).read_bytes() for name in files}


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return tiny_album(tmp_path / "people" / "toy", tiny_prior())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted fit."""
    folder = tmp_path_factory.mktemp("whole")
    fitted(tiny_album(folder / "toy", tiny_prior()), folder / "model")
    return folder / "model"


def test_a_fit_leaves_a_model_that_loads_and_figures_of_photos_it_never_saw(album: Album, tmp_path: Path) -> None:
    made = fitted(album, tmp_path / "model")
    train, test = album.split(CONFIG.held_back)
    assert len(made.model.anchors) == len(train) >= fit.FEWEST_PHOTOS
    assert made.held_back is not None and len(made.held_back.images) == len(test) > 0
    for picture in made.held_back.images:
        assert all(not torch.equal(picture, other) for other in made.photos.images), "a held-back photo is trained on"
    assert len(made.measured) == 6
    assert all(m.low <= m.mean <= m.high and m.n == len(test) for m in made.measured)
    assert {m.name.split(":")[0] for m in made.measured} == {"un-personalized prior", "personal model"}
    loaded = model.load(tmp_path / "model", tiny_prior())
    a, b = (m.render(m.anchors, m.camera).image for m in (made.model, loaded))
    assert torch.equal(a, b)
    assert loaded.card.command.startswith("selfsame fit toy")
    assert made.numbers > 0


def test_the_same_call_again_does_no_work_and_changes_nothing(album: Album, tmp_path: Path) -> None:
    one = fitted(album, tmp_path / "model")
    before = left_behind(tmp_path / "model")
    told: list[str] = []
    two = fitted(album, tmp_path / "model", told=told)
    assert left_behind(tmp_path / "model") == before
    assert torch.equal(one.photos.w_plus, two.photos.w_plus)
    assert one.measured == two.measured
    assert not {"training the model", "inverting the photos"} & set(told)


def test_too_few_photos_are_refused(tmp_path: Path) -> None:
    album = tiny_album(tmp_path / "toy", tiny_prior(), count=2)
    with pytest.raises(BadInput, match="toy has 2 usable photos; a model needs at least 3"):
        fitted(album, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_few_photos_are_all_trained_on(tmp_path: Path) -> None:
    album = tiny_album(tmp_path / "toy", tiny_prior(), count=3)
    made = fitted(album, tmp_path / "model", replace(CONFIG, held_back=0.9))
    assert len(made.photos.images) == 3
    assert made.held_back is None
    assert made.measured == ()


def test_a_folder_belongs_to_one_configuration_prior_and_album(album: Album, tmp_path: Path, whole: Path) -> None:
    other = replace(CONFIG, personal=replace(CONFIG.personal, lr=0.02))
    with pytest.raises(BadInput, match="model of another configuration"):
        fitted(album, whole, other)
    with pytest.raises(BadInput, match="model of another prior"):
        fit.fit(album, tiny_prior(3), tiny_judge(), whole, CONFIG)
    with pytest.raises(BadInput, match="model of other photos"):
        fitted(tiny_album(tmp_path / "other", tiny_prior(), seed=1), whole)


def test_a_killed_fit_goes_on_to_the_same_model(album: Album, tmp_path: Path, whole: Path) -> None:
    folder = tmp_path / "model"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, __file__, str(album.path), str(folder), "3"]
    assert subprocess.run(command, env=environment, timeout=120, check=False).returncode == -signal.SIGKILL
    assert (folder / "training" / loop.CHECKPOINT_FILE).exists()
    assert not (folder / "weights.safetensors").exists()
    fitted(album, folder)
    assert left_behind(folder) == left_behind(whole)


def test_a_fit_stopped_while_inverting_goes_on_to_the_same_model(album: Album, tmp_path: Path, whole: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("inverting the photos", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit.fit(album, tiny_prior(), tiny_judge(), tmp_path / "model", CONFIG, stop)
    assert not (tmp_path / "model" / anchors.ANCHORS_FILE).exists()
    fitted(album, tmp_path / "model")
    assert left_behind(tmp_path / "model") == left_behind(whole)


@pytest.mark.parametrize("writes", [0, 3, 8])
def test_a_full_disk_is_said_and_the_next_call_finishes(
    album: Album, tmp_path: Path, whole: Path, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, done = os.fsync, 0

    def fsync(file: int) -> None:
        nonlocal done
        if done == writes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done += 1
        real(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(BadInput, match=r"cannot be written \(No space left on device\)\. Free some space"):
            fitted(album, tmp_path / "model")
    assert not list((tmp_path / "model").rglob(".*")), "a temporary file was left"
    fitted(album, tmp_path / "model")
    assert left_behind(tmp_path / "model") == left_behind(whole)


def test_mirrored_copies_have_anchors_of_their_own(album: Album, tmp_path: Path) -> None:
    done = fitted(album, tmp_path / "model", replace(CONFIG, mirror=True))
    half = len(done.photos.images) // 2
    assert half == len(album.split(CONFIG.held_back)[0])
    assert torch.equal(done.photos.images[half:], done.photos.images[:half].flip(-1))
    assert not torch.allclose(done.photos.w_plus[half:], done.photos.w_plus[:half])


def test_the_perceptual_term_moves_the_anchors(album: Album, tmp_path: Path) -> None:
    """The published projection has no pixel term: without the judge's features nothing would be optimised."""
    invert = replace(CONFIG.invert, pixel=0.0, perceptual=1.0, rays=0, refine_camera=False, importance_samples=0)
    done = fitted(album, tmp_path / "model", replace(CONFIG, invert=invert))
    assert (done.photos.w_plus - tiny_prior().w_mean).abs().max() > 1e-3


if __name__ == "__main__":
    torch.set_num_threads(2)
    path, target, last_step = sys.argv[1:]

    def die(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("training the model", int(last_step)):
            os.kill(os.getpid(), signal.SIGKILL)

    fit.fit(Album.open(path), tiny_prior(), tiny_judge(), Path(target), CONFIG, die)
