"""Colours as tensors, and laying one over another."""

from torch import Tensor, tensor


def rgb(red: float, green: float, blue: float) -> Tensor:
    """A colour as (1, 3, 1, 1)."""
    return tensor([red, green, blue])[None, :, None, None]


def mix(colour: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """`other` laid over `colour` (B, 3, h, w) where `share` (B, h, w) is 1."""
    return colour + (other - colour) * share[:, None]


def blend(stops: list[Tensor], at: Tensor) -> Tensor:
    """A colour between equally spaced stops; `at` (B, 1, 1) in [0, 1] gives (B, 3, 1, 1)."""
    place = at[:, None] * (len(stops) - 1)
    return sum(s * (1 - (place - i).abs()).clamp_min(0) for i, s in enumerate(stops))  # type: ignore[return-value]
