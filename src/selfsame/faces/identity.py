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
ROUNDS = 10  # of finding the person's faces and their middle anew
COMPARED_AT_ONCE = 1024  # rows of a matrix of similarities that is never whole in memory


@dataclass(frozen=True, eq=False)
class IdentityJudge:
    """What tells people apart: crops to embeddings, and the mean cosine to the person's photos that a face needs.

    `name` says in an album who judged.
    """

    name: str
    embed: Embed
    threshold: float


@dataclass(frozen=True, eq=False)
class Found:
    """Which of N faces are the person's, and the cosine of each to the person's faces on average."""

    person: Bool[Tensor, "n"]
    similarity: Float[Tensor, "n"]


def find(
    embeddings: Float[Tensor, "n d"], photo: Int[Tensor, "n"], known: Bool[Tensor, "n"], threshold: float
) -> Found:
    """The person's faces among N, of which `photo` says in what photo each is.

    The person is who the `known` faces show: those stay theirs. Where none is known, it is who most photos show, found
    by turns: the faces near the middle of a group, and their middle. Raises BadInput where a second person is in more
    than half as many photos.
    """
    unit = F.normalize(embeddings.float(), dim=1)
    if known.any():
        similarity = unit @ unit[known].mean(0)
        return Found(_best_of_photo(similarity, photo, threshold) | known, similarity)
    person, similarity = _gathered(unit, photo, threshold, torch.ones_like(known))
    if not person.all():
        second, _ = _gathered(unit, photo, threshold, ~person)
        _refuse_two_people(int(person.sum()), int(second.sum()))
    return Found(person, similarity)


def around(
    embeddings: Float[Tensor, "n d"], photo: Int[Tensor, "n"], reference: Float[Tensor, "d"], threshold: float
) -> Found:
    """The person's faces among N, where one photo outside of them (`reference`, its embedding) shows the person."""
    unit = F.normalize(torch.cat([reference[None], embeddings]).float(), dim=1)
    first = torch.arange(len(unit)) == 0
    photos = torch.cat([photo.new_full((1,), -1), photo])
    person, similarity = _settled(unit, photos, threshold, torch.ones_like(first), first)
    return Found(person[1:], similarity[1:])


def similarity(embeddings: Float[Tensor, "n d"], person: Bool[Tensor, "n"]) -> Float[Tensor, "n"]:
    """The mean cosine of each of N faces to the person's other faces; NaN where there is no other."""
    unit = F.normalize(embeddings.float(), dim=1)
    mean: Tensor = (unit @ unit[person].sum(0) - person.float()) / (person.sum() - person.int())
    return mean


def _gathered(
    unit: Float[Tensor, "n d"], photo: Int[Tensor, "n"], threshold: float, among: Bool[Tensor, "n"]
) -> tuple[Bool[Tensor, "n"], Float[Tensor, "n"]]:
    """The largest group `among` faces: begun at the face with most others like it, then without it."""
    alike = torch.cat([((part @ unit.T >= threshold) & among).sum(1) for part in unit.split(COMPARED_AT_ONCE)])
    first = torch.arange(len(unit)) == alike.where(among, -1).argmax()
    begun, _ = _settled(unit, photo, threshold, among, first)
    return _settled(unit, photo, threshold, among, torch.zeros_like(first), begun)


def _settled(
    unit: Float[Tensor, "n d"],
    photo: Int[Tensor, "n"],
    threshold: float,
    among: Bool[Tensor, "n"],
    fixed: Bool[Tensor, "n"],
    begun: Bool[Tensor, "n"] | None = None,
) -> tuple[Bool[Tensor, "n"], Float[Tensor, "n"]]:
    """A group and the `fixed` ones, once the faces near its middle are the group: its first face may lie aside."""
    person = fixed if begun is None else begun
    for _ in range(ROUNDS):
        now = (_best_of_photo(unit @ unit[person].mean(0), photo, threshold) & among) | fixed
        if torch.equal(now, person) or not now.any():
            break
        person = now
    return person, unit @ unit[person].mean(0)


def _best_of_photo(similarity: Float[Tensor, "n"], photo: Int[Tensor, "n"], threshold: float) -> Bool[Tensor, "n"]:
    """The most similar face of each photo, where it is similar enough; nobody is in a photo twice."""
    group = torch.unique(photo, return_inverse=True)[1]
    best = torch.full_like(similarity, -torch.inf).scatter_reduce(0, group, similarity, "amax")
    return (similarity == best[group]) & (similarity >= threshold)


def _refuse_two_people(first: int, second: int) -> None:
    if first < CLEAR_MAJORITY * second:
        raise BadInput(
            f"The photos show two people about equally often ({first} and {second} photos).",
            "Say who is meant with --reference PHOTO, or add photos of one person only; nothing was lost.",
        )
