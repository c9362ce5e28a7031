"""Many small tensors as one: hundreds of names and offsets in a file's header can weigh more than what they name.

Names and shapes travel as compressed text beside the numbers, in a tensor of their own (of several notes in a file's
header the format keeps no order): a packed file tells by itself what it holds, and always has the same bytes.
"""

import json
import math
import zlib
from collections.abc import Mapping

import torch
from torch import Tensor

LONGEST = 2**22  # bytes of names and shapes; what claims more is no layout of ours


def pack(tensors: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """All numbers in a row, and the layout in bytes; the tensors must be of one type."""
    layout = json.dumps({name: list(t.shape) for name, t in tensors.items()}, separators=(",", ":"))
    flat = torch.cat([t.flatten() for t in tensors.values()])
    return flat, torch.frombuffer(bytearray(zlib.compress(layout.encode(), 9)), dtype=torch.uint8)


def unpack(flat: Tensor, layout: Tensor) -> dict[str, Tensor]:
    """What `pack` was given; raises ValueError where the layout is not one, or not of so many numbers."""
    try:
        text = zlib.decompressobj().decompress(bytes(layout.tolist()), LONGEST)
        shapes: dict[str, list[int]] = json.loads(text)
        sizes = [math.prod(shape) for shape in shapes.values()]
        parts = flat.split(sizes)
        return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
    except (zlib.error, RuntimeError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("no layout of packed tensors") from error
