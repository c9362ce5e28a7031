"""A user's own detector, from one Python file of theirs: `detector()` builds it, `PRESET` says how it is trained."""

import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from selfsame.core.errors import BadInput, WrongUse
from selfsame.detectors.detector import Detector

SUFFIX = ".py"


def is_own(name: str) -> bool:
    """Whether a detector is named by a file."""
    return name.endswith(SUFFIX)


def digest(name: str) -> str:
    """The sha256 of the file: a detector that was changed is another one."""
    return hashlib.sha256(_path(name).read_bytes()).hexdigest()


def build(name: str) -> Detector:
    """What the file's `detector()` returns; raises BadInput where it does not run or gives something else."""
    made = _part(name, "detector")()
    if not isinstance(made, Detector):
        raise BadInput(f"detector() of {name} gives no Detector.", "Return one of selfsame.detectors.detector.")
    return made


def preset(name: str) -> Any:
    """The file's PRESET."""
    return _part(name, "PRESET")


def _part(name: str, what: str) -> Any:
    module = _module(name)
    if not hasattr(module, what):
        raise BadInput(f"{name} has no {what}.", "It needs a function detector() and a PRESET; see docs/detectors.md.")
    return getattr(module, what)


def _module(name: str) -> ModuleType:
    path = _path(name)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BadInput(f"{name} does not run ({type(error).__name__}: {error}).", "Mend it.") from error
    return module


def _path(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise WrongUse(f"{name} does not exist.", "Check the path.")
    return path
