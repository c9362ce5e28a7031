"""Albums: the folder of one person's prepared photos (`people/<name>/album.json` and `faces/*.png`)."""

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import alike, image, rng
from selfsame.core.camera import Camera, mirror
from selfsame.core.config import to_json, write_atomic
from selfsame.core.errors import BadInput, WrongUse
from selfsame.faces import align, draw, identity, intake, quality, records
from selfsame.faces.records import FORMAT, AlbumRecord, Consent, PhotoRecord, age_years

Progress = Callable[[int, int, PhotoRecord], None]  # sources done, sources expected, the record just made

UNCHECKED = "Not yet compared with the person's other photos."
ANOTHER_PERSON = "The photo shows another person."
IDENTITY_PX = 128
SIZE_PX = 512
FRAMES_PER_VIDEO = 24
FEW = 5


class Album:
    """One person's album on disk; `record` always equals album.json."""

    def __init__(self, path: Path, record: AlbumRecord) -> None:
        self.path = path
        self.record = record

    @staticmethod
    def create(path: Path | str, *, consent: str, birth_date: date | None = None, size_px: int = SIZE_PX) -> "Album":
        """A new, empty album; `consent` says who agreed and when. Raises WrongUse without it."""
        path = Path(path)
        if not consent.strip():
            raise WrongUse("An album needs a recorded consent.", 'Say who agreed and when: consent="Ada, 1 May 2026".')
        if (path / "album.json").exists():
            raise BadInput(f"{path} already holds an album.", "Open it, or choose another name.")
        now = datetime.now(UTC).replace(microsecond=0)
        album = Album(
            path,
            AlbumRecord(FORMAT, path.name, Consent(consent.strip(), now), birth_date, size_px, None, None, None, ()),
        )
        album._save(album.record)
        return album

    @staticmethod
    def open(path: Path | str) -> "Album":
        """The album in a folder; raises BadInput where there is none or album.json is not valid."""
        file = Path(path) / "album.json"
        try:
            text = file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"There is no readable album in {path}.", "Make one with `selfsame album add`.") from error
        return Album(Path(path), records.read(text, str(file)))

    @property
    def kept(self) -> tuple[PhotoRecord, ...]:
        """The photos that may be used, in the order in which they came."""
        return tuple(photo for photo in self.record.photos if photo.why_left_out is None)

    def face(self, photo: PhotoRecord) -> Path:
        """Where the aligned crop of a photo lies; there is none of most photos left out."""
        return self.path / "faces" / f"{photo.id}.png"

    def add(
        self,
        paths: Sequence[Path | str],
        *,
        session: int | None = None,
        age: float | None = None,
        frames_per_video: int = FRAMES_PER_VIDEO,
        embed: identity.Embed | None = None,
        threshold: float = 0.5,
        progress: Progress | None = None,
    ) -> tuple[PhotoRecord, ...]:
        """Take in photos, videos and folders; returns their records, those left out with their reason.

        What is in already (by digest) is skipped, so the same call again resumes a killed one. `session` defaults to
        the next number, `age` (years) to what birth and capture date say. With `embed` (images (B, 3, 128, 128) to
        (B, D)) photos of other people are left out; raises BadInput where two people share the photos about equally.
        """
        files = intake.files_of([Path(path) for path in paths])
        weights = [frames_per_video if intake.is_video(file) else 1 for file in files]
        known = {photo.digest: photo for photo in self.record.photos}
        session = self._begin_session(session)
        ids: set[str] = set()
        for position, file in enumerate(files):
            for number, source in enumerate(intake.sources(file, frozenset(known), frames_per_video), 1):
                record = known.get(source.digest) or self._take(source, session, age, embed is not None)
                known[source.digest] = record
                ids.add(record.id)
                if progress:
                    progress(sum(weights[:position]) + number, sum(weights), record)
        self._settle(frozenset(ids), embed, threshold)
        self._save(replace(self.record, unfinished_session=None))
        return tuple(photo for photo in self.record.photos if photo.id in ids)

    def images(
        self, size_px: int | None = None, alignment: align.Alignment = "eg3d", which: Iterable[int] | None = None
    ) -> Float[Tensor, "n 3 s s"]:
        """The kept crops in [-1, 1], at `size_px` (the album's own by default); only those numbered `which`, in order.

        Albums hold EG3D's crops. FFHQ's, cut from them, reaches an eighth of its side above: hair is mirrored there.
        """
        side = size_px or self.record.size_px
        kept = self.kept
        chosen = kept if which is None else [kept[i] for i in which]
        crops = (self._image(photo, side, alignment) for photo in chosen)
        return torch.cat([torch.empty(0, 3, side, side), *crops])

    def cameras(self) -> Camera:
        """The cameras (N) of the kept crops."""
        labels = [photo.camera for photo in self.kept if photo.camera]
        return Camera.unpack(torch.tensor(labels, dtype=torch.float32).reshape(-1, 25))

    def sheet(self, size_px: int = 192) -> Float[Tensor, "1 3 h w"]:
        """The contact sheet of every photo with landmarks, head axes and why photos were left out."""
        photos = self.record.photos
        return draw.sheet(
            [self._image(p, size_px) if p in self.kept else None for p in photos], photos, size_px=size_px
        )

    def split(self, held_back: float = 0.2) -> tuple[Tensor, Tensor]:
        """Indices (into the kept photos) for training and for testing, about `held_back` of them for testing.

        The digest alone decides, so a photo does not change sides when others arrive; only where chance leaves an
        album of FEW photos or more nothing to test with, the next in line goes there.
        """
        draws = torch.tensor([lot(photo) for photo in self.kept])
        test = draws < held_back
        if held_back > 0 and len(draws) >= FEW and not test.any():
            test[draws.argmin()] = True
        return torch.nonzero(~test).flatten(), torch.nonzero(test).flatten()

    def _take(self, source: intake.Source, session: int, age: float | None, gated: bool) -> PhotoRecord:
        """Measure one new source, write its crop, then album.json: in this order a kill leaves no dangling record."""
        record = PhotoRecord(
            id=source.digest[:12],
            file=source.file,
            folder=source.folder,
            time_s=source.time_s,
            digest=source.digest,
            taken=source.taken,
            age_years=age if age is not None else age_years(self.record.birth_date, source.taken),
            age_source=None,
            age_conflict=None,
            session=session,
            size_px=None,
            camera=None,
            landmarks=None,
            quality=None,
            similarity=None,
            rule=None,
            why_left_out=source.problem,
            by_hand=False,
        )
        if source.pixels is not None:
            record = self._measure(record, source, gated)
        self._save(replace(self.record, photos=(*self.record.photos, record)))
        return record

    def _measure(self, record: PhotoRecord, source: intake.Source, gated: bool) -> PhotoRecord:
        assert source.pixels is not None
        try:
            found = intake.measure(source.pixels, self.record.size_px)
        except BadInput as error:
            return replace(record, why_left_out=error.what)
        broken = quality.why_unusable(found.quality)
        why = broken[1] if broken else self._why_duplicate(record, found.quality)
        if why is None:
            png = io.BytesIO()
            image.to_pil(found.image).save(png, "PNG")
            write_atomic(self.face(record), png.getvalue())
        return replace(
            record,
            size_px=found.image.shape[-1],
            camera=found.label,
            landmarks=found.landmarks,
            quality=found.quality,
            rule=broken[0] if broken else None,
            why_left_out=why or (UNCHECKED if gated else None),
        )

    def _why_duplicate(self, record: PhotoRecord, measures: quality.Quality) -> str | None:
        """Neighbouring frames of a video are alike and may stay; copies of a photo would count one look twice."""
        if record.time_s is not None:
            return None
        for other in self.record.photos:
            usable = other.why_left_out in (None, UNCHECKED) and other.time_s is None
            if usable and other.quality and alike.same_picture(other.quality.hash, measures.hash):
                return f"The photo is a copy of {other.file}."
        return None

    def _settle(self, ids: frozenset[str], embed: identity.Embed | None, threshold: float) -> None:
        """Judge the photos among `ids` that wait for the comparison with the person's other photos."""
        waiting = [photo for photo in self.record.photos if photo.why_left_out == UNCHECKED and photo.id in ids]
        if not waiting:
            return
        verdicts = {photo.id: True for photo in waiting}
        if embed is not None:
            known = self.kept
            crops = torch.cat([self._image(photo, IDENTITY_PX) for photo in (*known, *waiting)])
            is_known = torch.arange(len(crops)) < len(known)
            person = identity.belongs(embed(crops), is_known, threshold)[len(known) :]
            verdicts = {photo.id: bool(yes) for photo, yes in zip(waiting, person, strict=True)}
        settled = (
            replace(photo, why_left_out=None if verdicts[photo.id] else ANOTHER_PERSON)
            if photo.id in verdicts
            else photo
            for photo in self.record.photos
        )
        self._save(replace(self.record, photos=tuple(settled)))
        for photo in waiting:
            if not verdicts[photo.id]:  # the other person agreed to nothing
                self.face(photo).unlink(missing_ok=True)

    def _begin_session(self, session: int | None) -> int:
        if session is None:
            session = self.record.unfinished_session
        if session is None:
            session = max((photo.session for photo in self.record.photos), default=-1) + 1
        self._save(replace(self.record, unfinished_session=session))
        return session

    def _image(self, photo: PhotoRecord, size_px: int, alignment: align.Alignment = "eg3d") -> Float[Tensor, "1 3 s s"]:
        try:
            crop = image.load(self.face(photo))
            if alignment == "eg3d" or photo.landmarks is None:
                return image.resize(crop, size_px)
            points = np.array(photo.landmarks) * crop.shape[-1] - 0.5
            pixels = align.warp(image.to_uint8(crop)[0], align.TRANSFORMS[alignment](points, size_px), size_px)
            return image.from_uint8(pixels)
        except OSError as error:
            raise BadInput(f"{self.face(photo)} is missing or damaged.", f"Add {photo.file} to a new album.") from error

    def _save(self, record: AlbumRecord) -> None:
        write_atomic(self.path / "album.json", to_json(record))
        self.record = record


def lot(photo: PhotoRecord) -> float:
    """The number in 0 to 1 that a photo's digest draws; the lowest are held back first."""
    return rng.key(0, "held back", photo.digest) / 2**63


def mirrored(images: Float[Tensor, "b 3 h w"], cameras: Camera) -> tuple[Float[Tensor, "b 3 h w"], Camera]:
    """Left-right mirrored photos and their cameras, made when training asks for them and never stored [EG3D]."""
    return images.flip(-1), mirror(cameras)
