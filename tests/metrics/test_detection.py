"""Metrics of detectors: scikit-learn's where it has them, the conventions apart, and intervals over identities."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from selfsame.core.errors import BadInput
from selfsame.metrics import detection
from selfsame.metrics.detection import METRICS, Scored


def items(seed: int, count: int = 60, steps: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with many ties, labels of both kinds, whole weights."""
    random = np.random.default_rng(seed)
    fake = random.random(count) < 0.6
    fake[:2] = (True, False)
    score = np.clip(np.round((random.random(count) + 0.4 * fake) * steps / 1.4) / steps, 0, 1)
    return score, fake, random.integers(0, 4, count).astype(float) + np.isin(np.arange(count), (0, 1))


@pytest.mark.parametrize("seed", range(6))
def test_the_same_as_scikit_learn_with_ties_and_weights(seed: int) -> None:
    score, fake, weight = items(seed)
    for w in (None, weight):
        assert detection.auc(score, fake, w) == pytest.approx(reference.roc_auc_score(fake, score, sample_weight=w))
        expected = reference.average_precision_score(fake, score, sample_weight=w)
        assert detection.average_precision(score, fake, w) == pytest.approx(expected)
        expected = reference.brier_score_loss(fake, score, sample_weight=w)
        assert detection.brier(score, fake, w) == pytest.approx(expected)


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_a_weight_is_a_repetition(seed: int) -> None:
    score, fake, weight = items(seed, 30)
    times = weight.astype(int)
    for name, (metric, _) in METRICS.items():
        repeated = metric(np.repeat(score, times), np.repeat(fake, times), None)
        assert metric(score, fake, weight) == pytest.approx(repeated), name


@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=40, deadline=None)
def test_conservative_never_allows_more_alarms_and_is_never_the_largest(seed: int, fpr: float) -> None:
    score, fake, _ = items(seed)
    at = {c: detection.tpr_at(score, fake, fpr=fpr, convention=c) for c in ("conservative", "interpolated", "nearest")}
    assert at["conservative"] <= at["interpolated"] + 1e-12
    threshold = min((t for t in score[fake] if (score[~fake] >= t).mean() <= fpr), default=math.inf)
    assert at["conservative"] == pytest.approx((score[fake] >= threshold).mean())


@pytest.mark.parametrize("convention", ["conservative", "interpolated", "nearest"])
def test_rows_of_weights_give_what_each_gives_alone(convention: detection.Convention) -> None:
    score, fake, _ = items(1)
    rows = np.random.default_rng(0).integers(0, 3, (7, len(score))).astype(float)
    rows[3, fake] = 0  # a sample without any fake
    metrics = {name: metric for name, (metric, _) in METRICS.items()}
    metrics["at"] = lambda s, f, w: detection.tpr_at(s, f, w, fpr=0.2, convention=convention)
    for name, metric in metrics.items():
        alone = [float(metric(score, fake, row)) for row in rows]
        np.testing.assert_allclose(metric(score, fake, rows), alone, err_msg=name)


def test_three_conventions_on_one_small_curve() -> None:
    """Reals at .5 and .9, fakes at .95, .7, .2: the curve is (0, 1/3), (1/2, 1/3), (1/2, 2/3), (1, 2/3), (1, 1)."""
    score, fake = np.array([0.5, 0.9, 0.95, 0.7, 0.2]), np.array([False, False, True, True, True])
    assert detection.tpr_at(score, fake, fpr=0.3, convention="conservative") == pytest.approx(1 / 3)
    assert detection.tpr_at(score, fake, fpr=0.3, convention="nearest") == pytest.approx(2 / 3)
    assert detection.tpr_at(score, fake, fpr=0.3, convention="interpolated") == pytest.approx(1 / 3)
    assert detection.tpr_at(score, fake, fpr=0.75, convention="interpolated") == pytest.approx(2 / 3)


def test_equal_error_rate() -> None:
    perfect = np.array([0.1, 0.2, 0.8, 0.9])
    fake = np.array([False, False, True, True])
    assert detection.eer(perfect, fake) == 0 and detection.eer(1 - perfect, fake) == 1
    assert detection.eer(np.full(4, 0.5), fake) == pytest.approx(0.5)
    assert detection.eer(np.array([0.1, 0.6, 0.4, 0.9]), fake) == pytest.approx(0.5)


def test_calibration_is_told_apart_from_ranking() -> None:
    fake = np.array([False] * 50 + [True] * 50)
    assert detection.calibration_error(fake.astype(float), fake) == 0
    assert detection.calibration_error(np.full(100, 0.5), fake) == pytest.approx(0)
    assert detection.calibration_error(np.full(100, 0.9), fake) == pytest.approx(0.4)


def test_few_reals_are_flagged() -> None:
    assert detection.enough_reals(1000, 0.001) and not detection.enough_reals(999, 0.001)
    assert detection.enough_reals(100, 0.01) and not detection.enough_reals(70, 0.01)
    assert [detection.false_alarms_allowed(n, 0.01) for n in (99, 100, 250)] == [0, 1, 2]


def test_one_kind_alone_has_no_curve() -> None:
    fake = np.ones(4, dtype=bool)
    for name in ("AUC", "TPR at 1 % FPR", "EER"):
        assert math.isnan(METRICS[name][0](np.array([0.1, 0.2, 0.3, 0.4]), fake, None))
    assert math.isnan(detection.average_precision(np.array([0.1, 0.2]), np.zeros(2, dtype=bool)))


def test_intervals_count_identities_and_not_clips() -> None:
    """The same clips ten times over say nothing new, if they show the same people."""
    score, fake, _ = items(3, 40)
    units = [f"person {i}" for i in range(40)]
    once = detection.measure("AUC", Scored(score, fake, units), detection.auc, "high")
    often = detection.measure(
        "AUC", Scored(np.tile(score, 10), np.tile(fake, 10), units * 10), detection.auc, "high"
    )  # fmt: skip
    assert (once.mean, once.low, once.high, once.n) == pytest.approx((often.mean, often.low, often.high, often.n))
    apart = detection.measure("AUC", Scored(np.tile(score, 10), np.tile(fake, 10), range(400)), detection.auc, "high")
    assert apart.high - apart.low < 0.5 * (once.high - once.low)
    assert once.low < once.mean < once.high


def test_scores_that_are_no_probabilities_are_refused() -> None:
    for bad in (1.2, -0.1, math.nan):
        with pytest.raises(BadInput, match="from 0 to 1"):
            Scored(np.array([0.5, bad]), np.array([True, False]), [0, 1])
