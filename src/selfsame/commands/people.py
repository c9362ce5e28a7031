"""`selfsame people`: everybody at once."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from selfsame.commands import shared
from selfsame.commands.shared import Json, People

if TYPE_CHECKING:
    from selfsame.jobs.people import ModelSeen


def people(*, people: People = shared.PEOPLE, json: Json = False) -> None:
    """Everybody in the people folder: photos kept, models, what these take on disk, the last change.

    A folder that cannot be read gets a line of its own.

    Example: selfsame people
    """
    from selfsame.jobs.people import Damaged, listing

    found = list(listing(people))
    well = [person for person in found if not isinstance(person, Damaged)]
    damaged = [person for person in found if isinstance(person, Damaged)]
    record = {"people": [asdict(person) for person in well], "damaged": {person.name: person.why for person in damaged}}

    def words() -> None:
        width = max((len(person.name) for person in found), default=0)
        for person in found:
            if isinstance(person, Damaged):
                print(f"{person.name:<{width}}  {person.why}")
                continue
            photos = "no album" if person.photos is None else f"{person.photos} photos"
            models = ", ".join(_words(model) for model in person.models) or "no model"
            print(
                f"{person.name:<{width}}  {photos:>10}  {person.bytes / 1e6:>9,.2f} MB  "
                f"{person.changed:%Y-%m-%d %H:%M}  {models}"
            )
        count = sum(person.bytes for person in well) / 1e6
        print(f"{len(well)} people, {count:,.1f} MB of models" + (f"; {len(damaged)} damaged" if damaged else ""))

    shared.say(record, json, words)


def _words(model: "ModelSeen") -> str:
    return f"{model.run} ({model.kind}{f', {model.states} states' if model.states > 1 else ''})"
