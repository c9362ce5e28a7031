"""Personal 3D priors: a frozen generator plus low-rank weights, trained on a person's photos [My3DGen]."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from selfsame.core import camera as cameras
from selfsame.core import image, rng
from selfsame.core.camera import Camera, cat
from selfsame.losses import image as losses
from selfsame.losses import latent
from selfsame.nets import layers, lora
from selfsame.nets.lora import MY3DGEN, LowRankConfig
from selfsame.nets.triplane import Rendering, TriPlane
from selfsame.tasks import invert
from selfsame.train import descent, loop, optim
from selfsame.train.checkpoint import State
from selfsame.train.devices import ALONE, Devices, Share, moved

Net = TypeVar("Net", bound=nn.Module)

ORBIT_FRAMES = 120  # the symmetric poses are i and 119 - i of this orbit [My3DGen, symmetry phase]


@runtime_checkable
class Judge(Protocol):
    """What training asks of a frozen network that measures faces."""

    def embed(self, images: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b d"]:
        """Identity embeddings of unit length."""

    def features(self, images: Float[Tensor, "b 3 s s"]) -> Sequence[Tensor]:
        """Feature maps whose squared distance is the perceptual distance."""

    def recognise(self, images: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b d"]:
        """Identity embeddings of unit length for reports: if possible by a judge that training does not listen to."""


@dataclass(frozen=True)
class PersonalConfig:
    """How a personal model is trained.

    `low_rank` None trains everything but the mapping (full fine-tuning). The `schedule` "cosine" ends at a learning
    rate of nothing. `symmetry_every` and `identity_every` run these phases after every so many steps (0: never), each
    an update of its own [My3DGen v1]. Without importance samples (0) a step is cheaper and less sharp in depth. `rays`
    compares that many random pixels of the raw rendering a step instead of whole pictures (many times cheaper; no
    perceptual term then, and super-resolution stays), through planes of `planes_px` (0: the whole ones).
    """

    low_rank: LowRankConfig | None = MY3DGEN
    steps: int = 125_000
    batch: int = 4
    lr: float = optim.EG3D_LR
    schedule: Literal["constant", "cosine"] = "constant"
    pixel: float = 1.0
    perceptual: float = 1.0
    symmetry_every: int = 0
    identity_every: int = 0
    depth_samples: int = 48
    importance_samples: int = 48
    rays: int = 0
    planes_px: int = 0
    save_every: int = 250
    seed: int = 0


PAPER_V4 = PersonalConfig()
PAPER_V1 = PersonalConfig(
    low_rank=LowRankConfig(rank=4, alpha=4.0, rank_rule="loralib"), symmetry_every=4, identity_every=4
)
QUICK = PersonalConfig(
    steps=80,
    batch=2,
    lr=0.01,
    schedule="cosine",
    pixel=4.0,
    perceptual=0.4,
    depth_samples=12,
    importance_samples=12,
    save_every=20,
)
PRESETS = {"quick": QUICK, "paper-v4": PAPER_V4, "paper-v1": PAPER_V1}


@dataclass(frozen=True, eq=False)
class Photos:
    """What a model is trained on: anchors (N, L, w_dim), photos (N, 3, s, s) and their cameras."""

    w_plus: Float[Tensor, "n l w"]
    images: Float[Tensor, "n 3 s s"]
    camera: Camera

    def __len__(self) -> int:
        return len(self.images)

    def and_(self, other: "Photos") -> "Photos":
        """These photos, then the others."""
        return Photos(
            torch.cat([self.w_plus, other.w_plus]),
            torch.cat([self.images, other.images]),
            cat([self.camera, other.camera]),
        )


def prepare(net: TriPlane, config: PersonalConfig) -> TriPlane:
    """A copy of the prior's network that trains what `config` says and nothing else."""
    if config.low_rank is not None:
        return lora.add_low_rank(net, config.low_rank, rng.generator(config.seed, "low-rank factors"))
    return unfrozen(net)


def trained_tensors(net: TriPlane, config: PersonalConfig) -> Mapping[str, Tensor]:
    """The tensors in which a person's network differs from the prior."""
    return lora.trainable(net) if config.low_rank is not None else unmapped(net)


def unfrozen(net: Net) -> Net:
    """A copy of a generator that trains everything but its mapping."""
    full = copy.deepcopy(net)
    for name, parameter in full.named_parameters():
        parameter.requires_grad_("mapping" not in name)
    return full


def unmapped(net: nn.Module) -> Mapping[str, Tensor]:
    """All of a generator's parameters but its mapping's."""
    return {name: p for name, p in net.named_parameters() if "mapping" not in name}


def personalize(
    net: TriPlane,
    photos: Photos,
    config: PersonalConfig,
    judge: Judge,
    folder: Path,
    *,
    start: Mapping[str, Tensor] | None = None,
    replay: Photos | None = None,
    devices: Devices = ALONE,
    on_step: Callable[[int, loop.Losses], None] | None = None,
) -> TriPlane:
    """Train a copy of the prior's network on one person's photos; anchors stay where they are, and so does the prior.

    `start` goes on from these trained tensors; each step also sees as many photos of `replay` as new ones, weighed
    alike [continual paper]. The run lives in `folder`; the same call again resumes it bit for bit. `devices` says how
    it is computed; network, photos and judge are moved there, and the result lies there too. Raises WrongUse where the
    batch does not part evenly.
    """
    devices.check_parts(config.batch)
    personal = prepare(net, config).to(devices.device)
    layers.recompute_blocks(personal, devices.recompute)
    tensors = trained_tensors(personal, config)
    begin_at(tensors, start)
    adam = optim.adam(tensors.values(), lr=config.lr)
    data = _Data(personal, photos if replay is None else photos.and_(replay), judge, config, devices)
    scales = descent.scales(devices, "loss")

    def step(index: int) -> dict[str, Tensor]:
        if config.schedule == "cosine":
            optim.set_lr(adam, optim.cosine_lr(index, config.steps, config.lr))
        which = batch(len(photos), len(data) - len(photos), config.batch, config.seed, index)
        new = which[: config.batch]

        def rows(share: Share, purpose: str) -> rng.Rows:
            return share.rows(rng.generator(config.seed, purpose, index))

        def reconstruction(share: Share) -> dict[str, Tensor]:
            return data.reconstruction(share.take(which), config, rows(share, "ray jitter"))

        def symmetry(share: Share) -> dict[str, Tensor]:
            return {"loss": data.symmetry(share.take(new), config, index)}

        def identity(share: Share) -> dict[str, Tensor]:
            return {"loss": data.identity(share.take(new), config, rows(share, "identity"))}

        scale = scales.get("loss")
        found = descent.step(adam, reconstruction, devices, weight=len(which) / config.batch, scale=scale)
        for name, every, phase in (
            ("symmetry", config.symmetry_every, symmetry),
            ("identity", config.identity_every, identity),
        ):
            if every and index % every == every - 1:
                found[name] = descent.step(adam, phase, devices, scale=scale)["loss"]
        return found

    run = loop.Run(folder, config, config.steps, config.save_every, config.seed)
    state: State = {"weights": tensors, "adam": adam, **({"scales": scales} if scales else {})}
    loop.run(run, state, step, on_step=on_step, devices=devices)
    layers.recompute_blocks(personal, False)
    return personal


def begin_at(tensors: Mapping[str, Tensor], start: Mapping[str, Tensor] | None) -> None:
    """Give trained tensors the values of an earlier training's, in place; nothing without one."""
    with torch.no_grad():
        for name, value in (start or {}).items():
            tensors[name].copy_(value)


def batch(new: int, old: int, size: int, seed: int, step: int) -> Int[Tensor, "b"]:
    """Which photos a step sees: `size` of the `new` first ones and, where there are `old` ones after them, as many.

    Both are endless shuffled streams [continual paper, section 5.3 of the facts].
    """
    which = rng.batch_indices(new, size, seed, step)
    if not old:
        return which
    return torch.cat([which, new + rng.batch_indices(old, size, rng.key(seed, "replay"), step)])


class _Data:
    """Photos at both resolutions with what the judge sees in them, and the losses of a batch of them."""

    def __init__(
        self, net: TriPlane, photos: Photos, judge: Judge, config: PersonalConfig, devices: Devices = ALONE
    ) -> None:
        self.net, self.devices = net, devices
        self.judge, self.photos = moved(judge, devices.device), moved(photos, devices.device)
        self.image = image.resize(self.photos.images, net.config.image_px)
        self.raw = image.resize(self.photos.images, net.config.neural_px)
        if config.rays:
            return
        look = self.judge.features
        with torch.no_grad():
            self.seen = [torch.cat(maps) for maps in zip(*(look(x[None]) for x in self.image), strict=True)]
            self.seen_raw = [torch.cat(maps) for maps in zip(*(look(x[None]) for x in self.raw), strict=True)]

    def __len__(self) -> int:
        return len(self.image)

    def reconstruction(self, which: Tensor, config: PersonalConfig, source: rng.Source) -> dict[str, Tensor]:
        """Squared error and perceptual distance at both resolutions, averaged over the batch [section 4.4]."""
        if config.rays:
            distance = invert.ray_loss(
                self.net, self.photos.w_plus[which], self.photos.camera[which], self.raw[which], config.rays, source,
                depth_samples=config.depth_samples, importance_samples=config.importance_samples,
                planes_px=config.planes_px or None, devices=self.devices,
            ).mean()  # fmt: skip
            return {"loss": config.pixel * distance, "pixel": distance}
        made = self._render(self.photos.w_plus[which], self.photos.camera[which], config, source)
        pixel = losses.mse(made.image, self.image[which]) + losses.mse(made.raw, self.raw[which])
        perceptual = losses.perceptual(self.judge.features(made.image), [m[which] for m in self.seen])
        perceptual = perceptual + losses.perceptual(self.judge.features(made.raw), [m[which] for m in self.seen_raw])
        loss = config.pixel * pixel.mean() + config.perceptual * perceptual.mean()
        return {"loss": loss, "pixel": pixel.mean(), "perceptual": perceptual.mean()}

    def symmetry(self, which: Tensor, config: PersonalConfig, index: int) -> Tensor:
        """1 - cosine of the identities seen from two mirrored poses, the second picture flipped [section 4.5]."""
        g = rng.generator(config.seed, "symmetry", index)
        frame = int(torch.randint(ORBIT_FRAMES // 2, (1,), generator=g))
        poses = cameras.orbit(ORBIT_FRAMES)[[frame, ORBIT_FRAMES - 1 - frame]].to(self.image.device)
        w_plus = self.photos.w_plus[which]
        one, other = (self._render(w_plus, poses[[i] * len(which)], config, None).image for i in (0, 1))
        return latent.identity(self.judge.embed(one), self.judge.embed(other.flip(-1))).mean()

    def identity(self, which: Tensor, config: PersonalConfig, source: rng.Source) -> Tensor:
        """1 - cosine of the identities of the rendering and the photo."""
        made = self._render(self.photos.w_plus[which], self.photos.camera[which], config, source)
        with torch.no_grad():
            seen = self.judge.embed(self.image[which])
        return latent.identity(self.judge.embed(made.image), seen).mean()

    def _render(self, w_plus: Tensor, camera: Camera, config: PersonalConfig, source: rng.Source | None) -> Rendering:
        with self.devices.autocast():
            made: Rendering = self.net(
                w_plus,
                camera,
                generator=source,
                depth_samples=config.depth_samples,
                importance_samples=config.importance_samples,
            )
        return replace(made, image=made.image.to(made.raw.dtype))  # judged in full precision
