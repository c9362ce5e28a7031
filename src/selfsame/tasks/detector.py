"""A trained detector: asked for the calibrated probability that a clip is fake, and what its card says.

What was chosen (a checkpoint, a calibration, a threshold) was chosen on the selection set, and the card names
every clip of it, so that nobody judges the model on them unseen.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from scipy.optimize import minimize
from torch import Tensor

from selfsame.core import image, store, weights
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.weights import Card
from selfsame.detectors import own, table
from selfsame.detectors.detector import Detector
from selfsame.metrics import detection
from selfsame.tasks import pretrained
from selfsame.tasks.clip_crops import ClipCrops
from selfsame.tasks.detect_config import DetectConfig
from selfsame.train.devices import ALONE, CPU, Devices

KIND = "detector"
CHOSEN = "AUC where it was chosen"  # the figure of a card that is too good to report
AT_ONCE = 32  # units that are judged in one pass
STEEPEST = 20.0  # a steeper calibration only says that the selection set was too easy


@dataclass(frozen=True)
class Calibration:
    """From logits to probabilities: sigmoid(slope x + offset); a clip is called fake from `threshold` on."""

    slope: float = 1.0
    offset: float = 0.0
    threshold: float = 0.5

    def __call__(self, logits: Float[np.ndarray, "u"]) -> Float[np.ndarray, "u"]:
        """The probability of fake of each logit."""
        return sigmoid(self.slope * logits + self.offset)


@dataclass(frozen=True)
class ModelParts:
    """What stands on a detector's card: its training, its calibration, the digests of all clips that it knows, and
    where its real material is from ("world": synthetic people)."""

    training: DetectConfig
    calibration: Calibration
    step: int
    generators: tuple[str, ...]
    trained_on: tuple[str, ...]
    chosen_on: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Model:
    """A trained detector in evaluation mode, and its card's parts."""

    net: Detector
    parts: ModelParts
    card: Card
    device: torch.device = CPU

    def judge(self, crops: ClipCrops) -> Float[np.ndarray, "u"]:
        """The calibrated probability of fake of each unit of a clip: of its frames in order, or of its runs."""
        return self.parts.calibration(logits(self.net, crops, self.device))


def load(folder: Path, *, backbone: Path | None = None, device: torch.device = CPU) -> Model:
    """A detector that `train` wrote; a probe needs its backbone's file again. Raises BadInput as `weights.load`."""
    tensors, card = weights.load(folder, KIND)
    parts = weights.config_of(card, ModelParts)
    code = parts.training.code
    if code and own.digest(parts.training.detector) != code:
        raise BadInput(f"{parts.training.detector} was changed since this model was trained.", "Train it again.")
    net = table.build(parts.training.detector)
    if net.frozen:
        if backbone is None:
            raise WrongUse(f"{folder} holds a detector on pretrained weights.", "Give them with --weights FILE.")
        pretrained.load(net, parts.training.detector, backbone)
        store.check_prior(card, weights.digest(net.backbone.state_dict()))
    restore(net, tensors)
    return Model(net.eval().to(device), parts, card, device)


def restore(net: Detector, tensors: Mapping[str, Tensor]) -> None:
    """Put what a detector learned back into it; raises BadInput where it is that of another."""
    own = net.learned()
    if {name: x.shape for name, x in own.items()} != {name: x.shape for name, x in tensors.items()}:
        raise BadInput("The weights are those of another detector.", "Train it again.")
    for name, tensor in tensors.items():
        own[name].copy_(tensor)


def logits(
    net: Detector, crops: ClipCrops, device: torch.device, most: int | None = None, devices: Devices = ALONE
) -> Float[np.ndarray, "u"]:
    """The logit of each unit of a clip (frames in order, or runs), or of `most` of them, spread evenly."""
    units = units_of(net, crops)
    if most is not None:
        units = units[evenly(len(units), most)]
    found = []
    with torch.inference_mode(), devices.autocast():
        for clips in batches(units):
            found.append(net(clips.to(device)).float().cpu())
    return torch.cat(found).double().numpy()


def units_of(net: Detector, crops: ClipCrops) -> UInt8[Tensor, "u t p p 3"]:
    """What a detector judges one by one: each frame of a clip, or the first frames of each run, with their sound."""
    pictures = net.sight.pictures
    return crops.pixels.flatten(0, 1)[:, None] if pictures == 1 else crops.pixels[:, :pictures]


def batches(units: UInt8[Tensor, "u t p p 3"]) -> Iterator[Float[Tensor, "b t 3 p p"]]:
    """Units as a detector sees them, as many as it is shown at a time."""
    for part in units.split(AT_ONCE):
        yield torch.stack([images(unit.numpy()) for unit in part])


def evenly(count: int, most: int) -> Int[Tensor, "n"]:
    """The numbers of at most `most` of so many things, spread evenly, the first and the last among them."""
    return torch.linspace(0, count - 1, min(count, most)).round().long()


def unit_frames(net: Detector, crops: ClipCrops) -> Iterator[tuple[int, float]]:
    """The number and the time in seconds of each unit's first frame, in the order of `logits`."""
    numbers, times = crops.numbers, crops.times_s
    if net.sight.frames > 1:
        numbers, times = numbers[:, :1], times[:, :1]
    return zip(numbers.flatten().tolist(), times.flatten().tolist(), strict=True)


def calibrate(units: Sequence[Float[np.ndarray, "u"]], fake: Sequence[bool]) -> Calibration:
    """Slope and offset with the least log loss of clips' mean probabilities, real and fake weighing the same, and the
    threshold with the best balanced accuracy [Platt 2000, with his targets against certainty].
    """
    truth = np.array(fake)
    count = {side: int((truth == side).sum()) for side in (True, False)}
    target = np.where(truth, (count[True] + 1) / (count[True] + 2), 1 / (count[False] + 2))
    weight = np.where(truth, 0.5 / count[True], 0.5 / count[False])

    flat, lengths = np.concatenate(list(units)), np.array([len(u) for u in units])
    starts = np.append(0, np.cumsum(lengths)[:-1])

    def mean(x: Float[np.ndarray, "2"]) -> Float[np.ndarray, "n"]:
        probability: Float[np.ndarray, n] = np.add.reduceat(sigmoid(math.exp(x[0]) * flat + x[1]), starts) / lengths
        return probability

    def loss(x: Float[np.ndarray, "2"]) -> float:
        p = np.clip(mean(x), 1e-9, 1 - 1e-9)
        return float(-(weight * (target * np.log(p) + (1 - target) * np.log(1 - p))).sum())

    steep = math.log(STEEPEST)
    x = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=[(-steep, steep), (-100, 100)]).x
    curve = detection.roc(mean(x), truth)
    at = int(np.argmax(curve.tpr - curve.fpr))
    levels = np.sort(np.unique(mean(x)))[::-1]
    inside = float(levels[min(max(at - 1, 0), len(levels) - 1)])
    outside = float(levels[at]) if at < len(levels) else 0.0
    return Calibration(math.exp(x[0]), float(x[1]), (inside + outside) / 2)


def images(frames: UInt8[np.ndarray, "t p p 3"]) -> Float[Tensor, "t 3 p p"]:
    """8-bit frames as a detector sees them."""
    return image.from_uint8(np.ascontiguousarray(frames))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logits as probabilities."""
    probability: np.ndarray = 1 / (1 + np.exp(-np.clip(x, -60, 60)))
    return probability
