"""An encoder that inverts photos in one pass: pSp, trained on a frozen StyleGAN2 [Richardson et al. 2021].

What it shares with the training of SAM's age encoder, which stands on it, is public here.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from selfsame.core import rng, store, weights
from selfsame.core.weights import Card
from selfsame.losses import age, latent
from selfsame.losses import image as losses
from selfsame.nets.encoder import PSP, STARTER_ENCODER, EncoderConfig, GradualStyleEncoder
from selfsame.nets.iresnet import IResNet
from selfsame.nets.stylegan2 import StyleGAN2
from selfsame.tasks.personal import Judge
from selfsame.train import loop, optim
from selfsame.train.devices import ALONE, Devices
from selfsame.train.ranger import Ranger

KIND = "inversion encoder"


@runtime_checkable
class ImagePrior(Protocol):
    """What training asks of a pretrained StyleGAN2: the frozen network, the mean of its codes, its digest."""

    @property
    def net(self) -> StyleGAN2:
        """The generator."""

    @property
    def w_mean(self) -> Float[Tensor, "w"] | Float[Tensor, "l w"]:
        """The mean code, or one for each layer."""

    @property
    def digest(self) -> str:
        """What an encoder names its prior by."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Photos in [-1, 1], with their ages and their codes where those are known.

    `aged` tells the codes of the same looks at other ages, where somebody knows what people of such an age look like.
    """

    images: Float[Tensor, "b 3 s s"]
    years: Float[Tensor, "b"] | None = None
    w_plus: Float[Tensor, "b l w"] | None = None
    aged: Callable[[Float[Tensor, "b"]], Float[Tensor, "b l w"]] | None = None


Batches = Callable[[int], Batch]
"""The training data: the batch of a step, the same whenever it is asked for."""


@dataclass(frozen=True)
class InversionConfig:
    """How an encoder is trained; the defaults are pSp's for the inversion of faces.

    `code` weighs the squared error of codes that are known; pSp knows none. `face_identity` shows the judge the middle
    of the picture, as the published judge wants it. `schedule` "projector" lets the learning rate rise at the start and
    fall at the end. `linear_pace` multiplies the learning rate of the heads' last layers, which are stored as large as
    StyleGAN2's and so move slowly.
    """

    encoder: EncoderConfig = PSP
    steps: int = 500_000
    optimizer: Literal["ranger", "adam"] = "ranger"
    lr: float = 1e-4
    schedule: Literal["constant", "projector"] = "constant"
    linear_pace: float = 1.0
    pixel: float = 1.0
    perceptual: float = 0.8
    identity: float = 0.1
    w_norm: float = 0.0
    code: float = 0.0
    face_identity: bool = True
    flip: float = 0.5
    save_every: int = 5000
    seed: int = 0


PSP_PAPER = InversionConfig()
STARTER_INVERSION = InversionConfig(
    encoder=STARTER_ENCODER, steps=3000, optimizer="adam", lr=1e-3, schedule="projector", linear_pace=20.0,
    w_norm=0.001, code=0.05, face_identity=False, save_every=100,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Inversion:
    """A frozen encoder in evaluation mode, the mean code that its outputs are offsets from, and its card."""

    encoder: GradualStyleEncoder
    w_mean: Float[Tensor, "w"] | Float[Tensor, "l w"]
    card: Card

    def __post_init__(self) -> None:
        self.encoder.eval().requires_grad_(False)

    def invert(self, images: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b l w"]:
        """The codes of photos of any size."""
        w_plus: Tensor = self.encoder(pool(images, self.encoder.config.input_px)) + self.w_mean
        return w_plus


def train_inversion(
    prior: ImagePrior,
    data: Batches,
    judge: Judge,
    config: InversionConfig,
    folder: Path,
    *,
    start: GradualStyleEncoder | None = None,
    devices: Devices = ALONE,
    on_step: Callable[[int, loop.Losses], None] | None = None,
) -> GradualStyleEncoder:
    """Train an encoder, from `start` if given, whose codes make the frozen prior show the photos.

    Where no term looks at pictures (all their weights are 0) none are made: codes alone are learned, which is cheap.
    The run lives in `folder`; the same call again resumes it bit for bit.
    """
    encoder = untrained(config.encoder, rng.key(config.seed, "encoder")).to(prior.w_mean.device)
    if start is not None:
        encoder.load_state_dict(start.state_dict())
    looks = any((config.pixel, config.perceptual, config.identity))
    optimizer = optimizer_of(config.optimizer, encoder, config.lr, config.linear_pace)
    terms = {
        "pixel": config.pixel,
        "perceptual": config.perceptual,
        "identity": config.identity,
        "w_norm": config.w_norm,
        "code": config.code,
    }

    def step(index: int) -> dict[str, Tensor]:
        batch = data(index)
        photos = pool(batch.images, config.encoder.input_px)
        photos, flipped = flip(photos, config.flip, rng.generator(config.seed, "flip", index))
        w_plus = forward(encoder, photos, devices) + prior.w_mean
        found = {"w_norm": latent.w_norm(w_plus, prior.w_mean)}
        if looks:
            found |= _compare(pool(forward(prior.net, w_plus, devices), photos.shape[-1]), photos, judge, config)
        if batch.w_plus is not None:
            # The code of a picture is not that of its mirror image.
            found["code"] = latent.code(w_plus, batch.w_plus) * ~flipped
        means = {name: value.mean() for name, value in found.items()}
        total = torch.stack([terms[name] * value for name, value in means.items()]).sum()
        optim.set_lr(optimizer, rate(index, config.steps, config.lr, config.schedule))
        optim.update(optimizer, total)
        return {"loss": total.detach()} | {name: value.detach() for name, value in means.items()}

    run = loop.Run(folder, config, config.steps, config.save_every, config.seed)
    loop.run(run, {"encoder": encoder, "optimizer": optimizer}, step, on_step=on_step)
    return encoder


def _compare(made: Tensor, photos: Tensor, judge: Judge, config: InversionConfig) -> dict[str, Tensor]:
    """pSp's terms that compare pictures, by name, one value per photo."""
    crop = age.face if config.face_identity else whole
    with torch.no_grad():
        features, embedding = judge.features(photos), judge.embed(crop(photos))
    return {
        "pixel": losses.mse(made, photos),
        "perceptual": losses.perceptual(judge.features(made), features),
        "identity": latent.identity(judge.embed(crop(made)), embedding),
    }


def forward(net: nn.Module, x: Tensor, devices: Devices) -> Tensor:
    """The output of a network run in these devices' precision, in float32."""
    with devices.autocast():
        made: Tensor = net(x)
    return made.float()


def save(folder: Path, inversion: Inversion, *, half: bool = False) -> Inversion:
    """Write an encoder's weights, its mean code and its card; returns it with the card's digest."""
    tensors = {f"encoder.{name}": t for name, t in inversion.encoder.state_dict().items()}
    tensors["latent_avg"] = inversion.w_mean
    return replace(inversion, card=weights.save(folder, tensors, inversion.card, half=half))


def load(folder: Path, prior_digest: str, device: torch.device | str = "cpu") -> Inversion:
    """The encoder in `folder`; raises BadInput where there is none, or where it was trained on another prior."""
    tensors, card = weights.load(folder, KIND)
    store.check_prior(card, prior_digest)
    encoder = GradualStyleEncoder(weights.config_of(card, EncoderConfig))
    w_mean = tensors.pop("latent_avg").clone()
    encoder.load_state_dict({name.removeprefix("encoder."): t for name, t in tensors.items()})
    return Inversion(encoder.to(device), w_mean.to(device), card)


def card_of(config: InversionConfig, prior_digest: str, **facts: object) -> Card:
    """The card of an inversion encoder; `facts` are the card's other fields."""
    fixed = {"kind": KIND, "config": asdict(config.encoder), "seed": config.seed, "prior_digest": prior_digest}
    return Card(**(fixed | facts))  # type: ignore[arg-type]


def untrained(config: EncoderConfig, seed: int) -> GradualStyleEncoder:
    """An encoder whose first weights are a function of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GradualStyleEncoder(config).to(memory_format=torch.channels_last)


def looking(network: nn.Module) -> dict[str, Tensor]:
    """The tensors of the layers that look at pictures, in an encoder or in a recognition network, under their names."""
    return {name: t for name, t in network.state_dict().items() if name.startswith(("input_layer.", "body."))}


def recognising(config: EncoderConfig, network: IResNet, seed: int) -> GradualStyleEncoder:
    """An encoder that looks at photos as a recognition network of the same stem and stages does; its heads are new.

    pSp and SAM begin like this, with IR-SE50.
    """
    encoder = untrained(config, seed)
    encoder.load_state_dict(encoder.state_dict() | looking(network))
    return encoder


def optimizer_of(
    kind: Literal["ranger", "adam"], encoder: GradualStyleEncoder, lr: float, linear_pace: float
) -> Optimizer:
    """Ranger with its published settings, or Adam with torch's, on an encoder and its heads' last layers."""
    named = list(encoder.named_parameters())
    groups = [
        {"params": [p for name, p in named if ".linear." not in name], "pace": 1.0},
        {"params": [p for name, p in named if ".linear." in name], "pace": linear_pace},
    ]
    return Ranger(groups, lr) if kind == "ranger" else Adam(groups, lr)


def rate(step: int, steps: int, lr: float, schedule: Literal["constant", "projector"]) -> float:
    """The learning rate of a step."""
    return lr if schedule == "constant" else optim.projector_lr(step + 1, steps + 1, lr)


def pool(images: Float[Tensor, "b c h w"], size_px: int) -> Float[Tensor, "b c s s"]:
    """Averaged to the size at which encoders look and losses compare [pSp, face_pool]."""
    return F.adaptive_avg_pool2d(images, size_px) if images.shape[-1] != size_px else images


def flip(
    images: Float[Tensor, "b c h w"], share: float, g: torch.Generator
) -> tuple[Float[Tensor, "b c h w"], Bool[Tensor, "b"]]:
    """This share of the images mirrored, at random, and which."""
    flipped = torch.rand(len(images), generator=g).to(images.device) < share
    return torch.where(flipped[:, None, None, None], images.flip(-1), images), flipped


def whole(images: Tensor) -> Tensor:
    """Instead of `losses.age.face`: no crop."""
    return images
