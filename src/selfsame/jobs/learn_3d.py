"""How a personal 3D model learns a session's photos: trained on, new ones and the buffer's half and half."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from selfsame.core import weights
from selfsame.core.camera import cat
from selfsame.faces.align import Alignment
from selfsame.faces.records import PhotoRecord
from selfsame.jobs import fit, lifelong, measure
from selfsame.jobs.fit import MIRRORED, FitConfig
from selfsame.jobs.lifelong import NEW_FOLDER, TRAINING_FOLDER, Looks, Session
from selfsame.jobs.measure import Held
from selfsame.jobs.progress import Progress
from selfsame.replay.buffer import Candidate
from selfsame.tasks import anchors, model, personal
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import Judge, Photos
from selfsame.tasks.prior import Prior


@dataclass(frozen=True, eq=False)
class Learner3D:
    """Low-rank or fully tuned weights of a tri-plane prior."""

    prior: Prior
    judge: Judge
    config: FitConfig
    alignment: ClassVar[Alignment] = "eg3d"
    shown: ClassVar[str] = "found again in the model before this session and in the one after"

    @property
    def digest(self) -> str:
        """Of the prior."""
        return self.prior.digest

    @property
    def held_back(self) -> float:
        """As in the fit."""
        return self.config.held_back

    def usable(self, photo: PhotoRecord) -> bool:
        """Every kept photo is."""
        return True

    def take(self, session: Session, progress: Progress) -> Photos:
        """The new photos with codes and cameras found by inversion in the prior."""
        album = session.album
        images, cameras = album.images(self.prior.net.config.image_px, which=session.new), album.cameras()[session.new]
        folder = session.where / NEW_FOLDER
        return fit.anchored(
            folder, self.prior, self.judge, images, cameras, session.ids, self.config, progress
        )[0]  # fmt: skip

    def learn(self, session: Session, new: Photos, old: list[Candidate], progress: Progress) -> None:
        """Train on with the fit's settings."""
        config = self.config.personal
        before = model.load(session.parent, self.prior)

        def trained(done: int, losses: dict[str, float]) -> None:
            progress("learning the new photos", done, config.steps)

        net = personal.personalize(
            self.prior.net, new, config, self.judge, session.where / TRAINING_FOLDER,
            start=personal.trained_tensors(before.net, config),
            replay=lifelong.replay(old, self.prior.net.config.image_px), on_step=trained,
        )  # fmt: skip
        card = model.model_card(config, self.prior, session.data_digest, session.command)
        after = PersonalModel(
            net.eval().requires_grad_(False),
            torch.cat([before.anchors, new.w_plus]), cat([before.camera, new.camera]), card,
        )  # fmt: skip
        copies = [f"{name}{MIRRORED}" for name in session.ids] if self.config.mirror else []
        ids = [*anchors.ids_of(session.parent), *session.ids, *copies]
        model.save(session.where, after, config, ids, half=weights.is_half(session.parent))

    def look(self, session: Session, which: list[int], held: list[int], name: str, progress: Progress) -> Looks | None:
        """Held-back photos found again by inversion in the model before and in the model after."""
        if not which:
            return None
        album, size_px = session.album, self.prior.net.config.image_px
        photos = Held(album.images(size_px, which=which), album.cameras()[which])

        def draw(folder: Path, label: str) -> Tensor:
            return measure.found_again(
                model.load(folder, self.prior), self.prior, photos, self.config.invert, judge=self.judge,
                on_step=partial(progress, f"{name}, {label}"),
            ).image  # fmt: skip

        return lifelong.compared(session, photos.images, draw, self.judge, name)
