"""People side by side, on paper and in a film, and who cannot be."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import poses

from selfsame.core import image, rng, video
from selfsame.core.camera import orbit
from selfsame.core.errors import BadInput, WrongUse
from selfsame.faces import draw
from selfsame.jobs import together
from selfsame.nets.lora import LowRankConfig
from selfsame.tasks import model, personal
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import QUICK, PersonalConfig
from selfsame.tasks.prior import Prior, load_prior


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior()


@torch.no_grad()
def person(folder: Path, prior: Prior, seed: int, config: PersonalConfig = QUICK) -> Path:
    net = personal.prepare(prior.net, config).requires_grad_(False)
    g = rng.generator(seed, "person")
    for tensor in personal.trained_tensors(net, config).values():
        tensor += 0.005 * torch.randn(tensor.shape, generator=g)
    card = model.model_card(config, prior, "d" * 64, "selfsame fit toy")
    model.save(folder, PersonalModel(net, prior.draw(2, seed), poses(2), card), config, ["a", "b"], half=True)
    return folder


def test_a_sheet_shows_each_person_in_the_same_views(prior: Prior, tmp_path: Path) -> None:
    folders = [person(tmp_path / name, prior, seed) for seed, name in enumerate(("ada", "bo"))]
    told: list[tuple[int, int]] = []
    path = together.draw(
        ["ada", "bo"], folders, tmp_path / "sheet.png", 2, progress=lambda _, done, total: told.append((done, total))
    )
    sheet = image.load(path)
    assert sheet.shape == (1, 3, 2 * 128 + 2, 2 * 128 + 2)
    assert told == [(0, 2), (1, 2), (2, 2)]
    for column, (name, folder) in enumerate(zip(("ada", "bo"), folders, strict=True)):
        alone = model.load(folder, prior)
        for row, picture in enumerate(alone.render(alone.anchors[[alone.most_frontal()]], orbit(2)).image):
            place = sheet[:, :, 130 * row : 130 * row + 128, 130 * column : 130 * column + 128]
            expected = draw.captioned(picture[None], name, 128).clamp(-1, 1)
            assert (place - expected).abs().max() <= 2 / 127.5, f"{name} in view {row}"


def test_a_film_has_its_frames(prior: Prior, tmp_path: Path) -> None:
    folder = person(tmp_path / "ada", prior, 0)
    path = together.draw(["ada", "ada"], [folder, folder], tmp_path / "film.mp4", 3)
    assert [frame.pixels.shape for frame in video.frames(path)] == [(128, 258, 3)] * 3


def test_who_cannot_stand_side_by_side(prior: Prior, tmp_path: Path) -> None:
    ada = person(tmp_path / "ada", prior, 0)
    four = person(tmp_path / "four", prior, 1, replace(QUICK, low_rank=LowRankConfig(4, 4.0)))
    full = person(tmp_path / "full", prior, 1, replace(QUICK, low_rank=None))
    other = Prior(prior.net, replace(prior.card, digest="e" * 64), prior.w_mean, prior.w_std)
    far = person(tmp_path / "far", other, 2)
    for name, folder, words in (
        ("bo", four, r"bo's model has rank 4, alpha 4, rule my3dgen, ada's rank 1, alpha 1, rule my3dgen\. Fit them"),
        ("bo", full, "was tuned in full and has no low-rank weights"),
        ("bo", far, r"bo's model was made on the prior eeeeeeeeeeee, ada's on starter-3d \(\w{12}\)\. Show people of"),
    ):
        with pytest.raises(BadInput, match=words):
            together.draw(["ada", name], [ada, folder], tmp_path / "x.png")
    with pytest.raises(WrongUse, match="two people or more"):
        together.draw(["ada"], [ada], tmp_path / "x.png")
    with pytest.raises(WrongUse, match=r"does not end in \.png or \.mp4"):
        together.draw(["ada", "ada"], [ada, ada], tmp_path / "x.gif")
    assert not (tmp_path / "x.png").exists()
