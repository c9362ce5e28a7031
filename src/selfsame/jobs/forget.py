"""`selfsame forget`: everything that is held of a person is listed, then removed, safe against a kill.

The person's folder first gets a hidden name, so that nobody can use what is half removed; a folder that a killed run
left under such a name is finished by the next.
"""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from selfsame.core import lock
from selfsame.core.errors import BadInput
from selfsame.core.lock import LOCK_FILE
from selfsame.jobs import holdings, traces
from selfsame.jobs.holdings import Item, Total
from selfsame.jobs.traces import Trace

HIDDEN = re.compile(r"\.forgetting-(.+)-\d+")
NOT_REACHED = (
    "The photos themselves still lie where they were taken in from: an album holds crops of them, not the files.",
    "Pictures, films, meshes and pages that were written elsewhere do not say whom they show: look for them yourself.",
    "Copies in backups, on other machines or with other people were not touched, and deleted bytes can stay on a disk "
    "until it writes over them.",
)


@dataclass(frozen=True)
class Plan:
    """What a forgetting removes: the person's folder (None where there is none), what killed runs left, traces.

    `items` are the files of folder and leftovers; `traces` lie elsewhere, and those below an `also` that have files
    are removed too.
    """

    name: str
    people: Path
    folder: Path | None
    leftovers: tuple[Path, ...]
    items: tuple[Item, ...]
    traces: tuple[Trace, ...]
    also: tuple[Path, ...]

    @property
    def totals(self) -> tuple[Total, ...]:
        """Counts and bytes by kind."""
        return holdings.totals(self.items)

    @property
    def links(self) -> tuple[Item, ...]:
        """The links among the files: they go, what they lead to stays."""
        return tuple(item for item in self.items if item.link is not None)

    @property
    def to_remove(self) -> tuple[Trace, ...]:
        """The traces that are removed."""
        below = [folder.resolve() for folder in self.also]
        return tuple(t for t in self.traces if t.files and any(t.place.resolve().is_relative_to(b) for b in below))

    @property
    def untouched(self) -> tuple[Trace, ...]:
        """The traces that are only listed."""
        return tuple(trace for trace in self.traces if trace not in self.to_remove)


def plan(folder: Path, also: Sequence[Path] = (), store: Path | None = None) -> Plan:
    """What forgetting the person of a folder would remove, looking for traces in the rest of the people folder too.

    And in the `store` of imported weights, and below each of `also`. Raises BadInput where nobody of that name is or
    was here, the folder is a link or no folder, or one of `also` is not there.
    """
    people, name = folder.parent, folder.name
    for place in also:
        if not place.is_dir():
            raise BadInput(f"There is no folder {place} to look through.", "Check --also.")
    if folder.is_symlink():
        raise BadInput(
            f"{folder} is a link to {folder.readlink()}, which may lie anywhere.",
            "Give the folder that holds it as --people, then remove the link.",
        )
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is a file, not a person's folder.", "Check --people.")
    here = folder if folder.is_dir() else None
    left = tuple(_left(people, name)) if people.is_dir() else ()
    if here is None and not left and not also:
        raise BadInput(f"Nobody called {name} is in {people}.", "`selfsame people` lists everybody; check --people.")
    own = [place for place in (here, *left) if place is not None]
    roots = [place.resolve() for place in (*also, people, store) if place is not None and place.is_dir()]
    found = traces.find(traces.marks_of(name, own), roots, (folder, *left))
    held = tuple(item for place in own for item in holdings.items(place))
    return Plan(name, people, here, left, held, tuple(found), tuple(also))


def carry_out(asked: Plan) -> Plan:
    """Remove what a plan lists; returns the plan with the files that were there at that moment.

    Finishes what killed runs left of anybody. Raises BadInput where another run holds the folder (nothing is removed
    then), where something cannot be removed, and where another run wrote into the folder meanwhile.
    """
    albums = [trace.place for trace in asked.to_remove if trace.what == "album"]
    own = list(asked.leftovers)
    with ExitStack() as locks:
        for place in (*([asked.folder] if asked.folder else []), *own, *albums):
            locks.enter_context(lock.holding(place, f"forgetting {asked.name}"))
        if asked.folder is not None:
            hidden = _free(asked.people, asked.name)
            with _removing(asked.folder):
                asked.folder.rename(hidden)
            own.insert(0, hidden)
        done = replace(asked, items=tuple(item for place in own for item in holdings.items(place)))
        for trace in asked.to_remove:  # before the albums and cards are gone that tell them
            _remove(trace)
        for place in own:
            _erase(place)
    if asked.folder is not None and asked.folder.exists():
        raise BadInput(f"Another run wrote into {asked.folder} while it was removed.", "End it, then forget again.")
    for left in _left(asked.people):
        with suppress(BadInput), lock.holding(left, "forgetting"):  # who holds it is at it
            _erase(left)
    return done


def _left(people: Path, name: str | None = None) -> list[Path]:
    """What killed runs left hidden, of one person or of all."""
    found = [(HIDDEN.fullmatch(path.name), path) for path in people.glob(".forgetting-*")]
    return sorted(path for m, path in found if m and name in (None, m[1]) and path.is_dir() and not path.is_symlink())


def _free(people: Path, name: str) -> Path:
    names = (people / f".forgetting-{name}-{number}" for number in count(os.getpid()))
    return next(path for path in names if not os.path.lexists(path))


def _remove(trace: Trace) -> None:
    for path in trace.files:
        _delete(path)
    if trace.place.is_dir():
        with suppress(OSError):  # where something else lies in it
            trace.place.rmdir()


def _erase(place: Path) -> None:
    """Delete a folder, its lock last, so that no other run finds it free meanwhile."""
    with _removing(place):
        for path in sorted(place.iterdir(), key=lambda path: path.name == LOCK_FILE):
            _delete(path)
        place.rmdir()


def _delete(path: Path) -> None:
    """Delete a file or a folder with all in it; of a link the link alone, here and below."""
    with _removing(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _removing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(
            f"{path} cannot be removed ({error.strerror}).", "Mend that, then give the same command again: it goes on."
        ) from error
