"""What lies inside zip and tar files, as views of them; nothing is ever unpacked to the disk."""

import io
import struct
import zipfile

from selfsame.core.errors import BadInput

LARGEST_DIRECTORY = 2**24  # bytes of a zip's list of members; a hundred thousand take that
BLOCK = 512  # a tar is made of
MOST_IN_TAR = 16  # members; a file of old torch has four


class _Reader(io.RawIOBase):
    """A view of memory as the file object that zipfile wants, which gives no more at once than a directory has."""

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

    def read(self, size: int = -1) -> bytes:
        left = max(len(self.data) - self.at, 0)
        size = left if size < 0 else min(size, left)
        if size > LARGEST_DIRECTORY:
            raise OSError("a directory of many members")
        start, self.at = self.at, self.at + size
        return bytes(self.data[start : self.at])


def zip_members(data: memoryview) -> dict[str, memoryview]:
    """The files in a zip as views of it; raises BadInput where they are compressed, overlap or are oddly named."""
    try:
        with zipfile.ZipFile(_Reader(data)) as archive:
            found = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, OSError) as error:
        raise _damaged("zip") from error
    if any(f.filename.split("/")[-1] == "constants.pkl" or "/code/" in f.filename for f in found):
        raise BadInput("This is a TorchScript archive, which holds code.", "Give the plain checkpoint of the network.")
    members: dict[str, memoryview] = {}
    used = 0  # how far the members before this one go
    for info in sorted(found, key=lambda info: info.header_offset):
        parts = info.filename.replace("\\", "/").split("/")
        if parts[0] == "" or ".." in parts or ":" in parts[0] or info.filename in members:
            raise BadInput(f"This zip file has a member called {info.filename[:200]!r}, so it was not read.")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size or info.flag_bits & 1:
            raise BadInput("This zip file is compressed or encrypted, as no checkpoint of PyTorch is.")
        # The directory tells where a member begins; its own header, of a length of its own, lies before the data.
        at = info.header_offset
        if at < used or at + 30 > len(data) or bytes(data[at : at + 4]) != b"PK\x03\x04":
            raise _damaged("zip")
        name, extra = struct.unpack("<HH", data[at + 26 : at + 30])
        begin = at + 30 + name + extra
        used = begin + info.file_size
        if used > len(data):
            raise _damaged("zip")
        members[info.filename] = data[begin:used]
    return members


def tar_members(data: memoryview) -> dict[str, memoryview]:
    """The three files in a tar of old torch as views of it; raises BadInput where they are not there.

    The headers are read here, because `tarfile` follows names, links and sparse maps that such a file never has.
    """
    found: dict[str, memoryview] = {}
    at = 0
    for _ in range(MOST_IN_TAR):
        header = bytes(data[at : at + BLOCK])
        if len(header) < BLOCK or not header[0]:
            break
        try:
            name = str(header[:100].rstrip(b"\0"), "ascii").removeprefix("./")
            size = int(header[124:136].strip(b"\0 "), 8)
        except ValueError as error:
            raise _damaged("tar") from error
        begin = at + BLOCK
        if not 0 <= size <= len(data) - begin:
            raise _damaged("tar")
        if header[156:157] in (b"0", b"\0"):  # an ordinary file
            found[name] = data[begin : begin + size]
        at = begin + -(-size // BLOCK) * BLOCK
    if not {"storages", "tensors", "pickle"} <= found.keys():
        raise BadInput("This tar file is no checkpoint of PyTorch.", "Unpack it, and give the file inside.")
    return found


def _damaged(what: str) -> BadInput:
    return BadInput(f"This {what} file is damaged or cut short.", "Fetch it again.")
