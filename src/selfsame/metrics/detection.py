"""How well scores tell fake from real: pure functions of scores, labels and weights, and intervals over identities.

Scores lie in [0, 1] and high is fake. A weight says how often an item counts; rows of weights give a figure each, so
that a thousand bootstrap samples are one call and one sorting.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from selfsame.core import rng
from selfsame.core.errors import BadInput
from selfsame.core.results import Measured

Values = Float[np.ndarray, "n"]
Labels = Bool[np.ndarray, "n"]
Weights = Float[np.ndarray, "*r n"]
Figure = Float[np.ndarray, "*r"]
Places = Int[np.ndarray, "*r"] | np.integer
Convention = Literal["conservative", "interpolated", "nearest"]
RESAMPLES = 1_000
AT_ONCE = 100  # samples whose weights are held at a time
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

    fpr: Float[np.ndarray, "*r k"]
    tpr: Float[np.ndarray, "*r k"]


def roc(score: Values, fake: Labels, weight: Weights | None = None) -> Roc:
    """The receiver operating characteristic; NaN where there are only real or only fake items."""
    hits, alarms = _steps(score, fake, weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Roc(*(_from_zero(counted / counted[..., -1:]) for counted in (alarms, hits)))


def auc(score: Values, fake: Labels, weight: Weights | None = None) -> Figure:
    """The chance that a fake item scores higher than a real one, ties counting half."""
    curve = roc(score, fake, weight)
    return np.asarray(np.trapezoid(curve.tpr, curve.fpr, axis=-1))


def tpr_at(
    score: Values, fake: Labels, weight: Weights | None = None, *, fpr: float, convention: Convention = "conservative"
) -> Figure:  # fmt: skip
    """The share of fakes found at a false positive rate, by one of the three conventions in use [facts, section 5].

    "conservative": the most at a rate of at most `fpr`; "interpolated": on the straight lines of the curve (GenD);
    "nearest": at the curve's point nearest to `fpr`, the last of several (HiFi-Net). With few reals they differ much.
    """
    curve = roc(score, fake, weight)
    points = curve.fpr.shape[-1]
    if convention == "interpolated":
        after = np.clip((curve.fpr <= fpr).sum(-1), 1, points - 1)  # a rate reached exactly counts with all it finds
        return _between(curve.fpr, curve.tpr, after, np.full(np.shape(after), fpr))
    if convention == "nearest":
        apart = np.abs(curve.fpr - fpr)
        at = points - 1 - np.argmin(apart[..., ::-1], axis=-1)
    else:
        at = np.maximum((curve.fpr <= fpr + 1e-12).sum(-1) - 1, 0)
    known = np.isfinite(curve.fpr[..., -1] + curve.tpr[..., -1])
    return np.asarray(np.where(known, _take(curve.tpr, at), math.nan))


def enough_reals(reals: int, fpr: float) -> bool:
    """Whether a false positive rate can be told from none at all: one false alarm must be at most that rate."""
    return reals >= 1 / fpr - 1e-9


def false_alarms_allowed(reals: int, fpr: float) -> int:
    """How many real items may score above the threshold at a false positive rate."""
    return math.floor(reals * fpr + 1e-9)


def eer(score: Values, fake: Labels, weight: Weights | None = None) -> Figure:
    """The equal error rate, on the straight lines of the curve: where false alarms and misses are equally frequent."""
    curve = roc(score, fake, weight)
    gap = curve.fpr - (1 - curve.tpr)
    after = np.maximum(np.argmax(gap >= 0, axis=-1), 1)
    return _between(gap, curve.fpr, after, np.zeros(np.shape(after)))


def average_precision(score: Values, fake: Labels, weight: Weights | None = None) -> Figure:
    """The area below precision and recall, as steps [as scikit-learn]."""
    hits, alarms = _steps(score, fake, weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(hits / (hits + alarms))
        return np.asarray((np.diff(hits, prepend=0.0, axis=-1) / hits[..., -1:] * precision).sum(-1))


def brier(score: Values, fake: Labels, weight: Weights | None = None) -> Figure:
    """The mean squared distance of the scores to the truth (0 real, 1 fake)."""
    weight = np.ones(len(score)) if weight is None else weight
    return np.asarray(weight @ (score - fake) ** 2 / weight.sum(-1))


def calibration_error(score: Values, fake: Labels, weight: Weights | None = None) -> Figure:
    """The expected calibration error over bins of equal width: how far scores are from the share of fakes there."""
    weight = np.ones(len(score)) if weight is None else weight
    bins = np.eye(BINS)[np.minimum((score * BINS).astype(int), BINS - 1)]
    return np.asarray(np.abs(weight @ (bins * (score - fake)[:, None])).sum(-1) / weight.sum(-1))


def _steps(score: Values, fake: Labels, weight: Weights | None) -> tuple[Float[np.ndarray, "*r k"], ...]:
    """How much fake and how much real weight lies above each threshold, thresholds falling from score to score."""
    weight = np.ones(len(score)) if weight is None else weight
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.nonzero(np.diff(score[order]))[0], len(score) - 1)
    sides = (np.where(side, weight, 0.0)[..., order] for side in (fake, ~fake))
    return tuple(np.cumsum(side, axis=-1)[..., ends] for side in sides)


def _from_zero(rates: Float[np.ndarray, "*r k"]) -> Float[np.ndarray, "*r m"]:
    return np.concatenate([np.zeros((*rates.shape[:-1], 1)), rates], -1)


def _take(curve: Float[np.ndarray, "*r k"], at: Places) -> Figure:
    return np.asarray(np.take_along_axis(curve, np.asarray(at)[..., None], -1)[..., 0])


def _between(
    x: Float[np.ndarray, "*r k"], y: Float[np.ndarray, "*r k"], after: Places, wanted: Figure
) -> Figure:  # fmt: skip
    """y where x is `wanted`, on the straight line to the point `after`."""
    (x0, x1), (y0, y1) = ((_take(curve, after - 1), _take(curve, after)) for curve in (x, y))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(x1 == x0, 0.0, (wanted - x0) / (x1 - x0))
    return np.asarray(y0 + share * (y1 - y0))


Metric = Callable[[Values, Labels, Weights | None], Figure]
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

    One bootstrap draws the identities of all groups together, so that groups that share them vary together. Where a
    group has but one real or one fake identity there is no interval (NaN).
    """
    known = {unit: i for i, unit in enumerate(dict.fromkeys(unit for group in groups for unit in group.units))}
    of = [np.array([known[unit] for unit in group.units]) for group in groups]
    value = combine([float(metric(group.score, group.fake, None)) for group in groups])
    drawn: list[float] = []
    if all(_varies(group) for group in groups):
        random = np.random.default_rng(rng.key(seed, "bootstrap"))
        lots = random.integers(0, len(known), (RESAMPLES, len(known)))
        times = np.stack([np.bincount(lot, minlength=len(known)) for lot in lots]).astype(float)
        parts = [times[first : first + AT_ONCE] for first in range(0, RESAMPLES, AT_ONCE)]
        columns = [
            np.concatenate([metric(g.score, g.fake, part[:, rows]) for part in parts])
            for g, rows in zip(groups, of, strict=True)
        ]
        drawn = [combine(row) for row in np.stack(columns, -1).tolist()]
    found = np.array(drawn)[np.isfinite(drawn)] if drawn else np.empty(0)
    low, high = np.percentile(found, [2.5, 97.5]) if len(found) > 1 else (math.nan, math.nan)
    return Measured(name, value, float(low), float(high), len(known), better)


def _varies(group: Scored) -> bool:
    """Whether there are two identities of either side to draw from."""
    return all(
        len({u for u, f in zip(group.units, group.fake, strict=True) if f == side}) > 1 for side in (True, False)
    )
