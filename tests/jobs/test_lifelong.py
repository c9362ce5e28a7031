"""Updates of a model: new photos and a buffer in, a new state out, and every way in which that can be cut short."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import tiny_album, tiny_judge, tiny_prior

from selfsame.core.errors import BadInput
from selfsame.faces.album import Album
from selfsame.faces.records import PhotoRecord
from selfsame.jobs import fit, history, lifelong
from selfsame.jobs.fit import FitConfig
from selfsame.jobs.lifelong import UpdateConfig, Updated
from selfsame.replay import buffer
from selfsame.replay.select import SELECTORS
from selfsame.tasks import model
from selfsame.tasks.invert import InvertConfig
from selfsame.tasks.personal import PersonalConfig

FIT = FitConfig(
    InvertConfig(space="w_plus", steps=2, lr=0.05, noise=0.0, perceptual=0.0, rays=16, depth_samples=6,
                 importance_samples=0),
    PersonalConfig(steps=4, batch=2, lr=0.01, depth_samples=6, importance_samples=0, save_every=2),
    held_back=0.3,
)  # fmt: skip
CONFIG = UpdateConfig(FIT, "hull", 2)


class Killed(Exception):
    """A stop in the middle."""


@pytest.fixture
def person(tmp_path: Path) -> tuple[Album, list[PhotoRecord], list[PhotoRecord]]:
    """An album of twelve photos of three sessions, a model fitted on the first, and the records of the others."""
    album = tiny_album(tmp_path / "people" / "toy", tiny_prior(), count=12)
    photos = [replace(photo, session=i // 4) for i, photo in enumerate(album.record.photos)]
    album._save(replace(album.record, photos=tuple(photos[:4])))
    fit.fit(album, tiny_prior(), tiny_judge(), tmp_path / "model", FIT)
    album._save(replace(album.record, photos=tuple(photos)))
    return album, photos[4:8], photos[8:]


def update(album: Album, folder: Path, photos: list[PhotoRecord], config: UpdateConfig = CONFIG) -> Updated:
    return lifelong.update(album, folder, photos, tiny_prior(), tiny_judge(), config)


def test_sessions_follow_each_other_and_earlier_states_stay(
    person: tuple[Album, list[PhotoRecord], list[PhotoRecord]], tmp_path: Path
) -> None:
    album, second, third = person
    folder = tmp_path / "model"
    before = {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    one = update(album, folder, second)
    two = update(album, folder, third)
    assert [s.parent for s in two.history.states] == [None, 0, 1]
    assert all(f.read_bytes() == data for f, data in before.items())
    for made in (one, two):
        assert made.replayed == 2 and len(made.buffer) == 2
        kept = buffer.read(made.folder / lifelong.BUFFER_FOLDER)
        assert [k.id for k in kept.record.kept] == list(made.history.now.buffer)
    assert len({c.session for c in two.buffer}) == 2
    assert history.current(folder) == two.folder
    loaded = model.load(two.folder, tiny_prior())
    assert torch.equal(loaded.anchors, two.model.anchors)
    assert len(two.model.anchors) == len(model.anchor_ids(folder)) + one.new + two.new


def test_learning_goes_on_from_the_state_in_use_and_replay_matters(
    person: tuple[Album, list[PhotoRecord], list[PhotoRecord]], tmp_path: Path
) -> None:
    album, second, _ = person
    folder = tmp_path / "model"
    replayed = update(album, folder, second)
    history.rollback(folder)
    alone = update(album, folder, second, replace(CONFIG, select="none"))
    assert alone.replayed == 0 and alone.history.now.parent == 0
    assert replayed.model.card.digest != alone.model.card.digest


def test_a_killed_update_leaves_the_model_as_it_was_and_ends_with_the_same_bits(
    person: tuple[Album, list[PhotoRecord], list[PhotoRecord]], tmp_path: Path
) -> None:
    album, second, _ = person
    folder = tmp_path / "model"
    whole = update(album, folder, second)
    history.rollback(folder)
    (folder / history.HISTORY_FILE).unlink()
    whole.folder.rename(tmp_path / "kept")

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "learning the new photos" and done == 3:
            raise Killed

    with pytest.raises(Killed):
        lifelong.update(album, folder, second, tiny_prior(), tiny_judge(), CONFIG, stop)
    assert history.current(folder) == folder
    again = update(album, folder, second)
    assert again.model.card.digest == whole.model.card.digest
    for name in ("buffer/buffer.json", "anchors.safetensors", "weights.safetensors"):
        assert (again.folder / name).read_bytes() == (tmp_path / "kept" / name).read_bytes()


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
    count = len(model.anchor_ids(folder))
    assert len(pool) == {"all": count, "none": 0}.get(name, 2)


def test_bytes_bound_the_buffer_and_are_reported(
    person: tuple[Album, list[PhotoRecord], list[PhotoRecord]], tmp_path: Path
) -> None:
    album, second, _ = person
    folder = tmp_path / "model"
    pool = lifelong.held(album, folder, history.read(folder), replace(CONFIG, select="all"))
    one = 2 * max(len(c.png()) + c.code.numel() * 2 + buffer.HEADER_BYTES for c in pool) - 1
    made = update(album, folder, second, replace(CONFIG, photos=5, limit_bytes=one))
    assert len(made.buffer) == 1
    sizes = lifelong.stored(folder, made.history)
    assert sizes[0].buffer == 0 and sizes[1].buffer > 0
    assert sum(s.total for s in sizes) == sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
