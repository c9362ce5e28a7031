"""A benchmark of talking heads that nobody has to download: synthetic people filmed, and fakes of them.

Real and fake clips have one length, size, rate and codec, and each is encoded once, from frames that were never
compressed: nothing but the pictures tells them apart.
"""

import csv
import functools
import io
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from selfsame.clips.index import COLUMNS
from selfsame.core import image, rng, video
from selfsame.core.config import claim, write_atomic
from selfsame.jobs.bench_world_plan import SOURCE, Fake, SetConfig, Take, planned, takes
from selfsame.jobs.parts import load_prior, load_sam
from selfsame.jobs.progress import Progress, silent
from selfsame.jobs.spread import spread
from selfsame.tasks import fakes
from selfsame.tasks.fake_kit import Shot
from selfsame.tasks.fake_networks import Networks
from selfsame.world import clip as world

CSV_FILE, CONFIG_FILE, FRAMES = "clips.csv", "set.json", ".frames"


def make(out: Path, config: SetConfig, jobs: int = 1, progress: Progress = silent) -> Path:
    """Write the set and return its CSV, which `clips.index.from_csv` reads; the same call again goes on after a stop.

    Raises BadInput where the folder holds a set of other settings.
    """
    claim(out / CONFIG_FILE, config, "a set of other settings")
    real, wanted = takes(config), planned(config)
    waiting = [fake for fake in wanted if not (out / fake.path).exists()]
    needed = {take for fake in waiting for take in (fake.portrait, fake.driver)}
    unseen = [
        take for take in real if not (out / take.path).exists() or (take in needed and not _strip(out, take).exists())
    ]
    spread(partial(_film, out, config), unseen, jobs, progress=progress, what="filming people")
    spread(partial(_fake, out, config), waiting, jobs, progress=progress, what="making fakes")
    write_atomic(out / CSV_FILE, _table(real, wanted))
    shutil.rmtree(out / FRAMES, ignore_errors=True)
    return out / CSV_FILE


def talk(take: Take, config: SetConfig) -> world.Clip:
    """What happens in a recording, before it is filmed."""
    low, high = config.years
    years = low + (high - low) * float(torch.rand((), generator=rng.generator(take.seed, "benchmark age")))
    return world.talk(take.seed, config.seconds, config.fps, years, take.take)


def _film(out: Path, config: SetConfig, take: Take) -> None:
    """A recording without loss, for the fakes, and as a clip."""
    strip = _strip(out, take)
    if not strip.exists():
        seen = world.film(talk(take, config), config.size_px)
        data = io.BytesIO()
        Image.fromarray(np.vstack([image.to_uint8(frame[None])[0] for frame in seen])).save(
            data, "PNG", compress_level=1
        )
        write_atomic(strip, data.getvalue())
    if not (out / take.path).exists():
        _write(out / take.path, config, _frames(strip))


def _fake(out: Path, config: SetConfig, fake: Fake) -> None:
    portrait, driver = (_shot(out, config, take) for take in (fake.portrait, fake.driver))
    made = fakes.generator(fake.generator).make(portrait, driver, _networks())
    _write(out / fake.path, config, made)


def _shot(out: Path, config: SetConfig, take: Take) -> Shot:
    seen = talk(take, config)
    return Shot(_frames(_strip(out, take)), seen.look, seen.camera)


@functools.cache
def _networks() -> Networks:
    """The starter set's generators, read once a process."""
    return Networks(load_sam(), load_prior())


def _write(path: Path, config: SetConfig, frames: UInt8[np.ndarray, "t h w 3"]) -> None:
    video.write(path, image.from_uint8(frames), config.fps, crf=config.crf)


def _strip(out: Path, take: Take) -> Path:
    return out / FRAMES / f"{take.name}.png"


def _frames(strip: Path) -> UInt8[np.ndarray, "t s s 3"]:
    """The square frames of a strip, which lie below each other."""
    with Image.open(strip) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return pixels.reshape(-1, pixels.shape[1], pixels.shape[1], 3)


def _table(real: Sequence[Take], wanted: Sequence[Fake]) -> str:
    """The set as CSV. A recording is a video of its own, so its name stands where YouTube's id would."""
    rows = [(take.path, "real", "", take.person, take.name, take.name, take.split, SOURCE) for take in real]
    rows += [
        (f.path, "fake", f.generator, f.portrait.person, f.driver.name, f.driver.name, f.portrait.split, SOURCE)
        for f in wanted
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return text.getvalue()
