"""Many small tensors as one: hundreds of names and offsets in a file's header can weigh more than what they name.

Names and shapes travel as compressed text beside the numbers, so that a packed file tells by itself what it holds.
"""

import base64
import json
import math
import zlib
from collections.abc import Mapping

import torch
from torch import Tensor

LONGEST = 2**22  # bytes of names and shapes; what claims more is no layout of ours


def pack(tensors: Mapping[str, Tensor]) -> tuple[Tensor, str]:
    """All numbers in a row, and the layout in ASCII; the tensors must be of one type."""
    layout = json.dumps({name: list(t.shape) for name, t in tensors.items()}, separators=(",", ":"))
    flat = torch.cat([t.flatten() for t in tensors.values()])
    return flat, base64.b64encode(zlib.compress(layout.encode(), 9)).decode()


def unpack(flat: Tensor, layout: str) -> dict[str, Tensor]:
    """What `pack` was given; raises ValueError where the layout is not one, or not of so many numbers."""
    try:
        text = zlib.decompressobj().decompress(base64.b64decode(layout, validate=True), LONGEST)
        shapes: dict[str, list[int]] = json.loads(text)
        sizes = [math.prod(shape) for shape in shapes.values()]
        parts = flat.split(sizes)
        return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
    except (zlib.error, RuntimeError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("no layout of packed tensors") from error
