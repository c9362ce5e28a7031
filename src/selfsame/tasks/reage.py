"""SAM: faces made older or younger by a global prior [Alaluf et al. 2021].

An age encoder reads a photo and the wanted age and moves the photo's code; the frozen StyleGAN2 shows the result.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import store, weights
from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.faces.align import Alignment
from selfsame.nets.encoder import EncoderConfig, GradualStyleEncoder, with_age
from selfsame.nets.stylegan2 import StyleGAN2
from selfsame.tasks import encoders
from selfsame.tasks.encoders import ImagePrior, Inversion, pool

KIND = "sam"
INVERSION_FOLDER = "inversion"
PRIOR_FOLDER = "prior"  # where the StyleGAN2 lies that came in one file with an imported SAM


@dataclass(frozen=True)
class SamParts:
    """What stands on SAM's card: the age encoder's sizes, the digest of the inversion encoder it belongs to, and how
    the photos are cut that both were trained on (the published ones know FFHQ's crop).
    """

    age_encoder: EncoderConfig
    inversion_digest: str
    alignment: Alignment


@dataclass(frozen=True, eq=False)
class Sam:
    """The age encoder, the inversion encoder and the decoder, all frozen and in evaluation mode, and SAM's card."""

    age_encoder: GradualStyleEncoder
    inversion: Inversion
    decoder: StyleGAN2
    card: Card
    alignment: Alignment = "eg3d"

    def __post_init__(self) -> None:
        for net in (self.age_encoder, self.decoder):
            net.eval().requires_grad_(False)

    @property
    def w_mean(self) -> Float[Tensor, "w"] | Float[Tensor, "l w"]:
        """The mean code, which both encoders' outputs are offsets from [SAM, latent_avg]."""
        return self.inversion.w_mean

    def invert(self, images: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b l w"]:
        """The codes of photos as they are."""
        return self.inversion.invert(images)

    def encode(self, images: Float[Tensor, "b 3 s s"], years: Float[Tensor, "b"]) -> Float[Tensor, "b l w"]:
        """The codes of photos at these ages."""
        return aged_codes(self.age_encoder, self.inversion, images, years)

    def reage(self, images: Float[Tensor, "b 3 s s"], years: int | Float[Tensor, "b"]) -> Float[Tensor, "b 3 p p"]:
        """Pictures of the decoder's size at these ages, or all at one age."""
        target = torch.full((len(images),), float(years)) if isinstance(years, int) else years
        made: Tensor = self.decoder(self.encode(images, target.to(images)))
        return made


def aged_codes(
    age_encoder: GradualStyleEncoder,
    inversion: Inversion,
    images: Float[Tensor, "b 3 s s"],
    years: Float[Tensor, "b"],
) -> Float[Tensor, "b l w"]:
    """The inversion's code, moved by what the age encoder makes of the photo and the age [SAM]."""
    moved: Tensor = age_encoder(with_age(pool(images, age_encoder.config.input_px), years))
    return moved + inversion.invert(images)


def save(folder: Path, sam: Sam, *, half: bool = False) -> Sam:
    """Write both encoders with their cards, the inversion's in a folder of its own; the decoder is its prior's.

    Returns SAM with the digests on its cards.
    """
    inversion = encoders.save(folder / INVERSION_FOLDER, sam.inversion, half=half)
    return save_age_encoder(folder, replace(sam, inversion=inversion), half=half)


def save_age_encoder(folder: Path, sam: Sam, *, half: bool = False) -> Sam:
    """Write the age encoder of a SAM whose inversion encoder is written; returns SAM with its card's digest."""
    parts = SamParts(sam.age_encoder.config, sam.inversion.card.digest, sam.alignment)
    card = replace(sam.card, config=asdict(parts), prior_digest=sam.inversion.card.prior_digest)
    return replace(sam, card=weights.save(folder, sam.age_encoder.state_dict(), card, half=half))


def load(folder: Path, prior: ImagePrior) -> Sam:
    """SAM on its own prior; raises BadInput for another prior or inversion encoder, or where it is damaged."""
    tensors, card = weights.load(folder, KIND)
    store.check_prior(card, prior.digest)
    device = prior.w_mean.device
    inversion = encoders.load(folder / INVERSION_FOLDER, prior.digest, device)
    parts = weights.config_of(card, SamParts)
    if inversion.card.digest != parts.inversion_digest:
        raise BadInput(
            f"{folder / INVERSION_FOLDER} holds another encoder than SAM was trained on.", "Copy both again."
        )
    age_encoder = GradualStyleEncoder(parts.age_encoder)
    age_encoder.load_state_dict(tensors)
    return Sam(age_encoder.to(device), inversion, prior.net, card, parts.alignment)
