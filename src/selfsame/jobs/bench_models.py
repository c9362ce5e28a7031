"""A benchmark's trained detectors: crops of the clips, made once, and one folder a training."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from selfsame.clips import index as clips_index
from selfsame.clips.index import Clip, Index
from selfsame.core import weights
from selfsame.core.config import write_atomic
from selfsame.core.errors import BadInput
from selfsame.jobs import bench_protocols, published
from selfsame.jobs.bench_index import INDEX_FILE
from selfsame.jobs.bench_protocols import Task
from selfsame.jobs.progress import Progress, silent
from selfsame.jobs.spread import spread
from selfsame.tasks import clip_crops, detect, detector
from selfsame.tasks.clip_crops import ClipCrops, CropConfig
from selfsame.tasks.detect import Example
from selfsame.tasks.detect_config import DetectConfig
from selfsame.tasks.detector import Model
from selfsame.train import devices as processes
from selfsame.train.devices import Precision

MODELS, CROPS = "models", "crops"
SHELF_BYTES = 3 * 2**30

Crops = Callable[[Clip], ClipCrops]
Original = tuple[Path, str]


def cut(
    found: Index, clips: Sequence[Clip], config: CropConfig, out: Path, jobs: int = 1, progress: Progress = silent,
    originals: Index | None = None,
) -> list[Clip]:  # fmt: skip
    """Make the crops of clips that have none yet; the clips that show a face, in their order.

    Copies of `originals` are cut where those are: what is then judged is the detector and not the search for faces. Why
    a clip was left out stands in a file beside the crops, so that it is not looked for again.
    """
    left = [clip for clip in clips if not why_left_out(out, clip)]
    original = _originals(originals)
    waiting = [
        (clip, original(clip)) for clip in left
        if not clip_crops.cache(clip.digest, config, out / CROPS, originals is not None).exists()
    ]  # fmt: skip
    spread(partial(_cut, found.root, config, out), waiting, jobs, progress=progress, what="cutting faces")
    return [clip for clip in left if not why_left_out(out, clip)]


def crops(
    found: Index, config: CropConfig, out: Path, originals: Index | None = None, shelf_bytes: int = SHELF_BYTES
) -> Crops:  # fmt: skip
    """A reader of crops that keeps those that it read last in memory, up to so many bytes."""
    shelf: OrderedDict[str, ClipCrops] = OrderedDict()
    original, size = _originals(originals), 0

    def read(clip: Clip) -> ClipCrops:
        nonlocal size
        if clip.digest in shelf:
            shelf.move_to_end(clip.digest)
            return shelf[clip.digest]
        made = _made(found.root, config, out, clip, original(clip))
        shelf[clip.digest] = made
        size += made.pixels.nbytes
        while size > shelf_bytes and len(shelf) > 1:
            size -= shelf.popitem(last=False)[1].pixels.nbytes
        return made

    return read


def copies(source: Index, clips: Sequence[Clip]) -> list[Clip]:
    """These clips as another index has them, by their paths without the suffix, which copies may change."""
    known = {_stem(clip): clip for clip in source.usable}
    return [known[_stem(clip)] for clip in clips if _stem(clip) in known]


def train(
    found: Index, out: Path, chosen: Sequence[Task], config: DetectConfig, *, backbone: Path | None = None,
    precision: Precision = "no", jobs: int = 1, progress: Progress = silent,
) -> dict[str, Path]:  # fmt: skip
    """Train the detector of every training that the tasks need and that is not there; the models' folders by task.

    One job uses this process's device and threads; several share the trainings, one CPU thread each.
    """
    backbone = published.ready(config.detector, backbone, out)
    cut(found, bench_protocols.clips_of(chosen, ("train", "select")), config.crop, out, jobs, progress)
    needed = {bench_protocols.name_of(task, config): task for task in reversed(chosen)}
    left = {name: needed[name] for name in reversed(needed) if not _done(out / MODELS / name)}
    if jobs == 1:
        for name, task in left.items():
            _train(found, out, config, backbone, precision, name, task, progress)
    else:
        work = partial(_train_apart, out, config, backbone)
        spread(work, list(left.items()), jobs, progress=progress, what="training detectors")
    return {t.protocol.name: out / MODELS / bench_protocols.name_of(t, config) for t in chosen}


def trained(out: Path, task: Task, config: DetectConfig) -> Path:
    """The folder of a task's trained model; raises BadInput where it has not been trained."""
    path = out / MODELS / bench_protocols.name_of(task, config)
    if not _done(path):
        raise BadInput(
            f"{config.detector} has not been trained for {task.protocol.name}.",
            f"Train it: selfsame bench train {config.detector} --protocol {task.protocol.name!r}",
        )
    return path


def load(out: Path, task: Task, config: DetectConfig, backbone: Path | None = None) -> Model:
    """The trained model of a task; raises BadInput where it has not been trained."""
    backbone = published.ready(config.detector, backbone, out)
    return detector.load(trained(out, task, config), backbone=backbone, device=processes.here().device)


def example(clip: Clip, read: Crops) -> Example:
    """A clip as training sees it; one without an identity is its own."""
    return Example(
        clip.digest, clip.label == "fake", clip.maker, clip.identity or clip.path, clip.source, partial(read, clip)
    )


def _train_apart(out: Path, config: DetectConfig, backbone: Path | None, item: tuple[str, Task]) -> None:
    _train(clips_index.read(out / INDEX_FILE), out, config, backbone, "no", *item, silent)


def _train(
    found: Index, out: Path, config: DetectConfig, backbone: Path | None, precision: Precision, name: str, task: Task,
    progress: Progress,
) -> None:  # fmt: skip
    read = crops(found, config.crop, out)
    what = f"{config.detector}, {task.protocol.name}"

    def told(done: int, losses: dict[str, float]) -> None:
        progress(what, done, config.steps)

    learn, select = (
        [example(clip, read) for clip in side if not why_left_out(out, clip)]
        for side in (task.sets.train, task.sets.select)
    )
    detect.train(
        out / MODELS / name, learn, select, config, backbone=backbone, devices=processes.here(precision),
        on_step=told,
        command=f"selfsame bench train {config.detector} --protocol {task.protocol.name!r}",
    )  # fmt: skip


def _done(path: Path) -> bool:
    return (path / weights.WEIGHTS_FILE).exists()


def _cut(root: Path, config: CropConfig, out: Path, item: tuple[Clip, Original | None]) -> None:
    clip, original = item
    try:
        _made(root, config, out, clip, original)
    except BadInput as error:
        write_atomic(_why(out, clip), error.what)


def _made(root: Path, config: CropConfig, out: Path, clip: Clip, original: Original | None) -> ClipCrops:
    placed = clip_crops.cached(*original, config, out / CROPS) if original else None
    return clip_crops.cached(root / clip.path, clip.digest, config, out / CROPS, placed)


def _originals(originals: Index | None) -> Callable[[Clip], Original | None]:
    """The file and the digest of what a clip is a copy of."""
    if originals is None:
        return lambda clip: None
    known = {_stem(clip): (originals.file(clip), clip.digest) for clip in originals.usable}
    return lambda clip: known[_stem(clip)]


def _stem(clip: Clip) -> str:
    return clip.path.rpartition(".")[0]


def why_left_out(out: Path, clip: Clip) -> str | None:
    """Why a clip has no crops, once it was looked at; None where nothing is wrong with it."""
    file = _why(out, clip)
    return file.read_text() if file.exists() else None


def _why(out: Path, clip: Clip) -> Path:
    return out / CROPS / f"{clip.digest}.why"
