"""The tables of MyTimeMachine's evaluation, in Markdown, with the published ones beside them."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TypeVar

import numpy as np

from selfsame.jobs.figures import Figure, cell, difference, table
from selfsame.jobs.mytm_methods import METHODS, OURS
from selfsame.jobs.mytm_scores import USUAL_PHOTOS, Score

PUBLISHED = """| published (real people) | age error | ID | ID 50-70 | ID 30-70 | age error | ID | ID 40-60 |
|---|---|---|---|---|---|---|---|
| | *regression* | | | | *progression* | | |
| SAM | 8.1 | .49 | .58 | .53 | 6.9 | .54 | .58 |
| SAM fine-tuned, 50-70 (progression 20-40) | 8.2 | .48 | .58 | | 10.3 | .56 | .59 |
| SAM fine-tuned, 30-70 | 9.2 | .49 | | .53 | | | |
| MyTM, 50-70 (progression 20-40) | 7.7 | .65 | .76 | | 6.3 | .70 | .78 |
| MyTM, 30-70 | 7.8 | .67 | | .72 | | | |
| MyTM, 30-70, 10 photos | 8.5 | .58 | | | | | |
| MyTM, 30-70, 100 photos | 8.0 | .67 | | | | | |"""

Key = TypeVar("Key")


FIGURES: tuple[Figure[Score], ...] = (
    Figure("age error (years)", lambda s: abs(s.judged - s.target), "low", 1),
    Figure("ID", lambda s: s.identity, "high", 3),
    Figure("years from the truth", lambda s: abs(s.judged - s.true_judged), "low", 1),
    Figure("identity of the truth", lambda s: s.true_identity, "high", 3),
    Figure("hair from the truth (of 255)", lambda s: abs(s.hair), "low", 1),
    Figure("PSNR to the truth (dB)", lambda s: s.psnr, "high", 2),
)


def markdown(scores: Sequence[Score]) -> str:
    """Everything: a table a case, by the number of photos, paired differences, and the published figures."""
    people = len({s.person for s in scores})
    pictures = len({(s.person, s.case, s.test, s.target) for s in scores})
    parts = [f"{people} people, {pictures} pictures a method."]
    usual = [s for s in scores if s.photos == USUAL_PHOTOS]
    for case, found in _grouped(usual, lambda s: s.case):
        parts += [f"### {case}, {USUAL_PHOTOS} photos", _table(found)]
        parts += [f"Of these, the target ages that the photos span ({case.split()[1]}):", _table(_inside(found))]
        parts += [f"Paired differences, {ours()} minus the other, all target ages:", _differences(found)]
        parts += [f"By target age, SAM's and {ours()}'s:", _by_age(found)]
    sized = [s for s in scores if s.method == ours() and s.case == "regression 30-70"]
    rows = [_row(f"{count} photos", found) for count, found in _grouped(sized, lambda s: s.photos)]
    parts += [f"### Number of photos ({ours()}, regression 30-70)", table(_head("photos"), rows)]
    parts += ["### As published", PUBLISHED]
    return "\n\n".join(parts)


def ours() -> str:
    """The method whose settings are the default."""
    return next(name for name, method in METHODS.items() if method.trained == "adapter" and method.config == OURS)


def averaged_first(scores: Sequence[Score]) -> float:
    """The published averaging: judged ages of a person's pictures at a target are averaged before the error is taken.

    Errors of single pictures cancel in it, so it is lower than a true mean absolute error.
    """
    groups = _grouped(scores, lambda s: (s.person, s.target))
    return float(np.mean([abs(np.mean([s.judged for s in found]) - target) for (_, target), found in groups]))


def _table(scores: Sequence[Score]) -> str:
    found = dict(_grouped(scores, lambda s: s.method))
    return table(_head("method"), [_row(name, found[name]) for name in METHODS if name in found])


def _head(first: str) -> list[str]:
    return [first, "people", "age error, averaged first", *(figure.name for figure in FIGURES)]


def _row(name: str, scores: Sequence[Score]) -> list[str]:
    return [
        name,
        str(len({s.person for s in scores})),
        f"{averaged_first(scores):.1f}",
        *(cell(figure, scores) for figure in FIGURES),
    ]


def _differences(scores: Sequence[Score]) -> str:
    found = {name: {_item(s): s for s in group} for name, group in _grouped(scores, lambda s: s.method)}
    mine = found.get(ours(), {})
    rows = []
    for name in METHODS:
        if name == ours() or name not in found:
            continue
        both = sorted(mine.keys() & found[name].keys())
        if not both:
            continue
        a, b = ([group[item] for item in both] for group in (mine, found[name]))
        rows.append([name, *(difference(figure, a, b) for figure in FIGURES)])
    return table(["other", *(f.name for f in FIGURES)], rows)


def _by_age(scores: Sequence[Score]) -> str:
    """Where on the way through life the global prior and ours are right."""
    told = [f for f in FIGURES if "truth" in f.name and f.digits != 2]
    names = [f"{f.name}: {who}" for f in told for who in ("SAM", ours())]
    rows = []
    for target, found in _grouped((s for s in scores if s.method in ("SAM", ours())), lambda s: s.target):
        by = {who: [s for s in found if s.method == who] for who in ("SAM", ours())}
        rows.append([str(target), *(cell(figure, by[who]) if by[who] else "" for figure in told for who in by)])
    return table(["target age", *names], rows)


def _inside(scores: Iterable[Score]) -> list[Score]:
    return [s for s in scores if s.trained_on]


def _item(s: Score) -> tuple[int, int, int]:
    return s.person, s.target, s.test


def _grouped(scores: Iterable[Score], key: Callable[[Score], Key]) -> list[tuple[Key, list[Score]]]:
    ordered = sorted(scores, key=key)  # type: ignore[arg-type]
    return [(name, list(group)) for name, group in groupby(ordered, key)]
