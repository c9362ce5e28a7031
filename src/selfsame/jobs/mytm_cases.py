"""Who and what MyTimeMachine is evaluated on: people of the world, photos to learn from, test photos, true looks.

The paper's protocol [Qi et al. 2025, section 5; mytm.md section 7] with what only a synthetic world has: the same
moment at every age.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from selfsame.core import rng
from selfsame.tasks.personal_aging import AgedPhotos
from selfsame.world import life
from selfsame.world.life import Portraits

FIRST = 950_000  # seeds that no recipe trains on and that chose no setting; those from 960,000 on did
TEST_PHOTOS = 3
NEAR_YEARS = (-3, -1, 0, 0, 1, 3)  # of the held-back photos about each target age


@dataclass(frozen=True)
class Case:
    """Train on photos between two ages, then take unseen photos at the age `test` to each of `targets`."""

    train: tuple[int, int]
    test: int
    targets: tuple[int, ...]

    @property
    def name(self) -> str:
        """As in the paper's tables: what the person is taken to, and the ages of the photos."""
        kind = "regression" if max(self.targets) <= self.test else "progression"
        return f"{kind} {self.train[0]}-{self.train[1]}"


REGRESSION_40 = Case((30, 70), 70, (10, 20, 30, 40, 50, 60, 70))
REGRESSION_20 = Case((50, 70), 70, (10, 20, 30, 40, 50, 60, 70))
PROGRESSION = Case((20, 40), 40, (40, 50, 60, 70, 80, 90))


@dataclass(frozen=True, eq=False)
class Sitting:
    """One person's pictures for a case: test photos, and at each target age their truth and photos held back."""

    test: Portraits
    truths: dict[int, Portraits]
    held_back: dict[int, Portraits]


def sitting(seed: int, case: Case) -> Sitting:
    """Render a person's test photos, truths and held-back photos."""
    test = _test(seed, case)
    near = torch.tensor(NEAR_YEARS, dtype=torch.float32)
    held_back = {age: life.portraits(seed, age + near, f"held back {age}") for age in case.targets}
    return Sitting(test, {age: test.at(age) for age in case.targets}, held_back)


def moment(seed: int, case: Case) -> tuple[Tensor, list[Tensor]]:
    """A person's first test photo (1, 3, s, s), and what is true of that moment at each target age."""
    first = _test(seed, case).first()
    return first.images, [first.at(age).images for age in case.targets]


def _test(seed: int, case: Case) -> Portraits:
    return life.portraits(seed, torch.full((TEST_PHOTOS,), float(case.test)), "test")


def album(seed: int, case: Case, count: int) -> AgedPhotos:
    """The photos that a person is learned from: ages uniform in the case's years, the two ends among them.

    Albums of different sizes are nested: the first ten photos of fifty are the ten.
    """
    low, high = case.train
    g = rng.generator(seed, "album", low, high)
    years = torch.randint(low, high + 1, (max(SIZES),), generator=g)
    years[:2] = torch.tensor([low, high])
    taken = life.portraits(seed, years.float(), f"album {low}-{high}", only=count)
    return AgedPhotos(taken.images, years[:count])


SIZES: Sequence[int] = (10, 25, 50, 100)
