"""How a personal 2D model learns a session's photos: tuned on, new ones and the buffer's half and half."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from selfsame.core.camera import cat
from selfsame.faces.align import Alignment
from selfsame.faces.records import PhotoRecord
from selfsame.jobs import fit2d, lifelong
from selfsame.jobs.fit2d import Fit2DConfig
from selfsame.jobs.lifelong import TRAINING_FOLDER, Looks, Session
from selfsame.jobs.progress import Progress
from selfsame.replay.buffer import Candidate
from selfsame.tasks import anchors, model2d, personal, personal2d
from selfsame.tasks.model2d import PersonalModel2D
from selfsame.tasks.personal import Judge, Photos
from selfsame.tasks.reage import Sam


@dataclass(frozen=True, eq=False)
class Learner2D:
    """All of a StyleGAN2's synthesis, tuned; SAM's inversion encoder finds the codes."""

    sam: Sam
    judge: Judge
    config: Fit2DConfig
    shown: ClassVar[str] = "drawn by the model before this session and by the one after, at the encoder's codes"

    @property
    def alignment(self) -> Alignment:
        """SAM's."""
        return self.sam.alignment

    @property
    def digest(self) -> str:
        """Of the encoder, which names its StyleGAN2."""
        return self.sam.inversion.card.digest

    @property
    def held_back(self) -> float:
        """As in the fit."""
        return self.config.held_back

    def usable(self, photo: PhotoRecord) -> bool:
        """Every kept photo is."""
        return True

    def take(self, session: Session, progress: Progress) -> Photos:
        """The new photos with the encoder's codes."""
        return fit2d.take(session.album, session.new, self.sam)

    def learn(self, session: Session, new: Photos, old: list[Candidate], progress: Progress) -> None:
        """Tune on with the fit's settings."""
        config = self.config.tuning
        before = self._load(session.parent)

        def trained(done: int, losses: dict[str, float]) -> None:
            progress("learning the new photos", done, config.steps)

        net = personal2d.tune(
            self.sam.decoder, new, config, self.judge, session.where / TRAINING_FOLDER,
            start=personal.unmapped(before.net),
            replay=lifelong.replay(old, self.sam.decoder.config.image_px), on_step=trained,
        )  # fmt: skip
        card = anchors.card_of(
            model2d.KIND, config, model2d.prior_digest(self.sam), session.data_digest, session.command,
            self.sam.inversion.card.licence,
        )  # fmt: skip
        after = PersonalModel2D(
            net.eval().requires_grad_(False),
            torch.cat([before.anchors, new.w_plus]), cat([before.camera, new.camera]), card,
        )  # fmt: skip
        model2d.save(session.where, after, [*anchors.ids_of(session.parent), *session.ids])

    def look(self, session: Session, which: list[int], held: list[int], name: str, progress: Progress) -> Looks | None:
        """Held-back photos as both models draw them."""
        if not which:
            return None
        photos = fit2d.take(session.album, which, self.sam)

        def draw(folder: Path, label: str) -> Tensor:
            return model2d.draw(self._load(folder).net, photos.w_plus)

        return lifelong.compared(session, photos.images, draw, self.judge, name)

    def _load(self, folder: Path) -> PersonalModel2D:
        return model2d.load(folder, self.sam.decoder, model2d.prior_digest(self.sam))
