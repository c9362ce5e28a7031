"""Memory of long CPU work."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # parameter numbers of mallopt, from glibc's malloc.h


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, for its next tensors; True where the C library can (glibc).

    Otherwise glibc hands every buffer over 32 MiB back to the system and pays page faults for it again in the next
    operation, which doubles the time of training on a CPU (docs/speed.md). The peak does not rise, but the process
    stays at it. Commands call this once at their start; a library must not decide it for its user.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_TRIM_THRESHOLD, -1)) and bool(mallopt(_MMAP_MAX, 0))
