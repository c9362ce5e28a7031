"""Curves: what is smooth stays, what shakes is calmed, nothing lags, and gaps become straight lines."""

import numpy as np
import pytest

from selfsame.core import curves

TIMES_S = np.arange(50) / 25


def test_parabolas_stay_as_they_are_at_uneven_times_too() -> None:
    times_s = np.sort(np.random.default_rng(0).random(60) * 3)
    values = np.stack([3 + 0 * times_s, 2 * times_s - 1, times_s**2], 1)
    assert np.abs(curves.smooth(times_s, values, 0.15) - values).max() < 0.01


def test_noise_is_calmed_and_a_turn_does_not_lag() -> None:
    turn = np.sin(2 * np.pi * TIMES_S)[:, None]
    noise = 0.1 * np.random.default_rng(0).standard_normal((50, 40))
    assert np.abs(curves.smooth(TIMES_S, turn, 0.08) - turn).max() < 0.03
    calm = curves.smooth(TIMES_S, turn + noise, 0.08) - turn
    assert calm[5:-5].std() < 0.6 * noise.std()


def test_no_smoothing_changes_nothing() -> None:
    values = np.random.default_rng(0).standard_normal((50, 3))
    assert np.array_equal(curves.smooth(TIMES_S, values, 0.0), values)


@pytest.mark.parametrize("count", [1, 2])
def test_a_frame_or_two_can_be_smoothed(count: int) -> None:
    values = np.arange(count, dtype=np.float32)[:, None] + 1
    assert np.abs(curves.smooth(TIMES_S[:count], values, 0.1) - values).max() < 0.6
    assert curves.smooth(TIMES_S[:count], values, 0.1).dtype == np.float32


def test_gaps_become_straight_lines_and_ends_constants() -> None:
    known = np.isin(np.arange(50), [10, 20, 30])
    values = np.where(known, np.arange(50), np.nan)[:, None]
    filled = curves.fill(TIMES_S, values, known)[:, 0]
    assert np.allclose(filled[10:31], np.arange(10, 31))
    assert filled[0] == 10 and filled[-1] == 30
