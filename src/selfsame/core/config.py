"""Strict JSON for frozen dataclasses and pydantic records: an unknown or a missing key is an error."""

import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from selfsame.core.errors import BadInput, shown

T = TypeVar("T")

STRICT = ConfigDict(extra="forbid")
"""The `__pydantic_config__` of records inside other records: they refuse unknown keys too."""


def to_json(record: Any) -> str:
    """Indented JSON of a dataclass (every field, defaults included)."""
    return json.dumps(_adapter(type(record)).dump_python(record, mode="json"), indent=2, ensure_ascii=False) + "\n"


def from_json(kind: type[T], text: str, source: str = "the configuration") -> T:
    """A dataclass of `kind` from JSON that names every field and no other; raises BadInput otherwise."""

    try:
        raw = json.loads(text)
        _check_keys(kind, raw, "")
        made: T = _adapter(kind).validate_python(raw, strict=False)
        return made
    except (ValueError, ValidationError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        detail = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
        raise BadInput(f"{source} is not valid: {shown(detail)}.") from error


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}  # building one takes longer than reading a record with it


def _adapter(kind: Any) -> Any:  # a TypeAdapter, which beartype cannot check
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _check_keys(kind: Any, raw: Any, place: str) -> None:
    if not dataclasses.is_dataclass(kind):
        return
    if not isinstance(raw, dict):
        raise ValueError(f"{place or 'the whole'} must be an object")
    names = {field.name for field in dataclasses.fields(kind)}
    for word, keys in (("unknown", raw.keys() - names), ("missing", names - raw.keys())):
        if keys:
            raise ValueError(f"{word} key {place}{min(keys)}")
    for field in dataclasses.fields(kind):
        if isinstance(field.type, type):
            _check_keys(field.type, raw[field.name], f"{place}{field.name}.")


def claim(path: Path, record: Any, what: str) -> None:
    """Write the record that a folder is made by; raises BadInput where it is there and says otherwise.

    `what` names what the folder then holds: "clips of another format", say.
    """
    text = to_json(record)
    if path.exists() and path.read_text() != text:
        raise BadInput(f"{path.parent} holds {what}.", "Delete it, or give another --out.")
    write_atomic(path, text)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failure of the disk inside the block (full, read-only, gone) into one sentence about `path`."""
    try:
        yield
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written ({error.strerror}).", "Free some space or choose another folder."
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write instead of `path`, which it becomes when the block ends well.

    A kill, an error or a full disk leaves either the old content or the new, never a part; raises BadInput as
    `writing`.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o644)  # mkstemp's 0600 would hide results from colleagues on a shared disk
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a file as `replacing` does."""
    with replacing(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)
