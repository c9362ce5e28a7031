"""My3DGen's low-rank weights as parametrizations of the weight tensors of a generator [luchaoqi/my3dgen].

Every modulated convolution, every toRGB and the style layer of each gets W + scale * (B A), reshaped; a backdrop too.
Mapping and decoder stay frozen. Biases, noise strengths and the learned constant train along. An output-side adapter
would be another function: the change has to pass through modulation and demodulation like the weight itself.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from selfsame.core.errors import BadInput
from selfsame.nets.layers import EqualizedLinear, SynthesisLayer, ToRGB

Model = TypeVar("Model", bound=nn.Module)

FROZEN_PARTS = {"mapping", "decoder"}
_IN_MODULE = ".parametrizations.weight."  # where torch keeps what a parametrized weight is made of
_ORIGINAL = _IN_MODULE + "original"
_FACTOR = _IN_MODULE + "0."


@dataclass(frozen=True)
class LowRankConfig:
    """Rank, alpha (the change is scaled by alpha / rank) and what rank means for a k x k convolution.

    "my3dgen": A (rank k, in k k) and B (out, rank k), so that the change has rank * k ranks. "loralib", My3DGen's first
    version: A (rank k, in k) and B (out k, rank k), whose product is reshaped as it lies in memory. In both the change
    of a fully connected layer does not pass through that layer's weight gain, an asymmetry of the published code.
    "plain": A (rank, in k k) and B (out, rank), everything a change of the stored weight.
    """

    rank: int = 1
    alpha: float = 1.0
    rank_rule: Literal["my3dgen", "loralib", "plain"] = "my3dgen"


MY3DGEN = LowRankConfig()


def factor_shapes(shape: torch.Size, config: LowRankConfig) -> tuple[tuple[int, int], tuple[int, int]]:
    """Shapes of A and B for a weight of `shape`."""
    kernel = shape[-1] if len(shape) == 4 and config.rank_rule != "plain" else 1
    inner, outside = config.rank * kernel, kernel if config.rank_rule == "loralib" else 1
    return (inner, shape[1:].numel() // outside), (shape[0] * outside, inner)


def change(
    a: Float[Tensor, "inner columns"], b: Float[Tensor, "rows inner"], shape: torch.Size, config: LowRankConfig
) -> Tensor:
    """What the factors add to a stored weight of `shape`.

    The published code adds x A^T B^T to a layer that multiplies its stored weight by 1 / sqrt(inputs); on the stored
    weight the same function is a change larger by sqrt(inputs).
    """
    return (b @ a).reshape(shape) * gain(shape, config)


def gain(shape: torch.Size, config: LowRankConfig) -> float:
    """What the product of the factors is multiplied by in `change`."""
    scale = config.alpha / config.rank
    return scale * shape[1] ** 0.5 if len(shape) == 2 and config.rank_rule != "plain" else scale


class LowRank(nn.Module):
    """The parametrization: `a` uniform in +-1 / sqrt(columns), as Kaiming with a = sqrt 5; `b` zero: no change yet."""

    def __init__(self, shape: torch.Size, config: LowRankConfig, generator: torch.Generator) -> None:
        super().__init__()
        of_a, of_b = factor_shapes(shape, config)
        start = torch.rand(of_a, generator=generator, device=generator.device)
        self.a = nn.Parameter((2 * start - 1) / of_a[1] ** 0.5)
        self.b = nn.Parameter(torch.zeros(of_b, device=generator.device))
        self.config = config

    def forward(self, weight: Tensor) -> Tensor:
        """The changed weight."""
        return weight + change(self.a, self.b, weight.shape, self.config)


def adapted(name: str) -> bool:
    """Whether what bears this dotted name belongs to the parts that a person's model changes."""
    return FROZEN_PARTS.isdisjoint(name.split("."))


def add_low_rank(model: Model, config: LowRankConfig, generator: torch.Generator) -> Model:
    """A copy of `model` with low-rank weights, of which only `trainable` asks for gradients.

    The model itself is not changed; the copy shares the memory of its weights, which nothing trains.
    """
    result = sharing_copy(model)
    for module in adapted_layers(result).values():
        factors = LowRank(module.weight.shape, config, generator).to(module.weight.device)
        parametrize.register_parametrization(module, "weight", factors)
    for name, parameter in result.named_parameters():
        parameter.requires_grad_(_is_trainable(name))
    return result


def sharing_copy(model: Model) -> Model:
    """A copy of a generator that shares the memory of what a person's model leaves alone."""
    shared = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in _frozen(model).values()}
    return copy.deepcopy(model, dict(shared))


def adapted_layers(model: nn.Module) -> dict[str, SynthesisLayer | ToRGB | EqualizedLinear]:
    """The layers whose weights a person's model changes, by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, SynthesisLayer | ToRGB | EqualizedLinear) and adapted(name)
    }


def shapes(model: nn.Module, config: LowRankConfig) -> dict[str, torch.Size]:
    """The names and shapes of a `state` on this generator, which has no low-rank weights itself."""
    found = {n: p.shape for n, p in model.named_parameters() if adapted(n) and not n.endswith(".weight")}
    for name, layer in adapted_layers(model).items():
        of_a, of_b = factor_shapes(layer.weight.shape, config)
        found |= {f"{name}.weight.a": torch.Size(of_a), f"{name}.weight.b": torch.Size(of_b)}
    return found


def _frozen(model: nn.Module) -> dict[str, nn.Parameter]:
    return {n: p for n, p in model.named_parameters() if not adapted(n) or n.endswith(".weight")}


def _is_trainable(name: str) -> bool:
    return adapted(name) and not name.endswith(_ORIGINAL)


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """What a person's model trains, by its name in `state`: factors, biases, noise strengths, the constant.

    Noise strengths of the super-resolution are among them as in the published code, but that part runs without noise,
    so they never get a gradient.
    """
    return {_public(n): p for n, p in model.named_parameters() if _is_trainable(n)}


def _public(name: str) -> str:
    return name.replace(_FACTOR, ".weight.")


def low_rank_count(model: nn.Module) -> int:
    """How many numbers the factors hold (219,174 at rank 1 on the full EG3D)."""
    return sum(p.numel() for n, p in model.named_parameters() if _FACTOR in n)


def trainable_count(model: nn.Module) -> int:
    """How many numbers train (243,965 at rank 1 on the full EG3D)."""
    return sum(p.numel() for p in trainable(model).values())


def state(model: nn.Module) -> dict[str, Tensor]:
    """A person's numbers alone, copied: "<layer>.weight.a", "<layer>.weight.b", "<layer>.bias", ..."""
    return {name: p.detach().clone() for name, p in trainable(model).items()}


@torch.no_grad()
def load(model: nn.Module, adapter: Mapping[str, Tensor]) -> None:
    """Put a `state` into a model made by `add_low_rank`; raises BadInput if it belongs to another network or rank."""
    own = trainable(model)
    if not own.keys() == adapter.keys() or any(own[n].shape != adapter[n].shape for n in own):
        raise BadInput("These low-rank weights belong to another network or another rank.")
    for name, parameter in own.items():
        parameter.copy_(adapter[name])


def merge(base: Mapping[str, Tensor], adapter: Mapping[str, Tensor], config: LowRankConfig) -> dict[str, Tensor]:
    """State dict of an ordinary network that equals `base` with `adapter`; pure.

    Raises BadInput if the adapter names a tensor that `base` does not have.
    """
    merged = dict(base)
    for name, value in adapter.items():
        key = name.removesuffix(".a").removesuffix(".b")
        if key not in base:
            raise BadInput(f"The low-rank weights name {key}, which this prior does not have.")
        if name.endswith(".weight.a"):
            merged[key] = base[key] + change(value, adapter[f"{key}.b"], base[key].shape, config)
        elif not name.endswith(".weight.b"):
            merged[key] = value.clone()
    return merged
