"""Augmentation: nothing at p = 0, everything together in all channels, two derivatives, and a p that follows D."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from selfsame.core import rng
from selfsame.train import ada
from selfsame.train.ada import BGC, FACES, AdaConfig, adapt, augment

STILL = AdaConfig(
    flip=False, quarter_turns=False, shift=0, scale=0, turn=0, stretch=0, fraction=0, brightness=0, contrast=0,
    luma_flip=False, hue=0, saturation=0,
)  # fmt: skip
ALWAYS = torch.ones(())


def changed(pictures: Tensor, config: AdaConfig, p: float = 1.0, seed: int = 0) -> Tensor:
    return augment(pictures, torch.tensor(p, dtype=pictures.dtype), rng.generator(seed, "augment"), config)


def pictures(count: int = 4, px: int = 8) -> Tensor:
    return torch.rand(count, 3, px, px, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_at_zero_nothing_changes_and_at_one_everything_does() -> None:
    x = pictures()
    assert changed(x, BGC, p=0.0) is x
    torch.testing.assert_close(changed(x, STILL), x, atol=1e-5, rtol=0)
    assert all(not torch.allclose(a, b, atol=0.05) for a, b in zip(changed(x, BGC), x, strict=True))


def test_the_same_source_gives_the_same_pictures_and_p_their_share() -> None:
    x = pictures(400, 4)
    only = replace(STILL, brightness=0.5)
    assert torch.equal(changed(x, BGC), changed(x, BGC))
    assert not torch.equal(changed(x, BGC), changed(x, BGC, seed=1))
    moved = ((changed(x, only, p=0.3) - x).abs().amax((1, 2, 3)) > 1e-4).float().mean()
    assert 0.22 < moved < 0.38


@pytest.mark.parametrize("field", ["flip", "quarter_turns", "shift"])
def test_flips_turns_and_shifts_only_move_pixels(field: str) -> None:
    """What comes in from outside is the reflected picture, so every value is one of the picture's own."""
    x = pictures(16)
    made = changed(x, replace(STILL, **{field: getattr(BGC, field)}))
    for a, b in zip(made, x, strict=True):
        assert torch.isin((a * 1e3).round(), (b * 1e3).round()).float().mean() > 0.98
    assert (made - x).abs().max() > 0.1
    if field != "shift":
        torch.testing.assert_close(made.flatten(2).sum(2), x.flatten(2).sum(2), atol=1e-3, rtol=0)


def test_flips_are_mirror_images_half_of_the_time() -> None:
    x = pictures(200)
    made = changed(x, replace(STILL, flip=True))
    mirrored = (made - x.flip(-1)).abs().amax((1, 2, 3)) < 1e-4
    same = (made - x).abs().amax((1, 2, 3)) < 1e-4
    assert (mirrored ^ same).all() and 0.4 < mirrored.float().mean() < 0.6


def test_any_turn_happens_with_probability_p() -> None:
    x = pictures(600, 4)
    turned = ((changed(x, replace(STILL, turn=1.0), p=0.5) - x).abs().amax((1, 2, 3)) > 1e-3).float().mean()
    assert 0.43 < turned < 0.57


def test_colours_keep_grey_where_they_should() -> None:
    grey = torch.linspace(-1, 1, 16).reshape(1, 1, 4, 4).repeat(8, 3, 1, 1)
    torch.testing.assert_close(changed(grey, replace(STILL, hue=1.0, saturation=1.0)), grey, atol=1e-5, rtol=0)
    x = pictures(8)
    hued = changed(x, replace(STILL, hue=1.0))
    torch.testing.assert_close(hued.mean(1), x.mean(1), atol=1e-5, rtol=0)  # about the grey axis
    torch.testing.assert_close(hued.square().sum(1), x.square().sum(1), atol=1e-4, rtol=0)  # a rotation
    flipped = changed(x, replace(STILL, luma_flip=True))
    torch.testing.assert_close(flipped.mean(1).abs(), x.mean(1).abs(), atol=1e-5, rtol=0)
    assert (flipped.mean(1) * x.mean(1) < -1e-6).any() and (flipped.mean(1) * x.mean(1) > 1e-6).any()


def test_a_picture_and_its_raw_rendering_change_alike() -> None:
    x = pictures(6)
    both = changed(torch.cat([x, x], 1), BGC)
    torch.testing.assert_close(both[:, :3], both[:, 3:])
    torch.testing.assert_close(both[:, :3], changed(x, BGC))


def test_two_derivatives() -> None:
    x = pictures(2, 4).double().requires_grad_()
    config = replace(FACES, images_to_one=1)
    assert torch.autograd.gradcheck(lambda y: changed(y, config), x)
    assert torch.autograd.gradgradcheck(lambda y: changed(y, config).square(), x)


def test_p_rises_when_d_is_sure_and_falls_when_it_is_not() -> None:
    config = AdaConfig(images_to_one=100, every=2)
    state = ada.start()
    for sign, p in ((1.0, 0.0), (1.0, 0.2), (1.0, 0.2), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)):
        adapt(state, torch.tensor(sign), 10, config)
        assert float(state["p"]) == pytest.approx(p)
    for _ in range(40):
        adapt(state, torch.tensor(1.0), 10, config)
    assert float(state["p"]) == 1.0


def test_rows_of_the_draws_are_those_of_the_whole() -> None:
    whole = changed(pictures(8), BGC)
    for first in (0, 1):
        rows = rng.Rows(rng.generator(0, "augment"), first, 2)
        torch.testing.assert_close(augment(pictures(8)[first::2], ALWAYS, rows, BGC), whole[first::2])
