"""Photos into an album: each is measured as it comes; then the person is told from others in all of them together."""

import io
import math
import os
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfsame.core import alike, files, image
from selfsame.core.ahead import ahead
from selfsame.core.config import write_atomic
from selfsame.core.errors import BadInput
from selfsame.faces import ages, detect, embeddings, identity, intake, photo, quality, sources
from selfsame.faces.ages import Aged
from selfsame.faces.detect import TooSmall
from selfsame.faces.folder import Folder
from selfsame.faces.identity import IdentityJudge
from selfsame.faces.intake import Measured
from selfsame.faces.records import PhotoRecord, Progress, wall_clock
from selfsame.faces.sources import Source

UNCHECKED = "Not yet compared with the person's other photos."
ANOTHER_PERSON = "The photo shows another person."
WAITING, STRANGER, COPY, BURST = "waiting", "another person", "copy", "burst"  # rules that are none of quality's
COPY_BITS = 24  # of the crop's hash; other photos of a person differ in 26 or more (16 synthetic people, 1,900 pairs)
BURST_S, BURST_BITS = 3.0, 40  # frames of one talking video, seconds apart, differ in 41 to 53 bits (median)
IDENTITY_PX = 128
FACES_PER_PHOTO = 12  # the largest; a stadium holds thousands
THREADS = min(4, os.cpu_count() or 1)  # each holds a decoded photo: up to 36 MB from a phone


@dataclass(frozen=True, eq=False)
class Step:
    """One source and how far through all of them it is."""

    done: int
    expected: int
    source: Source


def add(
    album: Folder,
    paths: Sequence[Path | str],
    *,
    session: int | None,
    age: float | None,
    table: Mapping[str, float],
    frames_per_video: int,
    judge: IdentityJudge | None,
    reference: Path | None,
    mine: bool,
    progress: Progress | None,
) -> tuple[PhotoRecord, ...]:
    """See `Album.add`."""
    found = sources.files_of([Path(path) for path in paths])
    shown = _reference(album, reference, judge) if reference and judge else None
    known = {one.digest: one for one in album.record.photos if not (mine and one.why_left_out)}
    gated = judge is not None and not mine
    session = _begin_session(album, session)
    digests: dict[str, None] = {}
    look = partial(_look, size_px=album.record.size_px, gated=gated)
    try:
        with detect.one_thread():
            for step, seen in ahead(_steps(found, known, frames_per_video), look, THREADS):
                digest = step.source.digest
                if digest not in known:
                    taken = _take(album, step.source, seen, session, _aged(album, step.source, age, table), gated)
                    if mine:
                        taken = [_own(one) for one in taken]
                        album.leave(digest)
                    album.note(taken)
                    known[digest] = taken[0]
                digests[digest] = None
                if progress:
                    progress(step.done, step.expected, known[digest])
    finally:
        album.rewrite(album.record)
    _settle(album, digests.keys(), judge, shown)
    album.rewrite(replace(album.record, unfinished_session=None))
    return tuple(one for one in album.record.photos if one.digest in digests)


def _steps(found: Sequence[Path], known: Container[str], frames_per_video: int) -> Iterator[Step]:
    """The sources of all files, one by one: pixels of thousands are never in memory together."""
    weights = [sources.expected(file, frames_per_video) for file in found]
    before, expected = 0, sum(weights)
    for file, weight in zip(found, weights, strict=True):
        for number, source in enumerate(sources.sources(file, known, frames_per_video), 1):
            yield Step(before + number, expected, source)
        before += weight


def _look(step: Step, size_px: int, gated: bool) -> list[Measured] | BadInput:
    """The faces of a source that may be the person's, or why there is none; the album has no part in it."""
    pixels = step.source.pixels
    if pixels is None:
        return []
    try:
        faces = detect.detect(pixels)
        chosen = detect.large(faces)[:FACES_PER_PHOTO] if gated else [detect.the_face(faces)]
    except BadInput as error:
        return error
    return [intake.measured(pixels, face, size_px) for face in chosen]


def _begin_session(album: Folder, session: int | None) -> int:
    if session is None:
        session = album.record.unfinished_session
    if session is None:
        session = max((one.session for one in album.record.photos), default=-1) + 1
    album.rewrite(replace(album.record, unfinished_session=session))
    return session


def _reference(album: Folder, path: Path, judge: IdentityJudge) -> Float[Tensor, "d"]:
    """The embedding of the photo that is said to show the person, whose digest the album then names."""
    crop = intake.measure(photo.read(path).pixels, IDENTITY_PX).image
    album.rewrite(replace(album.record, reference=files.digest(path)))
    embedding: Tensor = judge.embed(image.resize(crop, IDENTITY_PX))[0]
    return embedding


def _take(
    album: Folder, source: Source, faces: list[Measured] | BadInput, session: int, age: Aged, gated: bool
) -> list[PhotoRecord]:
    """A record for each face of a new source that may be the person's, its crop written before it.

    In this order a kill leaves no record without its crop.
    """
    blank = PhotoRecord(
        id=source.digest[:12],
        file=source.file,
        folder=source.folder,
        time_s=source.time_s,
        digest=source.digest,
        taken=source.taken,
        age_years=age.age_years,
        age_source=age.age_source,
        age_conflict=age.age_conflict,
        session=session,
        size_px=None,
        camera=None,
        camera_from=None,
        landmarks=None,
        quality=None,
        similarity=None,
        rule="unreadable" if source.problem else None,
        why_left_out=source.problem,
        by_hand=False,
    )
    if isinstance(faces, BadInput):
        rule = "size" if isinstance(faces, TooSmall) else "face"
        return [replace(blank, rule=rule, why_left_out=faces.what)]
    if not faces:
        return [blank]
    seen = [(_record(album, blank, number, face), face) for number, face in enumerate(faces)]
    usable = [pair for pair in seen if pair[0].rule is None]
    taken = []
    for record, found in usable or seen[:1]:
        if record.rule != COPY:
            png = io.BytesIO()
            image.to_pil(found.image).save(png, "PNG")
            write_atomic(album.face(record), png.getvalue())
        waits = gated and record.rule is None
        taken.append(replace(record, rule=WAITING, why_left_out=UNCHECKED) if waits else record)
    return taken


def _aged(album: Folder, source: Source, told: float | None, table: Mapping[str, float]) -> Aged:
    """How old the person is on a source, by all that is said of it."""
    row = ages.of_table(table, source.file, source.folder)
    return ages.settle(ages.known(source.file, source.taken, album.record.birth_date, told, row))


def _record(album: Folder, blank: PhotoRecord, number: int, found: Measured) -> PhotoRecord:
    """The record of one face of a photo; those after the first have a number in their id."""
    why = quality.why_unusable(found.quality) or _why_copy(album, blank, found.quality)
    return replace(
        blank,
        id=f"{blank.id}-{number + 1}" if number else blank.id,
        size_px=found.image.shape[-1],
        camera=found.label,
        camera_from="landmarks",
        landmarks=found.landmarks,
        quality=found.quality,
        rule=why[0] if why else None,
        why_left_out=why[1] if why else None,
    )


def _own(one: PhotoRecord) -> PhotoRecord:
    """The record of a photo that a person says is theirs, where there is a face in it."""
    return one if one.camera is None or one.rule == COPY else replace(one, rule=None, why_left_out=None, by_hand=True)


def _why_copy(album: Folder, new: PhotoRecord, measures: quality.Quality) -> tuple[str, str] | None:
    """Copies of a photo and shots of a burst would count one look twice; frames of a video were chosen for variety."""
    if new.time_s is not None:
        return None
    for other in album.record.photos:
        if other.rule not in (None, WAITING) or other.time_s is not None or other.quality is None:
            continue
        bits = alike.apart(other.quality.hash, measures.hash)
        if bits <= COPY_BITS:
            return COPY, f"The photo is a copy of {other.file}."
        if bits <= BURST_BITS and _seconds_apart(new, other) <= BURST_S:
            return BURST, f"The photo is nearly the same as {other.file}, taken within {BURST_S:.0f} seconds of it."
    return None


def _seconds_apart(one: PhotoRecord, other: PhotoRecord) -> float:
    """By the cameras' clocks; infinity where one has no date."""
    if one.taken is None or other.taken is None:
        return math.inf
    return abs((wall_clock(one.taken) - wall_clock(other.taken)).total_seconds())


def _settle(
    album: Folder, digests: Collection[str], judge: IdentityJudge | None, reference: Float[Tensor, "d"] | None
) -> None:
    """Judge those of these photos that wait for the comparison with the person's others.

    Others may wait since an `add` that showed two people; who took those away does not want them judged.
    """
    waiting = [one for one in album.record.photos if one.rule == WAITING and one.digest in digests]
    if not waiting:
        return
    if judge is None:
        album.change({one.id: replace(one, rule=None, why_left_out=None) for one in waiting})
        return
    ours, photos = {one.id for one in waiting}, album.record.photos
    faulty = [one for one in photos if one.why_left_out and one.id not in ours and album.face(one).exists()]
    compared = [*album.kept, *waiting]
    everything = [*compared, *faulty]
    by_id = {one.id: one for one in everything}
    vectors = embeddings.of(
        album.path, list(by_id), lambda one: album.image(by_id[one], IDENTITY_PX), judge
    )  # fmt: skip
    person = _find(vectors[: len(compared)], compared, len(album.kept), judge, reference)
    person = torch.cat([person, torch.zeros(len(faulty), dtype=torch.bool)])
    settled = _settled(everything, person, identity.similarity(vectors, person))
    gone = [one for one in everything if one.id not in settled or _is_strange(settled[one.id], judge)]
    album.rewrite(
        replace(
            album.record,
            judge=judge.name,
            photos=tuple(settled.get(one.id, one) for one in photos if one.id in settled or one.id not in by_id),
        )
    )
    for one in gone:  # the other person agreed to nothing
        album.face(one).unlink(missing_ok=True)
    lost = {one.id for one in gone}
    left = [i for i, one in enumerate(everything) if one.id not in lost]
    embeddings.keep(album.path, [everything[i].id for i in left], vectors[left], judge.name)


def _find(
    vectors: Float[Tensor, "n d"],
    compared: Sequence[PhotoRecord],
    kept: int,
    judge: IdentityJudge,
    reference: Float[Tensor, "d"] | None,
) -> Bool[Tensor, "n"]:
    """The person's faces; the first `kept` are known to be, and a `reference` says who it is where there are none."""
    numbers = {digest: i for i, digest in enumerate(dict.fromkeys(one.digest for one in compared))}
    where = torch.tensor([numbers[one.digest] for one in compared])
    if reference is not None and not kept:
        return identity.around(vectors, where, reference, judge.threshold)
    return identity.find(vectors, where, torch.arange(len(compared)) < kept, judge.threshold)


def _settled(
    photos: Sequence[PhotoRecord], person: Bool[Tensor, "n"], similarity: Float[Tensor, "n"]
) -> dict[str, PhotoRecord]:
    """Each photo's one record after the comparison: the person's face, or its first with the reason."""
    own = {one.digest for one, yes in zip(photos, person.tolist(), strict=True) if yes}
    settled: dict[str, PhotoRecord] = {}
    strangers: set[str] = set()
    for one, yes, value in zip(photos, person.tolist(), similarity.tolist(), strict=True):
        now = replace(one, similarity=None if math.isnan(value) else round(value, 4))
        if one.rule != WAITING:
            settled[one.id] = now
        elif yes:
            settled[one.id] = replace(now, rule=None, why_left_out=None)
        elif one.digest not in own | strangers:
            strangers.add(one.digest)
            settled[one.id] = replace(now, rule=STRANGER, why_left_out=ANOTHER_PERSON)
    return settled


def _is_strange(one: PhotoRecord, judge: IdentityJudge) -> bool:
    """Whether a photo that is left out shows somebody else by the judge, whatever it is left out for."""
    if one.why_left_out is None or one.by_hand:
        return False
    return one.rule == STRANGER or (one.similarity is not None and one.similarity < judge.threshold)
