"""`selfsame bench index` and `selfsame bench audit`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import Json

Out = Annotated[Path, Parameter(help="The benchmark's folder, with its index and all that is made of it.")]
OUT = Path("bench")
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
    """Look for what would let a detector cheat: leaks between splits, containers that tell fakes, files twice.

    Example: selfsame bench audit --out bench
    """
    from selfsame.clips import index as clips
    from selfsame.jobs import bench_index

    made = bench_index.look(clips.read(out / bench_index.INDEX_FILE), out)

    def words() -> None:
        shared.figures(made.containers)
        print(f"{len(made.leaks)} leaks between splits, {len(made.repeated)} files that are there twice")
        print(f"The page: {made.page.resolve()}")

    record = {
        "leaks": [asdict(leak) for leak in made.leaks], "repeated": made.repeated,
        "containers": shared.plain(made.containers), "page": made.page,
    }  # fmt: skip
    shared.say(record, json, words)
