"""How well scores tell fake from real: pure functions of scores, labels and weights, and intervals over identities.

Scores lie in [0, 1] and high is fake. A weight says how often an item counts, which makes one bootstrap sample of a
thousand identities one more call and not one more sorting of clips.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from selfsame.core import rng
from selfsame.core.errors import BadInput
from selfsame.core.results import Measured

Values = Float[np.ndarray, "n"]
Convention = Literal["conservative", "interpolated", "nearest"]
RESAMPLES = 1_000
BINS = 15  # of the expected calibration error [Guo et al. 2017]


@dataclass(frozen=True, eq=False)
class Scored:
    """Items with a score, whether each is fake, and whose face it shows (`units`, for intervals)."""

    score: Values
    fake: Bool[np.ndarray, "n"]
    units: Sequence[Hashable]

    def __post_init__(self) -> None:
        if not (np.isfinite(self.score).all() and (self.score >= 0).all() and (self.score <= 1).all()):
            raise BadInput("A score is not a number from 0 to 1.", "Give probabilities, where high is fake.")

    @property
    def reals(self) -> int:
        """How many real items there are."""
        return int((~self.fake).sum())


@dataclass(frozen=True, eq=False)
class Roc:
    """False and true positive rates at falling thresholds, from (0, 0) to (1, 1); items of one score move together."""

    fpr: Values
    tpr: Values


def roc(score: Values, fake: Bool[np.ndarray, "n"], weight: Values | None = None) -> Roc:
    """The receiver operating characteristic; NaN where there are only real or only fake items."""
    weight = np.ones(len(score)) if weight is None else weight
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.nonzero(np.diff(score[order]))[0], len(score) - 1)
    hits = np.cumsum(np.where(fake, weight, 0.0)[order])[ends]
    alarms = np.cumsum(np.where(fake, 0.0, weight)[order])[ends]
    with np.errstate(invalid="ignore", divide="ignore"):
        return Roc(np.append(0.0, alarms / alarms[-1]), np.append(0.0, hits / hits[-1]))


def auc(score: Values, fake: Bool[np.ndarray, "n"], weight: Values | None = None) -> float:
    """The chance that a fake item scores higher than a real one, ties counting half."""
    curve = roc(score, fake, weight)
    return float(np.trapezoid(curve.tpr, curve.fpr))


def tpr_at(
    score: Values,
    fake: Bool[np.ndarray, "n"],
    weight: Values | None = None,
    *,
    fpr: float,
    convention: Convention = "conservative",
) -> float:
    """The share of fakes found at a false positive rate, by one of the three conventions in use [facts, section 5].

    "conservative": the most at a rate of at most `fpr`; "interpolated": on the straight lines of the curve (GenD);
    "nearest": at the curve's point nearest to `fpr`, the last of several (HiFi-Net). With few reals they differ much.
    """
    curve = roc(score, fake, weight)
    if np.isnan(curve.fpr).any() or np.isnan(curve.tpr).any():
        return math.nan
    if convention == "interpolated":
        return float(np.interp(fpr, curve.fpr, curve.tpr))
    if convention == "nearest":
        apart = np.abs(curve.fpr - fpr)
        return float(curve.tpr[np.nonzero(apart == apart.min())[0][-1]])
    return float(curve.tpr[curve.fpr <= fpr + 1e-12].max())


def enough_reals(reals: int, fpr: float) -> bool:
    """Whether a false positive rate can be told from none at all: one false alarm must be at most that rate."""
    return reals >= 1 / fpr - 1e-9


def false_alarms_allowed(reals: int, fpr: float) -> int:
    """How many real items may score above the threshold at a false positive rate."""
    return math.floor(reals * fpr + 1e-9)


def eer(score: Values, fake: Bool[np.ndarray, "n"], weight: Values | None = None) -> float:
    """The equal error rate, on the straight lines of the curve: where false alarms and misses are equally frequent."""
    curve = roc(score, fake, weight)
    gap = curve.fpr - (1 - curve.tpr)
    if np.isnan(gap).any():
        return math.nan
    after = int(np.argmax(gap >= 0))
    before = max(after - 1, 0)
    share = 0.0 if gap[after] == gap[before] else -gap[before] / (gap[after] - gap[before])
    return float(curve.fpr[before] + share * (curve.fpr[after] - curve.fpr[before]))


def average_precision(score: Values, fake: Bool[np.ndarray, "n"], weight: Values | None = None) -> float:
    """The area below precision and recall, as steps [as scikit-learn]."""
    weight = np.ones(len(score)) if weight is None else weight
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.nonzero(np.diff(score[order]))[0], len(score) - 1)
    hits = np.cumsum(np.where(fake, weight, 0.0)[order])[ends]
    seen = np.cumsum(weight[order])[ends]
    if hits[-1] == 0:
        return math.nan
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    return float((np.diff(hits, prepend=0.0) / hits[-1] * precision).sum())


def brier(score: Values, fake: Bool[np.ndarray, "n"], weight: Values | None = None) -> float:
    """The mean squared distance of the scores to the truth (0 real, 1 fake)."""
    return float(np.average((score - fake) ** 2, weights=weight))


def calibration_error(score: Values, fake: Bool[np.ndarray, "n"], weight: Values | None = None) -> float:
    """The expected calibration error over bins of equal width: how far scores are from the share of fakes there."""
    weight = np.ones(len(score)) if weight is None else weight
    bins = np.minimum((score * BINS).astype(int), BINS - 1)
    total = np.bincount(bins, weight, BINS)
    apart = np.abs(np.bincount(bins, weight * score, BINS) - np.bincount(bins, weight * fake, BINS))
    return float(apart.sum() / total.sum())


Metric = Callable[[Values, Bool[np.ndarray, "n"], Values | None], float]
METRICS: Mapping[str, tuple[Metric, Literal["high", "low"]]] = {
    "AUC": (auc, "high"),
    "TPR at 1 % FPR": (partial(tpr_at, fpr=0.01), "high"),
    "TPR at 0.1 % FPR": (partial(tpr_at, fpr=0.001), "high"),
    "Brier": (brier, "low"),
    "EER": (eer, "low"),
    "AP": (average_precision, "high"),
    "ECE": (calibration_error, "low"),
}


def measure(name: str, items: Scored, metric: Metric, better: Literal["high", "low"], seed: int = 0) -> Measured:
    """A metric of all items with its 95 % interval by the bootstrap over identities; n counts identities.

    Samples in which the metric has no value (no real or no fake identity was drawn) are left out.
    """
    return combined(name, [items], metric, lambda values: values[0], better, seed)


def combined(
    name: str, groups: Sequence[Scored], metric: Metric, combine: Callable[[Sequence[float]], float],
    better: Literal["high", "low"], seed: int = 0,
) -> Measured:  # fmt: skip
    """What is combined from a metric of several groups (a mean, a difference), with its interval.

    One bootstrap draws the identities of all groups together, so that groups that share them vary together.
    """
    known = {unit: i for i, unit in enumerate(dict.fromkeys(unit for group in groups for unit in group.units))}
    of = [np.array([known[unit] for unit in group.units]) for group in groups]
    value = combine([metric(group.score, group.fake, None) for group in groups])
    random = np.random.default_rng(rng.key(seed, "bootstrap"))
    drawn = []
    for _ in range(RESAMPLES if len(known) > 1 else 0):
        times = np.bincount(random.integers(0, len(known), len(known)), minlength=len(known)).astype(float)
        drawn.append(combine([metric(g.score, g.fake, times[rows]) for g, rows in zip(groups, of, strict=True)]))
    found = np.array(drawn)[np.isfinite(drawn)] if drawn else np.empty(0)
    low, high = np.percentile(found, [2.5, 97.5]) if len(found) > 1 else (math.nan, math.nan)
    return Measured(name, value, float(low), float(high), len(known), better)
