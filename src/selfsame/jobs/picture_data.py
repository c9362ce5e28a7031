"""A folder of images as training data: decoded once into one file of 8-bit squares, with a camera each where it has.

The file is read through memory mapping, so a folder may be larger than memory.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from selfsame.core import files, image, rng
from selfsame.core.config import from_json, to_json, write_atomic, writing
from selfsame.core.errors import BadInput
from selfsame.faces import photo
from selfsame.faces.album import Album
from selfsame.jobs.progress import Progress, silent

Kind = Literal["2d", "3d"]

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
LABELS_FILE = "dataset.json"
INDEX_FILE, PIXELS_FILE = "data.json", "pixels.npy"
HELD_BACK = 0.1
FEWEST = 16
FEWEST_HELD_BACK = 2  # a covariance takes two


@dataclass(frozen=True)
class Picture:
    """One image that is in: its file, the sha256 of its content, EG3D's label of its camera where there is one."""

    file: str
    digest: str
    camera: tuple[float, ...] | None


@dataclass(frozen=True)
class Index:
    """What a decoded folder holds, and why files were left out.

    `source` fingerprints the folder (names, sizes, times of change): where it is unchanged nothing is decoded again.
    """

    source: str
    kind: Kind
    size_px: int
    pictures: tuple[Picture, ...]
    left_out: dict[str, str]
    resized: int
    cropped: int

    @property
    def digest(self) -> str:
        """What a run names its data by: content and cameras of the images, whatever their files are called."""
        seen = sorted(f"{p.digest} {p.camera}" for p in self.pictures)
        return hashlib.sha256(json.dumps([self.size_px, *seen]).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Data:
    """Some of a decoded folder's images: `pixels` (N, s, s, 3) of all of them, and the numbers of those meant."""

    index: Index
    pixels: UInt8[np.ndarray, "n s s 3"]
    chosen: Tensor

    def __len__(self) -> int:
        return len(self.chosen)

    def images(self, which: Tensor) -> Float[Tensor, "b 3 s s"]:
        """Images in [-1, 1] by their place among those meant."""
        return image.from_uint8(self.pixels[self.chosen[which].numpy()])

    def labels(self, which: Tensor) -> Float[Tensor, "b 25"] | None:
        """Their packed cameras, or None in two dimensions."""
        if self.index.kind == "2d":
            return None
        return torch.tensor([self.index.pictures[int(i)].camera for i in self.chosen[which]], dtype=torch.float32)


def split(data: Data, held_back: float = HELD_BACK) -> tuple[Data, Data]:
    """Images to train on and images to measure with; the digest of an image alone decides, so it never changes sides.

    Only where chance holds back fewer than two do the next in line go there.
    """
    draws = torch.tensor([rng.key(0, "held back", p.digest) / 2**63 for p in data.index.pictures])[data.chosen]
    test = draws < held_back
    if test.sum() < FEWEST_HELD_BACK:
        test[draws.argsort()[:FEWEST_HELD_BACK]] = True
    return replace(data, chosen=data.chosen[~test]), replace(data, chosen=data.chosen[test])


def read(folder: Path, cache: Path, kind: Kind, size_px: int, progress: Progress = silent) -> Data:
    """The images in a folder as squares of `size_px`, decoded into `cache` unless it holds them already.

    Raises BadInput where there are too few; a single file that cannot be used is left out and named with its reason.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder.", "Give a folder of images with --data.")
    sources = _sources(folder, kind)
    fingerprint = _fingerprint(sources, kind, size_px)
    index = _known(cache, fingerprint)
    if index is None:
        index = _decode(sources, cache, kind, size_px, fingerprint, progress)
    if len(index.pictures) < FEWEST:
        why = "; ".join(f"{name}: {reason}" for name, reason in list(index.left_out.items())[:3])
        raise BadInput(
            f"{folder} has {len(index.pictures)} usable images{f' ({why})' if why else ''}.",
            f"A prior needs at least {FEWEST}, better thousands.",
        )
    pixels = np.load(cache / PIXELS_FILE, mmap_mode="r")
    return Data(index, pixels, torch.arange(len(index.pictures)))


def count(folder: Path, kind: Kind) -> int:
    """How many files of a folder would be tried, without reading them."""
    return sum(source.problem is None for source in _sources(folder, kind))


@dataclass(frozen=True)
class _Source:
    """A file that may become a training image, its name in reports, its camera, or why it cannot be used."""

    path: Path
    name: str
    camera: tuple[float, ...] | None
    problem: str | None = None


def _sources(folder: Path, kind: Kind) -> list[_Source]:
    """An album's kept crops, or all image files with the cameras of `dataset.json`."""
    if (folder / "album.json").exists():
        album = Album.open(folder)
        return [_Source(album.face(p), p.file, p.camera if kind == "3d" else None) for p in album.kept]
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    names = [path.relative_to(folder).as_posix() for path in files]
    if kind == "2d":
        return [_Source(path, name, None) for path, name in zip(files, names, strict=True)]
    cameras = labels_of(folder)
    without = f"It has no camera in {LABELS_FILE}."
    return [
        _Source(path, name, cameras.get(name), None if name in cameras else without)
        for path, name in zip(files, names, strict=True)
    ]


def labels_of(folder: Path) -> Mapping[str, tuple[float, ...]]:
    """EG3D's file of cameras, {"labels": [[file, [25 numbers]], ...]}, by the names of the images.

    Raises BadInput where it is missing or not valid.
    """
    mend = 'In three dimensions every image needs a camera: {"labels": [[file, [25 numbers]], ...]}, or give an album.'
    if not (folder / LABELS_FILE).exists():
        raise BadInput(f"{folder} has no {LABELS_FILE} and no album.json.", mend)
    return labels_in(folder / LABELS_FILE, mend)


def labels_in(path: Path, mend: str) -> Mapping[str, tuple[float, ...]]:
    """The cameras in a file of EG3D's kind by the names of the images, or in a JSON list of labels by their numbers.

    Raises BadInput, with `mend`, where it cannot be read or is not valid.
    """
    try:
        raw: Any = json.loads(path.read_text())
        listed = [(f"{i:03d}", label) for i, label in enumerate(raw)] if isinstance(raw, list) else raw["labels"]
        pairs = {str(name): tuple(float(number) for number in label) for name, label in listed}
    except OSError as error:
        raise BadInput(f"{path} cannot be read.", mend) from error
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput(f"{path} is not valid ({error}).", mend) from error
    for name, label in pairs.items():
        if len(label) != 25 or not all(map(np.isfinite, label)):
            raise BadInput(f"{path}: the camera of {name} is not 25 finite numbers.", mend)
    return pairs


def _fingerprint(sources: list[_Source], kind: Kind, size_px: int) -> str:
    total = hashlib.sha256(f"{kind} {size_px}".encode())
    for source in sources:
        try:
            stat = source.path.stat()
            total.update(f"\n{source.name} {stat.st_size} {stat.st_mtime_ns} {source.camera}".encode())
        except OSError:
            total.update(f"\n{source.name} unreadable".encode())
    return total.hexdigest()


def _known(cache: Path, fingerprint: str) -> Index | None:
    try:
        index = from_json(Index, (cache / INDEX_FILE).read_text())
    except (OSError, BadInput):
        return None
    return index if index.source == fingerprint and (cache / PIXELS_FILE).exists() else None


def _decode(
    sources: list[_Source], cache: Path, kind: Kind, size_px: int, fingerprint: str, progress: Progress
) -> Index:
    """Write the squares, then the index: a kill in between leaves no index, and the next call begins anew."""
    (cache / INDEX_FILE).unlink(missing_ok=True)
    pictures: list[Picture] = []
    left_out: dict[str, str] = {}
    by_digest: dict[str, str] = {}
    resized = cropped = 0
    with writing(cache / PIXELS_FILE):
        cache.mkdir(parents=True, exist_ok=True)
        shape = (max(len(sources), 1), size_px, size_px, 3)
        pixels = np.lib.format.open_memmap(cache / PIXELS_FILE, mode="w+", dtype=np.uint8, shape=shape)
    for done, source in enumerate(sources, 1):
        progress("reading the images", done, len(sources))
        try:
            digest, square, (width, height) = _read_one(source, kind, size_px)
            if digest in by_digest:
                raise BadInput(f"It is a copy of {by_digest[digest]}.")
        except BadInput as error:
            left_out[source.name] = error.what
            continue
        by_digest[digest] = source.name
        pixels[len(pictures)] = square
        pictures.append(Picture(source.name, digest, source.camera))
        resized += min(width, height) != size_px
        cropped += width != height
    with writing(cache / PIXELS_FILE):
        pixels.flush()
    index = Index(fingerprint, kind, size_px, tuple(pictures), left_out, resized, cropped)
    write_atomic(cache / INDEX_FILE, to_json(index))
    return index


def _read_one(source: _Source, kind: Kind, size_px: int) -> tuple[str, np.ndarray, tuple[int, int]]:
    """Digest, central square at `size_px` (Lanczos), and the size that the file has."""
    if source.problem is not None:
        raise BadInput(source.problem)
    digest, found = files.digest(source.path), Image.fromarray(photo.read(source.path).pixels)
    width, height = found.size
    if kind == "3d" and width != height:
        raise BadInput(f"It has {width} x {height} pixels; a picture with a camera must be square.")
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = found.crop((left, top, left + side, top + side))
    return digest, np.asarray(square.resize((size_px, size_px), Image.Resampling.LANCZOS)), (width, height)
