"""What tells one file from another."""

import hashlib
from pathlib import Path

from selfsame.core.errors import BadInput


def digest(path: Path) -> str:
    """The sha256 of a file in hexadecimal; raises BadInput where the file cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{path.name} cannot be opened ({error.strerror}).") from error
