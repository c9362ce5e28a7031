"""What the judge of lids learns from: the world's lids, and the eyes that a picture shows."""

from pathlib import Path

import lids_judge
import torch
from lids_judge import OPEN, SHUT, WINDOW_PX, Eyes, LidsTraining

from selfsame.faces import lids


def test_lids_are_up_or_down_and_seldom_between() -> None:
    drawn = lids_judge.draw_lids(2000, torch.Generator().manual_seed(0))
    assert drawn.min() >= 0 and drawn.max() <= 1
    between = ((drawn > OPEN) & (drawn < SHUT)).float().mean()
    assert 0.05 < between < 0.15
    assert 0.4 < (drawn >= SHUT).float().mean() < 0.5
    marks = lids_judge.labels(torch.tensor([0.0, OPEN, (OPEN + SHUT) / 2, SHUT, 1.0]))
    torch.testing.assert_close(marks, torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0]))


def test_a_window_shows_what_lies_around_its_place() -> None:
    pictures = torch.full((1, 1, 128, 128), -1.0)
    pictures[..., 60:69, 30:39] = 1.0
    seen = lids_judge.window(pictures, torch.tensor([[2 * 34.5 / 128 - 1, 2 * 64.5 / 128 - 1]]))
    assert seen.shape == (1, 1, WINDOW_PX, WINDOW_PX)
    middle = WINDOW_PX // 2
    assert seen[..., middle - 4 : middle + 4, middle - 4 : middle + 4].min() > 0.9
    assert seen.mean() < -0.8


def test_it_learns_to_tell_a_bright_eye_from_a_flat_one(tmp_path: Path) -> None:
    """Windows of which half show a white bar where an open eye would be."""
    windows = torch.full((256, 1, WINDOW_PX, WINDOW_PX), 100, dtype=torch.uint8)
    windows += torch.randint(0, 9, windows.shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    windows[:128, :, 16:24, 12:28] = 230
    closed = (torch.arange(256) >= 128).float()
    net = lids_judge.train(Eyes(windows, closed, torch.arange(256)), tmp_path, LidsTraining(40, batch=64))
    told = lids_judge.tell(net, Eyes(windows, closed, torch.arange(256)))
    assert [figure.mean > 0.95 for figure in told] == [True, True]
    assert net(torch.zeros(3, 1, lids.PATCH_PX, lids.PATCH_PX)).shape == (3,)
