"""What an update refuses, and the buffer that it keeps; what all kinds of model share is in test_learners."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import tiny_album, tiny_judge, tiny_prior

from selfsame.core import weights
from selfsame.core.errors import BadInput
from selfsame.faces.album import Album
from selfsame.faces.records import PhotoRecord
from selfsame.jobs import fit, history, lifelong
from selfsame.jobs.fit import FitConfig
from selfsame.jobs.learn_3d import Learner3D
from selfsame.jobs.lifelong import BufferConfig, Updated
from selfsame.replay.select import SELECTORS
from selfsame.tasks import anchors, model
from selfsame.tasks.invert import InvertConfig
from selfsame.tasks.personal import PersonalConfig

FIT = FitConfig(
    InvertConfig(space="w_plus", steps=2, lr=0.05, noise=0.0, perceptual=0.0, rays=16, depth_samples=6,
                 importance_samples=0),
    PersonalConfig(steps=4, batch=2, lr=0.01, depth_samples=6, importance_samples=0, save_every=2),
    held_back=0.3,
)  # fmt: skip
LEARNER = Learner3D(tiny_prior(), tiny_judge(), FIT)
CONFIG = BufferConfig("hull", 2)


@pytest.fixture
def person(tmp_path: Path) -> tuple[Album, list[PhotoRecord], list[PhotoRecord]]:
    """An album of twelve photos of three sessions, a model fitted on the first, and the records of the others."""
    album = tiny_album(tmp_path / "people" / "toy", tiny_prior(), count=12)
    photos = [replace(photo, session=i // 4) for i, photo in enumerate(album.record.photos)]
    album.rewrite(replace(album.record, photos=tuple(photos[:4])))
    fit.fit(album, tiny_prior(), tiny_judge(), tmp_path / "model", FIT)
    album.rewrite(replace(album.record, photos=tuple(photos)))
    return album, photos[4:8], photos[8:]


def update(album: Album, folder: Path, photos: list[PhotoRecord], config: BufferConfig = CONFIG) -> Updated:
    return lifelong.update(album, folder, photos, LEARNER, config)


def test_photos_learned_already_unusable_ones_and_a_harmed_buffer_are_refused(
    person: tuple[Album, list[PhotoRecord], list[PhotoRecord]], tmp_path: Path
) -> None:
    album, second, third = person
    folder = tmp_path / "model"
    made = update(album, folder, second)
    with pytest.raises(BadInput, match="already"):
        update(album, folder, second)
    with pytest.raises(BadInput, match="usable"):
        update(album, folder, [replace(third[0], why_left_out="No face.")])
    harmed = made.folder / lifelong.BUFFER_FOLDER / f"{made.buffer[0].id}.png"
    harmed.write_bytes(b"something else")
    before = (folder / history.HISTORY_FILE).read_bytes()
    with pytest.raises(BadInput, match=harmed.name):
        update(album, folder, third)
    assert (folder / history.HISTORY_FILE).read_bytes() == before


@pytest.mark.parametrize("name", sorted(SELECTORS))
def test_every_selection_fills_a_buffer(
    name: str, person: tuple[Album, list[PhotoRecord], list[PhotoRecord]], tmp_path: Path
) -> None:
    album, _, _ = person
    folder = tmp_path / "model"
    pool = lifelong.held(album, folder, history.read(folder), replace(CONFIG, select=name))
    count = len(anchors.ids_of(folder))
    assert len(pool) == {"all": count, "none": 0}.get(name, 2)


def test_bytes_bound_the_buffer_and_are_reported(
    person: tuple[Album, list[PhotoRecord], list[PhotoRecord]], tmp_path: Path
) -> None:
    album, second, _ = person
    folder = tmp_path / "model"
    pool = lifelong.held(album, folder, history.read(folder), replace(CONFIG, select="all"))
    one = 2 * max(c.cost for c in pool) - 1
    made = update(album, folder, second, replace(CONFIG, photos=5, limit_bytes=one))
    assert len(made.buffer) == 1
    sizes = lifelong.stored(folder, made.history)
    assert sizes[0].buffer == 0 and sizes[1].buffer > 0
    assert sum(s.total for s in sizes) == sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def test_a_session_of_few_photos_has_one_to_measure_with(
    person: tuple[Album, list[PhotoRecord], list[PhotoRecord]], tmp_path: Path
) -> None:
    album, second, third = person
    ids = [photo.id for photo in (*second, *third)]
    _, test = album.split(0.3)
    sure = {album.kept[int(i)].id for i in test}
    five = [name for name in ids if name not in sure][:5]
    train, held = lifelong._sides(album, set(five), 0.3)
    assert len(five) == 5 and len(train) == 4 and len(held) == 1
    assert lifelong._sides(album, set(five[:4]), 0.3)[1] == []
    assert lifelong._sides(album, sure, 0.3) == (test.tolist(), [])


def test_a_model_in_16_bits_stays_so_through_an_update(
    person: tuple[Album, list[PhotoRecord], list[PhotoRecord]], tmp_path: Path
) -> None:
    album, second, _ = person
    first = replace(album.record, photos=album.record.photos[:4])
    whole = weights.load(tmp_path / "model")[0]
    assert not weights.is_half(tmp_path / "model")
    again = Album(album.path, first)
    made = fit.fit(again, tiny_prior(), tiny_judge(), tmp_path / "model", FIT, half=True)
    small = weights.load(tmp_path / "model")[0]
    assert weights.is_half(tmp_path / "model")
    assert all(torch.equal(small[name], t.half().float()) for name, t in whole.items())
    shown = model.load(tmp_path / "model", tiny_prior())
    assert shown.card == made.model.card
    assert torch.equal(
        shown.render(shown.anchors, shown.camera).image, made.model.render(shown.anchors, shown.camera).image
    )
    assert weights.is_half(update(album, tmp_path / "model", second).folder)
    fit.fit(again, tiny_prior(), tiny_judge(), tmp_path / "model", FIT)
    assert all(torch.equal(weights.load(tmp_path / "model")[0][name], t) for name, t in whole.items())
