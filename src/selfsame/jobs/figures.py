"""Columns of an evaluation's tables: means over people with intervals, and differences paired by person."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from selfsame.metrics import stats


@runtime_checkable
class OfPerson(Protocol):
    """What a column is made of: a score of somebody."""

    @property
    def person(self) -> int:
        """The unit of statistics."""


S = TypeVar("S", bound=OfPerson)


@dataclass(frozen=True)
class Figure(Generic[S]):
    """A column: what one score says, which way is better, how many digits are told."""

    name: str
    of: Callable[[S], float]
    better: stats.Better
    digits: int


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(head)}", *lines[1:]])


def cell(figure: Figure[S], scores: Sequence[S]) -> str:
    """The mean over people with its 95 % interval; nothing where a score has no such figure (NaN)."""
    values = [figure.of(s) for s in scores]
    if np.isnan(values).any():
        return ""
    people = [s.person for s in scores]
    m, d = stats.measure(figure.name, values, better=figure.better, units=people), figure.digits
    return f"{m.mean:.{d}f} [{m.low:.{d}f}, {m.high:.{d}f}]"


def difference(figure: Figure[S], a: Sequence[S], b: Sequence[S]) -> str:
    """The mean of a - b on the same items, paired by person, with its interval and the sign-flip test."""
    values = [[figure.of(s) for s in side] for side in (a, b)]
    pair = stats.paired(figure.name, *values, better=figure.better, units=[s.person for s in a])
    m, d = pair.difference, figure.digits + 1 if figure.digits < 3 else 3
    p = f"p = {pair.p:.3f}" if pair.p >= 0.001 else "p < 0.001"
    return f"{m.mean:+.{d}f} [{m.low:+.{d}f}, {m.high:+.{d}f}], {p}"
