"""What detectors see of a clip: face crops of a few short runs of frames, decoded once and cached by its digest."""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from selfsame.core import video
from selfsame.core.errors import BadInput
from selfsame.core.video import Frame
from selfsame.faces import detect
from selfsame.faces.detect import Face
from selfsame.tasks import clip_cache, clip_sound
from selfsame.tasks.clip_sound import Heard, SoundConfig

PAINTED = SoundConfig(22_050, mels=128, window_s=2048 / 22_050, hop_s=512 / 22_050)  # librosa's defaults, as LipFD
SEARCHED_PX = 256  # of a frame's longer side: faces in such clips are large, and a search costs by the pixel
WHOLE = 1.37  # what `shown` says


@dataclass(frozen=True)
class CropConfig:
    """Which frames, and how they are cut: `segments` runs of `length` frames, `stride` apart, spread evenly over the
    clip; squares of `px`, `margin` times the face's box.

    Frame models look at all frames, models of time at runs: within one the crop stands still, so that what moves is the
    face and not the cutting. `whole` takes the largest square of the frame instead, as near the face's middle as it
    can lie. With `sound` the run's sound comes after its frames, as a picture.
    """

    px: int = 224
    segments: int = 8
    length: int = 4
    stride: int = 1
    margin: float = 1.3
    whole: bool = False
    sound: bool = False

    @property
    def shown(self) -> float:
        """How many times the face's box a crop is; of whole frames about (the median of 32 clips of talking heads)."""
        return WHOLE if self.whole else self.margin


@dataclass(frozen=True, eq=False)
class ClipCrops:
    """8-bit RGB crops (S, L, px, px, 3), the numbers (S, L) and times in seconds (S, L) of their frames, and the box of
    each run in the clip's pixels (S, 4): left, top, right, bottom, from edge to edge, beyond the picture's where it is
    cut off. Of clips with sound the last crop of each run (S, L + 1, ...) is its picture.
    """

    pixels: UInt8[Tensor, "s k p p 3"]
    numbers: Int[Tensor, "s l"]
    times_s: Float[Tensor, "s l"]
    boxes: Float[Tensor, "s 4"]


def numbers_of(count: int, config: CropConfig) -> Int[np.ndarray, "s l"]:
    """The frames of each run in a clip of so many: whole runs in the middle of equal parts; a short clip repeats its
    last frame.
    """
    reach = (config.length - 1) * config.stride + 1
    free = max(0, count - reach)
    starts = np.floor((np.arange(config.segments) + 0.5) / config.segments * (free + 1)).astype(int)
    return np.minimum(starts[:, None] + np.arange(config.length) * config.stride, count - 1)


def read(path: Path, config: CropConfig, placed: ClipCrops | None = None) -> ClipCrops:
    """Decode a clip and cut its face; raises BadInput where it cannot be read or shows no face.

    The face is looked for in the first frame of every run: the largest, then the one nearest to it; runs without one
    take the nearest run's box. With `placed` it is cut where that copy of the clip was, and no face is looked for.
    """
    count = video.count(path)
    numbers = numbers_of(count, config)
    found = dict(video.picked(path, numbers.ravel().tolist()))
    if len(found) < len(np.unique(numbers)):  # the container promises more than can be decoded
        count = sum(1 for _ in video.frames(path))
        numbers = numbers_of(count, config)
        found = dict(video.picked(path, numbers.ravel().tolist()))
    if placed is None:
        boxes = _boxes([found[int(run[0])] for run in numbers], path)
        height, width = found[int(numbers[0, 0])].pixels.shape[:2]
        square = partial(_whole, width=width, height=height) if config.whole else partial(_square, margin=config.margin)
        squares = np.stack([square(box) for box in boxes])
    else:
        squares = placed.boxes.numpy()
    pixels = [
        [_cut(found[int(number)].pixels, square, config.px) for number in run]
        for run, square in zip(numbers, squares, strict=True)
    ]
    times = torch.tensor([[found[int(number)].time_s for number in run] for run in numbers], dtype=torch.float64)
    shown = torch.from_numpy(np.array(pixels))
    if config.sound:
        shown = torch.cat([shown, _heard(path, times, config.px)[:, None]], 1)
    return ClipCrops(shown, torch.from_numpy(numbers), times, torch.from_numpy(squares))


def cached(
    path: Path, digest: str, config: CropConfig, folder: Path, placed: ClipCrops | None = None
) -> ClipCrops:  # fmt: skip
    """The crops of a clip with this digest from a folder of caches, made at first; raises BadInput as `read`."""
    file = cache(digest, config, folder, placed is not None)
    return clip_cache.kept(ClipCrops, file, lambda: read(path, config, placed))


def cache(digest: str, config: CropConfig, folder: Path, placed: bool) -> Path:
    """Where the crops of a clip with this digest are cached, once they are made."""
    words = str(sorted(asdict(config).items())) + (" placed" if placed else "")
    return clip_cache.file_of(folder, digest, "crops", words)


def _boxes(frames: list[Frame], path: Path) -> list[Float[np.ndarray, "4"]]:
    """The same face's box in each frame."""
    before: Face | None = None
    found: list[Float[np.ndarray, 4] | None] = []
    for frame in frames:
        scale = min(1.0, SEARCHED_PX / max(frame.pixels.shape[:2]))
        small = cv2.resize(frame.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        faces = _faces(np.asarray(small, dtype=np.uint8), before)
        before = faces[0] if faces else before
        found.append((faces[0].box + 0.5) / scale - 0.5 if faces else None)
    known = [i for i, box in enumerate(found) if box is not None]
    if not known:
        raise BadInput(f"No face was found in {path.name}.", "Give clips that show one from the front, and large.")
    nearest = [min(known, key=lambda k: abs(k - i)) for i in range(len(found))]
    return [box for k in nearest if (box := found[k]) is not None]


def _faces(small: UInt8[np.ndarray, "h w 3"], before: Face | None) -> list[Face]:
    """The faces of a frame, the largest first, or the nearest to the one before; small ones are looked for only where
    that one is not seen again about where it was.
    """
    if before is None:
        return detect.detect(small)
    near = [face for face in detect.again(small, before) if detect.shift(face, before) < detect.LARGEST_SHIFT]
    return sorted(near or detect.detect(small), key=lambda face: detect.shift(face, before))


def _square(box: Float[np.ndarray, "4"], margin: float) -> Float[np.ndarray, "4"]:
    """The square about a box of pixel centres, from edge to edge of whole pixels."""
    side = max(1, round(margin * float(max(box[2] - box[0], box[3] - box[1]))))
    corner = np.rint((box[:2] + box[2:]) / 2 + 0.5 - side / 2)
    return np.concatenate([corner, corner + side])


def _whole(box: Float[np.ndarray, "4"], width: int, height: int) -> Float[np.ndarray, "4"]:
    """The largest square inside of a frame, as near the box's middle as it can lie."""
    side = min(width, height)
    corner = np.rint((box[:2] + box[2:]) / 2 + 0.5 - side / 2).clip(0, (width - side, height - side))
    return np.concatenate([corner, corner + side])


def _heard(path: Path, times_s: Float[Tensor, "s l"], px: int) -> UInt8[Tensor, "s p p 3"]:
    """The sound of each run as a picture; black where a clip has none that can be read."""
    try:
        heard = clip_sound.read(path, PAINTED)
    except BadInput:
        heard = Heard(torch.zeros(0), torch.tensor(0.0))
    return clip_sound.pictures(heard, times_s, px, PAINTED)


def _cut(pixels: UInt8[np.ndarray, "h w 3"], square: Float[np.ndarray, "4"], px: int) -> UInt8[np.ndarray, "p p 3"]:
    """The square at another size, antialiased, borders reflected.

    Whole pixels need no warp, which would cost as much as finding the faces.
    """
    height, width = pixels.shape[:2]
    left, top, right, bottom = square.astype(int).tolist()
    above, below, before, after = max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)
    if above or below or before or after:
        pixels = np.asarray(cv2.copyMakeBorder(pixels, above, below, before, after, cv2.BORDER_REFLECT_101), np.uint8)
    whole = np.ascontiguousarray(pixels[top + above : bottom + above, left + before : right + before])
    way = cv2.INTER_AREA if right - left > px else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(whole, (px, px), interpolation=way), dtype=np.uint8)
