"""Where eyes and mouth lie in the album's crops, against the published geometry, on synthetic people and real clips.

    python benchmarks/album_alignment.py --people 20
    python benchmarks/album_alignment.py --clips FOLDER --mesh-python PYTHON

Each photo is cut twice, as EG3D and as FFHQ do it, by the five landmarks that the album finds. Told is where the
midpoints of the eyes and of the mouth's corners lie then, and how far apart the eyes are, by a witness: the true points
of synthetic people, or on clips the mesh of a PYTHON that has mediapipe 0.10.14 (eyes as the mean of 16 points of their
rims, as the published recipes take the mean of dlib's six). The error is to where the published recipe puts them by the
witness's own points.
"""

import argparse
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8

from selfsame.core import image, rng, video
from selfsame.core.errors import BadInput
from selfsame.faces import align, detect
from selfsame.metrics import stats
from selfsame.world import album as world
from selfsame.world.landmarks import GROUPS, landmarks

FIRST = 951_000  # with benchmarks/album_rules.py: no choice was made on these people
PHOTOS, PHOTO_PX, FRAMES = 6, 512, 8
MESH = """
import sys
import cv2, numpy as np
from mediapipe.python.solutions.face_mesh import FaceMesh
rims = ([33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7],
        [263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249])
mesh, found = FaceMesh(static_image_mode=True, max_num_faces=1), []
for picture in np.load(sys.argv[1]):
    seen = mesh.process(picture).multi_face_landmarks
    size = np.array(picture.shape[1::-1])
    p = np.full((468, 2), np.nan) if not seen else np.array([(m.x, m.y) for m in seen[0].landmark])[:468] * size - 0.5
    found.append([p[rims[0]].mean(0), p[rims[1]].mean(0), p[1], p[61], p[291]])
np.save(sys.argv[2], np.array(found))
"""

Points = Float[np.ndarray, "5 2"]


@dataclass(frozen=True, eq=False)
class Case:
    """A picture's five points as the album finds them and by the witness, in its pixels, and whose it is."""

    owner: str
    found: Points
    witness: Points


def synthetic(people: int) -> list[Case]:
    """Photos of synthetic people, as for an album."""
    cases = []
    for seed in range(FIRST, FIRST + people):
        look = world.looks(seed, PHOTOS, (5.0, 90.0))
        camera = world.album_cameras(PHOTOS, rng.generator(seed, "photographer", PHOTOS), world.PHOTO_FOCAL)
        pictures = image.to_uint8(world.photograph(look, camera, PHOTO_PX, 1))
        for i in range(PHOTOS):
            true = landmarks(world.person.select(look, [i]), camera[[i]])[0, GROUPS["five"]]
            cases += _case(str(seed), pictures[i], true.double().numpy() * PHOTO_PX - 0.5)
    return cases


def filmed(folder: Path, python: str) -> list[Case]:
    """Frames of a folder's clips, at equal distances."""
    cases = []
    for path in sorted(folder.rglob("*.mp4")):
        numbers = np.linspace(0, video.count(path) - 1, FRAMES).round().astype(int).tolist()
        frames = [frame.pixels for _, frame in video.picked(path, numbers)]
        for pixels, points in zip(frames, witnessed(frames, python, MESH), strict=True):
            if np.isfinite(points).all():
                cases += _case(path.stem, pixels, points)
    return cases


def witnessed(frames: list[UInt8[np.ndarray, "h w 3"]], python: str, script: str) -> np.ndarray:
    """What a `script` (from one .npy file to another) makes of a clip's frames under another Python."""
    with tempfile.TemporaryDirectory() as name:
        np.save(f"{name}/frames.npy", np.stack(frames))
        subprocess.run([python, "-W", "ignore", "-c", script, f"{name}/frames.npy", f"{name}/found.npy"], check=True)
        found: np.ndarray = np.load(f"{name}/found.npy")
    return found


def _case(owner: str, pixels: np.ndarray, witness: Points) -> list[Case]:
    """One case, or none where the album sees no face."""
    try:
        photo = np.ascontiguousarray(pixels)
        return [Case(owner, detect.refine(photo, detect.the_face(detect.detect(photo))).landmarks, witness)]
    except BadInput:
        return []


def positions(transform: np.ndarray, points: Points) -> Float[np.ndarray, "5"]:
    """In percent of the side: the eyes' midpoint (x, y), the mouth's (x, y), and the eyes' distance."""
    placed = 100 * (align.apply(transform, points) + 0.5)  # pixels are counted from their centres
    eyes, mouth = (placed[0] + placed[1]) / 2, (placed[3] + placed[4]) / 2
    return np.array([*eyes, *mouth, np.linalg.norm(placed[1] - placed[0])])


def table(cases: list[Case]) -> str:
    """Markdown: where the witness's points lie in the album's crop, and how far that is from the published place."""
    lines = [
        "| crop | what | published, mean | album's, mean | difference, mean | distance: median | 95 % |",
        "|---|---|---|---|---|---|---|",
    ]
    owners = sorted({case.owner for case in cases})
    for name, transform_of in align.TRANSFORMS.items():
        ours = np.array([positions(transform_of(case.found, 1), case.witness) for case in cases])
        theirs = np.array([positions(transform_of(case.witness, 1), case.witness) for case in cases])
        apart = ours - theirs
        for what, columns in (("eyes' midpoint", [0, 1]), ("mouth's midpoint", [2, 3]), ("eyes' distance", [4])):
            far = np.linalg.norm(apart[:, columns], axis=1)
            down = columns[-1]
            mean = [float(apart[[c.owner == owner for c in cases], down].mean()) for owner in owners]
            m = stats.measure(what, mean, better="low")
            lines.append(
                f"| {name} | {what}{', y' if len(columns) > 1 else ''} | {theirs[:, down].mean():.1f} "
                f"| {ours[:, down].mean():.1f} | {m.mean:+.2f} [{m.low:+.2f}, {m.high:+.2f}] "
                f"| {np.median(far):.2f} | {np.percentile(far, 95):.2f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=int, default=20)
    options.add_argument("--clips", type=Path, help="a folder of clips, instead of synthetic people")
    options.add_argument("--mesh-python", default="python", help="an interpreter with mediapipe 0.10.14")
    given = options.parse_args()
    torch.set_num_threads(1)
    cases = filmed(given.clips, given.mesh_python) if given.clips else synthetic(given.people)
    print(f"{len(cases)} pictures of {len({case.owner for case in cases})}, in percent of the side\n\n{table(cases)}")


if __name__ == "__main__":
    main()
