"""The leaderboard as people read it: Markdown, a page with the paper's colours, and every figure as CSV."""

import csv
import html
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfsame.core.config import write_atomic
from selfsame.jobs import bench_board, bench_robust, figures, report
from selfsame.jobs.bench_board import Cell
from selfsame.jobs.bench_robust import Point
from selfsame.jobs.report import Section
from selfsame.metrics import detection

PUBLISHED_FILE = Path(__file__).with_name("published_talkingheadbench.csv")
SHOWN = ("AUC", "TPR at 1 % FPR", "TPR at 0.1 % FPR", "Brier")  # the four of a published cell, in its order
BANDS = ((0.99, "#2e8b57"), (0.95, "#a8d8a8"), (0.85, "#fff3a0"), (0.75, "#f8c8d0"), (-math.inf, "#e57373"))
"""The paper's colours of TPR at a fixed FPR, each from its lower edge on [facts, section 5]."""

SHIFTS = {
    "P1": "new faces, generators of training", "P2": "new generators, faces of training",
    "P3": "new faces and new generators", "emerging": "new faces, and generators that are in no training",
}  # fmt: skip
NOT_TOLD = "–"
LEGEND = "AUC / TPR at 1 % FPR / TPR at 0.1 % FPR / Brier"

Four = tuple[float | None, ...]
"""The figures of a cell as SHOWN, None where there are too few real clips."""


@dataclass(frozen=True)
class Table:
    """A table in words: its cells are text, or the four figures."""

    title: str
    words: str
    head: Sequence[str]
    rows: Sequence[Sequence[str | Four]]


def tables(cells: Sequence[Cell]) -> list[Table]:
    """A table for each shift and reading, what the shifts cost, transfer matrices, and the published table."""
    made, matrices = [], []
    found = bench_board.tables(cells)
    same = found.get(("P1", "single-source"), {})  # faces are new in P1 too: P3's diagonal
    for (shift, reading), rows in found.items():
        if reading == "single-source":
            if shift != "P1":
                diagonal = same if shift == "P3" else {}
                matrices += [_matrix(shift, name, {**row, **diagonal.get(name, {})}) for name, row in rows.items()]
            continue
        columns = list(dict.fromkeys(column for row in rows.values() for column in row))
        lines = [
            [name, *(_four(row[c]) if c in row else "" for c in columns), _mean(list(row.values()))]
            for name, row in rows.items()
        ]
        made.append(Table(f"{shift}, {reading}: {SHIFTS.get(shift, '')}", f"{_sizes(rows)} {LEGEND}.",
                          ["detector", *columns, "mean AUC"], lines))  # fmt: skip
    return [*made, *_falls(found), *matrices, _published_table()]


def _matrix(shift: str, name: str, row: Mapping[str, Cell]) -> Table:
    """AUC by the generator of training (rows) and of the test (columns)."""
    by = {(cell.protocol.train[0], cell.protocol.test[0]): cell for cell in row.values()}
    sources, targets = (sorted({pair[side] for pair in by}) for side in (0, 1))
    lines: list[Sequence[str | Four]] = [
        [one, *(_figure(by[one, other]) if (one, other) in by else "" for other in targets)] for one in sources
    ]
    words = f"AUC with its interval; trained on the row's generator alone. {_sizes({name: row})}"
    return Table(f"{shift}, single-source, {name}: {SHIFTS[shift]}", words, ["trained on", *targets], lines)


def _falls(found: Mapping[tuple[str, str], dict[str, dict[str, Cell]]]) -> list[Table]:
    """How much each detector's mean AUC falls from P1 (all generators) to P2 and P3 (the column's held out)."""
    lines: list[Sequence[str | Four]] = []
    for name, base in found.get(("P1", "pooled"), {}).items():
        row = [name]
        for shift in ("P2", "P3"):
            after = found.get((shift, "leave-one-out"), {}).get(name, {})
            both = [c for c in base if c in after]
            before, then = ([side[c] for c in both] for side in (base, after))
            row.append(bench_board.interval(bench_board.drop("", before, then)) if both else "")
        lines.append(row)
    words = "How far the mean AUC falls when the column's generator is not in training, faces known (P2) or new (P3)."
    return [Table("What the shifts cost", words, ["detector", "P1 to P2", "P1 to P3"], lines)] if lines else []


def _published_table() -> Table:
    found = published()
    columns = list(next(iter(found.values())))
    lines: list[Sequence[str | Four]] = [
        [f"{shift} {name}", *(row[c] for c in columns)] for (shift, name), row in found.items()
    ]
    words = f"Table 1 of TalkingHeadBench: its own clips and trainings, beside ours for orientation alone. {LEGEND}."
    return Table("As published", words, ["published", *columns], lines)


def markdown(made: Sequence[Table]) -> str:
    """Tables as Markdown."""
    parts = []
    for table in made:
        rows = [[_plain(value) for value in row] for row in table.rows]
        parts += [f"### {table.title}", table.words, figures.table(table.head, rows)]
    return "\n\n".join(parts)


def as_csv(cells: Sequence[Cell]) -> str:
    """Every figure of every cell in a line of its own, and the published ones, marked."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("shift", "reading", "protocol", "detector", "column", "figure", "value", "low", "high",
                    "identities", "real", "fake", "missing", "from"))  # fmt: skip
    for cell in cells:
        shift, column = cell.protocol.name.partition(" ")[0], bench_board.column(cell.protocol)
        for m in bench_board.figures(cell):
            table.writerow((shift, cell.protocol.reading, cell.protocol.name, cell.detector, column, m.name,
                            f"{m.mean:.4f}", f"{m.low:.4f}", f"{m.high:.4f}", m.n, cell.reals, cell.fakes,
                            cell.missing, "here"))  # fmt: skip
    for (shift, name), row in published().items():
        for column, values in row.items():
            for figure, value in zip(SHOWN, values, strict=True):
                table.writerow((shift, "", "", name, column, figure, value, *[""] * 6, "published"))
    return text.getvalue()


def page(path: Path, made: Sequence[Table], lead: str, pictures: Sequence[Section] = ()) -> Path:
    """Tables as a page that opens without a network, TPRs coloured as in the paper, pictures before the last."""
    sections = [
        Section(table.title, table.words, report.table(table.head, [[_coloured(v) for v in row] for row in table.rows]))
        for table in made
    ]
    return report.write(path, "Leaderboard", lead, [*sections[:-1], *pictures, sections[-1]], "Made with selfsame.")


def published() -> dict[tuple[str, str], dict[str, tuple[float, ...]]]:
    """Table 1 of TalkingHeadBench: by (protocol, detector), by generator, the four figures of a cell."""
    found: dict[tuple[str, str], dict[str, tuple[float, ...]]] = {}
    with PUBLISHED_FILE.open(newline="") as file:
        for line in csv.DictReader(file):
            values = tuple(float(line[c]) for c in ("auc", "tpr_at_fpr1pct", "tpr_at_fpr0p1pct", "brier"))
            found.setdefault((line["protocol"], line["detector"]), {})[line["test_generator"]] = values
    return found


def write(folder: Path, cells: Sequence[Cell], lead: str, worse: Sequence[Point] = ()) -> Mapping[str, Path]:
    """The leaderboard in all three forms, with the curves of robustness where there are any; its files by kind."""
    files = {kind: folder / f"board.{kind}" for kind in ("md", "csv", "html")}
    made = tables(cells)
    more = f"\n\n### Robustness\n\n{bench_robust.markdown(worse)}" if worse else ""
    write_atomic(files["md"], f"{lead}\n\n{markdown(made)}{more}\n")
    write_atomic(files["csv"], as_csv(cells))
    page(files["html"], made, lead, bench_robust.section(worse, folder) if worse else ())
    return files


def band(value: float) -> str:
    """The colour of a TPR at a fixed FPR."""
    return next(colour for edge, colour in BANDS if value >= edge)


def _four(cell: Cell) -> Four:
    return tuple(
        float(detection.METRICS[name][0](cell.scored.score, cell.scored.fake, None)) if cell.told(name) else None
        for name in SHOWN
    )


def _plain(value: str | Four) -> str:
    return value if isinstance(value, str) else " / ".join(NOT_TOLD if x is None else f"{x:.2f}" for x in value)


def _coloured(value: str | Four) -> str:
    if isinstance(value, str):
        return html.escape(value)
    shown = []
    for name, x in zip(SHOWN, value, strict=True):
        rated = x is not None and name in bench_board.RATES
        style = f' style="background:{band(x)};color:#111"' if rated and x is not None else ""
        shown.append(f"<span{style}>{_plain((x,))}</span>")
    return " / ".join(shown)


def _mean(row: Sequence[Cell]) -> str:
    return bench_board.interval(bench_board.over_columns("AUC", row))


def _figure(cell: Cell) -> str:
    return bench_board.interval(bench_board.over_columns("AUC", [cell]))


def _sizes(rows: Mapping[str, Mapping[str, Cell]]) -> str:
    """How many items the columns are judged on, and what so few real ones cannot tell."""
    cells = [cell for row in rows.values() for cell in row.values()]
    reals, fakes = ({getattr(cell, side) for cell in cells} for side in ("reals", "fakes"))
    words = f"{_range(reals)} real and {_range(fakes)} fake items a column."
    for name, rate in bench_board.RATES.items():
        if not any(cell.told(name) for cell in cells):
            words += f" {name} is not told: it needs {round(1 / rate):,} real items."
    missing = sum(cell.missing for cell in cells)
    return f"{words} {missing} scores are missing." if missing else words


def _range(found: set[int]) -> str:
    return str(min(found)) if len(found) == 1 else f"{min(found)} to {max(found)}"
