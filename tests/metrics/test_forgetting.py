"""AIP and forgetting, on matrices that can be worked out by hand."""

import numpy as np
import pytest

from selfsame.metrics.forgetting import average_incremental, forgetting, mean_forgetting

NAN = np.nan
R = np.array([[0.9, NAN, NAN], [0.7, 0.8, NAN], [0.6, 0.85, 0.95]])


def test_aip_is_the_mean_of_the_rows_means() -> None:
    assert average_incremental(R) == pytest.approx((0.9 + (0.7 + 0.8) / 2 + (0.6 + 0.85 + 0.95) / 3) / 3)


def test_forgetting_is_told_from_each_sessions_best_model_and_may_be_a_gain() -> None:
    assert forgetting(R, "high") == pytest.approx([0.9 - 0.6, 0.8 - 0.85])
    assert mean_forgetting(R, "high") == pytest.approx(0.125)


def test_an_error_is_forgotten_when_it_grows() -> None:
    assert forgetting(-R, "low") == pytest.approx(forgetting(R, "high"))


def test_the_best_is_sought_from_the_sessions_own_model_on_and_not_in_the_last() -> None:
    later_best = np.array([[0.5, NAN, NAN], [0.9, 0.1, NAN], [0.2, 0.1, 0.3]])
    assert forgetting(later_best, "high") == pytest.approx([0.7, 0.0])


def test_one_session_has_nothing_to_forget() -> None:
    assert mean_forgetting(np.array([[0.5]]), "low") == 0.0
    assert average_incremental(np.array([[0.5]])) == 0.5
