"""ER-Hull as published, literal and slow: what the fast rule must agree with."""

from collections import Counter
from itertools import combinations

import numpy as np
from scipy.optimize import minimize
from scipy.spatial import ConvexHull
from sklearn.decomposition import PCA


def distances(codes: np.ndarray, chosen: tuple[int, ...]) -> np.ndarray:
    """Distance of each item to the hull of the chosen, by PCA to one dimension less than these, facets and SLSQP."""
    pca = PCA(len(chosen) - 1).fit(codes[list(chosen)])
    flat = pca.transform(codes)
    facets = ConvexHull(flat[list(chosen)]).equations
    inside = {"type": "ineq", "fun": lambda y: -facets[:, :-1] @ y - facets[:, -1], "jac": lambda y: -facets[:, :-1]}
    found = np.zeros(len(codes))
    for i in set(range(len(codes))) - set(chosen):
        nearest = minimize(
            lambda y, x=flat[i]: np.square(y - x).sum(),
            flat[list(chosen)].mean(0),
            jac=lambda y, x=flat[i]: 2 * (y - x),
            constraints=inside,
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 200},
        ).x
        found[i] = np.linalg.norm(codes[i] - pca.inverse_transform(nearest[None])[0])
    return found


def score(codes: np.ndarray, sessions: list[int], spread: list[float], chosen: tuple[int, ...]) -> float:
    """The mean over sessions of the mean distance of their unselected items."""
    away, means = distances(codes, chosen), []
    for u in sorted(set(sessions)):
        members = [i for i, session in enumerate(sessions) if session == u]
        left = [i for i in members if i not in chosen]
        means.append(np.mean([away[i] for i in left] if left else [spread[i] for i in members]))
    return float(np.mean(means))


def valid(sessions: list[int], size: int) -> list[tuple[int, ...]]:
    """All subsets whose counts a session lie between size // u and, with a remainder, one more."""
    each, more = divmod(size, len(set(sessions)))
    return [
        chosen
        for chosen in combinations(range(len(sessions)), size)
        if all(each <= Counter(sessions[i] for i in chosen)[u] <= each + (more > 0) for u in set(sessions))
    ]
