"""One folder, one shoot: the truth behind an album must be that of its photos."""

import shutil
from pathlib import Path

import pytest

from selfsame.core.errors import BadInput, WrongUse
from selfsame.faces.album import Album
from selfsame.jobs import synthetic
from selfsame.world import album as world


def test_the_same_shoot_finds_its_album_again(tmp_path: Path) -> None:
    for _ in range(2):
        shoot = world.shoot(3, 1, tmp_path / "photos")
        album = synthetic.album_of(tmp_path / "ada", shoot)
        album.add(shoot.files)
    assert len(album.record.photos) == 1


@pytest.mark.parametrize(("seed", "count", "years"), [(4, 1, (33.0, 36.0)), (3, 2, (33.0, 36.0)), (3, 1, (50.0, 60.0))])
def test_a_folder_of_photos_refuses_another_shoot(
    tmp_path: Path, seed: int, count: int, years: tuple[float, float]
) -> None:
    (before,) = world.shoot(3, 1, tmp_path).files
    kept = before.read_bytes()
    with pytest.raises(BadInput, match="another shoot"):
        world.shoot(seed, count, tmp_path, years)
    assert before.read_bytes() == kept and len(list(tmp_path.glob("*.jpg"))) == 1


def test_an_album_of_other_photos_is_refused_and_stays(tmp_path: Path) -> None:
    """The photos' folder may be gone, or the album may be a real person's."""
    mine = world.shoot(3, 1, tmp_path / "photos")
    album = Album.create(tmp_path / "ada", consent="Ada, 1 May 2026", size_px=64)
    album.add(mine.files)
    shutil.rmtree(tmp_path / "photos")
    before = (album.path / "album.json").read_text()
    with pytest.raises(BadInput, match="other photos"):
        synthetic.album_of(album.path, world.shoot(4, 1, tmp_path / "photos"))
    assert (album.path / "album.json").read_text() == before


def test_taking_a_shoot_in_as_a_folder_meets_photos_only(tmp_path: Path) -> None:
    world.shoot(3, 1, tmp_path / "photos")
    album = Album.create(tmp_path / "ada", consent="test", size_px=64)
    assert [record.file for record in album.add([tmp_path / "photos"])] == ["photo_000.jpg"]


def test_a_shoot_has_at_least_one_photo(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="at least one"):
        world.shoot(3, 0, tmp_path / "none")
    assert not (tmp_path / "none").exists()
