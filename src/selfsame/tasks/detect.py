"""Detectors trained: face crops of clips in, the best checkpoint on the selection set out, calibrated there."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsame.core import rng, weights
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.results import Measured
from selfsame.core.weights import Card
from selfsame.detectors import table
from selfsame.detectors.detector import Detector
from selfsame.metrics import detection
from selfsame.metrics.detection import Scored
from selfsame.tasks import detector as judging
from selfsame.tasks import pretrained
from selfsame.tasks.clip_augment import augment
from selfsame.tasks.clip_crops import ClipCrops
from selfsame.tasks.detect_config import DetectConfig
from selfsame.tasks.detector import CHOSEN, KIND, Calibration, Model, ModelParts, calibrate, images, logits, sigmoid
from selfsame.train import loop
from selfsame.train.checkpoint import State
from selfsame.train.devices import ALONE, Devices
from selfsame.train.optim import projector_lr, set_lr, update

LICENCE = "Apache-2.0"


@dataclass(frozen=True, eq=False)
class Example:
    """A clip to learn from: its digest, whether it is fake, its generator (or "real"), whose face it shows, where its
    real material is from, and its crops.
    """

    digest: str
    fake: bool
    maker: str
    identity: str
    source: str | None
    crops: Callable[[], ClipCrops]


def check(config: DetectConfig, detector: Detector) -> None:
    """Raise WrongUse where runs are shorter than what the detector sees at once, or do not fit what it hears."""
    sight, crop = detector.sight, config.crop
    if crop.length < sight.frames:
        raise WrongUse(
            f"{config.detector} sees {sight.frames} frames at once, and runs have {crop.length}.", "Cut longer runs."
        )
    if crop.sound != sight.sound or (sight.sound and crop.length != sight.frames):
        raise WrongUse(
            f"{config.detector} {'hears' if sight.sound else 'does not hear'} {sight.frames} frames at once.",
            "Cut runs of that length, with their sound or without as it wants them.",
        )


def train(
    folder: Path, learn: Sequence[Example], select: Sequence[Example], config: DetectConfig, *,
    backbone: Path | None = None, devices: Devices = ALONE, on_step: Callable[[int, loop.Losses], None] | None = None,
    command: str = "",
) -> Model:  # fmt: skip
    """Train a detector, keep its best checkpoint on the selection set, calibrate it there, and write it to `folder`.

    The same call again goes on where it was stopped. Raises BadInput where sides share a clip or lack real or fake
    ones, and for a backbone of another network; WrongUse for a frozen backbone without weights.
    """
    _check_sides(learn, select)
    torch.manual_seed(rng.key(config.seed, "detector"))
    net = table.build(config.detector)
    check(config, net)
    if net.frozen and backbone is None:
        raise WrongUse(f"{config.detector} stands on pretrained weights.", "Give them with --weights FILE.")
    if backbone:
        pretrained.load(net, config.detector, backbone)
    net.to(devices.device)
    optimizer = _optimizer([p for p in net.parameters() if p.requires_grad], config)
    best = {name: tensor.detach().cpu().clone() for name, tensor in net.learned().items()}
    found = {"auc": torch.tensor(-1.0), "step": torch.tensor(0)}

    def step(index: int) -> dict[str, Tensor | float]:
        set_lr(optimizer, projector_lr(index + 1, config.steps + 1, config.lr))
        clips, fake = batch(learn, config, net.sight.frames, index)
        net.train()
        if net.lesson.before:
            net.lesson.before(net, index)
        g = rng.generator(config.seed, "detector loss", index)
        with devices.autocast():
            loss = net.lesson.loss(net, clips.to(devices.device), fake.to(devices.device), g)
        update(optimizer, loss)
        losses: dict[str, Tensor | float] = {"loss": loss}
        if (index + 1) % config.select_every == 0 or index + 1 == config.steps:
            reached = _selected(net, select, config, devices)
            losses["select AUC"] = reached
            if reached > found["auc"]:
                found["auc"].fill_(reached)
                found["step"].fill_(index + 1)
                for name, tensor in net.learned().items():
                    best[name].copy_(tensor)
        return losses

    state: State = {"net": net.learned(), "optimizer": optimizer, "best": best, "found": found}
    job = loop.Run(folder, config, config.steps, config.select_every, config.seed)
    loop.run(job, state, step, on_step=on_step, devices=devices)
    judging.restore(net, best)
    return _finish(folder, net.eval(), learn, select, config, int(found["step"]), devices, command)


def batch(
    examples: Sequence[Example], config: DetectConfig, frames: int, step: int
) -> tuple[Float[Tensor, "b t 3 p p"], Float[Tensor, "b"]]:
    """The clips of a step, real and fake in turn, and 1 for each fake; fixed by the seed and the step."""
    g = rng.generator(config.seed, "detector batch", step)
    makers: dict[str, list[Example]] = {}
    for example in examples:
        makers.setdefault(example.maker if example.fake else "", []).append(example)
    generators = sorted(makers.keys() - {""})
    chosen, drawn = [], []
    for row in range(config.batch):
        maker = "" if row % 2 == 0 else generators[_draw(len(generators), g)]
        example = makers[maker][_draw(len(makers[maker]), g)]
        pixels = example.crops().pixels
        run, first = _draw(pixels.shape[0], g), _draw(config.crop.length - frames + 1, g)
        seen = augment(pixels[run, first : first + frames].numpy(), config.augment, g)
        chosen.append(example)
        drawn.append(np.concatenate([seen, pixels[run, config.crop.length :].numpy()]))  # sound stays as it is
    clips = torch.stack([images(frames_of) for frames_of in drawn])
    return clips, torch.tensor([float(example.fake) for example in chosen])


def _optimizer(parameters: list[nn.Parameter], config: DetectConfig) -> torch.optim.Optimizer:
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, config.lr, momentum=0.9, weight_decay=config.weight_decay)
    return torch.optim.AdamW(parameters, config.lr, weight_decay=config.weight_decay)


def _finish(
    folder: Path, net: Detector, learn: Sequence[Example], select: Sequence[Example], config: DetectConfig, step: int,
    devices: Devices, command: str,
) -> Model:  # fmt: skip
    units = [logits(net, example.crops(), devices.device) for example in select]
    calibration = calibrate(units, [example.fake for example in select])
    parts = ModelParts(
        config, calibration, step, tuple(sorted({e.maker for e in learn if e.fake})),
        tuple(sorted(e.digest for e in learn)), tuple(sorted(e.digest for e in select)),
        tuple(sorted({e.source for e in learn if e.source})),
    )  # fmt: skip
    card = Card(
        KIND, asdict(parts), config.seed, LICENCE, measured=(_on_selection(units, select, calibration),),
        command=command, prior_digest=weights.digest(net.backbone.state_dict()) if net.frozen else None,
    )  # fmt: skip
    return Model(net, parts, weights.save(folder, net.learned(), card), devices.device)


def _on_selection(units: list[np.ndarray], select: Sequence[Example], calibration: Calibration) -> Measured:
    """What the model reached where it was chosen: too good to report as its quality, and named so."""
    score = np.array([calibration(u).mean() for u in units])
    scored = Scored(score, np.array([e.fake for e in select]), [e.identity for e in select])
    return detection.measure(CHOSEN, scored, detection.auc, "high")


def _selected(net: Detector, select: Sequence[Example], config: DetectConfig, devices: Devices) -> float:
    net.eval()
    found = [logits(net, e.crops(), devices.device, config.select_units, devices) for e in select]
    score = np.array([sigmoid(units).mean() for units in found])
    return float(detection.auc(score, np.array([e.fake for e in select])))


def _check_sides(learn: Sequence[Example], select: Sequence[Example]) -> None:
    both = {e.digest for e in learn} & {e.digest for e in select}
    if both:
        raise BadInput(f"{len(both)} clips are to be learned from and chosen on.", "Keep the two sides apart.")
    for name, side in (("learn from", learn), ("choose on", select)):
        if {e.fake for e in side} != {True, False}:
            raise BadInput(f"There are no real or no fake clips to {name}.", "Give both.")


def _draw(count: int, g: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=g))
