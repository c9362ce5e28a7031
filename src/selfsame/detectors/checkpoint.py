"""What maps of published checkpoints share: a renamed file is held against ours, two classes become one logit."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core.errors import BadInput
from selfsame.detectors.detector import Detector


def checked(found: Mapping[str, Tensor], build: Callable[[], Detector], name: str) -> dict[str, Tensor]:
    """The tensors of a whole detector under our names, in single precision; counters of batches may be missing.

    Raises BadInput where a tensor is missing, too many, or of another shape.
    """
    with torch.device("meta"):
        wanted = {key: (tuple(x.shape), x.dtype) for key, x in build().state_dict().items()}
    filled = {key: torch.zeros((), dtype=torch.int64) for key in wanted if key.endswith("num_batches_tracked")}
    whole = {**filled, **found}
    for key in sorted(wanted.keys() | whole.keys()):
        got, want = tuple(whole[key].shape) if key in whole else None, wanted[key][0] if key in wanted else None
        if got != want:
            told = "missing" if got is None else "more than it has" if want is None else f"{got}, not {want}"
            raise BadInput(
                f"The file holds another network than {name}: {key} is {told}.",
                f"Give the checkpoint that {name}'s authors released.",
            )
    return {key: whole[key].to(wanted[key][1]) for key in wanted}


def one_logit(tensor: Float[Tensor, "c *d"], fake: int = 1) -> Float[Tensor, "1 *d"]:
    """The weights or biases of two classes (2, ...), of which `fake` is fake, as those of our one logit: the softmax of
    two is the sigmoid of their difference. Raises BadInput for other numbers of classes.
    """
    if tensor.ndim == 0 or len(tensor) != 2:
        raise BadInput(f"The file holds another network: its classifier is {tuple(tensor.shape)}, not of two classes.")
    return tensor[fake : fake + 1] - tensor[1 - fake : 2 - fake]
