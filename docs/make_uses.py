"""The pictures of docs/uses.md: a synthetic person, three photos that the model never saw, and every use of them.

    python docs/make_uses.py --home runs/uses

It gives the commands that the page shows, in a folder of its own, and cuts their results down to docs/assets. Work that
is there is not done again.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from selfsame.cli import app
from selfsame.core import image, video
from selfsame.core.camera import facing
from selfsame.tasks import degrade
from selfsame.world import album as world

ASSETS = Path(__file__).with_name("assets").resolve()
NAME, SEED = "uma", 963_010
PHOTOS, UNSEEN = 16, 3
FRAMES = 24
WIDTH_PX = 900


def run(*words: str | Path) -> None:
    """One command, as it is typed."""
    print("selfsame", *words, flush=True)
    app([str(word) for word in words], result_action="return_value")


def keep(picture: Tensor, name: str) -> None:
    """A picture as a small JPEG among the assets."""
    made = image.to_pil(picture)
    if made.width > WIDTH_PX:
        made = made.resize((WIDTH_PX, round(made.height * WIDTH_PX / made.width)), Image.Resampling.LANCZOS)
    made.save(ASSETS / name, quality=88)


def frames(file: str, which: tuple[int, ...], columns: int) -> Tensor:
    """Some frames of a film, side by side."""
    found = [image.from_uint8(frame.pixels) for _, frame in video.picked(Path(file), which)]
    return image.grid(torch.cat(found), columns=columns)


def damage(photo: Path) -> None:
    """Three damaged copies of a photo: one with a mask beside it, one of few pixels, one old and scratched."""
    pixels = np.asarray(Image.open(photo).convert("RGB"))
    side = len(pixels)
    mask = np.zeros((side, side), np.uint8)
    mask[int(0.44 * side) : int(0.62 * side), int(0.36 * side) : int(0.64 * side)] = 255
    Image.fromarray(np.where(mask[..., None] > 0, 255, pixels)).save("torn.png")
    Image.fromarray(mask).save("torn-mask.png")
    Image.fromarray(pixels).resize((side // 6, side // 6), Image.Resampling.BOX).save("tiny.png")
    luma = torch.tensor(degrade.GREY)[:, None, None]
    grey = degrade.blurred((image.from_uint8(pixels) * luma).sum(1, keepdim=True), 2.0).expand(-1, 3, -1, -1)
    scratches = np.zeros((side, side), np.uint8)
    scratches[:, int(0.56 * side) : int(0.56 * side) + 3] = 255
    scratches[int(0.5 * side) : int(0.5 * side) + 3] = 255
    faded = image.to_uint8(0.5 * grey + 0.15)[0]
    Image.fromarray(np.where(scratches[..., None] > 0, 255, faded)).save("old.png")
    Image.fromarray(scratches).save("old-scratches.png")


def main() -> None:
    """Make what is not there yet, then the assets."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--home", type=Path, required=True)
    given = options.parse_args()
    given.home.mkdir(parents=True, exist_ok=True)
    os.chdir(given.home)
    if not Path(f"people/{NAME}/models/main/report.html").exists():
        run("world", "album", NAME, "--seed", str(SEED), "--photos", str(PHOTOS))
        run("fit", NAME, "--steps", "60")
    unseen = world.shoot(SEED, UNSEEN, "unseen").files  # another number of photos: other moments of the same person
    for photo, out in ((unseen[0], "one"), (unseen[1], "other")):
        if not Path(out, "found.png").exists():
            run("invert", NAME, photo, "--tune", "--out", out)
    keep(image.load(Path("one/found.png")), "uses-invert.jpg")
    run("show", NAME, "--turntable", "--look", "one", "--frames", str(FRAMES), "--out", "turn.mp4")
    keep(frames("turn.mp4", (0, 4, 6, 8, 12), 5), "uses-turntable.jpg")
    run("show", NAME, "--interpolate", "one", "other", "--pose", "--frames", "6", "--out", "between.mp4")
    keep(frames("between.mp4", tuple(range(6)), 6), "uses-interpolate.jpg")
    labels = facing(torch.linspace(-0.6, 0.6, 6), torch.tensor([0.3, 0.15, 0.0, 0.0, -0.15, -0.3])).pack().tolist()
    Path("cameras.json").write_text(str(labels))
    run("show", NAME, "--cameras", "cameras.json", "--look", "one", "--out", "views")
    views = sorted(Path("views").iterdir())
    keep(image.grid(torch.cat([image.load(file) for file in views]), columns=6), "uses-views.jpg")
    rows = []
    for variety in ("0.5", "1", "2.5"):
        run("show", NAME, "--sample", "6", "--variety", variety, "--out", "samples.png")
        sheet = image.load(Path("samples.png"))
        side = (sheet.shape[-1] - 2 * 2) // 3
        rows += [
            sheet[..., r * (side + 2) :, :][..., :side, c * (side + 2) :][..., :side] for r in (0, 1) for c in range(3)
        ]
    keep(image.grid(torch.cat(rows), columns=6), "uses-samples.jpg")
    damage(unseen[2])
    for words, name in (
        (("torn.png", "--mask", "torn-mask.png"), "mask"),
        (("tiny.png", "--factor", "6"), "factor"),
        (("old.png", "--old", "--scratches", "old-scratches.png"), "old"),
    ):
        run("repair", NAME, *words, "--out", f"{name}.png")
        keep(image.load(Path(f"{name}-strip.png")), f"uses-{name}.jpg")


if __name__ == "__main__":
    main()
