"""Randomness as a function of (seed, purpose, step): resuming a run replays exactly what an uninterrupted run draws."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch


def key(seed: int, *purpose: str | int) -> int:
    """A 63-bit number fixed by `seed` and the words and numbers that follow, equal on every machine."""
    text = "\x1f".join([str(seed), *map(str, purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(seed: int, *purpose: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for one purpose, e.g. `generator(0, "depth jitter", step)`."""
    return torch.Generator(device=device).manual_seed(key(seed, *purpose))


@dataclass(frozen=True, eq=False)
class Rows:
    """A generator whose draws are those of a whole batch, of which one process keeps row `first` and every `of`-th on.

    So several processes draw together what one would draw alone, and groups of images that a discriminator compares,
    which are `of` rows apart as well, stay together.
    """

    generator: torch.Generator
    first: int = 0
    of: int = 1


Source = torch.Generator | Rows


def uniform(source: Source, shape: Sequence[int]) -> torch.Tensor:
    """Draws in [0, 1) of `shape`, on the generator's device."""
    return _rows(torch.rand, source, shape)


def normal(source: Source, shape: Sequence[int]) -> torch.Tensor:
    """Draws from the standard normal distribution, on the generator's device."""
    return _rows(torch.randn, source, shape)


def whole(source: Source) -> torch.Generator:
    """The generator itself, for draws that all rows of a batch share."""
    return source if isinstance(source, torch.Generator) else source.generator


def _rows(draw: Callable[..., torch.Tensor], source: Source, shape: Sequence[int]) -> torch.Tensor:
    if isinstance(source, torch.Generator):
        return draw(tuple(shape), generator=source, device=source.device)
    g = whole(source)
    return draw((shape[0] * source.of, *shape[1:]), generator=g, device=g.device)[source.first :: source.of]


def epoch_order(count: int, seed: int, epoch: int) -> torch.Tensor:
    """A permutation of `count` items for one epoch, shape (count,)."""
    return torch.randperm(count, generator=generator(seed, "epoch order", epoch))


def batch_indices(count: int, batch: int, seed: int, step: int) -> torch.Tensor:
    """The items of batch `step` when epochs of shuffled items follow each other without a gap, shape (batch,).

    Every item is seen equally often (difference at most one) and nothing depends on earlier calls.
    """
    first = step * batch
    positions = range(first, first + batch)
    orders = {epoch: epoch_order(count, seed, epoch) for epoch in {p // count for p in positions}}
    return torch.stack([orders[p // count][p % count] for p in positions])
