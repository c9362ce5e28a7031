"""The two personal models whose memory is evaluated: StyleGAN2 tuned as a whole, and a tri-plane's low-rank weights."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core.camera import Camera
from selfsame.jobs import parts
from selfsame.jobs.continual_people import PX, Album
from selfsame.nets.triplane import TriPlane
from selfsame.tasks import personal, personal2d
from selfsame.tasks.personal import Judge, PersonalConfig, Photos
from selfsame.tasks.personal2d import TuningConfig
from selfsame.train.devices import Devices

SystemName = Literal["2d", "3d"]
State = Mapping[str, Tensor]

TUNING = TuningConfig(steps=12, batch=2, lr=0.002, pixel=4.0, size_px=PX, save_every=10_000)
LOW_RANK = PersonalConfig(
    steps=10, batch=2, lr=0.004, pixel=4.0, depth_samples=12, importance_samples=0, rays=512, planes_px=64,
    save_every=10_000,
)  # fmt: skip
FIRST_STEPS = 4  # times the steps of a later session: the first is learned from the prior, and is all methods' own
NEURAL_PX = 40  # of the pictures that 3D models are judged by, without super-resolution
DEVICES = Devices(precision="bf16")


@dataclass(frozen=True, eq=False)
class System:
    """How a personal model gets its anchors, learns a session's photos and some old ones, and draws.

    `train` takes the state to go on from (None: the prior's), new photos, old ones, how many times the usual steps,
    and a seed; it gives the state after. `draw` gives pictures (B, 3, px, px) of codes from cameras, in [-1, 1].
    """

    px: int

    anchors: Callable[[Album], Float[Tensor, "n l w"]]
    train: Callable[[State | None, Photos, Photos | None, int, int], State]
    draw: Callable[[State, Float[Tensor, "b l w"], Camera], Float[Tensor, "b 3 s s"]]


def load(name: SystemName, judge: Judge) -> System:
    """A system on its prior of the starter set."""
    return flat(judge) if name == "2d" else solid(judge)


def flat(judge: Judge) -> System:
    """StyleGAN2 tuned as a whole, as in MyStyle; anchors by the starter set's inversion encoder."""
    sam = parts.load_sam()
    shown = personal.unfrozen(sam.decoder).requires_grad_(False)

    def anchors(album: Album) -> Tensor:
        return torch.cat([sam.invert(part) for part in album.images.split(20)])

    def train(start: State | None, new: Photos, old: Photos | None, pace: int, seed: int) -> State:
        config = replace(TUNING, steps=TUNING.steps * pace, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            net = personal2d.tune(
                sam.decoder, new, config, judge, Path(folder), start=start, replay=old, devices=DEVICES
            )
        return _detached(personal.unmapped(net))

    @torch.no_grad()
    def draw(state: State, w_plus: Tensor, camera: Camera) -> Tensor:
        personal.begin_at(personal.unmapped(shown), state)
        return personal2d.draw(shown, w_plus, PX, DEVICES).clamp(-1, 1)

    return System(PX, anchors, train, draw)


def solid(judge: Judge) -> System:
    """A tri-plane's low-rank weights, as in My3DGen; anchors are what the prior's mapping makes of the true looks."""
    prior = parts.load_prior("starter-3d")
    shown = personal.prepare(prior.net, LOW_RANK)

    def anchors(album: Album) -> Tensor:
        with torch.no_grad():
            return prior.net.map(album.looks)

    def train(start: State | None, new: Photos, old: Photos | None, pace: int, seed: int) -> State:
        config = replace(LOW_RANK, steps=LOW_RANK.steps * pace, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            net = personal.personalize(
                prior.net, new, config, judge, Path(folder), start=start, replay=old, devices=DEVICES
            )
        return _detached(personal.trained_tensors(net, config))

    @torch.no_grad()
    def draw(state: State, w_plus: Tensor, camera: Camera) -> Tensor:
        personal.begin_at(personal.trained_tensors(shown, LOW_RANK), state)
        return small(shown, w_plus, camera).clamp(-1, 1)

    return System(NEURAL_PX, anchors, train, draw)


def small(net: TriPlane, w_plus: Float[Tensor, "b l w"], camera: Camera) -> Float[Tensor, "b 3 p p"]:
    """Raw renderings of codes through small planes, with few samples a ray."""
    with DEVICES.autocast():
        planes = net.planes(w_plus, until_px=LOW_RANK.planes_px)
    features, _, _ = net.raw(
        planes, w_plus[:, -1], camera,
        neural_px=NEURAL_PX, depth_samples=LOW_RANK.depth_samples, importance_samples=LOW_RANK.importance_samples,
    )  # fmt: skip
    return features[:, :3]


def _detached(tensors: State) -> State:
    return {name: tensor.detach() for name, tensor in tensors.items()}
