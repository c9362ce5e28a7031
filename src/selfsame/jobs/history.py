"""A model's states: what `selfsame fit` left is state 0, every update adds one, and none is ever changed.

`history.json` in the model's folder says which states there are and which one is current; it is written last, so a
killed update leaves the model as it was.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from selfsame.core.config import STRICT, from_json, to_json, write_atomic
from selfsame.core.errors import BadInput
from selfsame.core.names import HISTORY_FILE as HISTORY_FILE
from selfsame.core.names import STATES_FOLDER as STATES_FOLDER
from selfsame.core.names import WEIGHTS_FILE
from selfsame.core.results import Measured


@dataclass(frozen=True)
class State:
    """One state: its number, its folder below the model's, the state it went on from, when it was made (UTC), the
    photos that were new, the photos in its buffer, and what was gained and forgotten.
    """

    __pydantic_config__ = STRICT

    number: int
    folder: str
    parent: int | None
    made: datetime
    photos: tuple[str, ...]
    buffer: tuple[str, ...]
    measured: tuple[Measured, ...]


@dataclass(frozen=True)
class History:
    """All states in the order of their numbers, and the number of the one that is used."""

    __pydantic_config__ = STRICT

    current: int
    states: tuple[State, ...]

    @property
    def now(self) -> State:
        """The state that is used."""
        return self.states[self.current]


def read(folder: Path) -> History:
    """The history of the model in a folder; of one that was never updated, its fit alone.

    Raises BadInput where there is no model, or the file is not valid.
    """
    path = folder / HISTORY_FILE
    if path.exists():
        return from_json(History, path.read_text(), str(path))
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        raise BadInput(f"{folder} holds no model.", "Fit one first: `selfsame fit NAME` or `selfsame age fit NAME`.")
    made = datetime.fromtimestamp(weights.stat().st_mtime, UTC).replace(microsecond=0)
    return History(0, (State(0, ".", None, made, (), (), ()),))


def current(folder: Path) -> Path:
    """The folder of the state that is used: the model's own, or that of an update."""
    if not (folder / HISTORY_FILE).exists():
        return folder
    return folder / read(folder).now.folder


def added(
    history: History, folder: str, photos: tuple[str, ...], buffer: tuple[str, ...], measured: tuple[Measured, ...]
) -> History:
    """The history with one more state, which goes on from the current one and becomes it."""
    number = len(history.states)
    made = datetime.now(UTC).replace(microsecond=0)
    state = State(number, folder, history.current, made, photos, buffer, measured)
    return History(number, (*history.states, state))


def write(folder: Path, history: History) -> None:
    """Write a model's history."""
    write_atomic(folder / HISTORY_FILE, to_json(history))


def rollback(folder: Path, to: int | None = None) -> History:
    """Use an earlier state again, by default the one that the current came from; later ones stay.

    Raises BadInput where there is no such state.
    """
    history = read(folder)
    wanted = history.now.parent if to is None else to
    if wanted is None or not 0 <= wanted < len(history.states):
        states = f"0 to {len(history.states) - 1}" if len(history.states) > 1 else "0 alone"
        what = "There is no earlier state." if wanted is None else f"There is no state {wanted}."
        raise BadInput(what, f"This model has {states}; see `selfsame history`.")
    history = replace(history, current=wanted)
    write(folder, history)
    return history
