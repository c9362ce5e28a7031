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

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import image, rng
from selfsame.core.camera import Camera
from selfsame.core.config import write_atomic
from selfsame.core.memory import keep_freed_memory
from selfsame.jobs import fit, measure, parts, plans, repair
from selfsame.jobs.repair import Damage
from selfsame.metrics import stats
from selfsame.tasks import degrade, invert, model, personal, project
from selfsame.tasks.invert import InvertConfig
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import Judge, Photos
from selfsame.tasks.prior import Prior, load_prior
from selfsame.tasks.project import ProjectConfig
from selfsame.world import album as world

PHOTOS, TESTED = 12, 2
INVERT = InvertConfig(
    space="w_plus", steps=70, lr=0.05, noise=0.0, perceptual=0.0, to_mean=0.002, rays=256, depth_samples=20,
    importance_samples=0, refine_camera=True,
)  # fmt: skip
TRAIN = replace(
    personal.QUICK, steps=80, symmetry_every=0, rays=384, depth_samples=20, importance_samples=0
)  # the cheap way: what it is worth is compared on equal terms
SIZE_PX, SKETCH_PX = 128, project.QUICK.sketch_px
HULL = replace(project.QUICK, refine_camera=False)
FREE = InvertConfig(space="w_plus", lr=0.05, noise=0.0, depth_samples=16, importance_samples=12)

Row = dict[str, object]


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


def damages() -> dict[str, Damage]:
    """The three damages: a hole over eyes, nose and mouth, an eighth of the pixels, an old scratched print."""
    hole = torch.zeros(1, 1, SIZE_PX, SIZE_PX)
    hole[..., int(0.34 * SIZE_PX) : int(0.72 * SIZE_PX), int(0.30 * SIZE_PX) : int(0.70 * SIZE_PX)] = 1
    scratches = torch.zeros(1, 1, SIZE_PX, SIZE_PX)
    for row in (0.41, 0.66):
        scratches[..., int(row * SIZE_PX) : int(row * SIZE_PX) + 4, :] = 1
    scratches[..., :, int(0.57 * SIZE_PX) : int(0.57 * SIZE_PX) + 4] = 1
    return {
        "hole": Damage("hole", hole),
        "an eighth of the pixels": Damage("small", small_px=SIZE_PX // 8),
        "old print": Damage("old", scratches),
    }


def damaged(truth: Tensor, damage: Damage) -> Tensor:
    """The photo that is repaired; nothing of the truth that the damage took is in it."""
    if damage.kind != "old":
        return damage.degrade()(truth)
    luma = truth.new_tensor(degrade.GREY)[:, None, None]
    grey = degrade.blurred((truth * luma).sum(1, keepdim=True), degrade.BLUR * SIZE_PX).expand(-1, 3, -1, -1)
    return torch.where(damage.hole > 0, torch.ones_like(grey), 0.5 * grey + 0.15)


def plainly(photo: Tensor, damage: Damage) -> Tensor:
    """What needs no model: bicubic enlargement, Telea's inpainting, the full range of tones."""
    if damage.kind == "small":
        few = F.interpolate(photo, (damage.small_px,) * 2, mode="area")
        return F.interpolate(few, (SIZE_PX, SIZE_PX), mode="bicubic").clamp(-1, 1)
    marked = damage.hole[0, 0].numpy().astype(np.uint8)
    filled = [cv2.inpaint(pixels, marked, 3.0, cv2.INPAINT_TELEA) for pixels in image.to_uint8(photo)]
    made = image.from_uint8(np.stack(filled))
    if damage.kind == "hole":
        return made
    low, high = made.flatten(1).quantile(0.005, 1), made.flatten(1).quantile(0.995, 1)
    return ((made - low[:, None, None, None]) / (high - low)[:, None, None, None] * 2 - 1).clamp(-1, 1)


def by_prior(prior: Prior, judge: Judge, photo: Tensor, camera: Camera, damage: Damage) -> Tensor:
    """Drawn by the un-personalized prior: W+ without bounds, behind the same damage, as many steps of each kind."""
    through = damage.degrade()
    sketch = replace(FREE, steps=project.QUICK.sketch_steps)
    first = invert.invert(prior.net, photo, camera, prior.w_mean, sketch, degrade=through, sketch_px=SKETCH_PX)
    whole = replace(FREE, steps=project.QUICK.steps, lr=FREE.lr / 2)
    found = invert.invert(prior.net, photo, camera, first.w_plus, whole, features=judge.features, degrade=through)
    return measure.render(prior.net, found.w_plus, camera).clamp(-1, 1)


def by_hull(
    made: PersonalModel, judge: Judge, photo: Tensor, camera: Camera, damage: Damage, config: ProjectConfig = HULL
) -> Tensor:
    """Drawn by the personal model within its hull."""
    found = project.project(made.net, made.anchors, photo, camera, config, judge.features, degrade=damage.degrade())
    return measure.render(made.net, found.w_plus, camera).clamp(-1, 1)


def rows(
    truth: Tensor, pictures: dict[str, Tensor], damage: Damage, judge: Judge, facts: dict[str, object]
) -> list[Row]:
    """One record a picture; PSNR inside the hole where there is one."""
    found: list[Row] = []
    for method, made in pictures.items():
        scores = measure.score(made, truth, judge)
        psnr = scores.psnr
        if damage.kind == "hole":
            share = damage.hole.mean()
            inside = ((made - truth) * damage.hole).square().mean((1, 2, 3)) / share / 4
            psnr = -10 * torch.log10(inside)
        for number, (p, i) in enumerate(zip(psnr.tolist(), scores.identity.tolist(), strict=True)):
            found.append({**facts, "method": method, "photo": number, "psnr": p, "identity": i})
    return found


def score_person(seed: int, out: Path, prior: Prior, judge: Judge) -> list[Row]:
    """Every test photo of a person under every damage by every method."""
    made = fitted(seed, out / str(seed), prior, judge)
    images, camera = photos_of(seed, SIZE_PX)
    truth, camera = images[-TESTED:], camera[slice(PHOTOS - TESTED, PHOTOS)]
    found: list[Row] = []
    for name, damage in damages().items():
        photo = damaged(truth, damage)
        pictures = {"no model": plainly(photo, damage)}
        for method, drawn in (
            ("un-personalized prior", by_prior(prior, judge, photo, camera, damage)),
            ("personal hull", by_hull(made, judge, photo, camera, damage)),
        ):
            pictures[f"{method}, as drawn"] = drawn
            pictures[method] = repair.restored(photo, drawn, damage)
        found += rows(truth, pictures, damage, judge, {"person": seed, "damage": name})
        tiles = [truth, photo, *pictures.values()]
        image.save(image.grid(torch.cat(tiles), columns=TESTED), out / f"{seed}-{damage.kind}.png")
    return found


def table(found: list[Row]) -> str:
    """Markdown: means over people with 95 % intervals, then the paired differences."""
    lines = []
    for damage in damages():
        lines += [f"\n**{damage}**\n", "| method | PSNR (dB) | identity |", "|---|---|---|"]
        here = [r for r in found if r["damage"] == damage]
        for method in dict.fromkeys(str(r["method"]) for r in here):
            lines.append(f"| {method} | {_cell(here, method, 'psnr', 1)} | {_cell(here, method, 'identity', 3)} |")
        for other in ("un-personalized prior", "no model"):
            cells = " | ".join(_difference(here, other, metric, d) for metric, d in (("psnr", 1), ("identity", 3)))
            lines.append(f"| personal hull - {other} | {cells} |")
    return "\n".join(lines)


def _column(found: list[Row], method: str, metric: str) -> tuple[list[float], list[int]]:
    kept = [r for r in found if r["method"] == method]
    return [float(str(r[metric])) for r in kept], [int(str(r["person"])) for r in kept]


def _cell(found: list[Row], method: str, metric: str, digits: int) -> str:
    values, people = _column(found, method, metric)
    m = stats.measure(metric, values, better="high", units=people)
    return f"{m.mean:.{digits}f} [{m.low:.{digits}f}, {m.high:.{digits}f}]"


def _difference(found: list[Row], other: str, metric: str, digits: int) -> str:
    (a, people), (b, _) = _column(found, "personal hull", metric), _column(found, other, metric)
    paired = stats.paired(metric, a, b, better="high", units=people)
    d = paired.difference
    return f"{d.mean:+.{digits}f} [{d.low:+.{digits}f}, {d.high:+.{digits}f}], p = {paired.p:.3f}"


def main() -> None:
    """Fit or score the people that are not done yet, or print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("fit", "score", "table"))
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--people", type=int, default=8)
    options.add_argument("--first", type=int, default=958_000)
    given = options.parse_args()
    keep_freed_memory()
    seeds = range(given.first, given.first + given.people)
    if given.what == "table":
        print(table([row for seed in seeds for row in json.loads((given.out / f"{seed}.json").read_text())]))
        return
    prior, judge = load_prior(), parts.load_judge()
    for seed in seeds:
        path = given.out / f"{seed}.json"
        if given.what == "fit":
            fitted(seed, given.out / str(seed), prior, judge)
        elif not path.exists():
            write_atomic(path, json.dumps(score_person(seed, given.out, prior, judge)))
        print(seed, flush=True)


if __name__ == "__main__":
    main()
