import math

import numpy as np
import pytest
from scipy.stats import bootstrap, permutation_test

from selfsame.metrics.stats import measure, paired, per_unit


def test_the_mean_and_interval_agree_with_scipy() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=40)
    figure = measure("psnr", values.tolist(), better="high")
    oracle = bootstrap((values,), np.mean, method="percentile", random_state=1).confidence_interval
    assert figure.mean == pytest.approx(values.mean())
    assert (figure.low, figure.high) == pytest.approx((oracle.low, oracle.high), abs=0.03)
    assert (figure.name, figure.n, figure.better) == ("psnr", 40, "high")
    assert measure("psnr", values.tolist(), better="high") == figure
    assert measure("psnr", values.tolist(), better="high", seed=1).low != figure.low


def test_photos_of_one_person_are_one_unit() -> None:
    values, people = [1.0, 3.0, 10.0, 2.0], ["ada", "ada", "bo", "ada"]
    assert per_unit(values, people).tolist() == [2.0, 10.0]
    figure = measure("x", values, better="low", units=people)
    assert (figure.mean, figure.n) == (6.0, 2)
    assert (figure.low, figure.high) == (2.0, 10.0)


def test_one_unit_has_no_interval() -> None:
    figure = measure("x", [4.0], better="low")
    assert (figure.mean, figure.n) == (4.0, 1)
    assert math.isnan(figure.low)
    assert math.isnan(figure.high)


def test_the_interval_holds_the_truth_about_95_times_in_100() -> None:
    random = np.random.default_rng(0)
    figures = [measure("x", random.normal(1.0, 1.0, 60).tolist(), better="high", seed=i) for i in range(200)]
    assert 180 <= sum(f.low <= 1.0 <= f.high for f in figures) <= 199


@pytest.mark.parametrize(("n", "tolerance"), [(3, 1e-9), (9, 1e-9), (30, 0.02)])
def test_the_paired_p_agrees_with_scipy(n: int, tolerance: float) -> None:
    random = np.random.default_rng(n)
    a, b = random.normal(0.4, 1, n), random.normal(0, 1, n)
    oracle = permutation_test(
        (a, b), lambda x, y, axis: (x - y).mean(axis), permutation_type="samples", vectorized=True, n_resamples=20_000
    )
    result = paired("gain", a.tolist(), b.tolist(), better="high")
    assert result.p == pytest.approx(oracle.pvalue, abs=tolerance)
    assert result.difference.mean == pytest.approx((a - b).mean())
    assert paired("gain", b.tolist(), a.tolist(), better="high").p == pytest.approx(result.p, abs=tolerance)


def test_p_counts_by_hand() -> None:
    assert paired("x", [1.0, 2.0, 3.0], [0.0, 0.0, 0.0], better="high").p == 2 / 8
    assert paired("x", [1.0, 2.0], [1.0, 2.0], better="high").p == 1.0
    assert paired("x", [5.0] * 40, [0.0] * 40, better="high").p == 1 / 10_001
