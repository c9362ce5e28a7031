"""A detector's published checkpoint, brought under our names once: training and judging then read plain safetensors."""

from pathlib import Path
from typing import Any

from safetensors.torch import save as to_safetensors

from selfsame.convert import archive
from selfsame.convert.networks import named
from selfsame.core import files
from selfsame.core.config import write_atomic
from selfsame.core.errors import BadInput
from selfsame.detectors import table

FOLDER, PLAIN = "published", ".safetensors"
NESTED = ("state_dict", "best_state_dict", "model_state_dict", "model", "network", "net")
"""Under what checkpoints keep their state dict."""


def ready(name: str, path: Path | None, out: Path) -> Path | None:
    """The file of weights as training reads it: safetensors as they are, any other file converted below `out`.

    Nothing in the file is run. Raises BadInput where no published checkpoint of this detector is known, or this is
    none.
    """
    if path is None or path.suffix == PLAIN:
        return path
    if name not in table.PUBLISHED:
        raise BadInput(
            f"No published checkpoint of {name} is known.",
            f"Give its backbone as safetensors under timm's names, or a checkpoint of {', '.join(table.PUBLISHED)}.",
        )
    made = out / FOLDER / f"{name}-{files.digest(path)[:16]}{PLAIN}"
    if not made.exists():
        ours = table.PUBLISHED[name](named(_state(archive.open_file(path))))
        write_atomic(made, to_safetensors({key: tensor.contiguous() for key, tensor in ours.items()}))
    return made


def _state(value: Any) -> Any:
    """The state dict of a checkpoint, which may lie under a name."""
    for name in NESTED:
        if isinstance(value, dict) and isinstance(value.get(name), dict):
            return value[name]
    return value
