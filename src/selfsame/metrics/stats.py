"""Uncertainty of measured figures: intervals and tests over independent units (people, not their photos)."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from jaxtyping import Float

from selfsame.core import rng
from selfsame.core.results import Measured

Better = Literal["high", "low"]
RESAMPLES = 10_000
EXACT_UNITS = 12  # up to here all 2**n sign flips are counted


@dataclass(frozen=True)
class Paired:
    """The mean difference a - b over units with its interval, and the chance `p` of one as large without any effect."""

    difference: Measured
    p: float


def per_unit(values: Sequence[float], units: Sequence[Hashable] | None = None) -> Float[np.ndarray, "n"]:
    """The mean value of each unit, in the order in which the units first appear; one value a unit without `units`."""
    if units is None:
        return np.asarray(values, dtype=np.float64)
    groups: dict[Hashable, list[float]] = {}
    for value, unit in zip(values, units, strict=True):
        groups.setdefault(unit, []).append(value)
    return np.array([np.mean(group) for group in groups.values()])


def measure(
    name: str,
    values: Sequence[float],
    *,
    better: Better,
    units: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Measured:
    """The mean over units with its 95 % interval by the percentile bootstrap over units [Efron 1979].

    Photos of one person are not independent: name the person of each value in `units`. With one unit the interval is
    not known and is NaN.
    """
    means = per_unit(values, units)
    low, high = _interval(means, seed)
    return Measured(name, float(means.mean()), low, high, len(means), better)


def paired(
    name: str,
    a: Sequence[float],
    b: Sequence[float],
    *,
    better: Better,
    units: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Paired:
    """The mean of a - b on the same items, with its bootstrap interval and a two-sided sign-flip permutation test."""
    differences = [x - y for x, y in zip(a, b, strict=True)]
    return Paired(
        measure(name, differences, better=better, units=units, seed=seed),
        _sign_flip_p(per_unit(differences, units), seed),
    )


def _interval(means: Float[np.ndarray, "n"], seed: int) -> tuple[float, float]:
    if len(means) < 2:
        return math.nan, math.nan
    picks = _random(seed, "bootstrap").integers(0, len(means), (RESAMPLES, len(means)))
    low, high = np.percentile(means[picks].mean(1), [2.5, 97.5])
    return float(low), float(high)


def _sign_flip_p(differences: Float[np.ndarray, "n"], seed: int) -> float:
    n = len(differences)
    exact = n <= EXACT_UNITS
    signs = (
        np.array(list(product((1, -1), repeat=n))) if exact else _random(seed, "signs").choice([1, -1], (RESAMPLES, n))
    )
    flipped, seen = np.abs(signs @ differences), abs(differences.sum())
    as_large = int((flipped >= seen * (1 - 1e-12)).sum())
    # The observed signs are one of the possible ones: in a random draw they count as well [Phipson and Smyth 2010].
    return as_large / len(signs) if exact else (as_large + 1) / (len(signs) + 1)


def _random(seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng(rng.key(seed, purpose))
