"""Fitting in two dimensions: what a fit leaves, what it is measured with, and how it can be cut short."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from encoder_toys import tiny_sam
from helpers import tiny_album, tiny_judge, tiny_prior

from selfsame.core.errors import BadInput, WrongUse
from selfsame.faces.album import Album
from selfsame.jobs import fit2d, pages, showing
from selfsame.jobs.fit2d import Fit2DConfig, Fitted2D
from selfsame.tasks import anchors, model2d
from selfsame.tasks.personal2d import TuningConfig
from selfsame.tasks.reage import Sam

CONFIG = Fit2DConfig(TuningConfig(steps=4, batch=2, lr=0.01, save_every=2), held_back=0.4)


@pytest.fixture(scope="module")
def sam() -> Sam:
    return tiny_sam()


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return tiny_album(tmp_path / "people" / "toy", tiny_prior())


def fit(album: Album, sam: Sam, folder: Path, stop: int = 0, config: Fit2DConfig = CONFIG) -> Fitted2D:
    def told(stage: str, done: int, total: int) -> None:
        if stop and done == stop:
            raise InterruptedError(stage)

    return fit2d.run(album, sam, tiny_judge(), folder, config, told)


def test_a_fit_leaves_a_model_that_loads_and_figures_of_photos_it_never_saw(
    album: Album, sam: Sam, tmp_path: Path
) -> None:
    before = {name: t.clone() for name, t in sam.decoder.state_dict().items()}
    made = fit(album, sam, tmp_path / "m")
    assert all(torch.equal(before[name], t) for name, t in sam.decoder.state_dict().items())
    train, test = album.split(0.4)
    assert len(made.photos) == len(train) and len(made.held_back) == len(test) > 0
    assert anchors.ids_of(tmp_path / "m") == [album.kept[i].id for i in train]
    again = model2d.load(tmp_path / "m", sam.decoder, model2d.prior_digest(sam))
    assert torch.equal(again.anchors, made.photos.w_plus)
    shown = again.portraits(again.anchors)
    assert torch.equal(shown, made.model.portraits(again.anchors))
    assert not torch.equal(shown, model2d.draw(sam.decoder, again.anchors))
    assert {m.name.split(":")[0] for m in made.measured} == {"un-personalized prior", "personal model"}
    page = pages.fit2d_page(tmp_path / "m", album, made).read_text()
    assert "Held-back photos" in page and f"{made.numbers:,} numbers" in page


def test_tuning_brings_pictures_nearer_to_the_photos(album: Album, sam: Sam, tmp_path: Path) -> None:
    longer = replace(CONFIG, tuning=replace(CONFIG.tuning, steps=40))
    made = fit(album, sam, tmp_path / "m", config=longer)
    wanted, codes = made.photos.images, made.photos.w_plus
    before, after = (
        float((model2d.draw(net, codes) - wanted).square().mean()) for net in (sam.decoder, made.model.net)
    )
    assert after < 0.6 * before


def test_a_stopped_fit_goes_on_to_the_same_model(album: Album, sam: Sam, tmp_path: Path) -> None:
    fit(album, sam, tmp_path / "whole")
    with pytest.raises(InterruptedError):
        fit(album, sam, tmp_path / "cut", stop=3)
    fit(album, sam, tmp_path / "cut")
    one, other = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "cut"))
    assert one == other


def test_a_folder_keeps_its_settings_and_its_prior(album: Album, sam: Sam, tmp_path: Path) -> None:
    fit(album, sam, tmp_path / "m")
    with pytest.raises(BadInput, match="another configuration"):
        fit(album, sam, tmp_path / "m", config=replace(CONFIG, held_back=0.3))
    with pytest.raises(BadInput, match="was made on the prior"):
        model2d.load(tmp_path / "m", sam.decoder, "b" * 64)


def test_what_a_2d_model_shows(album: Album, sam: Sam, tmp_path: Path) -> None:
    made = fit(album, sam, tmp_path / "m").model
    assert showing.samples(made, tmp_path / "s.png", 2, 0).exists()
    assert showing.interpolation(made, tmp_path / "i.mp4", "0", "1", 3).exists()
    with pytest.raises(WrongUse, match="cannot turn heads"):
        showing.orbit(made, tmp_path / "o.mp4", 3, "0")
    with pytest.raises(WrongUse, match="cannot turn heads"):
        showing.mesh(made, tmp_path / "o.glb", "0")
