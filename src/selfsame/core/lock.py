"""One writer at a time on a folder: a lock of the operating system on the file `.lock` in it.

The kernel lets go of the lock when its process ends, however it ends, so there are no stale locks. The file itself
stays, empty: who removed it could take it away from somebody who has just opened it.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfsame.core.config import writing
from selfsame.core.errors import BadInput, shown

LOCK_FILE = ".lock"
WAIT_S = 0.05  # between two tries of who waits

if sys.platform == "win32":
    import msvcrt

    FAR = 2**30  # the lock of Windows keeps others from reading what it covers: one byte behind the words

    def _try(handle: int) -> bool:
        os.lseek(handle, FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class _Mine(threading.local):
    """The lock files that this thread holds: a command that holds a folder may call another that wants it."""

    def __init__(self) -> None:
        self.files: set[tuple[int, int]] = set()


_mine = _Mine()


@contextmanager
def holding(folder: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Be the only one who writes into a folder, over processes and threads, while the block runs.

    `what` tells others what is being done ("adding photos to ada"). A thread that holds the folder may hold it again.
    Raises BadInput where another has it (with `wait` it waits instead), and where the folder is not there or goes away.
    What was read from the folder before may have changed by then: read it inside the block.
    """
    handle, mine = _taken(folder, wait)
    try:
        if mine:
            yield
            return
        key = _key(handle)
        _mine.files.add(key)
        try:
            _say(handle, json.dumps({"process": os.getpid(), "what": what}))
            yield
        finally:
            _mine.files.discard(key)
            _say(handle, "")
    finally:
        os.close(handle)  # which lets go of the lock


def _taken(folder: Path, wait: bool) -> tuple[int, bool]:
    """The open file of the lock that is this thread's now, and whether it was before."""
    while True:
        handle = _open(folder)
        if _key(handle) in _mine.files:
            return handle, True
        got = _try(handle)
        if got and _lies(handle, folder):
            return handle, False
        other = _words(handle)
        os.close(handle)
        if got:  # of a file that was removed meanwhile: the one that lies there now is what counts
            continue
        if not wait:
            raise BadInput(f"Another run is {other or f'at work in {folder}'}.", "Wait for it, or end it.")
        time.sleep(WAIT_S)


def _open(folder: Path) -> int:
    path = folder / LOCK_FILE
    if not folder.is_dir():
        raise BadInput(f"{folder} is not there, or not any more.")
    with writing(path):
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)


def _lies(handle: int, folder: Path) -> bool:
    """Whether an open file is the one that lies in the folder, and not one that was removed."""
    try:
        found = (folder / LOCK_FILE).stat()
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == _key(handle)


def _key(handle: int) -> tuple[int, int]:
    found = os.fstat(handle)
    return found.st_dev, found.st_ino


def _say(handle: int, words: str) -> None:
    """Write who holds the lock, for whoever is turned away; that it cannot be written (a full disk) stops nothing."""
    try:
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, words.encode())
    except OSError:
        pass


def _words(handle: int) -> str:
    """What the holder does, with its process; nothing where it has not written that yet."""
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        record = json.loads(os.read(handle, 4096))
        return f"{shown(str(record['what']))} (process {int(record['process'])})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
