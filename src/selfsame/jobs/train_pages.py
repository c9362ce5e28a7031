"""The report of a trained prior."""

import math
from pathlib import Path

import torch

from selfsame.core import image
from selfsame.core.camera import orbit
from selfsame.jobs import report
from selfsame.jobs.report import Section
from selfsame.jobs.train_prior import Trained
from selfsame.tasks.prior import Prior
from selfsame.train import loop

SHOWN = 8  # pictures in a row
SHEETS = 6  # of samples along the way
NAMED = 20  # files left out whose reason is shown
FID = {"fid_train": "to images trained on", "fid_held_back": "to held-back images"}


def train_page(folder: Path, trained: Trained) -> Path:
    """Write `report.html` of a trained prior into its folder."""
    history = loop.history(folder)
    sections = [_samples(trained), *_turned(trained), _quality(trained), *_fid_curve(history), *_along(folder)]
    sections += [_nearest(trained), *_losses(history), _data(trained)]
    index = trained.train.index
    lead = (
        f"A {trained.config.kind} prior of {index.size_px} px after {trained.steps} steps of "
        f"{trained.config.adversarial.batch} images."
    )
    foot = f"Prior {trained.prior.digest}. Data {index.digest}. Made with selfsame."
    return report.write(folder / "report.html", "A prior of your own", lead, sections, foot)


def _samples(trained: Trained) -> Section:
    words = "Random people of the averaged generator, without truncation and not picked."
    return Section("Samples", words, report.picture(image.grid(trained.pictures, columns=SHOWN), "samples"))


def _turned(trained: Trained) -> list[Section]:
    if not isinstance(trained.prior, Prior):
        return []
    code = trained.prior.draw(1, 0)
    views = orbit(24)
    with torch.no_grad():
        seen = torch.cat([trained.prior.net(code, views[i : i + 1]).image for i in range(len(views))])
    return [Section("In three dimensions", "One of them along an orbit.", report.film(seen, "orbit", enlarge=3))]


def _quality(trained: Trained) -> Section:
    held = len(trained.held_back)
    words = (
        f"By the features of {trained.config.features}; figures of other features do not compare with these. "
        f"{len(trained.train)} images were trained on; {held} were held back by their digest and seen by no training. "
        "FID grows where there are few images on one side, so the two FIDs compare only with themselves over time; KID "
        "has no such bias. KID of the images trained on to those held back is what a perfect copy would get. A figure "
        "to held-back images that is clearly worse than to those trained on means that images were learned by heart."
    )
    return Section("Quality", words, report.figures(trained.measured))


def _fid_curve(history: dict[str, list[float]]) -> list[Section]:
    looks = [i for i, value in enumerate(history.get("fid_train", [])) if not math.isnan(value)]
    if len(looks) < 2:
        return []
    columns = {"step": [history["step"][i] + 1 for i in looks]}
    columns |= {label: [history[name][i] for i in looks] for name, label in FID.items()}
    return [Section("FID by step", "Lower is better.", report.curves(columns, "FID", "linear"))]


def _along(folder: Path) -> list[Section]:
    sheets = sorted((folder / "samples").glob("step_*.png"))
    if len(sheets) < 2:
        return []
    picked = sorted({round(i * (len(sheets) - 1) / (SHEETS - 1)) for i in range(SHEETS)})
    rows = []
    for i in picked:
        sheet = image.load(sheets[i])
        first_row = sheet[:, :, : (sheet.shape[3] - 2 * (SHOWN - 1)) // SHOWN]
        step = int(sheets[i].stem.removeprefix("step_"))
        rows.append(f"<figure>{report.picture(first_row, f'step {step}')}<figcaption>step {step}</figcaption></figure>")
    return [Section("Along the way", "The same random numbers at several steps.", "".join(rows))]


def _nearest(trained: Trained) -> Section:
    rows = {"sample": trained.pictures[:SHOWN], "nearest image trained on": trained.nearest[:SHOWN]}
    words = "A sample that equals its nearest image was remembered, not made up."
    return Section("Samples beside what they were learned from", words, report.labelled(rows))


def _losses(history: dict[str, list[float]]) -> list[Section]:
    if not history:
        return []
    names = [name for name in ("generator", "discriminator", "r1") if name in history]
    sections = [
        Section("Losses", "By step.", report.curves({"step": history["step"], **{n: history[n] for n in names}}))
    ]
    if "p" in history:
        words = "How often pictures are changed before the discriminator sees them; it rises as that one overfits."
        columns = {"step": history["step"], "p": history["p"]}
        sections.append(Section("Augmentation", words, report.curves(columns, "probability", "linear")))
    return sections


def _data(trained: Trained) -> Section:
    index = trained.train.index
    real = trained.train.images(torch.arange(min(2 * SHOWN, len(trained.train))))
    words = f"{len(index.pictures)} images; {index.resized} were resized and {index.cropped} cropped to a square."
    if index.left_out:
        named = [f"{name}: {why}" for name, why in list(index.left_out.items())[:NAMED]]
        more = f" and {len(index.left_out) - NAMED} more" if len(index.left_out) > NAMED else ""
        words += f" Left out: {' '.join(named)}{more}"
    return Section("Images", words, report.picture(image.grid(real, columns=SHOWN), "training images"))
