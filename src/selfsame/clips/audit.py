"""What is wrong with a set of clips before any detector looks: leaks between splits, containers that tell fakes."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float

from selfsame.clips.index import Clip
from selfsame.clips.layout import Split

KEYS: dict[str, Callable[[Clip], str | None]] = {
    "portrait or person": lambda clip: clip.identity,
    "driving clip": lambda clip: clip.driver,
    "YouTube video": lambda clip: clip.youtube,
    "bytes": lambda clip: clip.digest,
}
"""What two splits must not share. A real clip's person is known by its YouTube video, its driver is itself."""

NOTHING: Mapping[str, str] = MappingProxyType({})
FOLDS = 5
TREES = 300


@dataclass(frozen=True)
class Leak:
    """Something that two splits share: which kind of thing, its name, and the clips that have it."""

    kind: str
    value: str
    splits: tuple[Split, Split]
    clips: tuple[str, ...]


def leaks(clips: Iterable[Clip], alike: Mapping[str, str] = NOTHING) -> list[Leak]:
    """All that crosses splits, by kind; clips without a split cannot leak.

    `alike` names the look of clips that have one in common, by path, as `looks.groups` does.
    """
    found = []
    for kind, key in (KEYS | {"looks alike": lambda clip: alike.get(clip.path)}).items():
        by: dict[str, list[Clip]] = defaultdict(list)
        for clip in clips:
            if clip.split and (value := key(clip)):
                by[value].append(clip)
        for value, same in sorted(by.items()):
            for one, other in combinations(sorted({clip.split for clip in same if clip.split}), 2):
                paths = tuple(clip.path for clip in same if clip.split in (one, other))
                found.append(Leak(kind, value, (one, other), paths))
    return found


def repeated(clips: Iterable[Clip], alike: Mapping[str, str] = NOTHING) -> list[tuple[str, ...]]:
    """Clips that are the same file, or by `alike` the same pictures, twice, whatever their splits, by their paths."""
    by: dict[str, list[str]] = defaultdict(list)
    for clip in clips:
        by[alike.get(clip.path, clip.digest)].append(clip.path)
    return [tuple(paths) for paths in by.values() if len(paths) > 1]


def balance(clips: Iterable[Clip]) -> dict[str, Counter[str]]:
    """How many clips of each generator, and real ones, each split has ("none" where it is not known)."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for clip in clips:
        found[clip.split or "none"][clip.maker] += 1
    return dict(found)


def containers(clips: Sequence[Clip]) -> tuple[list[str], Float[np.ndarray, "n f"]]:
    """What containers say of readable clips, as numbers: names of the columns, and a row a clip.

    Bits count by pixel and frame too, because large pictures need more of them; codecs are columns of 0 and 1.
    """
    media = [clip.media for clip in clips if clip.media]
    codecs = sorted({f"picture {m.codec}" for m in media} | {f"sound {m.audio_codec or 'none'}" for m in media})
    names = ["width", "height", "fps", "frames", "seconds", "bit rate", "bits a pixel", "sound Hz", *codecs]
    rows = [
        [
            m.width, m.height, m.fps, m.frames, m.seconds, m.bit_rate,
            m.bit_rate / (m.width * m.height * max(m.fps, 1e-3)), m.audio_hz,
            *(c in (f"picture {m.codec}", f"sound {m.audio_codec or 'none'}") for c in codecs),
        ]
        for m in media
    ]  # fmt: skip
    return names, np.array(rows, dtype=float).reshape(len(rows), len(names))


def by_containers(
    values: Float[np.ndarray, "n f"], fake: Bool[np.ndarray, "n"], units: Sequence[Hashable], seed: int = 0
) -> Float[np.ndarray, "n"]:
    """How fake each clip looks to a forest of trees that knows containers alone, and that never saw its identity.

    Five folds with disjoint identities, fewer where there are fewer of a kind; NaN where even two are too many.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    known = {unit: i for i, unit in enumerate(dict.fromkeys(units))}
    of = np.array([known[unit] for unit in units])
    folds = min(FOLDS, *(len(set(of[fake == side])) for side in (False, True)))
    scores = np.full(len(fake), np.nan)
    if folds < 2:
        return scores
    for train, test in StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(values, fake, of):
        if fake[train].all() or not fake[train].any():
            continue
        scores[test] = _grown(values[train], fake[train], values[test], seed)
    return scores


def by_containers_of(learn: Sequence[Clip], asked: Sequence[Clip], seed: int = 0) -> Float[np.ndarray, "n"]:
    """How fake the asked clips look to a forest that was grown on the containers of the others."""
    values = containers([*learn, *asked])[1]
    fake = np.array([clip.label == "fake" for clip in learn])
    return _grown(values[: len(learn)], fake, values[len(learn) :], seed)


def _grown(
    values: Float[np.ndarray, "n f"], fake: Bool[np.ndarray, "n"], asked: Float[np.ndarray, "m f"], seed: int
) -> Float[np.ndarray, "m"]:
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(TREES, class_weight="balanced", random_state=seed)
    found: Float[np.ndarray, m] = forest.fit(values, fake).predict_proba(asked)[:, 1]
    return found
