"""`selfsame album export`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import Json, People


def export(
    name: str,
    *,
    out: Annotated[Path | None, Parameter(help="The zip to write; else NAME.zip here.")] = None,
    people: People = shared.PEOPLE,
    dry_run: Annotated[bool, Parameter(negative="", help="List what would be in it, and stop.")] = False,
    json: Json = False,
) -> None:
    """Give a person all that is held about them: a zip of every file, with a README.txt that says what each is.

    Crops, measures, codes, buffers, models with their cards and licences, the consent. Whole or not at all.

    Example: selfsame album export ada --out ada.zip
    """
    from selfsame.jobs import album_export, holdings

    folder, out = shared.person_folder(people, name), out or Path(f"{name}.zip")
    album_export.check(folder, out)
    found = [item for item in holdings.items(folder) if item.link is None]
    if not dry_run:
        with shared.progress(json) as progress:
            album_export.export(folder, out, progress)
    totals = holdings.totals(found)
    record = {
        "file": out, "written": not dry_run, "files": len(found), "bytes": sum(item.bytes for item in found),
        "kinds": {total.kind: asdict(total) for total in totals},
    }  # fmt: skip

    def words() -> None:
        for total in totals:
            print(f"{total.kind:<11}{total.files:>6} files {total.bytes:>15,} bytes  {holdings.KINDS[total.kind]}")
        print(f"Nothing was written; it would be {out}." if dry_run else f"{out}: begin with its README.txt.")

    shared.say(record, json, words)
