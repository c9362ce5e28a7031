"""What a model that learns session after session knows and forgets, from a matrix of scores.

Row t of a matrix holds the scores R[t, k] of the model after session t on the test photos of session k, for k up to t;
what is above the diagonal is not looked at.
"""

import numpy as np
from jaxtyping import Float

from selfsame.metrics.stats import Better

Matrix = Float[np.ndarray, "t t"]


def average_incremental(matrix: Matrix) -> float:
    """AIP: the mean over t of the mean of R[t, 0..t] [continual paper, average incremental performance]."""
    return float(np.mean([matrix[t, : t + 1].mean() for t in range(len(matrix))]))


def forgetting(matrix: Matrix, better: Better) -> Float[np.ndarray, "sessions"]:
    """By session but the last, how much worse the last model is than the best earlier one, from the session's own on.

    As published, it is not clamped at zero: a session that gained by later ones counts against the others. Each run is
    measured from its own best value, so a run that never learns has little to forget: read it beside the AIP.
    """
    scores = matrix if better == "high" else -matrix
    last = len(scores) - 1
    return np.array([scores[j:last, j].max() - scores[last, j] for j in range(last)])


def mean_forgetting(matrix: Matrix, better: Better) -> float:
    """Forgetting, averaged over the sessions but the last [continual paper]; 0 where there is one session only."""
    return float(forgetting(matrix, better).mean()) if len(matrix) > 1 else 0.0


def average_final(matrix: Float[np.ndarray, "n t"]) -> float:
    """The mean of the last row: how well the last model does over all sessions; of an upper bound its AIP."""
    return float(matrix[-1].mean())
