"""How a long job tells where it is: stages with counted steps, drawn by rich with the time left, or not at all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, int, int], None]  # stage, steps done, steps in all


def silent(stage: str, done: int, total: int) -> None:
    """Say nothing."""


def counted(progress: Progress, stage: str, total: int) -> Callable[[int], None]:
    """What tells `progress` how many steps of one stage are done."""
    return lambda done: progress(stage, done, total)


@contextmanager
def bars() -> Iterator[Progress]:
    """Progress bars on standard error, one a stage."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    drawn = Bars(*columns, console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def show(stage: str, done: int, total: int) -> None:
        if not tasks:
            drawn.start()  # not before: bars without a stage leave an empty line above an error
        if stage not in tasks:
            tasks[stage] = drawn.add_task(stage, total=total)
        drawn.update(tasks[stage], completed=done, total=total)

    try:
        yield show
    finally:
        if tasks:
            drawn.stop()
