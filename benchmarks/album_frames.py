"""Whether the frames that an album chooses of a video show more than frames at equal distances do.

    python benchmarks/album_frames.py --out runs/album_frames --clips FOLDER

Of each clip COUNT frames are chosen as `album add` does, and as many taken at equal distances, the sharpest of each
part of the time. Told are the mean turn between two frames (degrees of yaw and pitch), the mean difference of eyes and
mouth (standard deviations of the face's light), how far the candidate that is worst represented is from its nearest
frame (`faces.frames.distances`), the median sharpness, and CPU seconds. One file a clip: run again to resume.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from selfsame.core import video
from selfsame.core.config import write_atomic
from selfsame.faces import detect, frames
from selfsame.faces.frames import Seen
from selfsame.metrics import stats

COUNT = 12
FIGURES = ("turn", "look", "worst represented", "sharpness", "CPU seconds")


def figures(pool: Sequence[Seen], shown: Sequence[Seen], seconds: float) -> list[float]:
    """The numbers of FIGURES for the frames `shown` of the candidates `pool`."""
    pairs = np.triu_indices(len(shown), 1)
    angles, looks = (np.stack([getattr(one, name) for one in shown]) for name in ("angles", "look"))
    turn = np.linalg.norm(angles[:, None] - angles, axis=-1)[pairs].mean()
    look = np.sqrt(np.square(looks[:, None] - looks).mean(-1))[pairs].mean()
    apart = frames.distances([*pool, *shown])[: len(pool), len(pool) :]
    sharpness = np.median([one.sharpness for one in shown])
    return [float(x) for x in (turn, look, apart.min(1).max(), sharpness, seconds)]


def compared(path: Path) -> list[list[float]]:
    """FIGURES of the chosen frames, and of those at equal distances."""
    begun = time.process_time()
    pool = frames.candidates(path, COUNT)
    chosen = [pool[i] for i in frames.spread(frames.distances(pool), [one.sharpness for one in pool], COUNT)]
    middle = time.process_time()
    equal = []
    for number, frame in video.sharp_frames(path, COUNT):
        faces = detect.detect(frame.pixels)
        seen = frames.describe(number, frame.pixels, faces[0]) if faces else None
        equal += [seen] if seen else []
    return [figures(pool, chosen, middle - begun), figures(pool, equal, time.process_time() - middle)]


def table(clips: Sequence[list[list[float]]]) -> str:
    """Markdown: means over clips, and the mean difference with its interval."""
    values = np.array(clips)
    lines = ["| figure | chosen | equal distances | difference |", "|---|---|---|---|"]
    for i, name in enumerate(FIGURES):
        m = stats.measure(name, (values[:, 0, i] - values[:, 1, i]).tolist(), better="high")
        chosen, equal = values[:, :, i].mean(0)
        lines.append(f"| {name} | {chosen:.2f} | {equal:.2f} | {m.mean:+.2f} [{m.low:+.2f}, {m.high:+.2f}] |")
    return "\n".join(lines)


def main() -> None:
    """Measure the clips that have no file yet, and print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--clips", type=Path, required=True)
    given = options.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for clip in sorted(given.clips.rglob("*.mp4")):
        path = given.out / f"{clip.stem}.json"
        if not path.exists():
            write_atomic(path, json.dumps(compared(clip)))
            print(path, flush=True)
    clips = [json.loads(path.read_text()) for path in sorted(given.out.glob("*.json"))]
    print(f"{len(clips)} clips, {COUNT} frames of each\n\n{table(clips)}")


if __name__ == "__main__":
    main()
