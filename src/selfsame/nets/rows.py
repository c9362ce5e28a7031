"""Weights that differ from row to row of a batch by low-rank changes of a shared weight."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class PerRow:
    """Row n of a batch has the weight `shared` + b[n] a[n]; no row's whole weight is ever held.

    `a` has the shape of a layer's weight with `inner` outputs, so that its product with an input is that layer's, and b
    mixes those outputs. `squares` are each row's squared weights, summed over the kernel, for demodulation.
    """

    shared: Float[Tensor, "o i *k"]
    a: Float[Tensor, "b inner i *k"]
    b: Float[Tensor, "b o inner"]
    squares: Float[Tensor, "b o i"] | None = None

    def __mul__(self, gain: float) -> "PerRow":
        """The weights times a gain."""
        return PerRow(self.shared * gain, self.a, self.b * gain)

    def plus(self, y: Float[Tensor, "b o h w"], inner: Float[Tensor, "b inner h w"]) -> Float[Tensor, "b o h w"]:
        """What the shared weight made, in place plus what the rows' changes make of the `inner` outputs."""
        b = self.b.to(y.dtype)
        if y.is_contiguous(memory_format=torch.channels_last):
            inner = inner.permute(0, 2, 3, 1).flatten(1, 2)
            y.permute(0, 2, 3, 1).flatten(1, 2).baddbmm_(inner, b.transpose(1, 2))  # a view: y itself is changed
            return y
        y = y.contiguous()
        y.flatten(2).baddbmm_(b, inner.flatten(2))
        return y

    def energy(self, styles: Float[Tensor, "b i"]) -> Float[Tensor, "b o"]:
        """The squared sums of each row's modulated weight [StyleGAN2, equation 3]."""
        assert self.squares is not None
        return (self.squares @ styles.square()[..., None])[..., 0]
