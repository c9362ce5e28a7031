"""The baseline that never sees a picture: how fake a clip looks by its container alone, learned on other clips."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from selfsame.clips import audit
from selfsame.clips.index import Clip


def scores(learn: Sequence[Clip], asked: Sequence[Clip], seed: int = 0) -> Float[np.ndarray, "n"]:
    """The probability of fake of the asked clips, by a forest that was grown on the containers of the others."""
    from sklearn.ensemble import RandomForestClassifier

    values = audit.containers([*learn, *asked])[1]
    fake = np.array([clip.label == "fake" for clip in learn])
    forest = RandomForestClassifier(audit.TREES, class_weight="balanced", random_state=seed)
    found: Float[np.ndarray, n] = forest.fit(values[: len(learn)], fake).predict_proba(values[len(learn) :])[:, 1]
    return found
