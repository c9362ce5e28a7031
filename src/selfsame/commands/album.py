"""`selfsame album add`, `show`, `keep`, `drop` and `refine`."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import Json, People

if TYPE_CHECKING:
    from selfsame.faces.album import Album
    from selfsame.faces.records import PhotoRecord


PHOTOS = Annotated[list[str], Parameter(help="File names or ids, as `selfsame album show` gives them.")]


def add(
    name: str,
    paths: Annotated[list[Path], Parameter(help="Photos, videos, zip archives, or folders of them.")],
    *,
    consent: Annotated[
        str | None, Parameter(help='Who agreed and when, e.g. "Ada, 1 May 2026"; once a person.')
    ] = None,
    birth_date: Annotated[datetime | None, Parameter(help="Gives each dated photo an age.")] = None,
    age: Annotated[float | None, Parameter(help="Age in years on these photos, where no date tells it.")] = None,
    ages: Annotated[Path | None, Parameter(help="A CSV with the columns file and age.")] = None,
    estimate_ages: Annotated[
        bool, Parameter(negative="", help="Let the age judge estimate what nothing else tells; marked as estimated.")
    ] = False,
    age_judge: shared.AgeJudge = None,
    session: Annotated[int | None, Parameter(help="Number of the session these photos belong to.")] = None,
    size: Annotated[int, shared.COUNT, Parameter(help="Side of a new album's stored crops in pixels.")] = 512,
    frames: Annotated[int, shared.COUNT, Parameter(help="How many frames are taken of a video.")] = 24,
    reference: Annotated[
        Path | None, Parameter(help="A photo of the person alone: says who is meant where the album is empty.")
    ] = None,
    identity_judge: Annotated[Path | None, Parameter(help="Imported ArcFace, by folder or name.")] = None,
    same_person: Annotated[
        float | None, Parameter(help="Least mean cosine to the nearest three of the person's photos; 0.5, else 0.35.")
    ] = None,
    check_identity: Annotated[bool, Parameter(help="Find the person among others; else the largest face.")] = True,
    mine: Annotated[bool, Parameter(help="Take in what was left out: each photo's one face is theirs.")] = False,
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Take photos and videos of one person into an album; each photo left out keeps its reason.

    The first call makes the album and needs the person's consent. A photo already in is skipped, so the same command
    again resumes. Writes album.html: every photo with its crop, landmarks, head axes, measures and fate.

    Example: selfsame album add ada holiday/*.jpg talk.mp4 --consent "Ada, 1 May 2026"
    """
    from selfsame.faces import ages as tables
    from selfsame.faces.album import Album
    from selfsame.jobs import album_ages, album_review, parts

    table = tables.read_table(ages) if ages else {}
    folder = shared.person_folder(people, name)
    if (folder / "album.json").exists():
        album = Album.open(folder)
    else:
        born = birth_date.date() if birth_date else None
        album = Album.create(folder, consent=consent or "", birth_date=born, size_px=size)
    with shared.progress(json) as progress:
        records = album.add(
            paths,
            session=session,
            age=age,
            ages=table,
            frames_per_video=frames,
            judge=parts.person_judge(identity_judge, same_person) if check_identity else None,
            reference=reference,
            mine=mine,
            progress=lambda done, total, _: progress("taking photos in", done, total),
        )
        if estimate_ages:
            album_ages.estimate(album, parts.load_age_judge(age_judge), progress)
        page = album_review.write(album, progress)
    unmatched = tables.unmatched(table, [(photo.file, photo.folder) for photo in album.record.photos])
    _tell(album, records, json, page, unmatched)


def keep(name: str, photos: PHOTOS, *, people: People = shared.PEOPLE, json: Json = False) -> None:
    """Put photos back into an album, whatever they were left out for.

    Example: selfsame album keep ada IMG_1234.HEIC 3f2a91c0d4e5
    """
    from selfsame.faces.album import Album
    from selfsame.jobs import album_review

    album = Album.open(shared.person_folder(people, name))
    _tell(album, album.keep(photos), json, album_review.write(album))


def drop(
    name: str,
    photos: PHOTOS,
    *,
    because: Annotated[str | None, Parameter(help="The reason that the album keeps.")] = None,
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Leave photos of an album out; `selfsame album keep` puts them back.

    Example: selfsame album drop ada IMG_1234.HEIC --because "Squinting."
    """
    from selfsame.faces.album import BY_HAND, Album
    from selfsame.jobs import album_review

    album = Album.open(shared.person_folder(people, name))
    _tell(album, album.drop(photos, because or BY_HAND), json, album_review.write(album))


def refine(
    name: str,
    *,
    prior: Annotated[str, Parameter(help="The prior that renders: starter-3d, or an imported one.")] = "starter-3d",
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Refine the cameras of an album by rendering: those from which the prior shows each photo best.

    A photo is refined once, so the same command again goes on after a kill.

    Example: selfsame album refine ada
    """
    from selfsame.faces.album import Album
    from selfsame.jobs import album_cameras, album_review, jury, parts

    album = Album.open(shared.person_folder(people, name))
    with shared.progress(json) as progress:
        turned = album_cameras.refine(album, parts.load_prior(prior), jury.load().features, progress=progress)
        page = album_review.write(album, progress)
    record = {"album": album.path, "refined": len(turned), "turned_degrees": turned, "page": page}
    mean = sum(turned) / max(1, len(turned))
    shared.say(record, json, lambda: print(f"{len(turned)} cameras refined, by {mean:.1f} degrees on average. {page}"))


def show(name: str, *, people: People = shared.PEOPLE, json: Json = False) -> None:
    """Say what an album holds and why photos were left out.

    Example: selfsame album show ada
    """
    from selfsame.faces.album import Album

    album = Album.open(shared.person_folder(people, name))
    _tell(album, album.record.photos, json)


def _tell(
    album: "Album",
    records: "tuple[PhotoRecord, ...]",
    as_json: bool,
    page: Path | None = None,
    unmatched: Sequence[str] = (),
) -> None:
    record = {
        "album": album.path,
        "page": page,
        "kept": [r.file for r in records if r.why_left_out is None],
        "left_out": {r.file: r.why_left_out for r in records if r.why_left_out is not None},
        "ages_in_conflict": {r.file: r.age_conflict for r in records if r.age_conflict is not None},
        "ages_of_no_photo": list(unmatched),
    }

    def words() -> None:
        for r in records:
            if r.why_left_out is not None:
                print(f"left out  {r.file}: {r.why_left_out}")
        for r in records:
            if r.age_conflict is not None:
                print(f"age       {r.file}: {r.age_conflict}")
        if unmatched:
            print(f"The table has {len(unmatched)} names that are no photo's, {unmatched[0]} among them.")
        kept = sum(r.why_left_out is None for r in records)
        print(f"{kept} of {len(records)} photos kept; {album.path} now has {len(album.kept)}.")
        if page:
            print(f"Look at them: {page}")

    shared.say(record, as_json, words)
