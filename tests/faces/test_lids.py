"""The judge of lids: open eyes and shut ones, which eye is asked, and where it looks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from selfsame.core import image
from selfsame.core.camera import FACE_DISTANCE, FACE_PIVOT, from_angles
from selfsame.core.weights import Card
from selfsame.faces import detect, frames, intake, lids, quality
from selfsame.faces.lids import LidsConfig, LidsNet
from selfsame.world import album

SEEDS = (950_000, 950_001, 950_002)  # people that no recipe trains on
EYES = np.array([[0.37, 0.376], [0.63, 0.376]])


class Stub(LidsNet):
    """Tells the mean grey of what lies left of the patch's middle, and counts how many eyes it was asked about."""

    def __init__(self) -> None:
        super().__init__(LidsConfig((1, 1, 1)))
        self.asked = 0

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        self.asked += len(patches)
        return 10 * patches[..., : lids.PATCH_PX // 2].mean((1, 2, 3)) - 5


def photo(seed: int, lid_close: float, yaw: float = 0.0) -> np.ndarray:
    """A synthetic person's photo from a yaw in radians."""
    look = album.looks(seed, 1, (30.0, 30.0))
    look = replace(look, expression=replace(look.expression, lid_close=torch.tensor([lid_close])))
    camera = from_angles(
        torch.tensor([yaw]), torch.tensor([0.0]), pivot=FACE_PIVOT, radius=FACE_DISTANCE, focal=album.PHOTO_FOCAL
    )
    return np.ascontiguousarray(image.to_uint8(album.photograph(look, camera, 256, 1))[0])


@pytest.mark.parametrize("yaw", [0.0, 0.5])
@pytest.mark.parametrize("seed", SEEDS)
def test_shut_eyes_are_left_out_and_open_ones_are_kept(seed: int, yaw: float) -> None:
    assert quality.why_unusable(intake.measure(photo(seed, 0.0, yaw), 128).quality) is None
    why = quality.why_unusable(intake.measure(photo(seed, 1.0, yaw), 128).quality)
    assert why and why[0] == "eyes"


def test_a_blink_is_no_choice_among_the_frames_of_a_video() -> None:
    awake, asleep = photo(SEEDS[1], 0.0), photo(SEEDS[1], 1.0)
    assert frames.describe(0, awake, detect.detect(awake)[0]) is not None
    assert frames.describe(0, asleep, detect.detect(asleep)[0]) is None


def test_a_real_portrait_has_open_eyes() -> None:
    assert (intake.measure(astronaut(), 128).quality.shut or 1.0) < 0.1


def test_the_more_open_eye_decides_and_a_far_one_is_not_asked() -> None:
    """Left half of the picture white, which the stub takes for shut."""
    grey = np.zeros((128, 128), np.uint8)
    grey[:, :64] = 255
    for yaw, asked, told in ((0.0, 2, False), (30.0, 1, False), (-30.0, 1, True)):
        stub = Stub()
        assert (lids.shut(grey, EYES, yaw, stub) > 0.5) == told
        assert stub.asked == asked


def test_both_eyes_are_shown_as_left_ones_and_where_they_are() -> None:
    """A white spot on the outer side of each eye lies in the left half of both patches."""
    grey = np.zeros((128, 128), np.uint8)
    for u, side in zip(EYES[:, 0], (-1, 1), strict=True):
        middle = round(u * 128 + side * 6)
        grey[44:53, middle - 5 : middle + 5] = 255
    for yaw in (-30.0, 30.0):
        assert lids.shut(grey, EYES, yaw, Stub()) > 2 * lids.shut(grey[:, ::-1].copy(), EYES + 0.05, yaw, Stub())


def test_a_mirrored_face_is_judged_alike() -> None:
    found = intake.measure(photo(SEEDS[0], 0.5), 128)
    grey, eyes = quality.grey(quality.standard(found.image)), np.array(found.landmarks[:2])
    mirrored = np.stack([1 - eyes[::-1, 0], eyes[::-1, 1]], 1)
    judge = lids.starter()
    turned = lids.shut(np.ascontiguousarray(grey[:, ::-1]), mirrored, 0.0, judge)
    assert lids.shut(grey, eyes, 0.0, judge) == pytest.approx(turned, abs=1e-3)


def test_light_and_contrast_change_nothing() -> None:
    patches = torch.rand(4, 1, lids.PATCH_PX, lids.PATCH_PX, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(lids.prepare(0.3 * patches + 0.1), lids.prepare(patches), atol=0.03, rtol=0)


def test_it_comes_back_from_its_file(tmp_path: Path) -> None:
    net = LidsNet(LidsConfig((2, 3, 4))).eval()
    patches = torch.rand(2, 1, lids.PATCH_PX, lids.PATCH_PX)
    lids.save(tmp_path, net, Card("", {}, 0, "For tests."))
    torch.testing.assert_close(lids.load(tmp_path)(patches), net(patches), atol=1e-2, rtol=0)
