"""What a model's folder belongs to, written before any work and compared when the same folder is fitted again."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from selfsame.core.config import from_json, to_json, write_atomic
from selfsame.core.errors import BadInput

PLAN_FILE = "fit.json"


@dataclass(frozen=True)
class Plan:
    """The prior, the photos and the configuration of a fit."""

    prior_digest: str
    data_digest: str
    config: dict[str, Any]


def digest(photos: Iterable[str]) -> str:
    """A hexadecimal SHA-256 of the photos that a model is trained on, in their order, by what tells them apart."""
    return hashlib.sha256(" ".join(photos).encode()).hexdigest()


def read(folder: Path) -> Plan:
    """The plan in a model's folder; raises BadInput where there is none."""
    path = folder / PLAN_FILE
    if not path.is_file():
        raise BadInput(f"{folder} holds no fitted model.", "Fit one first: `selfsame fit NAME`.")
    return from_json(Plan, path.read_text(), str(path))


def claim(folder: Path, prior_digest: str, data_digest: str, config: Any) -> None:
    """Take a folder for a fit; raises BadInput where it holds one of another prior, other photos or settings."""
    plan = Plan(prior_digest, data_digest, json.loads(json.dumps(asdict(config))))
    if not (folder / PLAN_FILE).exists():
        write_atomic(folder / PLAN_FILE, to_json(plan))
        return
    before = read(folder)
    for what, same in (
        ("another prior", before.prior_digest == plan.prior_digest),
        ("other photos", before.data_digest == plan.data_digest),
        ("another configuration", before.config == plan.config),
    ):
        if not same:
            raise BadInput(f"{folder} holds a model of {what}.", "Give the new one another name with --run.")
