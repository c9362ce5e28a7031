"""What lies inside zip and tar files, as views of them; nothing is ever unpacked to the disk."""

import io
import struct
import tarfile
import zipfile
from typing import Any

from selfsame.core.errors import BadInput

MOST_MEMBERS = 200_000


class _Reader(io.RawIOBase):
    """A view of memory as the file object that zipfile and tarfile want."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = 0) -> int:
        at = offset + (0, self.at, len(self.data))[whence]
        if at < 0:
            raise OSError("a place before the file")
        self.at = at
        return at

    def readinto(self, buffer: Any) -> int:
        found = self.data[self.at : self.at + len(buffer)]
        buffer[: len(found)] = found
        self.at += len(found)
        return len(found)


def zip_members(data: memoryview) -> dict[str, memoryview]:
    """The files in a zip as views of it; raises BadInput where they are compressed, overlap or are oddly named."""
    try:
        with zipfile.ZipFile(_Reader(data)) as archive:
            found = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, OSError, UnicodeDecodeError) as error:
        raise BadInput("This zip file is damaged or cut short.", "Fetch it again.") from error
    if len(found) > MOST_MEMBERS or sum(f.file_size for f in found) > len(data):
        raise BadInput("This zip file promises more than it holds, so it was not read.")
    if any(f.filename.split("/")[-1] == "constants.pkl" or "/code/" in f.filename for f in found):
        raise BadInput("This is a TorchScript archive, which holds code.", "Give the plain checkpoint of the network.")
    members: dict[str, memoryview] = {}
    for info in found:
        parts = info.filename.replace("\\", "/").split("/")
        if info.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            raise BadInput(f"This zip file has a member called {info.filename!r}, so it was not read.")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size or info.flag_bits & 1:
            raise BadInput("This zip file is compressed or encrypted, as no checkpoint of PyTorch is.")
        # The directory tells where a member begins; its own header, of a length of its own, lies before the data.
        at = info.header_offset
        if at + 30 > len(data) or bytes(data[at : at + 4]) != b"PK\x03\x04":
            raise BadInput("This zip file is damaged or cut short.", "Fetch it again.")
        name, extra = struct.unpack("<HH", data[at + 26 : at + 30])
        begin = at + 30 + name + extra
        if begin + info.file_size > len(data):
            raise BadInput("This zip file is damaged or cut short.", "Fetch it again.")
        members[info.filename] = data[begin : begin + info.file_size]
    return members


def tar_members(data: memoryview) -> dict[str, memoryview]:
    """The three files in a tar of old torch as views of it; raises BadInput where they are not there."""
    try:
        with tarfile.open(fileobj=_Reader(data), mode="r:") as archive:
            found = {
                m.name.removeprefix("./"): data[m.offset_data : m.offset_data + m.size] for m in archive if m.isreg()
            }
    except (tarfile.TarError, ValueError, OSError, struct.error, OverflowError, EOFError, RecursionError) as error:
        raise BadInput("This tar file is damaged or cut short.", "Fetch it again.") from error
    if not {"storages", "tensors", "pickle"} <= found.keys():
        raise BadInput("This tar file is no checkpoint of PyTorch.", "Unpack it, and give the file inside.")
    return found
