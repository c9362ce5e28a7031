"""Updates of every kind of model: what all promise alike, and what each does in its own way."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from encoder_toys import tiny_age_judge, tiny_sam
from helpers import tiny_album, tiny_judge, tiny_prior

from selfsame.core import weights
from selfsame.core.errors import BadInput
from selfsame.faces.album import Album
from selfsame.faces.records import PhotoRecord
from selfsame.jobs import age_fit, fit, fit2d, history, learners, lifelong, pages
from selfsame.jobs.fit import MIRRORED, FitConfig
from selfsame.jobs.fit2d import Fit2DConfig
from selfsame.jobs.learn_2d import Learner2D
from selfsame.jobs.learn_3d import Learner3D
from selfsame.jobs.learn_age import AgeLearner
from selfsame.jobs.lifelong import BufferConfig, Learner, Updated
from selfsame.nets.age_adapter import AdapterConfig
from selfsame.replay import buffer
from selfsame.tasks import anchors, time_machine
from selfsame.tasks.invert import InvertConfig
from selfsame.tasks.personal import PersonalConfig
from selfsame.tasks.personal2d import TuningConfig
from selfsame.tasks.personal_aging import PersonalAgingConfig

SAM = tiny_sam()
FIT = FitConfig(
    InvertConfig(space="w_plus", steps=2, lr=0.05, noise=0.0, perceptual=0.0, rays=16, depth_samples=6,
                 importance_samples=0),
    PersonalConfig(steps=4, batch=2, lr=0.01, depth_samples=6, importance_samples=0, save_every=2),
    held_back=0.3, mirror=True,
)  # fmt: skip
FLAT = Fit2DConfig(TuningConfig(steps=4, batch=2, lr=0.01, save_every=2), held_back=0.3)
AGING = PersonalAgingConfig(
    adapter=AdapterConfig(styles=8, w_dim=16, bottleneck=4, shared=4, age=4, hidden=4),
    steps=4, batch=2, optimizer="adam", lr=0.01, face_identity=False, save_every=2,
)  # fmt: skip
BUFFER = BufferConfig("hull", 2)


@dataclass(frozen=True)
class Kind:
    """How a model is first fitted, and who teaches it."""

    fit: Callable[[Album, Path], object]
    learner: Learner


KINDS = {
    "3d, mirrored": Kind(
        lambda album, folder: fit.fit(album, tiny_prior(), tiny_judge(), folder, FIT),
        Learner3D(tiny_prior(), tiny_judge(), FIT),
    ),
    "2d": Kind(
        lambda album, folder: fit2d.run(album, SAM, tiny_judge(), folder, FLAT), Learner2D(SAM, tiny_judge(), FLAT)
    ),
    "age": Kind(
        lambda album, folder: age_fit.fit(album, SAM, tiny_judge(), tiny_age_judge(), folder, AGING),
        AgeLearner(SAM, tiny_judge(), tiny_age_judge(), AGING),
    ),
}


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@dataclass(frozen=True)
class Person:
    """An album with the photos of two sessions that are still to be learned, at 40 to 42 and at 50 to 52 years."""

    album: Album
    folder: Path
    second: list[PhotoRecord]
    third: list[PhotoRecord]


def sitter(path: Path, kind: Kind) -> Person:
    """Six photos at 30 to 35 years are learned, five and five more are new."""
    album = tiny_album(path / "people" / "toy", tiny_prior(), count=16)
    ages = [*range(30, 36), *(40 + i % 3 for i in range(5)), *(50 + i % 3 for i in range(5))]
    sessions = [0] * 6 + [1] * 5 + [2] * 5
    photos = [
        replace(photo, session=session, age_years=float(age))
        for photo, session, age in zip(album.record.photos, sessions, ages, strict=True)
    ]
    album.rewrite(replace(album.record, photos=tuple(photos[:6])))
    kind.fit(album, path / "model")
    album.rewrite(replace(album.record, photos=tuple(photos)))
    return Person(album, path / "model", photos[6:11], photos[11:])


@pytest.fixture
def person(kind: Kind, tmp_path: Path) -> Person:
    return sitter(tmp_path, kind)


def update(person: Person, kind: Kind, photos: list[PhotoRecord], config: BufferConfig = BUFFER) -> Updated:
    return lifelong.update(person.album, person.folder, photos, kind.learner, config)


def digest(folder: Path) -> str:
    return weights.load(folder)[1].digest


def test_sessions_follow_each_other_and_earlier_states_stay(kind: Kind, person: Person) -> None:
    before = {f: f.read_bytes() for f in person.folder.rglob("*") if f.is_file()}
    one = update(person, kind, person.second)
    two = update(person, kind, person.third)
    assert [s.parent for s in two.history.states] == [None, 0, 1]
    assert all(f.read_bytes() == data for f, data in before.items())
    assert len({digest(f) for f in (person.folder, one.folder, two.folder)}) == 3
    for made in (one, two):
        kept = buffer.read(made.folder / lifelong.BUFFER_FOLDER)
        assert made.replayed == len(made.buffer) == 2
        assert [c.id for c in kept] == list(made.history.now.buffer)
        assert all(c.age_years is not None for c in kept)
        assert not list(made.folder.rglob("checkpoint*"))
    ids = anchors.ids_of(two.folder)
    photos = [name for name in ids if not name.endswith(MIRRORED)]
    assert len(anchors.read(two.folder)[0]) == len(ids)
    assert photos[-two.new :] == list(two.history.now.photos) and len(set(ids)) == len(ids)
    page = pages.update_page(person.album, two).read_text()
    assert "the model before" in page and "Gained and forgotten" in page
    assert {m.name.split(",")[0] for m in two.measured} >= {"old looks"}


def test_learning_goes_on_from_the_state_in_use_and_replay_matters(kind: Kind, person: Person) -> None:
    replayed = update(person, kind, person.second)
    history.rollback(person.folder)
    alone = update(person, kind, person.second, replace(BUFFER, select="none"))
    assert alone.replayed == 0 and alone.history.now.parent == 0
    assert len({digest(f) for f in (person.folder, alone.folder, replayed.folder)}) == 3


def test_a_killed_update_leaves_the_model_as_it_was_and_ends_with_the_same_bits(
    kind: Kind, person: Person, tmp_path: Path
) -> None:
    whole = update(person, kind, person.second)
    (person.folder / history.HISTORY_FILE).unlink()
    whole.folder.rename(tmp_path / "kept")

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "learning the new photos" and done == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        lifelong.update(person.album, person.folder, person.second, kind.learner, BUFFER, stop)
    assert history.current(person.folder) == person.folder
    again = update(person, kind, person.second)
    for name in ("buffer/buffer.json", anchors.ANCHORS_FILE, weights.WEIGHTS_FILE):
        assert (again.folder / name).read_bytes() == (tmp_path / "kept" / name).read_bytes()


def test_the_settings_of_a_model_on_disk_are_found_again(kind: Kind, person: Person) -> None:
    assert learners.settings(person.folder) == kind.learner.config
    update(person, kind, person.second)
    assert learners.settings(person.folder) == kind.learner.config
    assert learners.settings(person.folder, 7) != kind.learner.config


def test_mirrored_copies_are_learned_where_the_fit_learns_them_and_are_no_arrivals(tmp_path: Path) -> None:
    kind = KINDS["3d, mirrored"]
    person = sitter(tmp_path, kind)
    made = update(person, kind, person.second)
    ids = anchors.ids_of(made.folder)
    assert sum(name.endswith(MIRRORED) for name in ids) * 2 == len(ids)
    assert not any(name.endswith(MIRRORED) for name in made.history.now.buffer)


def test_the_years_that_an_adapter_knows_only_grow(tmp_path: Path) -> None:
    kind = KINDS["age"]
    person = sitter(tmp_path, kind)
    first = time_machine.load(person.folder, SAM).personal
    made = update(person, kind, person.third, replace(BUFFER, select="none"))
    after = time_machine.load(made.folder, SAM).personal
    assert first and after
    assert first.span[0] == after.span[0] < 36 < 50 <= after.span[1]


def test_an_adapter_learns_only_from_photos_of_known_age(tmp_path: Path) -> None:
    kind = KINDS["age"]
    person = sitter(tmp_path, kind)
    unknown = [replace(photo, age_years=None) for photo in person.second]
    with pytest.raises(BadInput, match=r"age on these photos is not known\. Give it with --age"):
        update(person, kind, unknown)
    mixed = [*unknown[:2], *person.second[2:]]
    ids = {photo.id for photo in unknown[:2]}
    assert not ids & set(update(person, kind, mixed).history.now.photos)


def test_old_and_new_ages_are_reached_from_the_age_farthest_away(tmp_path: Path) -> None:
    """Of photos at 30 and 31 and at 50 years, the old ones are asked of the new one, and the new one of the oldest."""
    kind = KINDS["age"]
    person = sitter(tmp_path, kind)
    made = update(person, kind, person.third)
    session = lifelong.Session(person.album, person.folder, made.folder, [], [], "")
    places = {round(p.age_years or 0): i for i, p in enumerate(person.album.kept)}
    held = [places[30], places[31], places[50]]
    pictures = age_fit.images(person.album, SAM)
    old = kind.learner.look(session, held[:2], held, "old looks", lambda *_: None)
    new = kind.learner.look(session, held[2:], held, "new looks", lambda *_: None)
    assert old and new
    assert torch.equal(old.rows["photo"], pictures[held[:2]])
    assert torch.equal(old.rows["from"], pictures[[places[50]] * 2])
    assert torch.equal(new.rows["from"], pictures[[places[30]]])
    assert {m.name for m in new.measured} == {
        f"new looks, {when}: {what}" for when in ("before", "after")
        for what in ("identity at the other age", "error of judged age (years)")
    }  # fmt: skip
    assert kind.learner.look(session, held[:1], held[:1], "old looks", lambda *_: None) is None
