"""What a model's folder belongs to, written before any work and compared when the same folder is fitted again."""

import json
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


def claim(folder: Path, prior_digest: str, data_digest: str, config: Any) -> None:
    """Take a folder for a fit; raises BadInput where it holds one of another prior, other photos or settings."""
    plan = Plan(prior_digest, data_digest, json.loads(json.dumps(asdict(config))))
    path = folder / PLAN_FILE
    if not path.exists():
        write_atomic(path, to_json(plan))
        return
    before = from_json(Plan, path.read_text(), str(path))
    for what, same in (
        ("another prior", before.prior_digest == plan.prior_digest),
        ("other photos", before.data_digest == plan.data_digest),
        ("another configuration", before.config == plan.config),
    ):
        if not same:
            raise BadInput(f"{folder} holds a model of {what}.", "Give the new one another name with --run.")
