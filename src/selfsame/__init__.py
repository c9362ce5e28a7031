"""Personal generative face models: make them, re-age them, keep them for life, and tell real from made."""

__version__ = "0.1.0"
