"""One photo at many ages: files, the photo around the face untouched, and what cannot be rendered."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from encoder_toys import sam_card, tiny_encoder, tiny_image_prior, tiny_inversion
from PIL import Image

from selfsame.core import video
from selfsame.core.errors import BadInput
from selfsame.faces import paste
from selfsame.jobs import age_render
from selfsame.tasks.reage import Sam
from selfsame.tasks.time_machine import TimeMachine
from selfsame.world import album as world

AGES = [20, 50, 80]


@pytest.fixture(scope="module")
def machine() -> TimeMachine:
    prior = tiny_image_prior()
    return TimeMachine(
        Sam(tiny_encoder(channels=4, seed=3), tiny_inversion(prior), prior.net, replace(sam_card(), digest="a" * 64))
    )


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.shoot(5, 1, tmp_path_factory.mktemp("photos")).files[0]


@pytest.fixture(scope="module")
def rendered(machine: TimeMachine, photo: Path, tmp_path_factory: pytest.TempPathFactory) -> age_render.Rendered:
    folder = tmp_path_factory.mktemp("ages")
    return age_render.render(machine, age_render.sit(photo, machine), AGES, folder / "made", "a <photo>")


def test_every_age_has_its_picture_of_the_photos_size(rendered: age_render.Rendered, photo: Path) -> None:
    assert [p.name for p in rendered.pictures] == ["020.jpg", "050.jpg", "080.jpg"]
    assert {Image.open(p).size for p in rendered.pictures} == {Image.open(photo).size}
    assert Image.open(rendered.strip).width > 3 * Image.open(rendered.strip).height
    frames = list(video.frames(rendered.film))
    assert len(frames) == 2 * (2 * age_render.FRAMES_A_GAP + 1) + 2 * age_render.HOLD_FRAMES


def test_nothing_but_the_face_changes(machine: TimeMachine, photo: Path, tmp_path: Path) -> None:
    sitter = age_render.sit(photo, machine)
    made = age_render.render(machine, sitter, [60], tmp_path, "one")
    after = np.asarray(Image.open(made.pictures[0])).astype(int)
    outside = paste.mask(sitter.transform, sitter.face.shape[-1], after.shape) == 0
    assert np.abs(after - sitter.pixels)[outside].mean() < 1  # JPEG's own error
    assert np.abs(after - sitter.pixels)[~outside].mean() > 1.5


def test_the_page_stands_alone_and_names_every_age(rendered: age_render.Rendered) -> None:
    page = rendered.page.read_text()
    assert page.count("data:image/jpeg;base64,") == len(AGES)
    assert "a &lt;photo&gt;" in page and "[20, 50, 80]" in page
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?http""", page)


def test_only_the_crop_is_the_decoders_picture(machine: TimeMachine, photo: Path, tmp_path: Path) -> None:
    sitter = age_render.sit(photo, machine)
    made = age_render.render(machine, sitter, AGES, tmp_path, "crops", only_crop=True)
    assert [p.name for p in made.pictures] == ["020.png", "050.png", "080.png"]
    by_machine = machine.reage(sitter.face, 80)[0].permute(1, 2, 0).numpy() * 127.5 + 127.5
    assert np.abs(np.asarray(Image.open(made.pictures[2])) - by_machine).max() <= 1


def test_a_reduced_sitter_has_its_face_where_it_was(machine: TimeMachine, photo: Path) -> None:
    sitter = age_render.sit(photo, machine)
    small = sitter.reduced(100)
    assert max(small.pixels.shape[:2]) == 100
    scale = sitter.pixels.shape[1] / 100
    middle = np.array([40.0, 60.0])
    there = small.transform[:, :2] @ middle + small.transform[:, 2]
    here = sitter.transform[:, :2] @ ((middle + 0.5) * scale - 0.5) + sitter.transform[:, 2]
    assert np.allclose(there, here)
    assert sitter.reduced(5000).pixels is sitter.pixels


def test_a_picture_without_a_face_is_refused(machine: TimeMachine, tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), "gray").save(tmp_path / "wall.png")
    with pytest.raises(BadInput, match="No face"):
        age_render.sit(tmp_path / "wall.png", machine)
