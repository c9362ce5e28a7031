"""Fitting a time machine: whose photos count, what is measured on photos it never saw, and how it can be cut short."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from encoder_toys import tiny_age_judge, tiny_sam
from helpers import tiny_album, tiny_judge, tiny_prior

from selfsame.core.errors import BadInput
from selfsame.faces.album import Album
from selfsame.jobs import age_fit, age_pages
from selfsame.nets.age_adapter import AdapterConfig
from selfsame.tasks import anchors, time_machine
from selfsame.tasks.personal_aging import AgedPhotos, PersonalAgingConfig
from selfsame.tasks.reage import Sam
from selfsame.tasks.time_machine import TimeMachine

CONFIG = PersonalAgingConfig(
    adapter=AdapterConfig(styles=8, w_dim=16, bottleneck=4, shared=4, age=4, hidden=4),
    steps=4, batch=2, optimizer="adam", lr=0.01, face_identity=False, save_every=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def sam() -> Sam:
    return tiny_sam()


def album_of_ages(path: Path, ages: list[float | None]) -> Album:
    """A toy album whose photos have these ages, in turn."""
    album = tiny_album(path, tiny_prior())
    photos = [replace(p, age_years=ages[i % len(ages)]) for i, p in enumerate(album.record.photos)]
    album.record = replace(album.record, photos=tuple(photos))
    return album


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return album_of_ages(tmp_path / "toy", [30.2, 34.6, 41.0, 55.9, 60.0])


def fit(album: Album, sam: Sam, folder: Path, stop: int = 0, config: PersonalAgingConfig = CONFIG) -> age_fit.Fitted:
    def told(stage: str, done: int, total: int) -> None:
        if done == stop and stop:
            raise InterruptedError(stage)

    return age_fit.fit(album, sam, tiny_judge(), tiny_age_judge(), folder, config, held_back=0.4, progress=told)


def test_a_fit_leaves_a_machine_that_loads_and_figures_of_photos_it_never_saw(
    album: Album, sam: Sam, tmp_path: Path
) -> None:
    made = fit(album, sam, tmp_path / "m")
    _, test = album.split(0.4)
    assert len(made.held_back.images) == len(test) > 1
    assert made.photos.years.max() <= 60 and 35 in [*made.photos.years.tolist(), *made.held_back.years.tolist()]
    names = {m.name.split(":")[0] for m in made.measured}
    assert names == {"global prior", "personal model"} and len(made.measured) == 4
    again = time_machine.load(tmp_path / "m", sam)
    assert len(anchors.read(tmp_path / "m")[0]) == len(anchors.ids_of(tmp_path / "m")) == len(made.photos.images)
    assert torch.equal(again.reage(made.photos.images, 50), made.machine.reage(made.photos.images, 50))
    page = age_pages.fit_page(tmp_path / "m", album, made).read_text()
    assert "global prior, photo at" in page and "personal model, photo at" in page and "Quality" in page


def test_a_stopped_fit_goes_on_to_the_same_machine(album: Album, sam: Sam, tmp_path: Path) -> None:
    fit(album, sam, tmp_path / "whole")
    with pytest.raises(InterruptedError):
        fit(album, sam, tmp_path / "cut", stop=3)
    fit(album, sam, tmp_path / "cut")
    one, other = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "cut"))
    assert one == other


def test_photos_without_an_age_are_counted_and_not_used(sam: Sam, tmp_path: Path) -> None:
    album = album_of_ages(tmp_path / "toy", [30.0, None, 50.0])
    made = fit(album, sam, tmp_path / "m")
    unknown = sum(p.age_years is None for p in album.kept)
    assert made.without_age == unknown > 0
    assert len(made.photos.images) + len(made.held_back.images) == len(album.kept) - unknown


@pytest.mark.parametrize(
    ("ages", "answer"), [([None], "0 usable photos of known age"), ([40.0, 40.3, None], "one age")]
)
def test_albums_that_cannot_tell_how_somebody_ages(
    ages: list[float | None], answer: str, sam: Sam, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=answer):
        fit(album_of_ages(tmp_path / "toy", ages), sam, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_folder_keeps_its_photos_and_settings(album: Album, sam: Sam, tmp_path: Path) -> None:
    fit(album, sam, tmp_path / "m")
    with pytest.raises(BadInput, match="another configuration"):
        fit(album, sam, tmp_path / "m", config=replace(CONFIG, personal=2.0))
    older = album_of_ages(tmp_path / "older", [31.0, 34.6, 41.0, 55.9, 60.0])
    with pytest.raises(BadInput, match="other photos"):
        fit(older, sam, tmp_path / "m")


def test_held_back_photos_are_taken_to_the_farthest_age_and_never_compared_with_themselves(sam: Sam) -> None:
    """Two photos of one age and one far away: all three targets are known, and each is told by another photo."""
    images = torch.rand(3, 3, 32, 32) * 2 - 1
    measured = age_fit.measure(
        TimeMachine(sam), AgedPhotos(images, torch.tensor([30, 31, 60])), tiny_judge(), tiny_age_judge()
    )
    assert [m.n for m in measured] == [3, 3, 3, 3]
    assert measured[0].mean == measured[2].mean  # without an adapter the personal machine is the global prior
    assert age_fit.measure(TimeMachine(sam), AgedPhotos(images[:1], torch.tensor([30])), tiny_judge(),
                           tiny_age_judge()) == ()  # fmt: skip
