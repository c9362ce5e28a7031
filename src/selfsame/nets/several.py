"""Several people on one generator in one forward pass: every row of a batch has its own person's low-rank weights.

The convolution with W + B A, modulated, is that with W plus B times that with A, and W's is done once for the whole
batch. So no person's 30 million numbers are made; only demodulation asks for their squared sums, found once a person.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from selfsame.core.errors import BadInput, WrongUse
from selfsame.nets import lora
from selfsame.nets.layers import SynthesisLayer
from selfsame.nets.lora import LowRankConfig, Model
from selfsame.nets.rows import PerRow


class RowWeights(nn.Module):
    """The parametrization of a weight: the factors of all rows, and the squared sums where they are needed."""

    a: Tensor
    b: Tensor
    squares: Tensor | None

    def __init__(self, a: Tensor, b: Tensor, squares: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("a", a)
        self.register_buffer("b", b)
        self.register_buffer("squares", squares)

    def forward(self, weight: Tensor) -> PerRow:
        """The weight of each row."""
        return PerRow(weight, self.a, self.b, self.squares)


class RowValues(nn.Module):
    """The parametrization of a bias, a noise strength or a constant: the rows' own in place of the shared one."""

    values: Tensor

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.register_buffer("values", values)

    def forward(self, shared: Tensor) -> Tensor:
        """The value of each row."""
        return self.values


@torch.no_grad()
def several(net: Model, adapters: Sequence[Mapping[str, Tensor]], config: LowRankConfig) -> Model:
    """A copy of a generator for batches of as many rows as there are `adapters`, each row with the weights of its own.

    It shares the generator's weights, and its pictures equal those of each person's own model to rounding. For
    inference: nothing in it trains. Raises BadInput where an adapter is another network's or another rank's, WrongUse
    without one.
    """
    if not adapters:
        raise WrongUse("A forward pass of nobody shows nothing.", "Give at least one person's low-rank weights.")
    wanted = lora.shapes(net, config)
    if any({name: t.shape for name, t in adapter.items()} != wanted for adapter in adapters):
        raise BadInput("These low-rank weights belong to another network or another rank.")
    result = lora.sharing_copy(net).requires_grad_(False)
    layers = lora.adapted_layers(result)
    for name, layer in layers.items():
        rows = _rows(layer, [(x[f"{name}.weight.a"], x[f"{name}.weight.b"]) for x in adapters], config)
        parametrize.register_parametrization(layer, "weight", rows, unsafe=True)  # unsafe: a PerRow is no tensor
    for name in wanted:
        place, _, attribute = name.rpartition(".")
        if place.removesuffix(".weight") not in layers or attribute not in ("a", "b"):
            own = torch.stack([x[name] for x in adapters]).to(net.get_parameter(name))
            own = own[:, None, None, None] if own.dim() == 1 else own  # noise strengths, of whole pictures
            parametrize.register_parametrization(result.get_submodule(place), attribute, RowValues(own), unsafe=True)
    return result


def _rows(layer: nn.Module, factors: Sequence[tuple[Tensor, Tensor]], config: LowRankConfig) -> RowWeights:
    weight = layer.get_parameter("weight")
    shape = weight.shape
    kernels, mixes = (
        torch.stack(x) for x in zip(*(lora.kernels(a.to(weight), b.to(weight), shape) for a, b in factors), strict=True)
    )
    mixes = mixes * lora.gain(shape, config)
    squares = None
    if isinstance(layer, SynthesisLayer):  # all others are not demodulated
        squares = torch.stack([_squares(weight, a.to(weight), b.to(weight), config) for a, b in factors])
    return RowWeights(kernels, mixes, squares)


def _squares(weight: Float[Tensor, "o i k k"], a: Tensor, b: Tensor, config: LowRankConfig) -> Float[Tensor, "o i"]:
    return (weight + lora.change(a, b, weight.shape, config)).square().sum((2, 3))
