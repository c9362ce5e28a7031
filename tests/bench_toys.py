"""A small set of clips with a real face in it, on disk: the same few frames under other bytes."""

import csv
import shutil
from pathlib import Path

from selfsame.clips.index import COLUMNS

PLAN = {"train": 2, "val": 2, "test": 2}
GENERATORS = ("one", "two")


def lay_out(folder: Path, clip: Path) -> Path:
    """Copies of a clip as a set: everybody of a split real and by two generators; a third is only in the test."""
    rows: list[tuple[str, ...]] = []
    for split, count in PLAN.items():
        for n in range(count):
            who = f"{split}{n}"
            for maker in ("real", *GENERATORS, *(("new",) if split == "test" else ())):
                path = Path(maker) / split / f"{who}.mp4"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(clip, folder / path)
                with (folder / path).open("ab") as file:  # behind its last box: other bytes, the same clip
                    file.write(f"{maker} {who}".encode())
                fake = maker != "real"
                rows.append((str(path), "fake" if fake else "real", maker if fake else "", who, "", "", split, "world"))
    with (folder / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return folder / "clips.csv"
