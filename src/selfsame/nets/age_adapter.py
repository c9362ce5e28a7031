"""MyTimeMachine's adapter: a small network that moves a global prior's code to how one person ages [Qi et al. 2025].

Attribute names are the published ones.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class AdapterConfig:
    """Sizes of the network; the defaults are the published ones (11,187,888 numbers).

    Each style is squeezed to `bottleneck` numbers and all of them to `shared`; the age becomes `age` numbers. With
    `zero_start` the untrained network changes nothing; the published one begins with what torch draws, and so changes
    every code at random.
    """

    styles: int = 18
    w_dim: int = 512
    bottleneck: int = 32
    shared: int = 128
    age: int = 16
    hidden: int = 512
    zero_start: bool = False


MYTM = AdapterConfig()
STARTER_ADAPTER = AdapterConfig(styles=12, w_dim=256, bottleneck=16, shared=64, age=16, hidden=96, zero_start=True)


class AgeAdapter(nn.Module):
    """Codes of a global prior at an age, and that age, to the person's codes at that age."""

    def __init__(self, config: AdapterConfig = MYTM) -> None:
        super().__init__()
        self.config = c = config
        for k in range(c.styles):
            setattr(self, f"bottleneck_{k}", _mlp(c.w_dim, c.bottleneck, c.bottleneck))
        self.global_mlp = _mlp(c.styles * c.bottleneck, c.shared, c.shared)
        self.age_mlp = _mlp(1, c.age, c.age)
        for k in range(c.styles):
            setattr(self, f"fc_{k}", _mlp(c.shared + c.age + c.w_dim, c.hidden, c.w_dim))
        if c.zero_start:
            for k in range(c.styles):
                last = getattr(self, f"fc_{k}")[2]
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)

    def forward(self, w_plus: Float[Tensor, "b l w"], years: Float[Tensor, "b"]) -> Float[Tensor, "b l w"]:
        """The codes, each moved by what all codes and the age in years tell [equation 4, appendix C]."""
        styles = w_plus.unbind(1)
        squeezed = torch.cat([getattr(self, f"bottleneck_{k}")(w) for k, w in enumerate(styles)], 1)
        shared = torch.cat([self.global_mlp(squeezed), self.age_mlp(years[:, None] / 100)], 1)
        moved = [getattr(self, f"fc_{k}")(torch.cat([shared, w], 1)) for k, w in enumerate(styles)]
        return w_plus + torch.stack(moved, 1)


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
