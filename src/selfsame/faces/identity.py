"""Who of the faces in many photos is the album's person, by the embeddings of a judge that the caller brings.

One face of a photo at most is theirs. Where nobody says who the person is, it is who most photos show.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from selfsame.core.errors import BadInput

Embed = Callable[[Tensor], Tensor]  # images (B, 3, S, S) in [-1, 1] to embeddings (B, D)

CLEAR_MAJORITY = 2.0  # the person must be in this many times as many photos as the next person
NEAREST = 3  # of the person's faces, to which a face is compared
ROUNDS = 10  # of gathering the person's faces anew
COMPARED_AT_ONCE = 1024  # rows of a matrix of similarities that is never whole in memory


@dataclass(frozen=True, eq=False)
class IdentityJudge:
    """What tells people apart: crops to embeddings, and the similarity to the person that a face needs (`similarity`).

    `name` says in an album who judged.
    """

    name: str
    embed: Embed
    threshold: float


def find(
    embeddings: Float[Tensor, "n d"], photo: Int[Tensor, "n"], known: Bool[Tensor, "n"], threshold: float
) -> Bool[Tensor, "n"]:
    """Which of N faces are the person's; `photo` says in what photo each is.

    The person is who the `known` faces show: those stay theirs. Where none is known, it is who most photos show: a
    group that begins at the face with most others like it and gathers what is like it. Raises BadInput where a second
    person is in more than half as many photos.
    """
    unit = F.normalize(embeddings.float(), dim=1)
    if known.any():
        return _settled(unit, photo, threshold, torch.ones_like(known), known)
    person = _gathered(unit, photo, threshold, torch.ones_like(known))
    if not person.all():
        second = _gathered(unit, photo, threshold, ~person)
        _refuse_two_people(int(person.sum()), int(second.sum()))
    return person


def around(
    embeddings: Float[Tensor, "n d"], photo: Int[Tensor, "n"], reference: Float[Tensor, "d"], threshold: float
) -> Bool[Tensor, "n"]:
    """Which of N faces are the person's, whom one photo outside of them shows (`reference`, its embedding)."""
    unit = F.normalize(torch.cat([reference[None], embeddings]).float(), dim=1)
    first = torch.arange(len(unit)) == 0
    photos = torch.cat([photo.new_full((1,), -1), photo])
    return _settled(unit, photos, threshold, torch.ones_like(first), first)[1:]


def similarity(embeddings: Float[Tensor, "n d"], person: Bool[Tensor, "n"]) -> Float[Tensor, "n"]:
    """The mean cosine of each of N faces to the NEAREST of the person's other faces; NaN where there is no other.

    To all of them, a face of forty years would be little like a person known at twenty and at sixty.
    """
    unit = F.normalize(embeddings.float(), dim=1)
    theirs = torch.nonzero(person).flatten()
    parts = []
    for rows in torch.arange(len(unit)).split(COMPARED_AT_ONCE):
        cosine = unit[rows] @ unit[theirs].T
        cosine[rows[:, None] == theirs] = -torch.inf  # itself
        nearest = cosine.topk(min(NEAREST, len(theirs)), dim=1).values
        parts.append(nearest.where(nearest.isfinite(), torch.nan).nanmean(1))
    return torch.cat(parts)


def _gathered(
    unit: Float[Tensor, "n d"], photo: Int[Tensor, "n"], threshold: float, among: Bool[Tensor, "n"]
) -> Bool[Tensor, "n"]:
    """The largest group `among` faces: begun at the face with most others like it, then without it."""
    alike = torch.cat([((part @ unit.T >= threshold) & among).sum(1) for part in unit.split(COMPARED_AT_ONCE)])
    first = torch.arange(len(unit)) == alike.where(among, -1).argmax()
    begun = _settled(unit, photo, threshold, among, first)
    return _settled(unit, photo, threshold, among, torch.zeros_like(first), begun)


def _settled(
    unit: Float[Tensor, "n d"],
    photo: Int[Tensor, "n"],
    threshold: float,
    among: Bool[Tensor, "n"],
    fixed: Bool[Tensor, "n"],
    begun: Bool[Tensor, "n"] | None = None,
) -> Bool[Tensor, "n"]:
    """A group and the `fixed` ones, once the faces like it are the group: its first face may lie aside."""
    person = fixed if begun is None else begun
    for _ in range(ROUNDS):
        now = (_best_of_photo(similarity(unit, person), photo, threshold) & among) | fixed
        if torch.equal(now, person) or not now.any():
            break
        person = now
    return person


def _best_of_photo(similarity: Float[Tensor, "n"], photo: Int[Tensor, "n"], threshold: float) -> Bool[Tensor, "n"]:
    """The most similar face of each photo, where it is similar enough; nobody is in a photo twice."""
    group = torch.unique(photo, return_inverse=True)[1]
    known = similarity.nan_to_num(-torch.inf)
    best = torch.full_like(known, -torch.inf).scatter_reduce(0, group, known, "amax")
    return (known == best[group]) & (known >= threshold)


def _refuse_two_people(first: int, second: int) -> None:
    if first < CLEAR_MAJORITY * second:
        raise BadInput(
            f"The photos show two people about equally often ({first} and {second} photos).",
            "Say who is meant with --reference PHOTO, or add photos of one person only; nothing was lost.",
        )
