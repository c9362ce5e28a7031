"""Who is in a synthetic benchmark: people filmed in takes, and which fakes of them are made after whose takes."""

from dataclasses import dataclass

from selfsame.clips.layout import Split
from selfsame.core import rng
from selfsame.core.errors import WrongUse
from selfsame.tasks import fakes
from selfsame.world import clip as world
from selfsame.world import truth

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
