"""Repair: the photo stays where it tells something, damage is drawn over, and a seat leads back into the photo."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import poses, tiny_judge, tiny_prior
from PIL import Image
from torch import Tensor

from selfsame.core import image
from selfsame.core.camera import angles, facing
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.weights import Card
from selfsame.faces import paste
from selfsame.jobs import find_photo, repair, seat
from selfsame.jobs.repair import Damage, RepairConfig
from selfsame.tasks import degrade, pose_search, project
from selfsame.tasks.model import PersonalModel

SIDE = 16


@pytest.fixture(scope="module")
def model() -> PersonalModel:
    prior = tiny_prior()
    card = Card(kind="personal-3d", config={}, seed=0, licence="A test's.", digest="a" * 64)
    return PersonalModel(prior.net, prior.draw(3, 1, psi=1.0), poses(3), card)


@pytest.fixture(scope="module")
def pictures(model: PersonalModel) -> Tensor:
    with torch.no_grad():
        return model.net(model.anchors[:2], poses(2)).image.clamp(-1, 1)


def box(low: int, high: int) -> Tensor:
    hole = torch.zeros(1, 1, SIDE, SIDE)
    hole[..., low:high, low:high] = 1
    return hole


def crop_on_disk(picture: Tensor, path: Path) -> seat.Seat:
    image.save(picture, path)
    return seat.sit(path, SIDE, aligned=True)


def test_outside_a_filled_hole_the_photo_stays(pictures: Tensor) -> None:
    photo, drawn = pictures[:1], pictures[1:]
    damage = Damage("hole", box(6, 10))
    made = repair.restored(photo, drawn, damage)
    away = repair.softened(box(6, 10)) == 0
    assert away.any()
    assert torch.equal(made[away.expand_as(made)], photo[away.expand_as(made)])
    torch.testing.assert_close(repair.restored(photo, photo, damage), photo)
    assert torch.equal(repair.softened(box(6, 10))[box(6, 10) > 0], torch.ones(16))


def test_a_hole_takes_the_tone_of_its_surroundings(pictures: Tensor) -> None:
    photo = pictures[:1]
    made = repair.restored(photo, photo - 0.3, Damage("hole", box(6, 10)))
    torch.testing.assert_close(made, photo, atol=1e-4, rtol=0)  # a wrong tone alone is mended wholly


def test_an_enlarged_photo_agrees_with_its_few_pixels(pictures: Tensor) -> None:
    damage = Damage("small", small_px=8)
    photo, drawn = damage.degrade()(pictures[:1]), pictures[1:] * 0.5
    made = repair.restored(photo, drawn, damage)
    before, after = ((damage.degrade()(x) - photo).square().mean() for x in (drawn, made))
    assert float(after) < 0.1 * float(before)
    torch.testing.assert_close(repair.restored(photo, photo, damage), photo)


def test_an_old_photo_lends_its_tones_and_nothing_of_its_scratches(pictures: Tensor) -> None:
    hole = box(7, 9)
    damage = Damage("old", hole)
    faded = 0.4 * pictures[:1] + 0.2
    torch.testing.assert_close(repair.restored(faded, pictures[:1], damage), pictures[:1], atol=0.02, rtol=0)
    scratched = torch.where(hole > 0, torch.ones_like(faded), faded)
    torch.testing.assert_close(
        repair.restored(scratched, pictures[1:], damage), repair.restored(faded, pictures[1:], damage)
    )


def test_every_damage_is_repaired_behind_itself(model: PersonalModel, pictures: Tensor, tmp_path: Path) -> None:
    config = RepairConfig(
        replace(project.QUICK, steps=2, sketch_steps=4, sketch_px=8, depth_samples=6, importance_samples=4)
    )
    place = crop_on_disk(pictures[:1], tmp_path / "crop.png")
    for damage in (Damage("hole", box(5, 9)), repair.small(place, 4), Damage("old", box(5, 6))):
        made = repair.repair(model, place, damage, config, tiny_judge())
        assert made.crop.shape == made.drawn.shape == made.left.shape == place.face.shape
        assert made.whole is None
        assert made.crop.isfinite().all()
        files = repair.write(tmp_path / "out" / f"{damage.kind}.png", place, made, damage)
        height, width = image.load(files["strip"]).shape[-2:]
        assert width > 4 * repair.TILE_PX and height > repair.TILE_PX
        assert damage.invented()
    assert "4 pixels" in repair.small(place, 4).invented()


def test_what_cannot_be_enlarged_is_said() -> None:
    repair.check_factor(8, 128)
    for factor in (1, 64):
        with pytest.raises(WrongUse, match=f"enlarged {factor} times.*2 to 32"):
            repair.check_factor(factor, 128)


def test_a_small_aligned_photo_keeps_its_pixels(tmp_path: Path) -> None:
    small = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    place = crop_on_disk(small, tmp_path / "small.png")
    assert (place.native_px, place.aligned) == (4, True)
    torch.testing.assert_close(degrade.reduced(4)(place.face), place.face)
    Image.new("RGB", (6, 4)).save(tmp_path / "wide.png")
    with pytest.raises(BadInput, match="6 x 4 pixels; an aligned crop is square"):
        seat.sit(tmp_path / "wide.png", SIDE, aligned=True)


def test_marked_pixels_are_marked_in_the_crop(tmp_path: Path) -> None:
    marked = np.zeros((64, 64), bool)
    marked[40:48, 8:24] = True
    blank = torch.zeros(1, 3, SIDE, SIDE)
    aligned = seat.Seat(blank, facing(torch.zeros(1), torch.zeros(1)), 64, "")
    wanted = torch.zeros(1, 1, SIDE, SIDE)
    wanted[..., 10:12, 2:6] = 1
    assert torch.equal(seat.hole_in(aligned, marked), wanted)
    transform = np.array([[0.5, 0.0, 4.0], [0.0, 0.5, -12.0]])  # half the size, moved: photo (8, 40) to (8, 8)
    cut = seat.Seat(blank, aligned.camera, 32, "", np.zeros((64, 64, 3), np.uint8), transform)
    found = seat.hole_in(cut, marked)[0, 0]
    assert found[9:11, 9:15].all()
    assert not found[:7].any() and not found[13:].any() and not found[:, :6].any()


def test_a_crop_put_back_moves_nothing_where_its_weight_is_zero(pictures: Tensor) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    transform = np.array([[1.0, 0.0, -10.0], [0.0, 1.0, -12.0]])
    weight = np.zeros((40, 40), np.float32)
    weight[14:20, 12:18] = 1
    made = paste.put(photo, transform, pictures[:1], weight)
    assert (made[weight == 0] == photo[weight == 0]).all()
    wanted = image.to_uint8(pictures[:1])[0][2:8, 2:8]
    assert np.abs(made[14:20, 12:18].astype(int) - wanted).max() <= 1


def test_the_camera_of_a_crop_is_found_on_the_right_side(model: PersonalModel) -> None:
    yaw = torch.tensor([0.4])
    with torch.no_grad():
        picture = model.net(model.anchors[:1], facing(yaw, torch.zeros(1))).image
    config = replace(pose_search.SEARCH, lr=0.0, camera_lr=0.005, depth_samples=6)
    found = pose_search.search(model.net, picture, model.anchors[:1], config)
    assert float((angles(found)[0] - yaw).abs()) < 0.1


def test_a_photo_is_found_better_by_tuning(model: PersonalModel, pictures: Tensor, tmp_path: Path) -> None:
    place = crop_on_disk(-pictures[:1], tmp_path / "crop.png")
    config = find_photo.with_steps(find_photo.configured("quick", "w_plus", 0.03, True, None), 12)
    assert config.pivot is not None
    config = replace(config, pivot=replace(config.pivot, lr=5e-3))
    made = find_photo.find(model, place, "crop.png", config, tiny_judge())
    (_, before), (_, after) = made.scores
    assert float(after.psnr) > float(before.psnr) + 0.2
    assert made.found.tuned and made.found.config.space == "w_plus" and made.found.config.beta is None
    find_photo.write(tmp_path / "found", made, model, "test")
    hull = find_photo.configured("quick", "hull", 0.1, False, 2)
    plain = find_photo.find(model, place, "crop.png", hull, tiny_judge())
    assert (plain.found.config.beta, plain.tuned, plain.net) == (0.1, None, model.net)
