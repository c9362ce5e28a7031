"""How well the album tells shut eyes from open ones.

    python benchmarks/album_lids.py --out runs/album_lids
    python benchmarks/album_lids.py --out runs/album_lids_clips --clips FOLDER --mesh-python PYTHON

Synthetic people are photographed as for an album, at ages from 5 to 90, three times at each look: with open eyes (lids
down by 0.3 at most), half shut ones (0.5) and shut ones (0.95). On clips the mesh of a PYTHON that has mediapipe
0.10.14 is the witness: how high an eye is open, as a share of its width. Eyes count as open where both are open by
0.2, as shut where both are by 0.1 at most; frames between are told apart. All pictures go through
`faces.intake.measure`, as `album add` does it. One file a person or a clip: run again to resume. The threshold was
chosen on 25 others (--first 961020 --people 25).
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from album_alignment import witnessed

from selfsame.core import image, rng, video
from selfsame.core.config import write_atomic
from selfsame.core.errors import BadInput
from selfsame.faces import intake, quality
from selfsame.metrics import stats
from selfsame.world import album as world

FIRST = 951_000  # with benchmarks/album_rules.py: nothing was trained or chosen on these people
PHOTO_PX, CROP_PX = 512, 512
LIDS = {"open": 0.3, "half": 0.5, "shut": 0.95}
OPEN, SHUT = 0.2, 0.1  # of an eye's width
MESH = """
import sys
import numpy as np
from mediapipe.python.solutions.face_mesh import FaceMesh
eyes = ((33, 133, (160, 159, 158), (144, 145, 153)), (362, 263, (385, 386, 387), (380, 374, 373)))
mesh, found = FaceMesh(static_image_mode=True, max_num_faces=1, refine_landmarks=True), []
for picture in np.load(sys.argv[1]):
    seen = mesh.process(picture).multi_face_landmarks
    p = np.full((478, 2), np.nan) if not seen else np.array([(m.x, m.y) for m in seen[0].landmark])
    p = p * picture.shape[1::-1]
    long = lambda v: np.linalg.norm(v, axis=-1)
    found.append([long(p[list(up)] - p[list(low)]).mean() / long(p[a] - p[b]) for a, b, up, low in eyes])
np.save(sys.argv[2], np.array(found))
"""


@dataclass(frozen=True)
class Seen:
    """What the eyes of a picture truly are ("open", "half", "shut"), and the probability that they are shut."""

    truth: str
    shut: float


def told(pixels: np.ndarray, truth: str) -> list[Seen]:
    """One picture as the album sees it; nothing where it finds no single face."""
    try:
        found = intake.measure(np.ascontiguousarray(pixels), CROP_PX).quality.shut
    except BadInput:
        return []
    assert found is not None
    return [Seen(truth, found)]


def person(seed: int, count: int) -> list[Seen]:
    """One synthetic person's photos, each with three kinds of eyes."""
    look = world.looks(seed, count, (5.0, 90.0))
    camera = world.album_cameras(count, rng.generator(seed, "photographer", count), world.PHOTO_FOCAL)
    seen = []
    for truth, down in LIDS.items():
        lids = look.expression.lid_close.clamp_max(down) if truth == "open" else torch.full((count,), down)
        posed = replace(look, expression=replace(look.expression, lid_close=lids))
        for pixels in image.to_uint8(world.photograph(posed, camera, PHOTO_PX, 1)):
            seen += told(pixels, truth)
    return seen


def filmed(path: Path, every: int, python: str) -> list[Seen]:
    """Every so-manieth frame of a clip, judged by the album and by the mesh."""
    frames = [frame.pixels for _, frame in video.picked(path, list(range(0, video.count(path), every)))]
    seen = []
    for pixels, eyes in zip(frames, witnessed(frames, python, MESH), strict=True):
        if np.isfinite(eyes).all():
            seen += told(pixels, "open" if eyes.min() >= OPEN else "shut" if eyes.max() <= SHUT else "half")
    return seen


def table(owners: dict[str, list[Seen]]) -> str:
    """Markdown: how many pictures of each kind are left out, with an interval over people or clips."""
    rule = next(rule for rule in quality.RULES if rule.name == "eyes")
    lines = ["| eyes | pictures | of | left out | probability: 5 %, median, 95 % |", "|---|---|---|---|---|"]
    for truth in LIDS:
        rows = [(owner, one.shut) for owner, seen in owners.items() for one in seen if one.truth == truth]
        if not rows:
            continue
        names, values = zip(*rows, strict=True)
        m = stats.measure(truth, [value > rule.threshold for value in values], better="low", units=names)
        spread = ", ".join(f"{value:.3f}" for value in np.percentile(values, [5, 50, 95]))
        share = f"{100 * m.mean:.1f} % [{100 * m.low:.1f}, {100 * m.high:.1f}]"
        lines.append(f"| {truth} | {len(rows)} | {m.n} | {share} | {spread} |")
    return "\n".join(lines)


def read(paths: Sequence[Path]) -> dict[str, list[Seen]]:
    """What is measured of each person or clip."""
    return {path.stem: [Seen(**row) for row in json.loads(path.read_text())] for path in paths}


def main() -> None:
    """Measure the people or clips that have no file yet, then print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--people", type=int, default=40)
    options.add_argument("--photos", type=int, default=6)
    options.add_argument("--first", type=int, default=FIRST, help="seed of the first person")
    options.add_argument("--clips", type=Path, help="a folder of clips, instead of synthetic people")
    options.add_argument("--every", type=int, default=5, help="which frames of a clip are looked at")
    options.add_argument("--mesh-python", default="python", help="an interpreter with mediapipe 0.10.14")
    given = options.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    clips = {path.stem: path for path in sorted(given.clips.rglob("*.mp4"))} if given.clips else {}
    for name in clips or [str(given.first + i) for i in range(given.people)]:
        path = given.out / f"{name}.json"
        if path.exists():
            continue
        seen = filmed(clips[name], given.every, given.mesh_python) if clips else person(int(name), given.photos)
        write_atomic(path, json.dumps([vars(one) for one in seen]))
        print(path, flush=True)
    print(table(read(sorted(given.out.glob("*.json")))))


if __name__ == "__main__":
    main()
