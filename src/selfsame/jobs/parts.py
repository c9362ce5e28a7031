"""The networks that jobs work with, by name: priors and the judge."""

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from selfsame.core import weights
from selfsame.core.errors import BadInput
from selfsame.metrics.fid import FeatureNet
from selfsame.nets import judges, lpips
from selfsame.nets.judges import Judge
from selfsame.nets.lpips import Lpips
from selfsame.tasks.personal import Judge as Measures
from selfsame.tasks.prior import STARTER_FOLDER, Prior, load_prior

__all__ = ["SAME_PERSON", "Prior", "WithLpips", "load_features", "load_judge", "load_prior"]

SAME_PERSON = 0.4  # mean cosine to the person's photos: in albums of one year 99 % of own photos have 0.58 and more


@dataclass(frozen=True, eq=False)
class WithLpips:
    """The starter judge for identity, LPIPS for the perceptual distance."""

    identity: Judge
    perceptual: Lpips

    def embed(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Identity embeddings of unit length."""
        return self.identity.embed(images)

    def features(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """LPIPS's weighted feature maps."""
        maps: list[Tensor] = self.perceptual(images)
        return maps


def load_features() -> FeatureNet:
    """The starter judge's embedding as the features of FID and KID, times the root of its width.

    So scaled its numbers are of about unit size, as KID's kernel supposes.
    """
    judge = judges.load(STARTER_FOLDER / "judge")
    width = judge.network.config.embedding
    name = f"judge {weights.digest(judge.network.state_dict())[:8]}"
    return FeatureNet(name, lambda images: judge.embed(images.cpu()) * width**0.5)


def load_judge(lpips_folder: Path | None = None) -> Measures:
    """The starter judge, with LPIPS for the perceptual term where the folder of its weights is given."""
    folder = STARTER_FOLDER / "judge"
    if not folder.is_dir():
        raise BadInput("The starter judge is missing from this installation.", "Install selfsame again.")
    identity = judges.load(folder)
    return identity if lpips_folder is None else WithLpips(identity, lpips.load(lpips_folder))
