"""A benchmark of talking heads that nobody has to download: synthetic people filmed, and fakes of them.

Real and fake clips have one length, size, rate and codec, and each is encoded once, from frames that were never
compressed: nothing but the pictures tells them apart.
"""

import csv
import functools
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from selfsame.clips.index import COLUMNS
from selfsame.clips.layout import Split
from selfsame.core import image, rng, video
from selfsame.core.config import to_json, write_atomic
from selfsame.core.errors import BadInput, WrongUse
from selfsame.jobs.parts import load_prior, load_sam
from selfsame.jobs.progress import Progress, silent
from selfsame.jobs.spread import spread
from selfsame.tasks import fakes
from selfsame.tasks.fake_kit import Shot
from selfsame.tasks.fake_networks import Networks
from selfsame.world import clip as world
from selfsame.world import truth

CSV_FILE, CONFIG_FILE, FRAMES = "clips.csv", "set.json", ".frames"
SOURCE = truth.GENERATOR
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class SetConfig:
    """Who is filmed and how: people of consecutive seeds from `first`, so many for train, val and test, each with
    `takes` clips and an age drawn from `years`.
    """

    first: int = 970_000
    people: tuple[int, int, int] = (40, 12, 34)
    takes: int = 3
    seconds: float = 1.28
    fps: float = 25.0
    size_px: int = 192
    years: tuple[float, float] = (20.0, 65.0)
    crf: int = 20

    def __post_init__(self) -> None:
        truth.check_size(self.size_px)
        world.check(world.Plan(self.first, 0, self.seconds, self.fps, self.years[0]))
        if min(self.people) < 2:
            raise WrongUse("A split of fewer than two people has nobody to drive a fake.", "Give each at least two.")
        if self.takes < 1:
            raise WrongUse(f"Nobody is filmed in {self.takes} takes.", "Ask for at least one.")


@dataclass(frozen=True)
class Take:
    """One recording of one person, which is a real clip."""

    seed: int
    take: int
    split: Split

    @property
    def person(self) -> str:
        """Who is filmed."""
        return f"{SOURCE}-{self.seed}"

    @property
    def name(self) -> str:
        """The recording."""
        return f"{self.person}-{self.take}"

    @property
    def path(self) -> str:
        """The clip below the set's folder."""
        return f"real/{self.split}/{self.name}.mp4"


@dataclass(frozen=True)
class Fake:
    """One fake to make: by whom, of whom, after whose recording."""

    generator: str
    portrait: Take
    driver: Take

    @property
    def path(self) -> str:
        """The clip below the set's folder."""
        name = f"{self.portrait.person}--{self.driver.name}--{self.generator}"
        return f"fake/{self.generator}/{self.portrait.split}/{name}.mp4"


def takes(config: SetConfig) -> list[Take]:
    """Every recording, person by person."""
    splits = [split for split, count in zip(SPLITS, config.people, strict=True) for _ in range(count)]
    return [Take(config.first + i, take, split) for i, split in enumerate(splits) for take in range(config.takes)]


def planned(config: SetConfig) -> list[Fake]:
    """Every fake: each generator makes one a person, the emerging ones only of the people of the test.

    In a split everybody drives as many fakes of a generator as anybody, and nobody their own, unless the generator
    edits a person's own recording.
    """
    made = []
    for split in SPLITS:
        cast = [take for take in takes(config) if take.split == split]
        groups = [cast[i : i + config.takes] for i in range(0, len(cast), config.takes)]
        for name, generator in (fakes.GENERATORS if split == "test" else fakes.MAIN).items():
            step = 1 + rng.key(config.first, "who drives", name, split) % (len(groups) - 1)
            for i, own in enumerate(groups):
                portrait = own[rng.key(own[0].seed, "portrait", name) % config.takes]
                others = groups[(i + step) % len(groups)]
                driver = others[rng.key(own[0].seed, "driver", name) % config.takes]
                made.append(Fake(name, portrait, driver if generator.driven else portrait))
    return made


def make(out: Path, config: SetConfig = SetConfig(), jobs: int = 1, progress: Progress = silent) -> Path:
    """Write the set and return its CSV, which `clips.index.from_csv` reads; the same call again goes on after a stop.

    Raises BadInput where the folder holds a set of other settings.
    """
    claim(out, config)
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


def claim(out: Path, config: SetConfig) -> None:
    """Take a folder for a set; raises BadInput where it holds one of other settings."""
    file = out / CONFIG_FILE
    if file.exists() and file.read_text() != to_json(config):
        raise BadInput(f"{out} holds a set of other settings.", "Delete it, or give another --out.")
    write_atomic(file, to_json(config))


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
