"""The starter set's detector: a benchmark's model of all training generators, in half precision, measured on others.

    selfsame reproduce talkingheadbench --out runs/talkingheadbench --jobs 2
    selfsame world benchmark --out runs/others --first 975000 --people 2 2 42 --takes 1 --jobs 2
    python recipes/detector.py runs/talkingheadbench/bench cnn-small runs/others/clips.csv

The test people of the second set were seen by nothing. The card keeps every clip that the model learned from or was
chosen on.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from selfsame.clips import index
from selfsame.clips.index import Clip
from selfsame.core import weights
from selfsame.core.results import Measured
from selfsame.jobs import bench_models, bench_protocols
from selfsame.jobs.bench_index import INDEX_FILE
from selfsame.metrics import detection
from selfsame.metrics.detection import Scored
from selfsame.tasks import detector
from selfsame.tasks.clip_crops import ClipCrops
from selfsame.tasks.detect_config import PRESETS
from selfsame.tasks.detector import Model
from selfsame.tasks.prior import STARTER_FOLDER

COMMAND = "python recipes/detector.py runs/talkingheadbench/bench {} runs/others/clips.csv"


def measure(model: Model, clips: list[Clip], crops_of: Callable[[Clip], ClipCrops]) -> tuple[Measured, ...]:
    """AUC of new people by clip: all generators of training, all others, and each alone."""
    score = {clip.path: float(model.judge(crops_of(clip)).mean()) for clip in clips}
    known = set(model.parts.generators)
    makers = sorted({clip.generator for clip in clips if clip.generator})
    groups = {
        "generators of training": known, "generators in no training": set(makers) - known,
        **{maker: {maker} for maker in makers},
    }  # fmt: skip
    made = []
    for name, group in groups.items():
        asked = [clip for clip in clips if clip.label == "real" or clip.generator in group]
        fake = np.array([clip.label == "fake" for clip in asked])
        scored = Scored(np.array([score[c.path] for c in asked]), fake, [c.identity or c.path for c in asked])
        made.append(detection.measure(f"AUC, {name}", scored, detection.auc, "high"))
    return tuple(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path, help="the benchmark's folder with its trained models")
    parser.add_argument("detector", choices=sorted(PRESETS))
    parser.add_argument("others", type=Path, help="clips.csv of people whom nothing has seen")
    parser.add_argument("--out", type=Path, default=STARTER_FOLDER / "detector")
    asked = parser.parse_args()
    tasks = bench_protocols.tasks(index.read(asked.bench / INDEX_FILE), "P1 *")
    pooled = bench_protocols.pooled(tasks)[0]
    trained = bench_models.load(asked.bench, pooled, PRESETS[asked.detector])
    card = replace(trained.card, command=COMMAND.format(asked.detector))
    weights.save(asked.out, trained.net.learned.state_dict(), card, half=True)
    model = detector.load(asked.out)  # what is measured is what ships

    found = index.from_csv(asked.others)
    cache = asked.others.parent / "bench"
    clips = [clip for clip in found.usable if clip.split == "test"]
    seen = bench_models.cut(found, clips, model.parts.training.crop, cache, jobs=2)
    measured = measure(model, seen, bench_models.crops(found, model.parts.training.crop, cache))
    weights.save(asked.out, trained.net.learned.state_dict(), replace(card, measured=measured), half=True)
    print(*measured, sep="\n")


if __name__ == "__main__":
    main()
