"""`selfsame forget`."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import Json, People
from selfsame.core.errors import WrongUse

if TYPE_CHECKING:
    from selfsame.jobs.forget import Plan


def forget(
    name: str,
    *,
    also: Annotated[
        list[Path] | None,
        Parameter(help="A folder to look through too; what is of this person there goes as well. Repeat it for more."),
    ] = None,
    yes: Annotated[bool, Parameter(negative="", help="Remove without asking.")] = False,
    people: People = shared.PEOPLE,
    dry_run: Annotated[bool, Parameter(negative="", help="List what would be removed, and stop.")] = False,
    json: Json = False,
) -> None:
    """Remove everything that is held of a person: crops, codes, buffers, models, reports. It cannot be undone.

    First lists it by kind, and asks. What was made of the person and lies elsewhere is listed as far as its format
    tells; it is removed only below a folder given with --also. A killed run is finished by the same command.

    Example: selfsame forget ada --also exports
    """
    from selfsame.core.store import home
    from selfsame.jobs import forget as job

    plan = job.plan(shared.person_folder(people, name), tuple(also or ()), home())
    if not dry_run:
        if not yes:
            _ask(plan, json)
        plan = job.carry_out(plan)
    record = {
        "name": name,
        "removed": not dry_run,
        "kinds": {total.kind: {"files": total.files, "bytes": total.bytes} for total in plan.totals},
        "links": {item.path: item.link for item in plan.links},
        "elsewhere": [asdict(trace) for trace in plan.to_remove],
        "untouched": [asdict(trace) for trace in plan.untouched],
        "not_reached": job.NOT_REACHED,
    }

    def words() -> None:
        if dry_run or yes:  # else it stood there already
            _list(plan)
        files, size = len(plan.items), sum(item.bytes for item in plan.items)
        more = f", and {len(plan.to_remove)} things elsewhere" if plan.to_remove else ""
        done = "would be removed" if dry_run else "are removed"
        print(f"{files} files of {name}, {size:,} bytes{more}, {done}.")
        for sentence in job.NOT_REACHED:
            print(f"- {sentence}")

    shared.say(record, json, words)


def _ask(plan: "Plan", as_json: bool) -> None:
    """Show the list and wait for the person's name; raises WrongUse where nobody answers or otherwise."""
    if as_json or not sys.stdin.isatty():
        raise WrongUse("Nothing was removed: nobody can be asked here.", "Look with --dry-run, then give --yes.")
    _list(plan)
    try:
        answer = input(f"This cannot be undone. To remove it, type {plan.name}: ")
    except EOFError:
        answer = ""
    if answer.strip() != plan.name:
        raise WrongUse("Nothing was removed.", f"Type {plan.name} to remove it.")


def _list(plan: "Plan") -> None:
    from selfsame.jobs.holdings import KINDS

    print(f"Of {plan.name}, in {plan.folder or plan.people}:")
    for total in plan.totals:
        print(f"  {total.kind:<11}{total.files:>6} files {total.bytes:>15,} bytes  {KINDS[total.kind]}")
    for item in plan.links:
        print(f"  {item.path} is a link: it goes, and {item.link} stays")
    for left in plan.leftovers:
        print(f"  {left.name} was left by a run that was killed, and is counted above")
    for title, found in (("Elsewhere, removed too", plan.to_remove), ("Elsewhere, NOT removed", plan.untouched)):
        if found:
            print(f"{title}:")
        for trace in found:
            print(f"  {trace.place}: {trace.what}; {trace.why}")
    if any(trace.files for trace in plan.untouched):
        print("  (--also FOLDER removes what is below that folder.)")
