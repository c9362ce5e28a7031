"""How old the person is on a photo, where that is known from, and what else was said: nothing is settled silently."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from selfsame.core.errors import BadInput, shown
from selfsame.faces import named
from selfsame.faces.records import AgeSource

SAYS: dict[AgeSource, str] = {
    "told": "--age says",
    "table": "the table says",
    "name": "the file's name says",
    "birth date": "birth date and date say",
    "estimated": "the age judge estimates",
}
"""How a conflict quotes each source, in the order of trust: the first that says anything is believed."""

OLDEST = 120.0
SAME_YEARS = 1.5  # a name or a table in whole years is up to a year below the true age
DOUBT_YEARS = 15.0  # judges of age err by 4 to 7 years on average: only what is far beyond that is a doubt
DAYS_A_YEAR = 365.2425
AGE_IN_NAME = re.compile(r"(?P<age>\d{1,3}(?:\.\d+)?)_(?P<number>\d+)\.[A-Za-z0-9]+", re.ASCII)
CAMERA_FOLDERS_FROM = 100  # Kodak's cameras call photo 42 of folder 100 "100_0042.JPG"
CAMERA_DIGITS = 4


@dataclass(frozen=True)
class Aged:
    """What of a photo's age goes into the album: years, whence they are known, and a sentence of what else was said."""

    age_years: float | None
    age_source: AgeSource | None
    age_conflict: str | None


def settle(known: Mapping[AgeSource, float]) -> Aged:
    """The age (years) by the most trusted of the sources, and in a sentence what contradicts it.

    Sources other than the estimate that differ by more than SAME_YEARS are a conflict, an estimate that is further than
    DOUBT_YEARS from the age that is believed a doubt. An age below 0 (a date before the birth) or above OLDEST is never
    believed, and is told.
    """
    said = [(source, known[source]) for source in SAYS if source in known]
    possible = [(source, years) for source, years in said if 0 <= years <= OLDEST]
    firm = [(source, years) for source, years in possible if source != "estimated"]
    sentences = [_impossible(source, years) for source, years in said if not 0 <= years <= OLDEST]
    ages = [years for _, years in firm]
    if firm and max(ages) - min(ages) > SAME_YEARS:
        sentences.append(_conflict(firm))
    if not possible:
        return Aged(None, None, " ".join(sentences) or None)
    source, believed = possible[0]
    if "estimated" in dict(possible) and abs(known["estimated"] - believed) > DOUBT_YEARS:
        judged = f"The age judge estimates {known['estimated']:.0f} years, far from the {believed:.1f}"
        sentences.append(f"{judged} that {SAYS[source].removesuffix(' says').removesuffix(' say')} gave.")
    return Aged(believed, source, " ".join(sentences) or None)


def known(
    file: str, taken: datetime | None, birth_date: date | None, told: float | None = None, table: float | None = None
) -> dict[AgeSource, float]:
    """All that is said of the age on a photo, but for the judge's estimate: what `settle` takes (years)."""
    said: dict[AgeSource, float | None] = {
        "told": told,
        "table": table,
        "name": of_name(file),
        "birth date": since_birth(birth_date, taken),
    }
    return {source: years for source, years in said.items() if years is not None}


def of_name(file: str) -> float | None:
    """The age in a name like `34_0003.jpg` or `34.5_2.png`, as MyTimeMachine's training folders have them, or None.

    The age is 0 to 120 and comes first; dates (`2019_07.jpg`), counters (`IMG_1234.jpg`) and the names that cameras
    give after their folders (`100_0042.JPG`) are no ages [MyTM, README].
    """
    found = AGE_IN_NAME.fullmatch(file)
    if found is None:
        return None
    years = float(found["age"])
    if years >= CAMERA_FOLDERS_FROM and len(found["number"]) == CAMERA_DIGITS:
        return None
    return years if years <= OLDEST else None


def since_birth(birth_date: date | None, taken: datetime | None) -> float | None:
    """Years from birth to photo, below 0 for a date before the birth; None where either is unknown."""
    if birth_date is None or taken is None:
        return None
    return round((taken.date() - birth_date).days / DAYS_A_YEAR, 2)


def read_table(path: Path) -> Mapping[str, float]:
    """Ages (years) by photo from a CSV with the columns `file` and `age`; others are passed over.

    UTF-8, with commas or semicolons (then 34,5 is 34.5 too). A file is its name, or a path whose last folder counts, as
    `named.place` writes it. Raises BadInput, with the line's number, for a line that gives no file or no age from 0 to
    120, and where two lines disagree on one file.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path} cannot be opened ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not in UTF-8.", "Save the table as CSV in UTF-8.") from error
    semicolons = ";" in text.partition("\n")[0]
    lines = _lines(text, ";" if semicolons else ",", path)
    _, head = next(lines, (1, []))
    columns = [name.strip().lower() for name in head]
    if columns.count("file") != 1 or columns.count("age") != 1:
        raise BadInput(f"{path} has no columns file and age in its first line.", "Begin it with the line: file,age")
    ages: dict[str, float] = {}
    first: dict[str, int] = {}
    for number, line in lines:
        if any(cell.strip() for cell in line[len(columns) :]):  # 34,5 between commas would be read as 34
            raise BadInput(f"{path}, line {number}: it has more cells than the first line.", "Write 34.5, not 34,5.")
        row = dict(zip(columns, line, strict=False))
        file, years = _row(row, semicolons, f"{path}, line {number}")
        if ages.setdefault(file, years) != years:
            raise BadInput(
                f"{path}, line {number}: {shown(file)} has another age here ({years:g}) than in line {first[file]} "
                f"({ages[file]:g}).", "Delete one of the lines, or write the folder before each name.",
            )  # fmt: skip
        first.setdefault(file, number)
    return ages


def of_table(table: Mapping[str, float], file: str, folder: str) -> float | None:
    """What a table says of a photo: by its folder and name, else by its name alone, else None."""
    return next((table[name] for name in named.names(file, folder) if name in table), None)


def unmatched(table: Mapping[str, float], photos: Iterable[tuple[str, str]]) -> list[str]:
    """The names in a table that none of the photos (file, folder) has, to be told."""
    matched = {name for file, folder in photos for name in named.names(file, folder)}
    return [name for name in table if name not in matched]


def _lines(text: str, delimiter: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each line that says anything."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise BadInput(f"{path}, line {reader.line_num}: it is not a line of a CSV ({error}).") from error


def _row(row: Mapping[str, str], comma_is_point: bool, where: str) -> tuple[str, float]:
    file = named.place(row.get("file", ""))
    if not file:
        raise BadInput(f"{where}: it names no file.")
    said = row.get("age", "").strip()
    try:
        years = float(said.replace(",", ".") if comma_is_point else said)
    except ValueError:
        years = float("nan")
    if not 0 <= years <= OLDEST:
        raise BadInput(
            f"{where}: {shown(said)!r} is no age.", f"Give years from 0 to {OLDEST:.0f}, or delete the line."
        )
    return file, years


def _conflict(firm: Sequence[tuple[AgeSource, float]]) -> str:
    (source, years), *others = firm
    begin = f"{SAYS[source]} {years:.1f} years"
    words = ", ".join([begin, *(f"{SAYS[other]} {said:.1f}" for other, said in others)])
    return f"{words[0].upper()}{words[1:]}."


def _impossible(source: AgeSource, years: float) -> str:
    if source == "birth date" and years < 0:
        before = f"{-years:.1f} years" if years <= -1 else "less than a year"
        return f"By its date the photo was taken {before} before the birth."
    words = f"{SAYS[source]} {years:.1f} years, which cannot be."
    return f"{words[0].upper()}{words[1:]}"
