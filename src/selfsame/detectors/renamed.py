"""Published checkpoints under this package's names: the checks that are the same for every network."""

from collections.abc import Mapping

import torch
from torch import Tensor

from selfsame.core.errors import BadInput
from selfsame.detectors.detector import Detector


def whole(detector: str, net: Detector, found: Mapping[str, Tensor], file: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors `found` under our names, where they are all of `net`'s and have its shapes; counters of batches,
    which old files lack, begin at 0.

    `net` may stand on the meta device. Raises BadInput that names the first tensor that is missing, is too much (under
    its name in the `file`), or has another shape.
    """
    own = net.state_dict()
    made = {name: torch.tensor(0) for name in own if name.endswith("num_batches_tracked")} | dict(found)
    for name in sorted(own.keys() | made.keys()):
        asked, given = (tuple(tensors[name].shape) if name in tensors else None for tensors in (own, made))
        if asked != given:
            raise BadInput(
                f"This is not a checkpoint of {detector}: {name} is {given or 'missing'}, not {asked or 'there'}"
                f" ({len(file)} tensors).",
                "Give the state_dict of the published network of this size.",
            )
    return made


def one_logit(weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """A linear head of two classes, real and fake, as ours of one logit: the softmax of the second is the sigmoid of
    the difference [of the rows of (2, F) and (2)].
    """
    return {"head.weight": weight[1:] - weight[:1], "head.bias": bias[1:] - bias[:1]}
