"""Albums: the folder of one person's prepared photos (`people/<name>/album.json` and `faces/*.png`)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import rng
from selfsame.core.camera import Camera, mirror
from selfsame.core.errors import BadInput, WrongUse
from selfsame.faces import adding, align, draw, folder, named
from selfsame.faces.folder import Folder
from selfsame.faces.identity import IdentityJudge
from selfsame.faces.records import FORMAT, AlbumRecord, Consent, PhotoRecord, Progress

SIZE_PX = 512
FRAMES_PER_VIDEO = 24
FEW = 5
ON_SHEET = 120  # photos; more make no picture that anybody looks at
BY_HAND = "Dropped by hand."


class Album(Folder):
    """One person's album: photos in, crops and cameras out."""

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
        return Album(Path(path), folder.read(Path(path)))

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
        with self.alone("adding photos to"):
            return adding.add(
                self, paths, session=session, age=age, table=ages or {}, frames_per_video=frames_per_video, judge=judge,
                reference=reference, mine=mine, progress=progress,
            )  # fmt: skip

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

    def _called(self, names: Iterable[str]) -> list[PhotoRecord]:
        ids = frozenset(named.ids(self.record.photos, names))
        return [photo for photo in self.record.photos if photo.id in ids]


def lot(photo: PhotoRecord) -> float:
    """The number in 0 to 1 that a photo's digest draws; the lowest are held back first."""
    return rng.key(0, "held back", photo.digest) / 2**63


def mirrored(images: Float[Tensor, "b 3 h w"], cameras: Camera) -> tuple[Float[Tensor, "b 3 h w"], Camera]:
    """Left-right mirrored photos and their cameras, made when training asks for them and never stored [EG3D]."""
    return images.flip(-1), mirror(cameras)
