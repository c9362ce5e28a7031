"""A perturbed copy of a set of clips: every clip once, in a folder of its own with an index."""

from functools import partial
from pathlib import Path, PurePosixPath

from selfsame.clips import index, perturb
from selfsame.clips.index import Clip, Index
from selfsame.jobs.bench_index import INDEX_FILE
from selfsame.jobs.progress import Progress, silent
from selfsame.jobs.spread import spread

FOLDER = "perturbed"


def folder_of(out: Path, name: str, level: int) -> Path:
    """Where the copy by a perturbation at a level lies."""
    return out / FOLDER / f"{name}-{level}"


def make(
    found: Index, out: Path, name: str, level: int, *, seed: int = 0, jobs: int = 1, progress: Progress = silent
) -> Index:
    """Write the perturbed clips of an index and their own index; clips that are there are kept, so a stop is no loss.

    Raises WrongUse where there is no such perturbation or level.
    """
    perturb.checked(name, level)
    root = folder_of(out, name, level)
    spread(
        partial(_one, found.root, root, name, level, seed), [clip.path for clip in found.usable], jobs,
        progress=progress, what=f"{name}, level {level}",
    )  # fmt: skip
    made = index.copied(found, root, _path)
    index.write(root / INDEX_FILE, made)
    return made


def _one(source: Path, root: Path, name: str, level: int, seed: int, path: str) -> None:
    target = root / _as_mp4(path)
    if not target.exists():
        perturb.write(source / path, target, name, level, seed, unit=path)


def _path(clip: Clip) -> str:
    return _as_mp4(clip.path)


def _as_mp4(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(".mp4"))
