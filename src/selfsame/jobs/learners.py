"""Which learner a model on disk needs, with its networks and the settings that it was fitted with."""

import json
from dataclasses import replace
from pathlib import Path

from selfsame.core import weights
from selfsame.core.config import from_json
from selfsame.core.errors import BadInput
from selfsame.jobs import fit, fit2d, history, jury, parts, plans
from selfsame.jobs.fit import FitConfig
from selfsame.jobs.fit2d import Fit2DConfig
from selfsame.jobs.learn_2d import Learner2D
from selfsame.jobs.learn_3d import Learner3D
from selfsame.jobs.learn_age import AgeLearner
from selfsame.jobs.lifelong import Learner
from selfsame.tasks import model, model2d, time_machine
from selfsame.tasks.personal_aging import PersonalAgingConfig
from selfsame.train.devices import here

Settings = FitConfig | Fit2DConfig | PersonalAgingConfig
SETTINGS: dict[str, type[Settings]] = {
    model.KIND: FitConfig, model2d.KIND: Fit2DConfig, time_machine.KIND: PersonalAgingConfig,
}  # fmt: skip


def kind_of(folder: Path) -> str:
    """The kind of the model in a folder; raises BadInput where it is none that can learn on."""
    kind = weights.kind_of(history.current(folder))
    if kind not in SETTINGS:
        raise BadInput(f"{folder} holds a {kind}, no model of a person.", "Give --run the name of one.")
    return kind


def prior_of(folder: Path) -> str | None:
    """The name of the prior of the model in a folder, or the starter set's of its kind.

    None for a model of age, whose StyleGAN2 is its SAM's.
    """
    found = weights.card_of(history.current(folder))
    return None if found.kind == time_machine.KIND else parts.prior_of(found)


def settings(folder: Path, steps: int | None = None) -> Settings:
    """The settings that the model in a folder was fitted with, or with another number of steps."""
    plan = plans.read(folder)
    found = from_json(
        SETTINGS[kind_of(folder)], json.dumps(plan.config), f"The configuration in {folder / plans.PLAN_FILE}"
    )
    if isinstance(found, FitConfig):
        return fit.with_steps(found, steps)
    if isinstance(found, Fit2DConfig):
        return fit2d.with_steps(found, steps)
    return found if steps is None else replace(found, steps=steps)


def load(
    config: Settings,
    *,
    prior: str | None,
    sam: str = parts.STARTER_SAM,
    lpips: Path | None = None,
    identity_judge: Path | None = None,
    age_judge: Path | None = None,
) -> Learner:
    """The learner of a model of these settings, on a prior; SAM and judges are the starter set's or of folders."""
    if isinstance(config, FitConfig):
        return Learner3D(parts.load_prior(prior or "starter-3d"), jury.load(lpips, identity_judge), config)
    if isinstance(config, Fit2DConfig):
        return Learner2D(parts.load_sam(sam, prior), parts.load_judge(lpips, identity_judge), config)
    devices = here("bf16")
    return AgeLearner(
        parts.load_sam(sam, prior, devices.device), parts.load_judge(lpips, identity_judge, devices.device),
        parts.load_age_judge(age_judge, devices.device), config, devices,
    )  # fmt: skip
