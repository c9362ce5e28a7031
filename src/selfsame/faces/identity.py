"""Which photos of a folder show the album's person, by the embeddings of a judge that the caller brings."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from selfsame.core.errors import BadInput

Embed = Callable[[Tensor], Tensor]  # images (B, 3, S, S) in [-1, 1] to embeddings (B, D)

CLEAR_MAJORITY = 2.0  # the person must be in this many times as many photos as the next person


def belongs(embeddings: Float[Tensor, "n d"], known: Bool[Tensor, "n"], threshold: float) -> Bool[Tensor, "n"]:
    """Which photos have a mean cosine similarity of at least `threshold` to the person's photos.

    The person is who the `known` photos show; where none is known, whoever most photos show. Raises BadInput where a
    second person has more than half as many.
    """
    unit = F.normalize(embeddings.float(), dim=1)
    similar = unit @ unit.T
    reference = known if known.any() else _largest_group(similar, torch.ones_like(known), threshold)
    person = _mean_similarity(similar, reference) >= threshold
    person |= reference
    if not known.any():
        _refuse_two_people(similar, person, threshold)
    return person


def _largest_group(similar: Float[Tensor, "n n"], among: Bool[Tensor, "n"], threshold: float) -> Bool[Tensor, "n"]:
    """The photo with the most photos like it, and these."""
    alike = (similar >= threshold) & among[None] & among[:, None]
    return alike[alike.sum(1).argmax()]


def _mean_similarity(similar: Float[Tensor, "n n"], reference: Bool[Tensor, "n"]) -> Float[Tensor, "n"]:
    return similar[:, reference].mean(1)


def _refuse_two_people(similar: Float[Tensor, "n n"], person: Bool[Tensor, "n"], threshold: float) -> None:
    first, second = int(person.sum()), int(_largest_group(similar, ~person, threshold).sum())
    if first < CLEAR_MAJORITY * second:
        raise BadInput(
            f"The photos show two people about equally often ({first} and {second} photos).",
            "Add the photos of one person only; nothing was lost.",
        )
