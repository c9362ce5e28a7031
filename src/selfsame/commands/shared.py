"""What every command shares: names of people, output for people or machines, errors as one line."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from selfsame.core.errors import BadInput, SelfsameError, WrongUse

if TYPE_CHECKING:
    from selfsame.core.results import Measured
    from selfsame.jobs.progress import Progress

People = Annotated[Path, Parameter(help="The folder that holds everybody's albums and models.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object and nothing else.")]
DryRun = Annotated[bool, Parameter(negative="", help="Say what would be done, with every setting, and stop.")]

Lpips = Annotated[
    Path | None, Parameter(help="Folder of LPIPS weights; else the starter judge is the perceptual term.")
]
IdentityJudge = Annotated[Path | None, Parameter(help="Folder of another identity judge than the starter set's.")]
AgeJudge = Annotated[Path | None, Parameter(help="Folder of another age judge than the starter set's.")]

MadeOn = Annotated[
    str | None,
    Parameter(help="The prior that the model was made on, where this machine has none of its digest by a name."),
]
Run = Annotated[str, Parameter(help="Which of the person's models.")]

COUNT = Parameter(validator=Number(gte=1))
ABOVE_ZERO = Parameter(validator=Number(gt=0))
AT_LEAST_TWO = Number(gte=2)
PEOPLE = Path("people")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def person_folder(people: Path, name: str) -> Path:
    """The folder of one person; raises WrongUse for a name that could lead anywhere else."""
    return people / checked(name)


def model_folder(people: Path, name: str, run: str) -> Path:
    """The folder of one of a person's models; raises BadInput where there is none."""
    folder = person_folder(people, name) / "models" / checked(run)
    if not folder.is_dir():
        raise BadInput(f"{name} has no model called {run}.", f"Make one with `selfsame fit {name} --run {run}`.")
    return folder


def checked(name: str) -> str:
    """The name itself; raises WrongUse for one that could lead out of its folder."""
    if not NAME.fullmatch(name):
        raise WrongUse(f"{name!r} cannot be a name.", "Use letters, digits, - and _, at most 64.")
    return name


def say(record: dict[str, Any], as_json: bool, words: Callable[[], None]) -> None:
    """Print `record` as JSON, or what `words` prints."""
    if as_json:
        print(json.dumps(record, default=str))
    else:
        words()


def figures(measured: Sequence["Measured"]) -> None:
    """A table of figures with intervals."""
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "mean", "95 % interval", "n", "better", box=None, pad_edge=False)
    for m in measured:
        table.add_row(m.name, f"{m.mean:.3f}", m.interval, str(m.n), m.better)
    Console().print(table)


def plain(measured: Sequence["Measured"]) -> list[dict[str, Any]]:
    """Figures for JSON, which has no NaN: the interval of a single item is null."""
    return [{key: None if value != value else value for key, value in vars(m).items()} for m in measured]


@contextmanager
def progress(as_json: bool) -> Iterator["Progress"]:
    """Bars with the time left, or silence for machines; also keeps freed memory, as long work wants."""
    from selfsame.core.memory import keep_freed_memory
    from selfsame.jobs.progress import bars, silent

    keep_freed_memory()
    with nullcontext(silent) if as_json else bars() as shown:
        yield shown


def report_error(error: SelfsameError) -> int:
    """One line on standard error; the exit code: 2 for wrong use, 1 for failed work."""
    print(f"selfsame: {error}", file=sys.stderr)
    return 2 if isinstance(error, WrongUse) else 1
