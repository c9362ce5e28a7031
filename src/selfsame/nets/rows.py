"""Weights that differ from row to row of a batch by low-rank changes of a shared weight."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class PerRow:
    """Row n of a batch has the weight (`shared` + `gain` b[n] a[n]) `scale`.

    Whole weights are made when they are asked for, one after the other, and not kept.
    """

    shared: Float[Tensor, "o *i"]
    a: Float[Tensor, "b inner columns"]
    b: Float[Tensor, "b rows inner"]
    gain: float
    scale: float = 1.0

    def __mul__(self, scale: float) -> "PerRow":
        """The weights times a number."""
        return replace(self, scale=self.scale * scale)

    def __iter__(self) -> Iterator[Float[Tensor, "o *i"]]:
        """Each row's weight."""
        for a, b in zip(self.a, self.b, strict=True):
            whole = self.shared + (b @ a).reshape(self.shared.shape) * self.gain
            yield whole if self.scale == 1 else whole * self.scale
