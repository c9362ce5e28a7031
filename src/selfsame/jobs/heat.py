"""Heat maps of a clip's frames as pictures: evidence over the grey frame, on one scale for all that are compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import ImageDraw
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import image
from selfsame.detectors import explain
from selfsame.detectors.explain import Evidence
from selfsame.tasks import detector
from selfsame.tasks.clip_crops import ClipCrops
from selfsame.tasks.detector import Model

COLOURS = "inferno"
SIDES: tuple[Evidence, ...] = ("fake", "real")
COMMON = 0.99  # of all values of evidence lie below the top of the scale
STRONGEST = 0.75  # how much of the frame the most evidence covers
BAR_PX = (12, 256)


@dataclass(frozen=True, eq=False)
class Heat:
    """Frames (N, 3, p, p) in [-1, 1] and what speaks for fake (above zero) and for real (below) in them, (N, h, w)."""

    frames: Float[Tensor, "n 3 p p"]
    maps: Float[Tensor, "n h w"]


def maps(model: Model, crops: ClipCrops, units: Int[Tensor, "n"]) -> Float[Tensor, "n t h w"]:
    """Grad-CAM of both sides of some units of a clip, of all frames of each."""
    shown = detector.batches(detector.units_of(model.net, crops)[units])
    return torch.cat([explain.grad_cam(model.net, clips.to(model.device), "both").cpu() for clips in shown])


def of_units(model: Model, crops: ClipCrops, units: Int[Tensor, "n"]) -> Heat:
    """The first frame of each of some units with its maps."""
    first = detector.units_of(model.net, crops)[units, 0]
    return Heat(detector.images(first.numpy()), maps(model, crops, units)[:, 0])


def scale(both: Sequence[Float[Tensor, "..."]]) -> float:
    """The evidence of either side at the top of the scale: COMMON of all lies below."""
    values = torch.cat([part.flatten() for part in both]).abs().numpy()
    return float(np.quantile(values, COMMON))


def overlay(frames: Float[Tensor, "n 3 p q"], heat: Float[Tensor, "n h w"], top: float) -> Float[Tensor, "n 3 p q"]:
    """Evidence in colour over grey frames: none leaves the frame, `top` and more is the brightest colour."""
    import matplotlib

    sized = F.interpolate(heat[:, None], frames.shape[-2:], mode="bilinear", align_corners=False)
    share = (sized / max(top, torch.finfo().tiny)).clamp(0, 1)
    painted = torch.from_numpy(matplotlib.colormaps[COLOURS](share[:, 0].numpy())[..., :3]).float()
    colours = painted.permute(0, 3, 1, 2) * 2 - 1
    cover = STRONGEST * share.sqrt()
    return (1 - cover) * frames.mean(1, keepdim=True) + cover * colours


def strip(heat: Heat, top: float, size_px: int) -> Float[Tensor, "m 3 s s"]:
    """Each frame, then the evidence for fake in it, then that for real: three tiles a frame."""
    frames = F.interpolate(heat.frames, (size_px, size_px), mode="bilinear", antialias=True)
    sides = [overlay(frames, explain.of(heat.maps, side), top) for side in SIDES]
    return torch.stack([frames, *sides], 1).flatten(0, 1).clamp(-1, 1)


def bar() -> Float[Tensor, "1 3 h w"]:
    """The colours from nothing to the most, over mid grey."""
    height, width = BAR_PX
    ramp = torch.linspace(0, 1, width).expand(1, height, width)
    return overlay(torch.zeros(1, 3, height, width), ramp, 1.0)


def regions(frame: Float[Tensor, "1 3 s s"], margin: float) -> Float[Tensor, "1 3 s s"]:
    """A crop with the outlines of the face and of the ring about it."""
    canvas = image.to_pil(frame)
    half = canvas.width / 2
    for times in (1, explain.RING):
        across, down = (times * half * share / margin for share in (explain.FACE_WIDTH, 1.0))
        ImageDraw.Draw(canvas).ellipse(
            (half - across, half - down, half + across, half + down), outline="lime", width=2
        )
    return image.from_uint8(np.asarray(canvas))
