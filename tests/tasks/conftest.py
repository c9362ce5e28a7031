"""A tiny prior and judge for every test of tasks."""

import pytest
from helpers import tiny_judge, tiny_prior

from selfsame.nets.judges import Judge
from selfsame.tasks.prior import Prior


@pytest.fixture
def prior() -> Prior:
    return tiny_prior()


@pytest.fixture
def judge() -> Judge:
    return tiny_judge()
