"""Weights that others trained: a detector's backbone, or a published checkpoint of the detector itself."""

from pathlib import Path
from typing import Any

from selfsame.convert import archive
from selfsame.convert.networks import fitted, named
from selfsame.core.errors import BadInput
from selfsame.detectors import table
from selfsame.detectors.detector import Detector, load_backbone

NESTED = ("state_dict", "model", "network", "net", "model_state")  # under what checkpoints keep their state dict


def load(net: Detector, name: str, path: Path) -> None:
    """Put weights into the detector of this name: those of its backbone (safetensors), else of its whole checkpoint.

    Raises BadInput where the file is damaged or another network's, or no published checkpoint is known.
    """
    if path.suffix == ".safetensors":
        load_backbone(net, path)
        return
    if name not in table.PUBLISHED:
        raise BadInput(
            f"No published checkpoint of {name} is known.",
            f"Give its backbone as safetensors under timm's names, or a checkpoint of {', '.join(table.PUBLISHED)}.",
        )
    renamed = table.PUBLISHED[name](named(_state(archive.open_file(path))))
    net.load_state_dict(fitted(renamed, lambda: table.build(name), name))


def _state(value: Any) -> Any:
    """The state dict of a checkpoint, which may lie under a name."""
    for name in NESTED:
        if isinstance(value, dict) and isinstance(value.get(name), dict):
            return value[name]
    return value
