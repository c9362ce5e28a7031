"""Several people on one generator in one forward pass: every row of a batch has its own person's low-rank weights.

The people share the generator's weights in memory. A row's whole weight is made where a layer uses it and then
forgotten: at EG3D's sizes that took less time than W's convolution plus B times A's, and the bits are those of the
person's own model.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from selfsame.core.errors import BadInput, WrongUse
from selfsame.nets import lora
from selfsame.nets.lora import LowRankConfig, Model
from selfsame.nets.rows import PerRow


class RowWeights(nn.Module):
    """The parametrization of a weight: the factors of all rows, whose product is multiplied by `gain`."""

    a: Tensor
    b: Tensor

    def __init__(self, a: Tensor, b: Tensor, gain: float) -> None:
        super().__init__()
        self.register_buffer("a", a)
        self.register_buffer("b", b)
        self.gain = gain

    def forward(self, weight: Tensor) -> PerRow:
        """The weight of each row."""
        return PerRow(weight, self.a, self.b, self.gain)


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

    It shares the generator's weights, and its pictures equal those of each person's own model to rounding. Nothing in
    it trains. Raises BadInput where an adapter is another network's or another rank's, WrongUse
    without one.
    """
    if not adapters:
        raise WrongUse("A forward pass of nobody shows nothing.", "Give at least one person's low-rank weights.")
    wanted = lora.shapes(net, config)
    if any({name: t.shape for name, t in adapter.items()} != wanted for adapter in adapters):
        raise BadInput("These low-rank weights belong to another network or another rank.")
    result = lora.sharing_copy(net).requires_grad_(False)
    layers = lora.adapted_layers(result)
    for name in wanted:
        place, _, attribute = name.rpartition(".")
        if place.removesuffix(".weight") not in layers or attribute not in ("a", "b"):
            own = _stacked(adapters, name, net.get_parameter(name))
            own = own[:, None, None, None] if own.dim() == 1 else own  # noise strengths, of whole pictures
            parametrize.register_parametrization(result.get_submodule(place), attribute, RowValues(own), unsafe=True)
    for name, layer in layers.items():
        weight = layer.get_parameter("weight")
        a, b = (_stacked(adapters, f"{name}.weight.{factor}", weight) for factor in "ab")
        rows = RowWeights(a, b, lora.gain(weight.shape, config))
        parametrize.register_parametrization(layer, "weight", rows, unsafe=True)  # unsafe: a PerRow is no tensor
    return result


def _stacked(adapters: Sequence[Mapping[str, Tensor]], name: str, like: Tensor) -> Tensor:
    return torch.stack([adapter[name] for adapter in adapters]).to(like)
