"""Several people side by side in the same views: one forward pass of their prior draws all of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image, store, video, weights
from selfsame.core.camera import Camera, orbit
from selfsame.core.config import writing
from selfsame.core.errors import BadInput, WrongUse
from selfsame.faces import draw as faces
from selfsame.jobs import parts
from selfsame.jobs.progress import Progress, silent
from selfsame.jobs.showing import FPS
from selfsame.tasks import adapters, model
from selfsame.tasks.adapters import Together

FEWEST_PX = 128  # of a person's picture, so that a name can be read
FRAMES = {".png": 5, ".mp4": 96}


def draw(
    names: Sequence[str],
    folders: Sequence[Path],
    out: Path,
    frames: int | None = None,
    prior: str | None = None,
    progress: Progress = silent,
) -> Path:
    """Write a sheet (.png: a column for each person, a row for each view) or a film (.mp4) of the models in `folders`.

    Raises WrongUse for fewer than two and another suffix, BadInput where the models are not of one rank on one prior.
    """
    if len(names) < 2:
        raise WrongUse("Side by side takes two people or more.", "Name another one.")
    if out.suffix.lower() not in FRAMES:
        raise WrongUse(f"{out.name} does not end in .png or .mp4.", "Give --out another name.")
    frames = frames or FRAMES[out.suffix.lower()]
    group = _group(names, folders, prior)
    rows = _rows(group, names, orbit(frames), progress)
    if out.suffix.lower() == ".mp4":
        video.write(out, (row[0] for row in rows), FPS)
        return out
    with writing(out):
        image.save(image.grid(list(rows), 1), out)
    return out


def _group(names: Sequence[str], folders: Sequence[Path], prior: str | None) -> Together:
    cards = [weights.card_of(folder) for folder in folders]
    for name, card in zip(names, cards, strict=True):
        if card.kind != model.KIND:
            raise BadInput(f"{name}'s model is a {card.kind}.", f"Only a {model.KIND} can be shown beside others.")
        if card.prior_digest != cards[0].prior_digest:
            priors = [store.called(x.prior_digest or "") for x in (card, cards[0])]
            raise BadInput(
                f"{name}'s model was made on {priors[0]}, {names[0]}'s on {priors[1]}.", "Show people of one prior."
            )
    under = parts.load_prior(prior or parts.prior_of(cards[0]))
    people = [adapters.read(folder, under) for folder in folders]
    for name, person in zip(names, people, strict=True):
        if person.low_rank != people[0].low_rank:
            kinds = [adapters.described(x.low_rank) for x in (person, people[0])]
            raise BadInput(f"{name}'s model has {kinds[0]}, {names[0]}'s {kinds[1]}.", "Fit them alike.")
    return Together(under, people)


def _rows(
    group: Together, names: Sequence[str], views: Camera, progress: Progress
) -> Iterator[Float[Tensor, "1 3 h w"]]:
    """All people in one view after the other, their names below."""
    codes = torch.cat([adapter.most_frontal() for adapter in group.adapters])
    for number in range(len(views)):
        progress("drawing", number, len(views))
        pictures = group.render(codes, views[number]).image
        size_px = max(pictures.shape[-1], FEWEST_PX)
        tiles = [faces.captioned(pictures[n : n + 1], name, size_px) for n, name in enumerate(names)]
        yield image.grid(tiles, len(tiles))
    progress("drawing", len(views), len(views))
