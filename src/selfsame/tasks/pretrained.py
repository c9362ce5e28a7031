"""Weights that others trained: those of a detector's backbone, or of all of it."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from selfsame.core.errors import BadInput
from selfsame.detectors.checkpoint import checked
from selfsame.detectors.detector import Detector, load_backbone

WHOLE = ("body.", "head.")  # how the names of a whole detector begin


def load(net: Detector, name: str, path: Path) -> None:
    """Put the weights of a safetensors file into the detector of this name: all of them, or its backbone's.

    Raises BadInput where the file is damaged or another network's.
    """
    try:
        given = load_file(path)
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path} cannot be read as safetensors.", "Give such a file.") from error
    if all(key.startswith(WHOLE) for key in given):
        net.load_state_dict(checked(given, lambda: net, name))
    else:
        load_backbone(net, given, path.name)
