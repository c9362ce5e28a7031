"""The buffer on disk: the few old photos that a model keeps to replay, bounded in number and bytes, each with a digest.

It lies beside the model and holds all that replay needs.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load, save
from torch import Tensor

from selfsame.core import image
from selfsame.core.camera import Camera
from selfsame.core.config import STRICT, from_json, to_json, write_atomic
from selfsame.core.errors import BadInput, WrongUse

RECORD_FILE, CODES_FILE = "buffer.json", "codes.safetensors"
HEADER_BYTES = 300  # of the file of codes, with a camera: counted to every photo


@dataclass(frozen=True)
class Kept:
    """One photo: its id in the album, its session, the age on it if known, its mean distance to the others of its
    session when it arrived (`replay.select.Pool`), and the sha256 of its file.
    """

    __pydantic_config__ = STRICT

    id: str
    session: int
    age_years: float | None
    spread: float
    digest: str


@dataclass(frozen=True)
class BufferRecord:
    """What buffer.json holds: the rule and bounds (0 bytes: unbounded), and what is kept."""

    __pydantic_config__ = STRICT

    method: str
    photos: int
    limit_bytes: int
    codes_digest: str
    kept: tuple[Kept, ...]


@dataclass(frozen=True, eq=False)
class Buffer:
    """A record with the photos (N, 3, s, s) in [-1, 1], their codes (N, L, w) and cameras."""

    record: BufferRecord
    images: Float[Tensor, "n 3 s s"]
    w_plus: Float[Tensor, "n l w"]
    camera: Camera

    def __len__(self) -> int:
        return len(self.record.kept)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A photo that a buffer could hold: its facts, picture (1, 3, s, s), code (L, w) and camera (1)."""

    id: str
    session: int
    age_years: float | None
    spread: float
    picture: Float[Tensor, "1 3 s s"]
    code: Float[Tensor, "l w"]
    camera: Camera

    def png(self) -> bytes:
        """The picture without loss."""
        data = io.BytesIO()
        image.to_pil(self.picture).save(data, "PNG")
        return data.getvalue()


def write(folder: Path, chosen: list[Candidate], *, method: str, photos: int, limit_bytes: int = 0) -> BufferRecord:
    """Write a buffer whole; the record comes last, so a kill leaves none or all of it.

    Raises WrongUse where the photos and their codes are more than `limit_bytes`.
    """
    codes = save({
        "w_plus": torch.stack([c.code for c in chosen]).half().contiguous(),
        "camera": torch.cat([c.camera.pack() for c in chosen]).contiguous(),
    }) if chosen else b""  # fmt: skip
    files = {c.id: c.png() for c in chosen}
    total = sum(map(len, files.values())) + len(codes)
    if limit_bytes and total > limit_bytes:
        raise WrongUse(f"{len(chosen)} photos take {total} bytes, more than {limit_bytes}.", "Keep fewer photos.")
    for name, data in files.items():
        write_atomic(folder / f"{name}.png", data)
    write_atomic(folder / CODES_FILE, codes)
    kept = tuple(Kept(c.id, c.session, c.age_years, c.spread, _digest(files[c.id])) for c in chosen)
    record = BufferRecord(method, photos, limit_bytes, _digest(codes), kept)
    write_atomic(folder / RECORD_FILE, to_json(record))
    return record


def room(pool: list[Candidate], limit_bytes: int) -> int:
    """How many photos surely fit into so many bytes: those of the pool, each counted as its largest."""
    each = max(len(c.png()) + c.code.numel() * 2 + HEADER_BYTES for c in pool)
    return limit_bytes // each


def read(folder: Path) -> Buffer:
    """The buffer in a folder; raises BadInput that names a file which is missing or no longer what was written."""
    path = folder / RECORD_FILE
    try:
        record = from_json(BufferRecord, path.read_text(), str(path))
    except OSError as error:
        raise _lost(path) from error
    pictures = [image.load(io.BytesIO(_checked(folder / f"{k.id}.png", k.digest))) for k in record.kept]
    codes = _checked(folder / CODES_FILE, record.codes_digest)
    if not pictures:
        return Buffer(record, torch.empty(0, 3, 1, 1), torch.empty(0, 1, 1), Camera.unpack(torch.empty(0, 25)))
    data = load(codes)
    return Buffer(record, torch.cat(pictures), data["w_plus"].float(), Camera.unpack(data["camera"].clone()))


def _checked(path: Path, digest: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _lost(path) from error
    if _digest(data) != digest:
        raise BadInput(f"{path} is not the file that was put into the buffer.", "Restore it, or roll back a session.")
    return data


def _lost(path: Path) -> BadInput:
    return BadInput(f"{path} of the buffer is missing.", "Restore it, or roll back to an earlier session.")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
