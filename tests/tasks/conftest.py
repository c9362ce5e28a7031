"""A tiny prior and judge for every test of tasks."""

from collections.abc import Iterator

import pytest
import torch
from helpers import tiny_judge, tiny_prior

from selfsame.nets.judges import Judge
from selfsame.tasks.prior import Prior


@pytest.fixture
def prior() -> Prior:
    return tiny_prior()


@pytest.fixture
def judge() -> Judge:
    return tiny_judge()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tiny networks are no faster with two threads, and many times slower while others use the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
