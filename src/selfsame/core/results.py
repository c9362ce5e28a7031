"""Measured figures: what a card, a report and a leaderboard say of a model, never without its uncertainty."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measured:
    """One figure with its 95 % interval `low` to `high` over `n` independent units, and which way is better."""

    name: str
    mean: float
    low: float
    high: float
    n: int
    better: Literal["high", "low"]

    def __str__(self) -> str:
        return f"{self.name} {self.mean:.3g} [{self.low:.3g}, {self.high:.3g}], n = {self.n}"

    @property
    def interval(self) -> str:
        """The interval in words; a dash for a single item, which has none."""
        return f"{self.low:.3f} to {self.high:.3f}" if self.n > 1 else "-"
