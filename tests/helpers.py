"""Solids whose geometry is known without computing it."""

import torch

from selfsame.world.grid import MAP_PX
from selfsame.world.surface import Surface


def sphere(radius: float = 1.0, colour: tuple[float, float, float] = (0.6, 0.4, 0.2)) -> Surface:
    """A head that is a sphere of `radius` head units and one colour, before a grey that gets darker downwards."""
    flat = torch.ones(1, 1, *MAP_PX)
    return Surface(
        maps=torch.cat([radius * flat, flat], 1),
        colour=torch.tensor(colour)[None, :, None, None] * flat,
        skin=torch.full((1, 3, 1), 0.5),
        clothes=torch.full((1, 3, 1), 0.3),
        key=torch.tensor([[0.0, 0.0, 1.0]]),
        tint=torch.ones(1, 3, 1),
        ambient=torch.ones(1, 3, 1),
        top=torch.full((1, 3), 0.9),
        bottom=torch.full((1, 3), 0.1),
    )
