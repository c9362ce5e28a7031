"""The buffer on disk: the few old photos that a model keeps to replay, bounded in number and bytes, each with a digest.

It lies beside the model and holds all that replay needs.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor

from selfsame.core import image, store
from selfsame.core.camera import Camera
from selfsame.core.config import STRICT, from_json, to_json, write_atomic
from selfsame.core.errors import BadInput, WrongUse

RECORD_FILE, CODES_FILE = "buffer.json", "codes.safetensors"
MADE_ON = "made_on"
HEADER_BYTES = 400  # of the file of codes, with a camera: counted to every photo


@dataclass(frozen=True)
class Kept:
    """One photo: its id in the album and its file, its session, the age on it if known, its mean distance to the others
    of its session when it arrived (`replay.select.Pool`), and the sha256 of the file.
    """

    __pydantic_config__ = STRICT

    id: str
    file: str
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
class Candidate:
    """A photo that a buffer could hold: its facts, its file as it would lie there, its code (L, w) and camera (1)."""

    id: str
    session: int
    age_years: float | None
    spread: float
    data: bytes
    code: Float[Tensor, "l w"]
    camera: Camera

    @property
    def picture(self) -> Float[Tensor, "1 3 s s"]:
        """The photo in [-1, 1]."""
        return image.load(io.BytesIO(self.data))

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.id}.{'webp' if self.data[:4] == b'RIFF' else 'png'}"

    @property
    def cost(self) -> int:
        """The bytes that it takes with its code, a little more than less."""
        return len(self.data) + self.code.numel() * 2 + HEADER_BYTES


def encode(picture: Float[Tensor, "1 3 s s"], quality: int = 0) -> bytes:
    """A picture's file: PNG without loss, or WebP of a `quality` from 1 to 100."""
    data = io.BytesIO()
    options = {"format": "WEBP", "quality": quality, "method": 6} if quality else {"format": "PNG"}
    image.to_pil(picture).save(data, **options)
    return data.getvalue()


def write(
    folder: Path, chosen: list[Candidate], *, method: str, photos: int, limit_bytes: int = 0, made_on: str = ""
) -> BufferRecord:
    """Write a buffer whole; the record comes last, so a kill leaves none or all of it.

    `made_on` is the digest of the network whose codes these are. Raises WrongUse where the photos and their codes are
    more than `limit_bytes`.
    """
    codes = save({
        "w_plus": torch.stack([c.code for c in chosen]).half().contiguous(),
        "camera": torch.cat([c.camera.pack() for c in chosen]).contiguous(),
    }, {MADE_ON: made_on} if made_on else None) if chosen else b""  # fmt: skip
    files = {c.file: c.data for c in chosen}
    total = sum(map(len, files.values())) + len(codes)
    if limit_bytes and total > limit_bytes:
        raise WrongUse(f"{len(chosen)} photos take {total} bytes, more than {limit_bytes}.", "Keep fewer photos.")
    for name, data in files.items():
        write_atomic(folder / name, data)
    write_atomic(folder / CODES_FILE, codes)
    kept = tuple(Kept(c.id, c.file, c.session, c.age_years, c.spread, _digest(c.data)) for c in chosen)
    record = BufferRecord(method, photos, limit_bytes, _digest(codes), kept)
    write_atomic(folder / RECORD_FILE, to_json(record))
    return record


def room(pool: list[Candidate], limit_bytes: int) -> int:
    """How many photos surely fit into so many bytes: those of the pool, each counted as its largest."""
    return limit_bytes // max(c.cost for c in pool)


def record_of(folder: Path) -> BufferRecord:
    """What a buffer's record says; raises BadInput where it is missing or not valid."""
    path = folder / RECORD_FILE
    try:
        return from_json(BufferRecord, path.read_text(), str(path))
    except OSError as error:
        raise _lost(path) from error


def read(folder: Path, made_on: str | None = None) -> list[Candidate]:
    """What a buffer holds; raises BadInput that names a file which is missing or no longer what was written.

    Raises BadInput too where its codes belong to another network than the one with the digest `made_on`.
    """
    record = record_of(folder)
    files = [_checked(folder / k.file, k.digest) for k in record.kept]
    codes = _checked(folder / CODES_FILE, record.codes_digest)
    if not files:
        return []
    with safe_open(folder / CODES_FILE, framework="pt") as file:
        wanted = (file.metadata() or {}).get(MADE_ON)
    if made_on is not None and wanted is not None:
        store.check_made_on(f"The buffer {folder}", wanted, made_on)
    known = load(codes)
    camera = Camera.unpack(known["camera"].clone())
    return [
        Candidate(k.id, k.session, k.age_years, k.spread, data, known["w_plus"][i].float(), camera[i])
        for i, (k, data) in enumerate(zip(record.kept, files, strict=True))
    ]


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
