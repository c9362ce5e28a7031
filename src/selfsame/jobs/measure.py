"""What a fitted model is worth: held-back photos and views that nobody photographed, scored picture by picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image
from selfsame.core.camera import Camera
from selfsame.core.results import Measured
from selfsame.jobs import parts
from selfsame.metrics import portrait, stats
from selfsame.nets.triplane import TriPlane
from selfsame.tasks import invert
from selfsame.tasks.invert import Inversion, InvertConfig
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import Judge
from selfsame.tasks.prior import Prior


@dataclass(frozen=True, eq=False)
class Scores:
    """Per picture: PSNR in dB, SSIM, and the cosine of identity embeddings; each (N,), high is better."""

    psnr: Float[Tensor, "n"]
    ssim: Float[Tensor, "n"]
    identity: Float[Tensor, "n"]

    def measured(self, label: str) -> list[Measured]:
        """Means with 95 % bootstrap intervals over pictures."""
        columns = (("PSNR (dB)", self.psnr), ("SSIM", self.ssim), ("identity", self.identity))
        return [stats.measure(f"{label}: {name}", values.tolist(), better="high") for name, values in columns]


def score(made: Float[Tensor, "n 3 s s"], truth: Float[Tensor, "n 3 s s"], judge: Judge) -> Scores:
    """Compare pictures one by one, at the size of `made`."""
    truth = image.resize(truth, made.shape[-1])
    with torch.no_grad():
        identity = portrait.identity_similarity(judge.recognise(made.clamp(-1, 1)), judge.recognise(truth))
    return Scores(portrait.psnr(made, truth), portrait.ssim(made, truth), identity)


@dataclass(frozen=True, eq=False)
class Held:
    """Photos (N, 3, s, s) kept out of training, with their cameras."""

    images: Float[Tensor, "n 3 s s"]
    camera: Camera


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A photo found again in a network: the inversion and the picture that it gives (N, 3, s, s)."""

    inversion: Inversion
    image: Float[Tensor, "n 3 s s"]


def reconstruct(
    net: TriPlane,
    images: Float[Tensor, "n 3 s s"],
    camera: Camera,
    start: Tensor,
    config: InvertConfig,
    *,
    w_std: float,
    judge: Judge,
    on_step: Callable[[int, int], None] | None = None,
) -> Reconstruction:
    """Invert photos that no network here was trained on, and render them."""
    found = invert.invert_all(net, images, camera, start, config, w_std=w_std, features=judge.features, on_step=on_step)
    return Reconstruction(found, render(net, found.w_plus, found.camera))


def found_again(
    model: PersonalModel,
    prior: Prior,
    held: Held,
    config: InvertConfig,
    *,
    judge: Judge,
    on_step: Callable[[int, int], None] | None = None,
) -> Reconstruction:
    """Held-back photos inverted in a personal model, from its prior's encoder or else the mean of its anchors."""
    start = parts.first_codes(prior.digest, held.images, config, model.anchors.mean(0))
    return reconstruct(
        model.net, held.images, held.camera, start, config, w_std=prior.w_std, judge=judge, on_step=on_step
    )  # fmt: skip


def render(net: TriPlane, w_plus: Tensor, camera: Camera) -> Float[Tensor, "n 3 s s"]:
    """Pictures of codes, a few at a time."""
    with torch.no_grad():
        return torch.cat([net(w_plus[i : i + 8], camera[slice(i, i + 8)]).image for i in range(0, len(w_plus), 8)])


def table(rows: Sequence[tuple[str, Scores]]) -> list[Measured]:
    """All figures of several scores, one after the other."""
    return [figure for label, scores in rows for figure in scores.measured(label)]
