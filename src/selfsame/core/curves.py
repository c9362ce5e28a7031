"""Curves over time: gaps filled, and made smooth without lag."""

import numpy as np
from jaxtyping import Bool, Float

REACH = 3.0  # standard deviations on either side from which a value is told


def fill(
    times_s: Float[np.ndarray, "t"], values: Float[np.ndarray, "t d"], known: Bool[np.ndarray, "t"]
) -> Float[np.ndarray, "t d"]:
    """The values with straight lines where they are not `known`, and constants at the ends; one at least must be."""
    columns = [np.interp(times_s, times_s[known], column[known]) for column in values.T]
    return np.stack(columns, 1)


def smooth(
    times_s: Float[np.ndarray, "t"], values: Float[np.ndarray, "t d"], sigma_s: float
) -> Float[np.ndarray, "t d"]:
    """Each value told by the parabola through its neighbours, under a Gaussian weight of `sigma_s` seconds.

    A parabola keeps the peaks that a mean would flatten, and nothing lags [Savitzky and Golay 1964]. The frames need
    not be evenly spaced; 0 changes nothing.
    """
    if sigma_s == 0:
        return values.copy()
    first = np.searchsorted(times_s, times_s - REACH * sigma_s)
    last = np.searchsorted(times_s, times_s + REACH * sigma_s, side="right")
    parts = [slice(a, b) for a, b in zip(first, last, strict=True)]
    made = [_shares((times_s[p] - t) / sigma_s) @ values[p] for p, t in zip(parts, times_s, strict=True)]
    return np.stack(made).astype(values.dtype)


def _shares(x: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """What share each point has in the value at 0 of the weighted parabola through them all."""
    weight = np.exp(-0.5 * x**2)
    basis = np.stack([np.ones_like(x), x, x**2], 1)
    # The small ridge steadies the slope and the bend where there are too few points to tell them.
    normal = basis.T @ (basis * weight[:, None]) + weight.sum() * np.diag([0.0, 1e-3, 1e-3])
    shares: np.ndarray = np.linalg.solve(normal, (basis * weight[:, None]).T)[0]
    return shares
