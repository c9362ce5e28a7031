"""Where a foreign file comes from, as far as the file itself can prove it, and what its maker noted in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from selfsame.convert import nvidia
from selfsame.convert.values import Object
from selfsame.core.config import STRICT
from selfsame.core.weights import Card

KNOWN = {"alexnet-owt-7be5be79.pth": "7be5be79", "vgg16-397923af.pth": "397923af"}
"""How the sha256 of a file begins; torchvision puts it into the file's name. Of no other file is it truly known."""

UNVERIFIED = "unverified source"
MOST_CARRIED, LONGEST_TEXT = 400, 500


@dataclass(frozen=True)
class Source:
    """What lies beside imported weights as source.json.

    `verified` tells whether the file is the published one, `settings` what it says of how it was made, `notes` what a
    person should know, `of` the digest of each network that came from it.
    """

    __pydantic_config__ = STRICT

    file: str
    bytes: int
    digest: str
    kind: str
    verified: str
    imported: datetime
    licence: str
    notes: tuple[str, ...]
    settings: dict[str, Any]
    of: dict[str, str]


def verified(name: str, digest: str, own: Card | None = None) -> str:
    """What can be said of a file's source from its name and sha256, and from our card in it where it has one."""
    begin = KNOWN.get(name)
    if own is not None:
        return f"{UNVERIFIED}: its card says that selfsame exported it"
    if begin is None:
        return UNVERIFIED
    if digest.startswith(begin):
        return f"verified: its sha256 begins with {begin}, as torchvision publishes it"
    return f"{UNVERIFIED}: its sha256 does not begin with {begin}, as torchvision's {name} does"


def settings(value: Any) -> dict[str, Any]:
    """What a file tells of how it was made: a generator's arguments, `opts` or `args`, as far as they are plain."""
    generator = nvidia.module(value, nvidia.GENERATORS)
    told: Any = nvidia.settings(generator) if generator is not None else None
    if told is None and isinstance(value, Mapping):
        told = value.get("opts", value.get("args"))
        told = told.state if isinstance(told, Object) and told.kind.name == "Namespace" else told
    return _plain(told, [MOST_CARRIED], 4) if isinstance(told, Mapping) else {}


def _plain(value: Any, left: list[int], depth: int) -> Any:
    left[0] -= 1
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # JSON knows no infinity
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if depth and left[0] > 0 and isinstance(value, Mapping):
        return {str(k)[:LONGEST_TEXT]: _plain(v, left, depth - 1) for k, v in value.items() if left[0] > 0}
    if depth and left[0] > 0 and isinstance(value, list | tuple):
        return [_plain(v, left, depth - 1) for v in value if left[0] > 0]
    return str(type(value).__name__)
