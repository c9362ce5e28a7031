"""Makers of fakes: each does what its name says and leaves alone what it promises to leave alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from selfsame.core import camera as cameras
from selfsame.core import image
from selfsame.core.errors import WrongUse
from selfsame.faces import align
from selfsame.jobs.parts import load_prior, load_sam
from selfsame.tasks import fake_kit, fake_networks, fake_pictures, fakes
from selfsame.tasks.fake_kit import Shot
from selfsame.tasks.fake_networks import Networks
from selfsame.world import clip, person

FRAMES, SIZE_PX = 6, 96
FROM_STILLS = ("latent", "rerender", "warp", "photo")


def shot(seed: int) -> Shot:
    """Six frames of a second, so that a face has time to move."""
    seen = clip.talk(seed, 1.0, 6.0, 40.0)
    return Shot(image.to_uint8(torch.stack(list(clip.film(seen, SIZE_PX)))), seen.look, seen.camera)


@pytest.fixture(scope="module")
def portrait() -> Shot:
    return shot(980_000)


@pytest.fixture(scope="module")
def driver() -> Shot:
    return shot(980_004)


@pytest.fixture(scope="module")
def nets() -> Networks:
    return Networks(load_sam(), load_prior())


def ordered(one: Shot, which: list[int]) -> Shot:
    return Shot(one.frames[which], person.select(one.look, which), one.camera[which])


@pytest.mark.parametrize("name", fakes.GENERATORS)
def test_a_fake_is_a_clip_and_the_same_every_time(name: str, portrait: Shot, driver: Shot, nets: Networks) -> None:
    make = fakes.generator(name).make
    made = make(portrait, driver, nets)
    assert made.shape == (FRAMES, SIZE_PX, SIZE_PX, 3) and made.dtype == np.uint8
    assert np.array_equal(made, make(portrait, driver, nets))
    # Another clip than the real ones, and not a ruin: no pixel of its mean is far from those.
    for real in (portrait, driver):
        assert not np.array_equal(made, real.frames)
    base = driver if name == "swap" else portrait
    assert np.abs(made.mean(0) - base.frames.mean(0)).mean() < 12


@pytest.mark.parametrize("name", fakes.GENERATORS)
def test_the_driver_moves_a_fake_and_nobody_else_does(name: str, portrait: Shot, driver: Shot, nets: Networks) -> None:
    found = fakes.generator(name)
    made, still = (found.make(portrait, d, nets) for d in (driver, ordered(driver, [2] * FRAMES)))
    assert found.driven != np.array_equal(made, still)
    if name in FROM_STILLS:
        assert all(np.array_equal(still[0], frame) for frame in still)
        assert np.abs(np.diff(made.astype(int), axis=0)).mean((1, 2, 3)).min() > 0.05


def test_a_swap_keeps_the_driver_outside_the_face_and_a_mouth_the_portrait_outside_the_mouth(
    portrait: Shot, driver: Shot
) -> None:
    swapped = fake_pictures.swap(portrait, driver)
    for made, frame, points in zip(swapped, driver.frames, driver.points, strict=True):
        outside = fake_pictures.swap_weight(points, frame.shape) == 0
        assert 0.5 < outside.mean() < 0.98 and np.array_equal(made[outside], frame[outside])
        assert np.abs(made[~outside].astype(int) - frame[~outside]).mean() > 1
    changed = (fake_pictures.mouth(portrait, driver) != portrait.frames).any((0, 3))
    rows, columns = np.nonzero(changed)
    eyes = portrait.points[:, fake_kit.GROUPS["eyes"]]
    assert changed.any() and rows.min() > eyes[..., 1].max()
    assert columns.min() > eyes[..., 0].min() - 5 and columns.max() < eyes[..., 0].max() + 5


def test_a_mouth_follows_the_driver(portrait: Shot, driver: Shot) -> None:
    """An open and a shut mouth of the driver differ between the lips, and nowhere above them."""
    opening = driver.look.expression.mouth_open
    wide, shut = (ordered(driver, [int(i)] * FRAMES) for i in (opening.argmax(), opening.argmin()))
    made = [fake_pictures.mouth(portrait, one)[0].astype(int) for one in (wide, shut)]
    lips = portrait.points[0, fake_kit.GROUPS["lips"]]
    (left, top), (right, bottom) = lips.min(0).astype(int), lips.max(0).astype(int) + 2
    away = np.abs(made[0] - made[1])
    assert away[top:bottom, left:right].mean() > 4 and not away[: int(portrait.points[0, 2, 1])].any()


def test_interpolation_keeps_each_fourth_frame_and_invents_the_rest_well(portrait: Shot) -> None:
    made = fake_pictures.interpolate(portrait, portrait)
    kept = [0, 4, 5]
    assert np.array_equal(made[kept], portrait.frames[kept])
    away, held = (np.square(x.astype(float) - portrait.frames[2]).mean() for x in (made[2], portrait.frames[0]))
    assert 0 < away < held


def test_an_older_face_leaves_the_rest_of_the_frame(portrait: Shot, driver: Shot, nets: Networks) -> None:
    changed = (fake_networks.reage(portrait, driver, nets) != portrait.frames).any((0, 3))
    edge = np.ones_like(changed)
    edge[12:-12, 12:-12] = False
    assert 0.02 < changed.mean() < 0.5 and not changed[edge].any()


def test_whoever_acts_after_themself_is_where_they_were(portrait: Shot, driver: Shot) -> None:
    at = fake_kit.still(portrait)
    assert np.abs(fake_kit.act(portrait, portrait).points[at] - portrait.points[at]).max() < 0.01
    acted = fake_kit.act(portrait, driver)
    assert torch.equal(acted.look.expression.mouth_open, driver.look.expression.mouth_open)
    assert torch.equal(acted.look.identity.jaw_width[:1], portrait.look.identity.jaw_width[:1])


def test_a_bend_brings_points_to_their_targets() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[20:23, 30:33] = 255
    corners = np.array([(0.0, 0.0), (63.0, 0.0), (0.0, 63.0), (63.0, 63.0)])
    begin, end = np.vstack([corners, [(31.0, 21.0)]]), np.vstack([corners, [(34.0, 25.0)]])
    bent = fake_kit.bend(picture, begin, end)[..., 0].astype(float)
    rows, columns = np.indices(bent.shape)
    centre = np.array([(columns * bent).sum(), (rows * bent).sum()]) / bent.sum()
    assert centre == pytest.approx([34, 25], abs=0.6)
    assert np.array_equal(fake_kit.bend(picture, begin, begin), picture)


def test_a_crop_has_a_camera_of_its_own(portrait: Shot) -> None:
    where = fake_kit.crops(portrait.points, 64, upright=False)
    points = torch.rand(FRAMES, 5, 3) * 0.2
    frame_px = cameras.project(portrait.camera, points).numpy() * SIZE_PX - 0.5
    seen = fake_networks.cropped(portrait.camera, where, 64, SIZE_PX)
    crop_px = cameras.project(seen, points).numpy() * 64 - 0.5
    expected = [align.apply(place, p) for place, p in zip(where, frame_px, strict=True)]
    assert np.abs(crop_px - np.array(expected)).max() < 1e-2


def test_a_soft_hull_ends_at_its_points_and_colours_are_matched_inside() -> None:
    square = np.array([(10.0, 10.0), (50.0, 10.0), (50.0, 50.0), (10.0, 50.0)])
    weight = fake_kit.soft_hull(square, (64, 64), 2.0)
    assert weight[30, 30] == 1 and weight.max() == 1 and not weight[:9].any() and not weight[:, 52:].any()
    g = np.random.default_rng(0)
    dark, light = (g.integers(low, low + 40, (64, 64, 3)).astype(np.uint8) for low in (20, 180))
    matched = fake_kit.toned(dark, light, weight)
    assert matched[20:40, 20:40].mean() == pytest.approx(light[20:40, 20:40].mean(), abs=2)


def test_nobody_knows_another_generator() -> None:
    with pytest.raises(WrongUse, match="no generator dream"):
        fakes.generator("dream")


def test_a_good_still_has_open_eyes(portrait: Shot) -> None:
    at = fake_kit.still(portrait)
    shut = portrait.look.expression.lid_close.clone()
    shut[at] = 1.0
    look = replace(portrait.look, expression=replace(portrait.look.expression, lid_close=shut))
    assert fake_kit.still(Shot(portrait.frames, look, portrait.camera)) != at
