"""Albums: the folder of one person's prepared photos (`people/<name>/album.json` and `faces/*.png`)."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image, lock, rng
from selfsame.core.camera import Camera, mirror
from selfsame.core.config import to_json, write_atomic
from selfsame.core.errors import BadInput, WrongUse
from selfsame.faces import align, draw, named, records
from selfsame.faces.identity import IdentityJudge
from selfsame.faces.records import FORMAT, AlbumRecord, Consent, PhotoRecord, Progress

SIZE_PX = 512
FRAMES_PER_VIDEO = 24
FEW = 5
ON_SHEET = 120  # photos; more make no picture that anybody looks at
SAVE_EVERY_S, SAVING_SHARE = 2.0, 0.05  # at most how much of a long intake may go into writing album.json
BY_HAND = "Dropped by hand."


class Album:
    """One person's album on disk; `record` equals album.json but during an `add`, which writes it every few seconds."""

    def __init__(self, path: Path, record: AlbumRecord) -> None:
        self.path = path
        self.record = record
        self._saved_s, self._saving_s = -1e9, 0.0

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
        album.rewrite(album.record)
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
        """Where the aligned crop of a photo lies; there is none of photos without a face or of another person."""
        return self.path / "faces" / f"{photo.id}.png"

    def add(
        self,
        paths: Sequence[Path | str],
        *,
        session: int | None = None,
        age: float | None = None,
        ages: Mapping[str, float] | None = None,
        frames_per_video: int = FRAMES_PER_VIDEO,
        judge: IdentityJudge | None = None,
        reference: Path | None = None,
        mine: bool = False,
        progress: Progress | None = None,
    ) -> tuple[PhotoRecord, ...]:
        """Take in photos, videos, archives and folders; returns their records, those left out with their reason.

        What is in already (by digest) is skipped, so the same call again resumes a killed one. `session` defaults to
        the next number; the age is `age` (years), else that of the table `ages` (by file), else what the file's name or
        birth and capture date say. With `judge` the person's face is found in
        each photo and photos of others are left out; the person is who the album shows already, else who the photo
        `reference` shows, else who most photos show. Raises BadInput where that might be two people. `mine` takes in
        by hand what was left out before, and whatever has one clear face.
        """
        from selfsame.faces import adding  # works on albums itself

        with self.alone("adding photos to"):
            return adding.add(
                self, paths, session=session, age=age, table=ages or {}, frames_per_video=frames_per_video, judge=judge,
                reference=reference, mine=mine, progress=progress,
            )  # fmt: skip

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Be the only run that changes the album, which is read anew; raises BadInput where another does."""
        with lock.holding(self.path, f"{what} {self.record.name}"):
            self.record = Album.open(self.path).record
            yield

    def drop(self, names: Sequence[str], why: str = BY_HAND) -> tuple[PhotoRecord, ...]:
        """Leave photos out by hand, by file names or ids; their crops stay, so that `keep` can take them back."""
        with self.alone("dropping photos of"):
            return self.change({
                p.id: replace(p, rule="hand", why_left_out=why, by_hand=True) for p in self._called(names)
            })  # fmt: skip

    def keep(self, names: Sequence[str]) -> tuple[PhotoRecord, ...]:
        """Put photos back by hand, by file names or ids, whatever was said against them.

        Raises BadInput for one whose crop is not there: no face was found in it, or it seemed to show another person.
        """
        with self.alone("putting photos back for"):
            chosen = self._called(names)
            for photo in chosen:
                if photo.camera is None or not self.face(photo).exists():
                    raise BadInput(
                        f"{photo.file} has no crop to put back. {photo.why_left_out or ''}".strip(),
                        f"Where its one face is the person's: `selfsame album add {self.record.name} FILE --mine`.",
                    )
            return self.change({p.id: replace(p, rule=None, why_left_out=None, by_hand=True) for p in chosen})

    def images(
        self, size_px: int | None = None, alignment: align.Alignment = "eg3d", which: Iterable[int] | None = None
    ) -> Float[Tensor, "n 3 s s"]:
        """The kept crops in [-1, 1], at `size_px` (the album's own by default); only those numbered `which`, in order.

        Albums hold EG3D's crops. FFHQ's, cut from them, reaches an eighth of its side above: hair is mirrored there.
        """
        side = size_px or self.record.size_px
        kept = self.kept
        chosen = kept if which is None else [kept[i] for i in which]
        crops = (self.image(photo, side, alignment) for photo in chosen)
        return torch.cat([torch.empty(0, 3, side, side), *crops])

    def image(self, photo: PhotoRecord, size_px: int, alignment: align.Alignment = "eg3d") -> Float[Tensor, "1 3 s s"]:
        """The crop of one photo, kept or not; raises BadInput where it is missing or damaged."""
        try:
            crop = image.load(self.face(photo))
            if alignment == "eg3d" or photo.landmarks is None:
                return image.resize(crop, size_px)
            points = np.array(photo.landmarks) * crop.shape[-1] - 0.5
            pixels = align.warp(image.to_uint8(crop)[0], align.TRANSFORMS[alignment](points, size_px), size_px)
            return image.from_uint8(pixels)
        except OSError as error:
            raise BadInput(f"{self.face(photo)} is missing or damaged.", f"Add {photo.file} to a new album.") from error

    def cameras(self) -> Camera:
        """The cameras (N) of the kept crops."""
        labels = [photo.camera for photo in self.kept if photo.camera]
        return Camera.unpack(torch.tensor(labels, dtype=torch.float32).reshape(-1, 25))

    def sheet(self, size_px: int = 192) -> Float[Tensor, "1 3 h w"]:
        """The contact sheet of the first ON_SHEET photos with landmarks, head axes and why photos were left out."""
        photos = self.record.photos[:ON_SHEET]
        kept = {photo.id for photo in self.kept}
        return draw.sheet(
            [self.image(p, size_px) if p.id in kept else None for p in photos], photos, size_px=size_px
        )  # fmt: skip

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

    def rewrite(self, record: AlbumRecord) -> None:
        """Make another record the album's, on disk too."""
        begun_s = time.monotonic()
        write_atomic(self.path / "album.json", to_json(record))
        self.record = record
        self._saved_s = time.monotonic()
        self._saving_s = self._saved_s - begun_s

    def note(self, photos: Iterable[PhotoRecord]) -> None:
        """Append photos; album.json follows when it is due, as writing it for each of thousands would take longer."""
        self.record = replace(self.record, photos=(*self.record.photos, *photos))
        if time.monotonic() - self._saved_s > max(SAVE_EVERY_S, self._saving_s / SAVING_SHARE):
            self.rewrite(self.record)

    def leave(self, digest: str) -> None:
        """Take the records of a source out, for new ones to come in their place."""
        self.record = replace(self.record, photos=tuple(p for p in self.record.photos if p.digest != digest))

    def _called(self, names: Iterable[str]) -> list[PhotoRecord]:
        ids = frozenset(named.ids(self.record.photos, names))
        return [photo for photo in self.record.photos if photo.id in ids]

    def change(self, changed: Mapping[str, PhotoRecord]) -> tuple[PhotoRecord, ...]:
        """Put other records in the places of those with their ids; returns the new ones."""
        photos = tuple(changed.get(photo.id, photo) for photo in self.record.photos)
        self.rewrite(replace(self.record, photos=photos))
        return tuple(changed.values())


def lot(photo: PhotoRecord) -> float:
    """The number in 0 to 1 that a photo's digest draws; the lowest are held back first."""
    return rng.key(0, "held back", photo.digest) / 2**63


def mirrored(images: Float[Tensor, "b 3 h w"], cameras: Camera) -> tuple[Float[Tensor, "b 3 h w"], Camera]:
    """Left-right mirrored photos and their cameras, made when training asks for them and never stored [EG3D]."""
    return images.flip(-1), mirror(cameras)
