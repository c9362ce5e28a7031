"""How well an album knows its cameras: from five landmarks, and refined by rendering, on synthetic people.

    python benchmarks/album_cameras.py --out runs/cameras --people 20
    python benchmarks/album_cameras.py --out runs/cameras --table

Each person's photos are JPEG files of whole scenes, taken in as anybody's; then the prior refines the cameras. Errors
are those of the head's yaw and pitch as the camera sees it, in degrees, against the camera that took the photo. Seeds
from 961,500 on chose the settings, seeds from 952,000 on are reported. One file a person: run again to resume.
"""

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from selfsame.core import camera as cameras
from selfsame.core.camera import Camera
from selfsame.core.config import write_atomic
from selfsame.core.memory import keep_freed_memory
from selfsame.faces.album import Album
from selfsame.jobs import album_cameras, jury
from selfsame.metrics import stats
from selfsame.tasks.prior import load_prior
from selfsame.world import album as world

FIRST = 952_000
PHOTOS = 8
WAYS = ("landmarks", "rendering")
BINS = ((0, 15), (15, 30), (30, 90))  # degrees of true yaw, either side


@dataclass(frozen=True)
class Row:
    """One photo: the true angles, and the errors of both ways, in degrees."""

    person: int
    yaw: float
    pitch: float
    yaw_errors: tuple[float, ...]
    pitch_errors: tuple[float, ...]
    seconds: float


def degrees(camera: Camera) -> Tensor:
    """Yaw and pitch (N, 2)."""
    return torch.rad2deg(torch.stack(cameras.angles(camera), 1))


def score_person(seed: int, settings: album_cameras.InvertConfig) -> list[Row]:
    """Both ways on one person's photos."""
    prior, judge = load_prior(), jury.load()
    with tempfile.TemporaryDirectory() as folder:
        shoot = world.shoot(seed, PHOTOS, Path(folder) / "photos")
        album = Album.create(Path(folder) / "album", consent=world.NOBODY, size_px=256)
        album.add(shoot.files)
        places = [[file.name for file in shoot.files].index(photo.file) for photo in album.kept]
        truth, found = degrees(shoot.camera[places]), [degrees(album.cameras())]
        begun = time.process_time()
        album_cameras.refine(album, prior, judge.features, settings)
        seconds = (time.process_time() - begun) / max(1, len(places))
        found.append(degrees(album.cameras()))
    errors = torch.stack([each - truth for each in found], 1).tolist()
    return [
        Row(seed, *truth[i].tolist(), *(tuple(e) for e in zip(*errors[i], strict=True)), seconds)
        for i in range(len(places))
    ]


def table(rows: list[Row]) -> str:
    """Markdown: median and 95th percentile of the absolute errors by true yaw, and how the means compare."""
    lines = ["| true yaw | photos | way | yaw: median | 95 % | pitch: median | 95 % |", "|---|---|---|---|---|---|---|"]
    for low, high in (*BINS, (0, 90)):
        part = [row for row in rows if low <= abs(row.yaw) < high]
        if not part:
            continue
        for i, way in enumerate(WAYS):
            cells = []
            for name in ("yaw_errors", "pitch_errors"):
                absolute = np.abs([getattr(row, name)[i] for row in part])
                cells += [f"{np.median(absolute):.1f}", f"{np.percentile(absolute, 95):.1f}"]
            lines.append(f"| {low} to {high} | {len(part)} | {way} | {' | '.join(cells)} |")
    for name in ("yaw_errors", "pitch_errors"):
        change = {
            seed: np.mean([abs(getattr(r, name)[1]) - abs(getattr(r, name)[0]) for r in rows if r.person == seed])
            for seed in {row.person for row in rows}
        }
        m = stats.measure(name, [float(value) for value in change.values()], better="low")
        lines.append(f"\nRendering minus landmarks, mean {name}: {m.mean:+.2f} [{m.low:+.2f}, {m.high:+.2f}] degrees")
    return "\n".join([*lines, f"\n{np.mean([row.seconds for row in rows]):.1f} CPU seconds a photo."])


def main() -> None:
    """Score the people that have no file yet, or print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--people", type=int, default=20)
    options.add_argument("--first", type=int, default=FIRST, help="seed of the first person; others to choose settings")
    options.add_argument("--table", action="store_true")
    given = options.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    for seed in range(given.first, given.first + given.people):
        path = given.out / f"{seed}.json"
        if not given.table and not path.exists():
            rows = score_person(seed, album_cameras.REFINE)
            write_atomic(path, json.dumps([asdict(row) for row in rows]))
            print(f"{seed} {len(rows)} photos", flush=True)
    files = [json.loads(path.read_text()) for path in sorted(given.out.glob("*.json"))]
    print(f"{len(files)} people\n{table([Row(**record) for file in files for record in file])}")


if __name__ == "__main__":
    main()
