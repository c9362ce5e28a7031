"""How a person's adapter learns a session's photos: trained on, half of every batch from the buffer."""

import copy
from dataclasses import dataclass
from typing import ClassVar

import torch

from selfsame.core import image
from selfsame.core.camera import cat
from selfsame.faces.align import Alignment
from selfsame.faces.records import PhotoRecord
from selfsame.jobs import age_fit, fit2d
from selfsame.jobs.lifelong import TRAINING_FOLDER, Looks, Session
from selfsame.jobs.progress import Progress
from selfsame.replay.buffer import Candidate
from selfsame.tasks import anchors, personal_aging, time_machine
from selfsame.tasks.aging import Years
from selfsame.tasks.personal import Judge, Photos
from selfsame.tasks.personal_aging import AgedPhotos, PersonalAgingConfig
from selfsame.tasks.reage import Sam
from selfsame.tasks.time_machine import Personal
from selfsame.train.devices import ALONE, Devices


@dataclass(frozen=True, eq=False)
class AgeLearner:
    """The adapter that ages one person on a SAM; codes for the choice of photos are the inversion encoder's."""

    sam: Sam
    judge: Judge
    years: Years
    config: PersonalAgingConfig
    devices: Devices = ALONE
    held_back: ClassVar[float] = 0.2
    shown: ClassVar[str] = (
        "drawn by the model before this session and by the one after, each from the held-back photo above, "
        "taken at the age farthest away"
    )

    @property
    def alignment(self) -> Alignment:
        """SAM's."""
        return self.sam.alignment

    @property
    def digest(self) -> str:
        """Of SAM."""
        return self.sam.card.digest

    def usable(self, photo: PhotoRecord) -> bool:
        """Where the age on it is known."""
        return photo.age_years is not None

    def take(self, session: Session, progress: Progress) -> Photos:
        """The new photos with the inversion encoder's codes."""
        images = age_fit.images(session.album, self.sam, session.new)
        return Photos(fit2d.codes(images, self.sam), images, session.album.cameras()[session.new])

    def learn(self, session: Session, new: Photos, old: list[Candidate], progress: Progress) -> None:
        """Train on with the fit's settings; the years that the person is known at only grow."""
        before = time_machine.load(session.parent, self.sam).personal
        assert before is not None
        photos = self._photos(session, session.new)
        low, high = min(before.span[0], photos.span[0]), max(before.span[1], photos.span[1])
        adapter = personal_aging.train_adapter(
            self.sam, copy.deepcopy(before.adapter).requires_grad_(True), photos, self.judge, self.years, self.config,
            session.where / TRAINING_FOLDER, replay=self._replay(old), span=(low, high), devices=self.devices,
            on_step=lambda done, _: progress("learning the new photos", done, self.config.steps),
        )  # fmt: skip
        known, camera = anchors.read(session.parent)
        anchors.write(
            session.where, torch.cat([known, new.w_plus]), cat([camera, new.camera]),
            [*anchors.ids_of(session.parent), *session.ids],
        )  # fmt: skip
        card = age_fit.card(self.sam, self.config, session.data_digest, session.command)
        time_machine.save(session.where, Personal(adapter, (low, high), card))

    def look(self, session: Session, which: list[int], held: list[int], name: str, progress: Progress) -> Looks | None:
        """The person at the ages of some held-back photos, from the held-back photos of the ages farthest away.

        Told are the likeness to these photos and the error of the judged age; None where all held back show one age.
        """
        every, truth = self._photos(session, held), self._photos(session, which)
        if not which or len(every.years.unique()) < age_fit.FEWEST_AGES:
            return None
        source = (every.years - truth.years[:, None]).abs().argmax(1)
        begun = AgedPhotos(every.images[source], every.years[source])
        own = torch.tensor([which.index(held[i]) if held[i] in which else -1 for i in source.tolist()])
        rows, measured = {"photo": truth.images.cpu(), "from": begun.images.cpu()}, []
        for label, folder in (("before", session.parent), ("after", session.where)):
            machine = time_machine.load(folder, self.sam)
            made, figures = age_fit.taken(
                machine, begun, truth.years, truth, own, self.judge, self.years, f"{name}, {label}"
            )
            rows[f"the model {label}"] = made.cpu()
            measured += figures
        return Looks(rows, tuple(measured))

    def _photos(self, session: Session, which: list[int]) -> AgedPhotos:
        pictures = age_fit.images(session.album, self.sam, which).to(self.sam.w_mean.device)
        return AgedPhotos(pictures, age_fit.whole_years(session.album.kept[i] for i in which))

    def _replay(self, old: list[Candidate]) -> AgedPhotos | None:
        if not old:
            return None
        pictures = image.resize(torch.cat([c.picture for c in old]), age_fit.size_px(self.sam))
        return AgedPhotos(pictures.to(self.sam.w_mean.device), age_fit.whole_years(old))
