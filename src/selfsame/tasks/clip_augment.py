"""Random changes of face crops in training, the same for all frames of a run, as DeepfakeBench makes them."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import UInt8

from selfsame.faces import align

Frames = UInt8[np.ndarray, "t p p 3"]


@dataclass(frozen=True)
class AugmentConfig:
    """How far crops are turned (degrees), scaled and shifted (shares of the side), and how often what is done.

    Brightness (share of white) and contrast (share) change by at most `tone`; `blur` and `jpeg` are chances.
    """

    flip: float = 0.5
    turn_deg: float = 10.0
    scale: float = 0.1
    shift: float = 0.04
    tone: float = 0.1
    blur: float = 0.2
    blur_px: tuple[float, float] = (0.3, 1.2)
    jpeg: float = 0.3
    jpeg_quality: tuple[int, int] = (40, 100)


NONE = AugmentConfig(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0), 0.0, (100, 100))


def augment(frames: Frames, config: AugmentConfig, g: torch.Generator) -> Frames:
    """The frames of a run, changed; which way is drawn from `g` alone."""
    luck = torch.rand(10, generator=g).tolist()
    spread = [2 * x - 1 for x in luck]
    side = frames.shape[1]
    middle = np.full(2, (side - 1) / 2) + side * config.shift * np.array(spread[:2])
    place = align.similarity(middle, 1 + config.scale * spread[2], np.radians(config.turn_deg * spread[3]), side)
    gain, offset = 1 + config.tone * spread[5], 255 * config.tone * spread[6]
    sigma = _between(config.blur_px, luck[8])
    quality = round(_between(config.jpeg_quality, luck[9]))
    blurred, packed = (torch.rand(2, generator=g) < torch.tensor([config.blur, config.jpeg])).tolist()
    made = []
    for frame in frames:
        x = cv2.warpAffine(frame, place, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        x = x[:, ::-1] if luck[4] < config.flip else x
        if config.tone:
            x = np.clip((x.astype(np.float32) - 127.5) * gain + 127.5 + offset, 0, 255).astype(np.uint8)
        x = cv2.GaussianBlur(x, (0, 0), sigma) if blurred else x
        made.append(_jpeg(np.ascontiguousarray(x), quality) if packed else x)
    return np.stack(made)


def _jpeg(pixels: UInt8[np.ndarray, "p p 3"], quality: int) -> UInt8[np.ndarray, "p p 3"]:
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    read = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert read is not None
    return np.asarray(read[..., ::-1])


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * share
