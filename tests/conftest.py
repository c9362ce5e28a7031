"""For every test: shapes of jaxtyping's annotations are checked, two threads, one seed, a quiet hypothesis."""

import os
from pathlib import Path

# Threads that wait by spinning make jobs that share two cores up to ten times slower. Read when torch is loaded.
os.environ["OMP_WAIT_POLICY"] = "passive"

import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

# Stands before the first import of the package. An int may stand where a float is asked for, as in mypy.
install_import_hook("selfsame", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

settings.register_profile("selfsame", deadline=None, derandomize=True, max_examples=40, database=None)
settings.load_profile("selfsame")


@pytest.fixture(autouse=True, scope="session")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees or changes what the person at this machine imported."""
    os.environ["SELFSAME_WEIGHTS"] = str(tmp_path_factory.mktemp("weights"))


@pytest.fixture(autouse=True, scope="session")
def two_threads() -> None:
    torch.set_num_threads(2)


@pytest.fixture(autouse=True)
def one_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """An empty folder in which albums can be made."""
    folder = tmp_path / "people"
    folder.mkdir()
    return folder
