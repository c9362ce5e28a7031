"""What a personal model is worth in repairing photos that it never saw, on synthetic people, against the truth.

    python benchmarks/repair.py fit --out runs/repair --first 958000 --people 8
    python benchmarks/repair.py score --out runs/repair --first 958000 --people 8

For each person PHOTOS crops are rendered and a model is fitted to all but the last TESTED of them; those are damaged
and repaired: by projection into the personal hull, by W+ inversion in the un-personalized prior under the same
degradation, and by what needs no model (bicubic enlargement, Telea's inpainting). All are told the true camera. Seeds
from 963,000 on chose the settings, seeds from 958,000 on are reported. One file a person: run again to resume.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from selfsame.core import rng
from selfsame.core.camera import Camera
from selfsame.core.config import write_atomic
from selfsame.core.memory import keep_freed_memory
from selfsame.jobs import fit, parts, plans
from selfsame.tasks import model, personal
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import Judge, Photos
from selfsame.tasks.prior import Prior, load_prior
from selfsame.world import album as world
from torch import Tensor

PHOTOS, TESTED = 12, 2
INVERT = replace(fit.PRESETS["quick"].invert, steps=70)
TRAIN = replace(personal.QUICK, steps=40, batch=3, symmetry_every=0)


def photos_of(seed: int, size_px: int) -> tuple[Tensor, Camera]:
    """The crops of a person and their true cameras, those to test with last."""
    look = world.looks(seed, PHOTOS, (33.0, 36.0))
    camera = world.album_cameras(PHOTOS, rng.generator(seed, "photographer", PHOTOS))
    return world.photograph(look, camera, size_px), camera


def fitted(seed: int, folder: Path, prior: Prior, judge: Judge) -> PersonalModel:
    """The model of a person, made where there is none yet."""
    if not (folder / "weights.safetensors").exists():
        images, camera = photos_of(seed, prior.net.config.image_px)
        train = slice(0, PHOTOS - TESTED)
        ids = [f"photo{i}" for i in range(PHOTOS - TESTED)]
        w_plus, found = fit.find_anchors(folder, prior, judge, images[train], camera[train], ids, INVERT)
        net = personal.personalize(prior.net, Photos(w_plus, images[train], found), TRAIN, judge, folder / "training")
        card = model.model_card(TRAIN, prior, plans.digest(ids), f"benchmarks/repair.py fit --first {seed}")
        model.save(folder, PersonalModel(net.eval().requires_grad_(False), w_plus, found, card), TRAIN, ids)
    return model.load(folder, prior)


def main() -> None:
    """Fit or score the people that are not done yet."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("fit", "score", "table"))
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--people", type=int, default=8)
    options.add_argument("--first", type=int, default=958_000)
    given = options.parse_args()
    keep_freed_memory()
    prior, judge = load_prior(), parts.load_judge()
    for seed in range(given.first, given.first + given.people):
        fitted(seed, given.out / str(seed), prior, judge)
        print(seed, flush=True)


if __name__ == "__main__":
    main()
