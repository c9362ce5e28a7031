"""Copies of a set of clips, perturbed or brought to one format: each in a folder of its own with an index."""

from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath

from selfsame.clips import index, perturb
from selfsame.clips.index import Clip, Index
from selfsame.core.config import claim
from selfsame.core.errors import BadInput
from selfsame.jobs.bench_index import INDEX_FILE
from selfsame.jobs.progress import Progress, silent
from selfsame.jobs.spread import spread
from selfsame.tasks import clip_normal
from selfsame.tasks.clip_normal import NormalConfig

PERTURBED, NORMAL, CONFIG_FILE = "perturbed", "normal", "format.json"


def perturbed_folder(out: Path, name: str, level: int) -> Path:
    """Where the copy by a perturbation at a level lies."""
    return out / PERTURBED / f"{name}-{level}"


def perturbed(
    found: Index, out: Path, name: str, level: int, *, seed: int = 0, jobs: int = 1, progress: Progress = silent
) -> Index:
    """Write the perturbed clips of an index and their own index; clips that are there are kept, so a stop is no loss.

    Raises WrongUse where there is no such perturbation or level.
    """
    perturb.checked(name, level)
    root = perturbed_folder(out, name, level)
    return _copied(found, root, partial(_perturb, name, level, seed), jobs, progress, f"{name}, level {level}")


def normal(found: Index, out: Path, config: NormalConfig, *, jobs: int = 1, progress: Progress = silent) -> Index:
    """Write the clips of an index in one format and their own index; clips that are there are kept.

    Raises BadInput where the folder holds another format, and where a clip is shorter than it.
    """
    lengths = {clip.path: clip.media.seconds for clip in found.usable if clip.media}
    short = min(lengths, key=lambda path: lengths[path], default=None)
    if short is not None and not config.fits(lengths[short]):
        raise BadInput(
            f"Some clips are shorter than {config.seconds:g} seconds, the shortest {lengths[short]:g}: {short}.",
            "Ask for fewer with --seconds.",
        )
    root = out / NORMAL
    claim(root / CONFIG_FILE, config, "clips of another format")
    return _copied(found, root, partial(_normalize, config), jobs, progress, "one format")


def _copied(
    found: Index, root: Path, work: Callable[[Path, Path, str], None], jobs: int, progress: Progress, what: str
) -> Index:
    paths = [clip.path for clip in found.usable]
    spread(partial(_one, found.root, root, work), paths, jobs, progress=progress, what=what)
    made = index.copied(found, root, _path)
    index.write(root / INDEX_FILE, made)
    return made


def _one(source: Path, root: Path, work: Callable[[Path, Path, str], None], path: str) -> None:
    target = root / _as_mp4(path)
    if not target.exists():
        work(source / path, target, path)


def _perturb(name: str, level: int, seed: int, source: Path, target: Path, unit: str) -> None:
    perturb.write(source, target, name, level, seed, unit)


def _normalize(config: NormalConfig, source: Path, target: Path, unit: str) -> None:
    clip_normal.write(source, target, config)


def _path(clip: Clip) -> str:
    return _as_mp4(clip.path)


def _as_mp4(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(".mp4"))
