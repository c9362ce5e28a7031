from dataclasses import replace
from pathlib import Path

import pytest
import torch

from selfsame.core import store, weights
from selfsame.core.errors import BadInput
from selfsame.core.weights import Card

CARD = Card("toy", {}, seed=1, licence="Apache-2.0", prior_digest="a" * 64)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "weights"))
    return tmp_path / "weights"


def test_a_name_is_a_starter_a_path_or_an_import(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert store.find("starter-3d") == store.STARTER["starter-3d"]
    assert store.find("mine") == Path("mine")
    (home / "mine" / "prior").mkdir(parents=True)
    assert store.find("mine") == home / "mine"
    assert store.find("mine/prior") == home / "mine" / "prior"
    Path("mine").mkdir()
    assert store.find("mine") == Path("mine")  # what lies here comes before what was imported


def test_names_are_the_starters_and_what_was_imported_whole(home: Path) -> None:
    saved = weights.save(home / "net" / "prior", {"x": torch.ones(2)}, CARD)
    weights.save(home / ".half.importing", {"x": torch.zeros(2)}, CARD)
    (home / "empty").mkdir()
    assert store.names() == ["starter-3d", "starter-2d", "starter-sam", "net/prior"]
    assert store.name_of(saved.digest) == "net/prior"
    assert store.name_of("c" * 64) is None
    (home / "net" / "prior" / "card.json").write_text("{}")  # a card that cannot be read is no error here
    assert store.name_of(saved.digest) is None


def test_the_store_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(store.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert store.home() == tmp_path / "selfsame" / "weights"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert store.home() == Path.home() / ".local" / "share" / "selfsame" / "weights"


def test_a_personal_model_wants_its_own_prior_and_says_which(home: Path) -> None:
    store.check_prior(CARD, "a" * 64)
    with pytest.raises(BadInput, match=r"on the prior aaaaaaaaaaaa, not on the prior bbbbbbbbbbbb\. Give the folder"):
        store.check_prior(CARD, "b" * 64)
    with pytest.raises(BadInput, match="no prior at all"):
        store.check_prior(replace(CARD, prior_digest=None), "b" * 64)
    wanted = weights.save(home / "ffhq", {"x": torch.ones(2)}, CARD).digest
    with pytest.raises(BadInput, match=r"made on ffhq \(\w{12}\), not on the prior b+\. Load it with ffhq\."):
        store.check_prior(replace(CARD, prior_digest=wanted), "b" * 64)
