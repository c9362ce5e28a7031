"""The networks that jobs work with, by name: priors, SAM and the judges."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import store, weights
from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.faces.identity import IdentityJudge
from selfsame.metrics.fid import FeatureNet
from selfsame.nets import age, attributes, judges, lpips, w_encoder
from selfsame.nets.age import AgeJudge
from selfsame.nets.iresnet import enlarged
from selfsame.nets.judges import Judge
from selfsame.nets.lpips import Lpips
from selfsame.tasks import model2d, reage
from selfsame.tasks.directions import Scorer
from selfsame.tasks.invert import InvertConfig
from selfsame.tasks.personal import Judge as Measures
from selfsame.tasks.prior import Prior, Prior2D, load_prior
from selfsame.tasks.prior2d import load_prior2d
from selfsame.tasks.reage import Sam

__all__ = [
    "SAME_PERSON", "Prior", "WithLpips", "load_age_judge", "load_features", "load_judge", "load_prior", "load_sam",
    "load_scorer", "person_judge",
]  # fmt: skip

STARTER_SAM = "starter-sam"
ATTRIBUTES = (*attributes.NAMES, "age")
"""What `load_scorer` scores."""

SAME_PERSON = 0.5  # mean cosine to the nearest three of the person's photos (docs/album.md)
SAME_BY_ARCFACE = 0.35  # the same by an imported judge; not measured here
STARTER_JUDGE = "the starter set's judge"


@dataclass(frozen=True, eq=False)
class WithLpips:
    """The starter judge for identity, LPIPS for the perceptual distance."""

    identity: Judge
    perceptual: Lpips

    def embed(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Identity embeddings of unit length."""
        return self.identity.embed(images)

    def recognise(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """As `embed`."""
        return self.embed(images)

    def features(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """LPIPS's weighted feature maps."""
        maps: list[Tensor] = self.perceptual(images)
        return maps


def load_features() -> FeatureNet:
    """The starter judge's embedding as the features of FID and KID, times the root of its width.

    So scaled its numbers are of about unit size, as KID's kernel supposes.
    """
    judge = judges.load(store.starter("judge"))
    name = f"judge {weights.digest(judge.network.state_dict())[:8]}"
    return FeatureNet(name, lambda images: enlarged(judge.embed(images.cpu())))


def prior_of(card: Card) -> str:
    """The name of the prior that a personal model was made on, where it has one here, else the starter set's."""
    starter = "starter-2d" if card.kind == model2d.KIND else "starter-3d"
    return store.name_of(card.prior_digest or "") or starter


def first_codes(
    prior_digest: str | None, images: Float[Tensor, "b 3 s s"], config: InvertConfig, otherwise: Float[Tensor, "l w"]
) -> Float[Tensor, "b l w"]:
    """Where inversions of photos begin: at the codes of the prior's W encoder, where `config` asks and there is one.

    Else at the code `otherwise`. What is inverted in is the prior of this digest, or a personal model on it. Raises
    BadInput where the starter set has lost its encoder, as other codes would be found without it.
    """
    if config.start == "encoder":
        folder = store.starter("w-encoder")
        if weights.card_of(folder).prior_digest == prior_digest:
            encoder, _ = w_encoder.load(folder, images.device)
            with torch.no_grad():
                w: Tensor = encoder(images)
            return w[:, None].expand(-1, len(otherwise), -1)
    return otherwise.expand(len(images), -1, -1)


def load_judge(
    lpips_folder: Path | None = None, identity_folder: Path | None = None, device: torch.device | str = "cpu"
) -> Measures:
    """The starter judge, or that of a folder or name; with LPIPS for the perceptual term where that is given."""
    folder = store.starter("judge") if identity_folder is None else store.find(identity_folder)
    identity = judges.load(folder, device)
    return identity if lpips_folder is None else WithLpips(identity, lpips.load(store.find(lpips_folder), device))


def person_judge(folder: Path | None = None, threshold: float | None = None) -> IdentityJudge:
    """What tells an album's person from others: the starter judge or that of a folder or name, and its threshold."""
    if folder is None:
        return IdentityJudge(STARTER_JUDGE, load_judge().embed, SAME_PERSON if threshold is None else threshold)
    judge = judges.load(store.find(folder))
    name = f"{folder} ({weights.digest(judge.network.state_dict())[:12]})"
    return IdentityJudge(name, judge.embed, SAME_BY_ARCFACE if threshold is None else threshold)


def load_sam(
    where: str | Path = STARTER_SAM, prior: str | Path | None = None, device: torch.device | str = "cpu"
) -> Sam:
    """The starter set's SAM by its name, or another by name or folder, on its 2D prior.

    Without `prior` it is the one that was imported with it, else the starter set's. Raises BadInput where there is
    none.
    """
    folder = store.find(where)
    if not folder.is_dir():
        raise BadInput(f"There is no SAM called {where}.", f"The package has {STARTER_SAM}; or give the folder of one.")
    own = folder / reage.PRIOR_FOLDER
    found = load_prior2d(prior or (own if own.is_dir() else "starter-2d"))
    return reage.load(folder, Prior2D(found.net.to(device), found.card, found.w_mean.to(device), found.w_std))


def load_age_judge(folder: Path | None = None, device: torch.device | str = "cpu") -> AgeJudge:
    """The age judge of a folder or name, or the starter set's."""
    return age.load(store.starter("age") if folder is None else store.find(folder), device)


def load_scorer(folder: Path | None = None, age_folder: Path | None = None) -> Scorer:
    """What attributes are judged by: the judge of a folder or name, or the starter set's, and an age judge."""
    shown = attributes.load(store.starter("attributes") if folder is None else store.find(folder))
    years = load_age_judge(age_folder)
    digest = "+".join(weights.digest(judge.state_dict())[:16] for judge in (shown, years))
    return Scorer(lambda images: {**shown(images), "age": years(images)}, digest)
