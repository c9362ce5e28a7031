"""Train a prior of one's own: a folder of images in, a generator out, with what it is worth on images never seen."""

import copy
import hashlib
import io
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image, rng
from selfsame.core.camera import Camera
from selfsame.core.config import write_atomic, writing
from selfsame.core.results import Measured
from selfsame.core.weights import Card
from selfsame.jobs import networks, picture_data
from selfsame.jobs.networks import Width
from selfsame.jobs.picture_data import Data, Kind
from selfsame.jobs.progress import Progress, silent
from selfsame.metrics import fid
from selfsame.metrics.fid import FeatureNet
from selfsame.nets.layers import MappingNetwork
from selfsame.nets.stylegan2 import StyleGAN2
from selfsame.nets.triplane import TriPlane
from selfsame.tasks import prior, prior2d
from selfsame.tasks.prior import MEAN_SAMPLES, Prior, Prior2D
from selfsame.train import adversarial, loop
from selfsame.train.ada import FACES
from selfsame.train.adversarial import AdversarialConfig
from selfsame.train.devices import ALONE, Devices, Precision

SHEET = 32  # pictures on a sheet of samples
AT_ONCE = 16
DENSITY: dict[Kind, float] = {"2d": 0.0, "3d": 0.25}  # weight of EG3D's regulariser
LICENCE = "As the images that it was trained on allow."


@dataclass(frozen=True)
class TrainPriorConfig:
    """What fixes a training, but for its length: a run may be made longer by asking for more steps.

    Every `look_every` steps `looked_at` pictures of the averaged generator are compared with the images by the
    features of the network called `features`.
    """

    kind: Kind = "2d"
    size_px: int = 128
    width: Width = "small"
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)
    look_every: int = 250
    looked_at: int = 1000
    save_every: int = 250
    precision: Precision = "no"
    seed: int = 0
    features: str = ""
    data_digest: str = ""
    start_digest: str | None = None
    discriminator_digest: str | None = None


def configuration(
    *,
    kind: Kind,
    size_px: int,
    width: Width,
    batch: int,
    gamma: float | None,
    augment: bool,
    transfer: bool,
    precision: Precision,
    seed: int,
    look_every: int,
    looked_at: int,
) -> TrainPriorConfig:
    """The published settings at this size and batch; `transfer` from another prior lets ADA adapt faster.

    [StyleGAN2-ADA: p could go from 0 to 1 within 500 thousand images, in transfer learning within 100 thousand.]
    """
    faces = replace(FACES, images_to_one=100_000) if transfer else FACES
    gamma = adversarial.usual_gamma(size_px, batch) if gamma is None else gamma
    settings = AdversarialConfig(batch=batch, r1_gamma=gamma, density=DENSITY[kind], augment=faces if augment else None)
    return TrainPriorConfig(
        kind=kind, size_px=size_px, width=width, adversarial=settings, look_every=look_every, looked_at=looked_at,
        precision=precision, seed=seed,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished prior, the images it was trained on and those held back, its pictures, and what they are worth.

    `nearest` are the training images most like the first pictures, by the same features.
    """

    prior: Prior | Prior2D
    config: TrainPriorConfig
    steps: int
    train: Data
    held_back: Data
    pictures: Float[Tensor, "n 3 s s"]
    nearest: Float[Tensor, "n 3 s s"]
    measured: tuple[Measured, ...]


def train(
    data_folder: Path,
    folder: Path,
    config: TrainPriorConfig,
    steps: int,
    features: FeatureNet,
    *,
    start: Prior | Prior2D | None = None,
    discriminator: str | Path | None = None,
    devices: Devices = ALONE,
    progress: Progress = silent,
) -> Trained | None:
    """Train on the images of `data_folder` into `folder`; the same call again goes on where it was stopped.

    `start` and `discriminator` (a name or folder) are what it starts from, else new networks.

    Of several processes the first returns the prior, the others None. Raises BadInput where there are too few images
    and where the folder holds another run, WrongUse for sizes and batches that cannot be.
    """
    devices.check_batch(config.adversarial.batch)
    critic, card = networks.load_discriminator(discriminator) if discriminator else (None, None)
    players = networks.players(config.kind, config.size_px, config.width, config.seed, start, critic)
    train_on, held_back = _data(data_folder, folder, config, devices, progress)
    config = replace(
        config,
        features=features.name,
        data_digest=train_on.index.digest,
        start_digest=start.digest if start else None,
        discriminator_digest=card.digest if card else None,
    )
    for net in (players.generator, players.discriminator):
        net.to(devices.device)
    match = adversarial.begin(players, config.adversarial, devices)
    terms = licence_of(start.card if start else None, card)
    judged = _Judged(folder, features, train_on, held_back, config, terms) if devices.first else None

    def step(index: int) -> dict[str, float]:
        losses = adversarial.step(match, train_on, config.adversarial, devices, config.seed, index)
        if judged is not None and (index + 1) % config.look_every == 0:
            losses |= judged.look(match.ema, index + 1)
        return losses

    run = loop.Run(folder, config, steps, config.save_every, config.seed)
    told = progress if devices.first else silent
    loop.run(run, match.state, step, on_step=lambda done, _: told("training the prior", done, steps), devices=devices)
    done = judged.finish(match.ema, steps) if judged is not None else None
    devices.wait()
    return done


def licence_of(*begun: Card | None) -> str:
    """The terms of a prior: those of its images, and of the networks that its training began with."""
    terms = dict.fromkeys(card.licence for card in begun if card is not None)
    return " ".join([LICENCE, *(f"It was trained on from a network under: {licence}" for licence in terms)])


def _data(
    data_folder: Path, folder: Path, config: TrainPriorConfig, devices: Devices, progress: Progress
) -> tuple[Data, Data]:
    """The images to train on and those held back; the first process decodes, the others wait for it."""
    cache = folder / "data"
    if devices.first:
        picture_data.read(data_folder, cache, config.kind, config.size_px, progress)
    devices.wait()
    return picture_data.split(picture_data.read(data_folder, cache, config.kind, config.size_px))


@torch.no_grad()
def draw(net: torch.nn.Module, z: Tensor, labels: Tensor | None) -> Float[Tensor, "n 3 s s"]:
    """Pictures in [-1, 1] of random numbers z, on the CPU; without truncation and without random noise."""
    device = next(net.parameters()).device
    parts = []
    for i in range(0, len(z), AT_ONCE):
        some = z[i : i + AT_ONCE].to(device)
        if isinstance(net, TriPlane):
            assert labels is not None
            made = net(net.map(some), Camera.unpack(labels[i : i + AT_ONCE].to(device))).image
        else:
            assert isinstance(net, StyleGAN2)
            made = net(net.map(some))
        parts.append(made.float().clamp(-1, 1).cpu())
    return torch.cat(parts)


class _Judged:
    """The generator as it goes, compared with features of the images that are found once and kept beside the data."""

    def __init__(
        self, folder: Path, net: FeatureNet, train: Data, held_back: Data, config: TrainPriorConfig, licence: str
    ) -> None:
        self.folder, self.net, self.train, self.held_back, self.config = folder, net, train, held_back, config
        self.licence = licence
        every = _features(folder / "data", net, replace(train, chosen=torch.arange(len(train.index.pictures))))
        self.of_train, self.of_held_back = every[train.chosen.numpy()], every[held_back.chosen.numpy()]
        self.real = [fid.moments(x) for x in (self.of_train, self.of_held_back)]

    def look(self, ema: torch.nn.Module, done: int) -> dict[str, float]:
        """A sheet of samples, and how far the pictures are from both sets of images."""
        pictures = self._pictures(ema)
        self._sheet(pictures, done)
        made = self.net.features(pictures)
        seen = fid.moments(made)
        return {
            "fid_train": fid.frechet(self.real[0], seen),
            "fid_held_back": fid.frechet(self.real[1], seen),
            "kid_train": fid.squared_mmd(self.of_train, made),
            "kid_held_back": fid.squared_mmd(self.of_held_back, made),
        }

    def finish(self, ema: torch.nn.Module, steps: int) -> Trained:
        """Write the averaged generator as a prior, and measure the very numbers that were written."""
        done = copy.deepcopy(ema)
        _set_mean(done)
        self._save(done, ())
        pictures = self._pictures(prior2d.load(self.folder).net)
        made = self.net.features(pictures)
        measured = self._measured(made)
        self._save(done, measured)
        self._sheet(pictures, steps)
        similar = self.of_train @ made[:SHEET].T  # embeddings of one length: the largest product is the nearest
        nearest = self.train.images(torch.from_numpy(similar.argmax(0)))
        return Trained(
            prior2d.load(self.folder),
            self.config,
            steps,
            self.train,
            self.held_back,
            pictures[:SHEET],
            nearest,
            measured,
        )

    def _measured(self, made: Float[np.ndarray, "n d"]) -> tuple[Measured, ...]:
        sides = (("trained on", self.of_train), ("held back", self.of_held_back))
        figures = [
            measure(f"{word}, {label} ({self.net.name})", real, made)
            for word, measure in (("FID", fid.fid), ("KID", fid.kid))
            for label, real in sides
        ]
        name = f"KID, trained on to held back ({self.net.name})"
        return (*figures, fid.kid(name, self.of_held_back, self.of_train))

    def _pictures(self, net: torch.nn.Module) -> Tensor:
        """Always the same random numbers and cameras, so that looks differ by the generator alone."""
        count = self.config.looked_at
        g = rng.generator(self.config.seed, "looked at")
        z = torch.randn(count, z_dim_of(net), generator=g)
        which = torch.randint(len(self.train), (count,), generator=g)
        return draw(net, z, self.train.labels(which))

    def _sheet(self, pictures: Tensor, done: int) -> None:
        path = self.folder / "samples" / f"step_{done:07d}.png"
        with writing(path):
            path.parent.mkdir(exist_ok=True)
            image.save(image.grid(pictures[:SHEET], columns=8), path)

    def _save(self, ema: torch.nn.Module, measured: tuple[Measured, ...]) -> str:
        """Write the prior and its card; returns the digest."""
        critic = self.config.discriminator_digest
        begun = f" --discriminator {critic[:12]}" if critic else ""
        facts: dict[str, object] = {
            "seed": self.config.seed,
            "licence": self.licence,
            "prior_digest": self.config.start_digest,
            "data_digest": self.config.data_digest,
            "measured": measured,
            "command": f"selfsame train prior --kind {self.config.kind} --size {self.config.size_px}" + begun,
        }
        if isinstance(ema, TriPlane):
            return prior.save_prior(ema, self.folder, prior.prior_card(ema.config, **facts)).digest
        assert isinstance(ema, StyleGAN2)
        return prior2d.save_prior2d(ema, self.folder, prior2d.prior2d_card(ema.config, **facts)).digest


def _features(cache: Path, net: FeatureNet, data: Data) -> Float[np.ndarray, "n d"]:
    """Features of all images of a decoded folder, found once and kept under a name that binds net and data."""
    name = hashlib.sha256(f"{net.name} {data.index.digest}".encode()).hexdigest()[:16]
    path = cache / f"features-{name}.npy"
    if path.exists():
        kept: np.ndarray = np.load(path)
        return kept
    rows = torch.arange(len(data)).split(256)
    found = np.concatenate([net.features(data.images(some)) for some in rows])
    file = io.BytesIO()
    np.save(file, found)
    write_atomic(path, file.getvalue())
    return found


@torch.no_grad()
def _set_mean(net: torch.nn.Module) -> None:
    """Let truncation pull the finished generator towards the mean of its codes, as `tasks.prior` finds it."""
    mapping = net.backbone.mapping if isinstance(net, TriPlane) else net.mapping
    assert isinstance(mapping, MappingNetwork)
    first = next(mapping.parameters())
    z = torch.randn(MEAN_SAMPLES, z_dim_of(net), generator=rng.generator(0, "w statistics"))
    mapping.w_avg.copy_(mapping(z.to(first.device))[:, 0].mean(0))


def z_dim_of(net: torch.nn.Module) -> int:
    """How many random numbers a generator takes."""
    assert isinstance(net, (StyleGAN2, TriPlane))
    return net.config.z_dim
