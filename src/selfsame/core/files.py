"""What tells one file from another."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from selfsame.core.errors import BadInput

CHUNK = 2**24  # bytes


def digest(path: Path, on_read: Callable[[int], None] | None = None) -> str:
    """The sha256 of a file in hexadecimal; `on_read` hears how many bytes were read so far.

    Raises BadInput where the file cannot be read.
    """
    total, done = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while part := file.read(CHUNK):
                total.update(part)
                done += len(part)
                if on_read is not None:
                    on_read(done)
    except OSError as error:
        raise BadInput(f"{path.name} cannot be opened ({error.strerror}).") from error
    return total.hexdigest()
