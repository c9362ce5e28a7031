"""Personal generative face models: make them, re-age them, keep them for life, and tell real from made."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfsame import world
    from selfsame.core import image
    from selfsame.faces.album import Album
    from selfsame.jobs.api import personalize
    from selfsame.tasks.prior2d import load

__version__ = "0.1.0"
__all__ = ["Album", "image", "load", "personalize", "world"]

# What users call, imported when it is first asked for: `import selfsame` alone brings no torch.
_WHERE = {
    "Album": ("selfsame.faces.album", "Album"),
    "image": ("selfsame.core.image", None),
    "load": ("selfsame.tasks.prior2d", "load"),
    "personalize": ("selfsame.jobs.api", "personalize"),
    "world": ("selfsame.world", None),
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'selfsame' has no attribute {name!r}")
    module, attribute = _WHERE[name]
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found
