"""Which protocols a set of clips allows, and what tells their trainings apart: several protocols share one."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import PurePath

from selfsame.clips import protocol
from selfsame.clips.index import Clip, Index
from selfsame.clips.protocol import Protocol, Sets
from selfsame.core.config import to_json
from selfsame.core.errors import BadInput, WrongUse
from selfsame.detectors.table import CONTAINERS
from selfsame.tasks.detect_config import DetectConfig


@dataclass(frozen=True)
class Task:
    """A protocol and its clips."""

    protocol: Protocol
    sets: Sets


def tasks(found: Index, pattern: str = "*") -> list[Task]:
    """The protocols whose names match, with their clips; those that lack clips are left out.

    Generators with clips in training are the columns; those without are the emerging ones. Clips without any split in
    the whole index get one by their face. Raises WrongUse where no protocol has such a name, BadInput where none that
    has can be filled.
    """
    clips = list(found.usable)
    if not any(clip.split for clip in clips):
        clips = protocol.with_splits(clips)
    trained = sorted({c.generator for c in clips if c.generator and c.split == "train"})
    others = sorted({c.generator for c in clips if c.generator} - set(trained))
    named = [p for p in protocol.published(trained, others) if fnmatchcase(p.name, pattern)]
    if not named:
        raise WrongUse(f"No protocol is called {pattern}.", "Try 'P1 *', 'P3 Hallo', 'P2 Hallo to *' or 'emerging *'.")
    made, why = [], ""
    for one in named:
        try:
            made.append(Task(one, protocol.sets(one, clips)))
        except BadInput as error:
            why = error.what
    if not made:
        raise BadInput(why, "Index clips of these generators with splits; see `selfsame bench audit`.")
    return made


def key(sets: Sets, config: DetectConfig | None) -> str:
    """What tells a training from others: its configuration, what it learns from and what it is chosen on."""
    sides = [" ".join(sorted(clip.digest for clip in side)) for side in (sets.train, sets.select)]
    text = "\n".join([to_json(config) if config else "", *sides])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def name_of(task: Task, config: DetectConfig | None) -> str:
    """What the model that is trained for a task is called, without a configuration the containers' forest: several
    tasks may share it.
    """
    return f"{PurePath(config.detector).stem if config else CONTAINERS}-{key(task.sets, config)}"


def pooled(tasks: Sequence[Task]) -> list[Task]:
    """P1 with all generators in training, a task a column."""
    return [task for task in tasks if (task.protocol.shift, task.protocol.reading) == ("identity", "pooled")]


def described(task: Task) -> dict[str, object]:
    """A task in numbers: its protocol and how many real and fake clips each side has."""
    counts = {
        side: {label: sum(clip.label == label for clip in clips) for label in ("real", "fake")}
        for side, clips in vars(task.sets).items()
    }
    return {**asdict(task.protocol), "clips": counts}


def clips_of(chosen: Sequence[Task], sides: Sequence[str] = ("train", "select", "test")) -> list[Clip]:
    """Every clip of some sides of some tasks, once, in the order of their paths."""
    found = {clip.path: clip for task in chosen for side in sides for clip in getattr(task.sets, side)}
    return [found[path] for path in sorted(found)]
