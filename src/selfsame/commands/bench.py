"""`selfsame bench index`, `audit`, `normalize` and `perturb`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from selfsame.commands import shared
from selfsame.commands.shared import Json

Out = Annotated[Path, Parameter(help="The benchmark's folder, with its index and all that is made of it.")]
OUT = Path("bench")
SOUND_HZ = 16_000
SHOWN = 20  # clips left out that are told one by one


def index(
    source: Annotated[Path, Parameter(help="A folder of clips (real/ and fake/<generator>/), or a CSV file.")],
    *,
    out: Out = OUT,
    json: Json = False,
) -> None:
    """Index talking-head clips: whose face, driven by what, made by which generator, in which split.

    Knows TalkingHeadBench's folders and names in all their spellings. The same command again reads only what changed.

    Example: selfsame bench index TalkingHeadBench --out bench
    """
    from rich.console import Console
    from rich.table import Table

    from selfsame.clips import index as clips
    from selfsame.jobs import bench_index

    with shared.progress(json) as progress:
        found = bench_index.make(source, out, progress)
    counted = bench_index.published(clips.counts(found))
    left_out = {clip.path: clip.why_left_out for clip in found.clips if clip.why_left_out}
    file = out / bench_index.INDEX_FILE

    def words() -> None:
        table = Table("made by", "here", "published", box=None, pad_edge=False)
        for name, (here, wanted) in counted.items():
            table.add_row(name, str(here), "-" if wanted is None else str(wanted))
        Console().print(table)
        for path, why in list(left_out.items())[:SHOWN]:
            print(f"left out: {path}: {why}")
        print(f"{len(found.usable)} clips, {len(left_out)} left out: {file}")

    counts = {name: {"here": here, "published": wanted} for name, (here, wanted) in counted.items()}
    shared.say({"index": file, "clips": len(found.usable), "counts": counts, "left_out": left_out}, json, words)


def audit(*, out: Out = OUT, json: Json = False) -> None:
    """Look for what would let a detector cheat: leaks between splits, containers that tell fakes, clips twice.

    Example: selfsame bench audit --out bench
    """
    from selfsame.clips import index as clips
    from selfsame.jobs import bench_index

    found = clips.read(out / bench_index.INDEX_FILE)
    with shared.progress(json) as progress:
        made = bench_index.look(found, out, progress)

    def words() -> None:
        shared.figures(made.containers)
        print(f"{len(made.leaks)} leaks between splits, {len(made.repeated)} times the same clip twice")
        print(f"The page: {made.page.resolve()}")

    record = {
        "leaks": [asdict(leak) for leak in made.leaks], "repeated": made.repeated,
        "containers": shared.plain(made.containers), "page": made.page,
    }  # fmt: skip
    shared.say(record, json, words)


def normalize(
    *,
    out: Out = OUT,
    px: Annotated[int, shared.COUNT, Parameter(help="Side of the square picture.")] = 512,
    fps: Annotated[float, shared.ABOVE_ZERO, Parameter(help="Frames a second.")] = 25.0,
    seconds: Annotated[float, Parameter(validator=Number(gte=0), help="From the start; 0: the whole clip.")] = 9.0,
    crf: Annotated[int, Parameter(validator=Number(gte=0, lte=51), help="H.264's constant rate factor.")] = 23,
    sound: Annotated[
        bool, Parameter(help="Keep sound, at 16 kHz; clips that have none become silent. Else no clip has sound.")
    ] = False,
    jobs: Annotated[int, shared.COUNT, Parameter(help="Processes that share the clips.")] = 1,
    json: Json = False,
) -> None:
    """Write a copy of all clips in one format, so that containers give nothing away, with its own index.

    A square about the face, one frame rate, one length, one codec. The same command again goes on.

    Example: selfsame bench normalize --out bench
    """
    from selfsame.clips import index as clips
    from selfsame.jobs import bench_copies, bench_index
    from selfsame.tasks.clip_normal import NormalConfig

    found = clips.read(out / bench_index.INDEX_FILE)
    config = NormalConfig(px, fps, seconds, crf, SOUND_HZ if sound else 0)
    with shared.progress(json) as progress:
        made = bench_copies.normal(found, out, config, jobs=jobs, progress=progress)
    file = out / bench_copies.NORMAL / bench_index.INDEX_FILE
    record = {"index": file, "clips": len(made.usable)}
    shared.say(record, json, lambda: print(f"{len(made.usable)} clips in one format: {file}"))


def perturb(
    name: Annotated[
        str,
        Parameter(
            help="CS, CC, BW, GNC, GB, JPEG, VC as coded; saturation, contrast, blocks, noise, blur, jpeg, h264, h265."
        ),
    ],
    level: Annotated[int, Parameter(help="1, weak, to 5, strong.")],
    *,
    out: Out = OUT,
    seed: Annotated[int, Parameter(help="Of what is random.")] = 0,
    jobs: Annotated[int, shared.COUNT, Parameter(help="Processes that share the clips.")] = 1,
    json: Json = False,
) -> None:
    """Write a perturbed copy of all clips, with its own index; every frame keeps its time, and the clip its sound.

    Seven perturbations are DeeperForensics's as their code does them; their names in words do what they say. The same
    command again goes on.

    Example: selfsame bench perturb jpeg 3 --out bench
    """
    from selfsame.clips import index as clips
    from selfsame.jobs import bench_copies, bench_index

    found = clips.read(out / bench_index.INDEX_FILE)
    with shared.progress(json) as progress:
        made = bench_copies.perturbed(found, out, name, level, seed=seed, jobs=jobs, progress=progress)
    file = bench_copies.perturbed_folder(out, name, level) / bench_index.INDEX_FILE
    record = {"index": file, "clips": len(made.usable)}
    shared.say(record, json, lambda: print(f"{len(made.usable)} clips by {name} at level {level}: {file}"))
