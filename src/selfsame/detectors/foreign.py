"""Published checkpoints under our names: what the maps of the detectors share."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from selfsame.core.errors import BadInput
from selfsame.detectors.detector import Detector


def fitted(found: Mapping[str, Tensor], build: Callable[[], Detector], whose: str) -> dict[str, Tensor]:
    """The tensors of `found`, already renamed, in the order of the detector that `build` makes.

    Batch counters may be missing. Raises BadInput at the first other name that is missing, unknown, or of another
    shape.
    """
    with torch.device("meta"):
        own = build().state_dict()
    whole = {name: torch.tensor(0) for name in own if name.endswith("num_batches_tracked")} | dict(found)
    for name in [*own, *(name for name in whole if name not in own)]:
        shapes = [tuple(tensors[name].shape) if name in tensors else None for tensors in (whole, own)]
        if shapes[0] != shapes[1]:
            has, wants = ("not there" if shape is None else str(shape) for shape in shapes)
            raise BadInput(
                f"The checkpoint is not {whose}'s: {name} is {has}, and should be {wants}.",
                f"Give the checkpoint that the authors of {whose} published.",
            )
    return {name: whole[name] for name in own}
