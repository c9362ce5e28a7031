"""Adversarial training of a prior: StyleGAN2's losses and schedules, one step as a function of (seed, step).

What generator and discriminator are, and what they show each other, stays behind `Players`: pictures alone for
StyleGAN2, the picture with its raw rendering for EG3D.
"""

import copy
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam

from selfsame.core import rng
from selfsame.train import ada, descent, optim
from selfsame.train.ada import AdaConfig
from selfsame.train.checkpoint import State
from selfsame.train.devices import Devices


@runtime_checkable
class Players(Protocol):
    """A generator and its discriminator; "shown" is what the discriminator reads, 3 channels a picture."""

    @property
    def generator(self) -> nn.Module:
        """The network that a prior is made of."""

    @property
    def discriminator(self) -> nn.Module:
        """The network that tells real from made; it ends with the training."""

    def make(self, count: int, labels: Tensor | None, source: rng.Source) -> Tensor:
        """`count` generated pictures as shown (B, C, H, W), seen by the cameras in `labels` where there are any."""

    def show(self, images: Tensor) -> Tensor:
        """Real images (B, 3, H, W) as shown."""

    def roughness(self, count: int, source: rng.Source) -> Tensor:
        """How much the density of `count` random solids jumps between points close together (B,)."""


@runtime_checkable
class Reals(Protocol):
    """Training images, read by number."""

    def __len__(self) -> int:
        """How many there are."""

    def images(self, which: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [-1, 1]."""

    def labels(self, which: Tensor) -> Tensor | None:
        """Packed cameras (B, 25) of these images; None where there are none."""


@dataclass(frozen=True)
class AdversarialConfig:
    """How a prior is trained; the defaults are StyleGAN2's with adaptive augmentation.

    `batch` counts the images of one step over all processes. R1 has the weight `r1_gamma` and is taken every
    `r1_every` steps. The running average of the weights forgets half within `ema_images`, early within the share
    `ema_ramp` of the images seen. A generator with a density is kept smooth with weight `density` every
    `density_every` steps (0: not). `augment` null trains on the pictures as they are.
    """

    batch: int = 32
    lr: float = 0.0025
    r1_gamma: float = 1.0
    r1_every: int = 16
    ema_images: float = 10_000.0
    ema_ramp: float = 0.05
    density: float = 0.0
    density_every: int = 4
    augment: AdaConfig | None = ada.FACES


def usual_gamma(size_px: int, batch: int) -> float:
    """R1's weight by the rule of thumb of StyleGAN2-ADA's automatic configuration: 0.0002 pixels / batch."""
    return 0.0002 * size_px**2 / batch


def generator_loss(fake: Float[Tensor, "b 1"]) -> Float[Tensor, "b 1"]:
    """Non-saturating logistic loss of a generator, from D's logits [Goodfellow et al. 2014]."""
    return F.softplus(-fake)


def discriminator_loss(real: Float[Tensor, "b 1"], fake: Float[Tensor, "b 1"]) -> Float[Tensor, "b 1"]:
    """Logistic loss of a discriminator."""
    return F.softplus(-real) + F.softplus(fake)


def r1(logits: Float[Tensor, "b 1"], images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b"]:
    """Squared length of the gradient of D's logits in real images [Mescheder et al. 2018, equation 9, without gamma/2].

    Can be differentiated once more.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3))


def ema_decay(config: AdversarialConfig, step: int) -> float:
    """What the running average keeps in step `step` (from 0), so that half is forgotten after the half life."""
    half_life = min(config.ema_images, (step + 1) * config.batch * config.ema_ramp)
    return float(0.5 ** (config.batch / max(half_life, 1e-8)))


@torch.no_grad()
def average(ema: nn.Module, net: nn.Module, decay: float) -> None:
    """One step of the running average of weights, in place; buffers are copied."""
    for mean, weight in zip(ema.parameters(), net.parameters(), strict=True):
        mean.lerp_(weight, 1 - decay)
    for kept, buffer in zip(ema.buffers(), net.buffers(), strict=True):
        kept.copy_(buffer)


@dataclass(frozen=True, eq=False)
class Match:
    """All that training changes: the players, the average of the generator, two optimizers, p, and fp16's scales."""

    players: Players
    ema: nn.Module
    of_generator: Adam
    of_discriminator: Adam
    augmentation: dict[str, Tensor]
    scales: dict[str, Tensor]

    @property
    def state(self) -> State:
        """The state that the loop saves and restores."""
        return {
            "generator": self.players.generator,
            "discriminator": self.players.discriminator,
            "ema": self.ema,
            "generator adam": self.of_generator,
            "discriminator adam": self.of_discriminator,
            "augmentation": self.augmentation,
            "scales": self.scales,
        }


def begin(players: Players, config: AdversarialConfig, devices: Devices) -> Match:
    """A match before its first step; the average starts at the generator."""
    betas = (0.0, 0.99)
    of_generator = optim.lazy(config.lr, betas, config.density_every) if config.density else (config.lr, betas)
    of_discriminator = optim.lazy(config.lr, betas, config.r1_every)
    return Match(
        players,
        copy.deepcopy(players.generator).eval().requires_grad_(False),
        optim.adam(players.generator.parameters(), *of_generator),
        optim.adam(players.discriminator.parameters(), *of_discriminator),
        ada.start(devices.device),
        descent.scales(devices, "generator", "discriminator"),
    )


def step(
    match: Match, reals: Reals, config: AdversarialConfig, devices: Devices, seed: int, index: int
) -> dict[str, float]:
    """One update of generator and discriminator each, now and then one for a regulariser; returns the losses.

    What happens is fixed by the state of the match, the data, `seed` and `index`, not by how many processes share it.
    """
    turn = _Turn(match, reals, config, devices, seed, index)
    losses = {"generator": turn.generator_phase()}
    if config.density and index % config.density_every == 0:
        losses["density"] = turn.density_phase()
    losses |= turn.discriminator_phase()
    if index % config.r1_every == 0:
        losses["r1"] = turn.r1_phase()
    average(match.ema, match.players.generator, ema_decay(config, index))
    if config.augment is not None:
        ada.adapt(match.augmentation, losses["sign"], config.batch, config.augment)
        losses["p"] = match.augmentation["p"]
    return {name: float(value) for name, value in losses.items()}


@dataclass(frozen=True, eq=False)
class _Turn:
    """The phases of one step; each returns means over the global batch, equal in all processes."""

    match: Match
    data: Reals
    config: AdversarialConfig
    devices: Devices
    seed: int
    index: int

    def generator_phase(self) -> Tensor:
        loss = generator_loss(self._judged(self._made("generator"), "generator augmentation")).mean()
        self._descend("generator", self.match.of_generator, loss)
        return self.devices.mean(loss.detach())

    def density_phase(self) -> Tensor:
        """Roughness times the number of steps that it stands for, in full precision [EG3D, supplement 4.1]."""
        count = self.config.batch // self.devices.count
        rough = self.match.players.roughness(count, self._source("density")).mean()
        weight = self.config.density * self.config.density_every
        self._descend("generator", self.match.of_generator, rough * weight)
        return self.devices.mean(rough.detach())

    def discriminator_phase(self) -> dict[str, Tensor]:
        with torch.no_grad():
            made = self._made("discriminator")
        real = self._judged(self.match.players.show(self._real()), "real augmentation")
        loss = discriminator_loss(real, self._judged(made, "made augmentation")).mean()
        self._descend("discriminator", self.match.of_discriminator, loss)
        loss, sign = self.devices.mean(torch.stack([loss.detach(), real.detach().sign().mean()])).unbind()
        return {"discriminator": loss, "sign": sign}

    def r1_phase(self) -> Tensor:
        """R1 times the number of steps that it stands for, in full precision."""
        images = self.match.players.show(self._real()).requires_grad_()
        size = r1(self._logits(self._augmented(images, "r1 augmentation")), images).mean()
        loss = size * (self.config.r1_gamma / 2 * self.config.r1_every)
        self._descend("discriminator", self.match.of_discriminator, loss)
        return self.devices.mean(size.detach())

    def _source(self, purpose: str) -> rng.Rows:
        return self.devices.rows(rng.generator(self.seed, purpose, self.index, device=self.devices.device))

    def _real(self) -> Tensor:
        which = rng.batch_indices(len(self.data), self.config.batch, self.seed, self.index)
        return self.data.images(self.devices.share(which)).to(self.devices.device)

    def _made(self, purpose: str) -> Tensor:
        """Generated pictures, seen by cameras of randomly chosen real images."""
        g = rng.generator(self.seed, f"{purpose} cameras", self.index)
        which = self.devices.share(torch.randint(len(self.data), (self.config.batch,), generator=g))
        labels = self.data.labels(which)
        labels = labels if labels is None else labels.to(self.devices.device)
        with self.devices.autocast():
            return self.match.players.make(len(which), labels, self._source(purpose))

    def _judged(self, shown: Tensor, purpose: str) -> Tensor:
        augmented = self._augmented(shown if shown.dtype == torch.float64 else shown.float(), purpose)
        with self.devices.autocast():
            logits = self._logits(augmented)
        return logits if logits.dtype == torch.float64 else logits.float()

    def _logits(self, shown: Tensor) -> Tensor:
        logits: Tensor = self.match.players.discriminator(shown)
        return logits

    def _augmented(self, shown: Tensor, purpose: str) -> Tensor:
        if self.config.augment is None:
            return shown
        return ada.augment(shown, self.match.augmentation["p"], self._source(purpose), self.config.augment)

    def _descend(self, name: str, optimizer: Adam, loss: Tensor) -> None:
        """One step down the gradient averaged over all processes; in fp16 the loss is scaled up first."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        scale = self.match.scales.get(name)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss if scale is None else loss * scale[0], inputs=parameters)
        descent.finish(optimizer, self.devices, scale)
