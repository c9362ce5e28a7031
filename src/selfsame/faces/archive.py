"""Zip archives of phones and clouds, read member by member: nothing is unpacked under a name that the archive chose."""

import lzma
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from selfsame.core.config import writing
from selfsame.core.errors import BadInput, shown

SUFFIX = ".zip"
MOST_BYTES = 2**30  # of one member
MOST_GROWTH, SMALL_BYTES = 200, 32 * 2**20  # pictures are packed already; what is small may be as hollow as it likes
CHUNK_BYTES = 2**20
ENCRYPTED = 1  # the flag's bit

# What a decoder meets in damaged data; the last two stand for methods and versions that zipfile does not know.
DAMAGES = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError, IndexError,
           RuntimeError, NotImplementedError)  # fmt: skip


class Unreadable(BadInput):
    """A member, or a whole archive, that cannot be read; the others can."""


@dataclass(frozen=True, eq=False)
class Member:
    """One file in an archive: its name, the folder it lies in (or the archive's stem), its `place` in the archive."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    place: PurePosixPath

    @property
    def file(self) -> str:
        """The bare name, fit to be shown."""
        return shown(self.place.name)

    @property
    def folder(self) -> str:
        """The name of the folder in the archive, or the archive's stem."""
        return shown(self.place.parent.name) or Path(self.archive.filename or "").stem

    def read(self) -> bytes:
        """The content, whole; raises Unreadable."""
        return b"".join(self._parts())

    @contextmanager
    def copied(self) -> Iterator[Path]:
        """A temporary copy on disk, of another name; raises Unreadable, or BadInput where the disk is full."""
        with tempfile.TemporaryDirectory(prefix="selfsame-") as folder:
            path = Path(folder) / f"member{self.place.suffix}"
            with writing(path), path.open("wb") as file:
                for part in self._parts():
                    file.write(part)
            yield path

    def _parts(self) -> Iterator[bytes]:
        where = f"{self.file} in {Path(self.archive.filename or '').name}"
        self._refuse(where)
        try:
            # zipfile never hands out more than the size that the member claims, and checks its sum at the end.
            with self.archive.open(self.info) as stream:
                while part := stream.read(CHUNK_BYTES):
                    yield part
        except DAMAGES as error:
            raise Unreadable(f"{where} is damaged or incomplete ({shown(str(error))}).") from error

    def _refuse(self, where: str) -> None:
        info = self.info
        if self.place.suffix.lower() == SUFFIX:
            raise Unreadable(f"{where} is an archive in an archive; unpack it and give it by itself.")
        if info.flag_bits & ENCRYPTED:
            raise Unreadable(f"{where} is locked by a password; unpack the archive and give the folder.")
        if info.file_size > MOST_BYTES:
            raise Unreadable(f"{where} claims {info.file_size / 2**30:.1f} GiB; unpack it and give it by itself.")
        if info.file_size > max(SMALL_BYTES, MOST_GROWTH * info.compress_size):
            raise Unreadable(f"{where} claims over {MOST_GROWTH} times its packed size, as no photo does.")


def members(path: Path) -> Iterator[Member]:
    """The files of a zip archive, sorted by name, each to be read before the next; raises Unreadable if it is none."""
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGES as error:
        raise Unreadable(f"{path.name} is damaged, or no zip archive ({shown(str(error))}).") from error
    with archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        if sum(info.compress_size for info in files) > path.stat().st_size:
            raise Unreadable(f"{path.name} is damaged, or built to fill the memory (its files overlap).")
        for info in sorted(files, key=lambda info: info.filename):
            yield Member(archive, info, _place(info.filename))


def _place(name: str) -> PurePosixPath:
    """Where a member lies, below the archive whatever its name says."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return PurePosixPath(*(part for part in parts if part.strip("/.")))
