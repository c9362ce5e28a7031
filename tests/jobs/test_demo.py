"""The demo from end to end on a tiny prior: real detection, real files, a page at the end."""

from pathlib import Path

import pytest
import torch
from helpers import tiny_judge, tiny_prior
from torch import Tensor

from selfsame.faces.album import Album
from selfsame.jobs import demo
from selfsame.jobs.fit import FitConfig
from selfsame.tasks.invert import InvertConfig
from selfsame.tasks.personal import PersonalConfig
from selfsame.world import person

CONFIG = FitConfig(
    InvertConfig(space="w_plus", steps=2, noise=0.0, perceptual=0.0, rays=16, depth_samples=4, importance_samples=0),
    PersonalConfig(steps=2, batch=2, depth_samples=4, importance_samples=0, save_every=2),
)
PHOTOS = 6


@pytest.fixture(autouse=True)
def two_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos change sides with the bytes of their JPEG; here the last two are held back whatever wrote them."""

    def split(album: Album, held_back: float = 0.2) -> tuple[Tensor, Tensor]:
        count = len(album.kept)
        return torch.arange(count - 2), torch.arange(count - 2, count)

    monkeypatch.setattr(Album, "split", split)


def test_a_person_who_does_not_exist_becomes_a_report(tmp_path: Path) -> None:
    stages: list[str] = []

    def run() -> demo.Demo:
        return demo.demo(
            tmp_path, tiny_prior(), tiny_judge(), seed=3, photos=PHOTOS, config=CONFIG,
            progress=lambda stage, done, total: stages.append(stage),
        )  # fmt: skip

    first = run()
    page = first.report.read_text()
    assert first.report.parent == tmp_path
    for heading in ("Photos", "Held-back photos", "The same looks from a new view", "In three dimensions", "Quality"):
        assert f"<h2>{heading}" in page
    assert "95 %" in page
    assert len(first.measured) == 12
    assert {m.n for m in first.measured} == {2, 4}  # two held-back photos, each seen from two new views
    assert {"taking the photos in", "inverting the photos", "training the model", "writing the report"} <= set(stages)

    album = Album.open(next((tmp_path / "people").iterdir()))
    assert "does not exist" in album.record.consent.statement
    assert len(album.kept) >= 5
    assert all(33 <= photo.age_years <= 36 for photo in album.kept if photo.age_years is not None)

    stages.clear()
    again = run()
    assert again.measured == first.measured
    assert "training the model" not in stages


def test_kept_photos_find_their_looks_again(tmp_path: Path) -> None:
    taken = demo.take_in(tmp_path, 3, 3, tiny_judge(), lambda stage, done, total: None)
    which = torch.arange(len(taken.album.kept)).flip(0)
    files = [taken.album.kept[int(i)].file for i in which]
    wanted = person.select(taken.shoot.look, [int(name[6:9]) for name in files])
    assert torch.equal(person.encode(taken.looks(which)), person.encode(wanted))
    ages = [taken.album.kept[int(i)].age_years for i in which]
    assert ages == pytest.approx(taken.looks(which).age.years.tolist(), abs=0.02)
