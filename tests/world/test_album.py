"""A photo shoot: files that intake takes for anybody's, and the truth behind them."""

import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from selfsame.core import camera as cameras
from selfsame.core import image, rng
from selfsame.faces import ages, detect, photo
from selfsame.faces.align import EG3D_LANDMARKS
from selfsame.world import album, grid, person
from selfsame.world.album import BORN, PHOTO_PX, album_cameras, camera_normals
from selfsame.world.person import CODE_DIM
from selfsame.world.surface import CENTRE, SCALE, surface


@pytest.fixture(scope="module")
def shoot(tmp_path_factory: pytest.TempPathFactory) -> album.Shoot:
    return album.shoot(11, 4, tmp_path_factory.mktemp("shoot"), years=(30.0, 60.0))


def test_files_are_jpegs_of_the_looks_in_order(shoot: album.Shoot) -> None:
    assert [file.name for file in shoot.files] == [f"photo_{i:03d}.jpg" for i in range(4)]
    assert len(shoot.look) == len(shoot.camera) == 4
    with Image.open(shoot.files[0]) as picture:
        assert (picture.format, picture.size) == ("JPEG", (PHOTO_PX, PHOTO_PX))
    again = album.photograph(person.select(shoot.look, [2]), shoot.camera[2], PHOTO_PX, 1)
    assert float((image.load(shoot.files[2]) - again).abs().mean()) < 0.02


def test_capture_dates_give_the_age_back(shoot: album.Shoot) -> None:
    read = [ages.since_birth(BORN, photo.read(file).taken) for file in shoot.files]
    assert read == pytest.approx(shoot.look.age.years.tolist(), abs=0.01)
    assert max(read) - min(read) > 1


def test_the_same_seed_takes_the_same_photos(shoot: album.Shoot, tmp_path: Path) -> None:
    again = album.shoot(11, 4, tmp_path, years=(30.0, 60.0))
    assert [f.read_bytes() for f in again.files] == [f.read_bytes() for f in shoot.files]


def test_photographers_stand_mostly_in_front() -> None:
    yaw, pitch = cameras.angles(album.album_cameras(2000, rng.generator(0, "test")))
    assert float(yaw.abs().max()) < math.radians(65)
    assert float(yaw.abs().median()) < math.radians(25)
    assert float((yaw.abs() > math.radians(30)).float().mean()) > 0.1
    assert float(pitch.abs().max()) < math.radians(30)
    assert abs(float(yaw.mean())) < 0.03


def test_the_average_face_lies_where_eg3d_crops_have_it() -> None:
    look = person.decode(torch.zeros(1, CODE_DIM))
    t = look.identity
    corner, eye = float(t.mouth_width), (float(t.eye_apart), float(t.eye_height))
    angles = [(-eye[0], eye[1]), eye, (0.0, float(t.nose_length)), (-corner, float(t.mouth_height))]
    angles.append((corner, float(t.mouth_height)))
    lon, lat = torch.tensor(angles).unbind(-1)
    way = torch.stack([lat.cos() * lon.sin(), lat.sin(), lat.cos() * lon.cos()], -1)
    radius = grid.sample(surface(look).maps, grid.to_map(way)[None])[0, 0]
    points = way * radius[:, None] * SCALE + torch.tensor(CENTRE)
    found = cameras.project(album.front(0.0, 0.0, 1), points[None])[0]
    assert float((found - torch.tensor(EG3D_LANDMARKS)).abs().max()) < 0.03


def test_mtcnn_finds_the_one_face_of_every_frontal_photo() -> None:
    look = album.looks(2, 4, (30.0, 40.0))
    frontal = cameras.from_angles(
        torch.zeros(4), torch.zeros(4), pivot=cameras.FACE_PIVOT, radius=cameras.FACE_DISTANCE, focal=album.PHOTO_FOCAL
    )
    for pixels in image.to_uint8(album.photograph(look, frontal, PHOTO_PX, 1)):
        face = detect.the_face(detect.detect(np.ascontiguousarray(pixels)))
        assert 80 < face.size_px < 220
        left, right = face.landmarks[0], face.landmarks[1]
        assert left[0] < PHOTO_PX / 2 < right[0]


def test_ages_of_a_shoot_are_after_the_birth() -> None:
    assert date(1900, 1, 1) < BORN < date(2020, 1, 1)


def test_portraits_are_taken_face_to_face() -> None:
    yaw, pitch = cameras.angles(album.album_cameras(2000, rng.generator(0, "test"), stand=album.PORTRAIT))
    assert float(yaw.std()) == pytest.approx(album.PORTRAIT.yaw, rel=0.1)
    assert float((yaw.abs() > math.radians(30)).float().mean()) < 0.01
    assert float(pitch.std()) == pytest.approx(album.PORTRAIT.pitch, rel=0.1)


@pytest.mark.parametrize("stand", [album.ALBUM, album.PORTRAIT], ids=["album", "portrait"])
def test_the_normals_of_a_camera_are_those_it_was_made_from(stand: album.Photographers) -> None:
    g = torch.Generator().manual_seed(5)
    wanted = torch.randn(3, 40, generator=torch.Generator().manual_seed(5)).T
    found = camera_normals(album_cameras(40, g, stand=stand), stand)
    inside = (wanted[:, 0].abs() < 2.5) & (wanted[:, 1].abs() < 2.5)
    torch.testing.assert_close(found[inside], wanted[inside], atol=1e-3, rtol=1e-3)
