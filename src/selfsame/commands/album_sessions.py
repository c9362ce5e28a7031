"""`selfsame album sessions`."""

from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from selfsame.commands import shared
from selfsame.commands.shared import Json, People
from selfsame.core.errors import BadInput, WrongUse


def sessions(
    name: str,
    photos: Annotated[list[str] | None, Parameter(help="Ids or files of photos, for --number.")] = None,
    *,
    by: Annotated[Literal["dates", "folders"] | None, Parameter(help="Number all sessions anew by this.")] = None,
    gap_days: Annotated[
        float | None, shared.ABOVE_ZERO, Parameter(help="A longer time without a photo parts sessions; else 30.")
    ] = None,
    number: Annotated[
        int | None, Parameter(validator=Number(gte=0), help="Put the named photos into this session.")
    ] = None,
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Part an album into sessions, the units in which models learn: by gaps between dates, by folder, or by hand.

    Models learn sessions in the order of their numbers. Number them before the first fit: the buffers of models made
    before keep the old numbers.

    Example: selfsame album sessions ada --by dates --gap-days 90
    """
    from dataclasses import asdict, replace

    from selfsame.faces import named
    from selfsame.faces import sessions as parted
    from selfsame.faces.album import Album
    from selfsame.jobs import album_review

    if (by is None) == (number is None) or bool(photos) != (number is not None):
        raise WrongUse("Ask for one way to part sessions.", "--by dates, --by folders, or --number 3 PHOTO...")
    if gap_days is not None and by != "dates":
        raise WrongUse("A gap in days parts sessions by dates alone.", "Add --by dates, or leave --gap-days out.")
    album = Album.open(shared.person_folder(people, name))
    with album.alone("parting the sessions of"):
        if album.record.unfinished_session is not None:
            raise BadInput(f"An `album add` of {name} was cut short.", "Give that command again first: it goes on.")
        if by is not None:
            found = parted.renumbered(album.record.photos, by, gap_days or parted.GAP_DAYS)
        else:
            assert number is not None
            ids = named.ids(album.record.photos, photos or ())
            found = parted.by_hand(album.record.photos, dict.fromkeys(ids, number))
        album.rewrite(replace(album.record, photos=found))
    page = album_review.write(album)
    rows, warnings = parted.summary(found), parted.out_of_order(parted.summary(found))

    def words() -> None:
        for row in rows:
            dated = "no date" if row.first is None else f"{row.first:%Y-%m-%d} to {row.last:%Y-%m-%d}"
            print(f"session {row.number}: {row.kept} of {row.photos} photos kept, {dated}")
        for warning in warnings:
            print(warning)

    shared.say(
        {"album": album.path, "page": page, "sessions": [asdict(row) for row in rows], "warnings": warnings},
        json,
        words,
    )
