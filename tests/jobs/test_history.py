"""States of a model: the fit is state 0, updates add, rolling back loses nothing."""

from pathlib import Path

import pytest

from selfsame.core.errors import BadInput
from selfsame.jobs import history


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "weights.safetensors").write_bytes(b"")
    return tmp_path


def grown(folder: Path, *names: str) -> history.History:
    for name in names:
        found = history.added(history.read(folder), f"states/{name}", (name,), (), ())
        history.write(folder, found)
    return history.read(folder)


def test_a_fit_alone_is_state_0(model: Path) -> None:
    found = history.read(model)
    assert (found.current, found.now.parent, found.now.folder) == (0, None, ".")
    assert history.current(model) == model


def test_each_update_goes_on_from_the_state_in_use(model: Path) -> None:
    found = grown(model, "a", "b")
    assert [s.parent for s in found.states] == [None, 0, 1]
    assert history.current(model) == model / "states" / "b"
    history.rollback(model, 1)
    assert grown(model, "c").now.parent == 1
    assert [s.folder for s in history.read(model).states] == [".", "states/a", "states/b", "states/c"]


def test_rolling_back_leads_to_where_the_state_came_from_and_forward_again(model: Path) -> None:
    grown(model, "a", "b")
    assert history.rollback(model).current == 1
    assert history.rollback(model).current == 0
    assert history.current(model) == model
    with pytest.raises(BadInput, match="no earlier state"):
        history.rollback(model)
    assert history.rollback(model, 2).current == 2


@pytest.mark.parametrize("number", [-1, 3])
def test_a_state_that_is_not_there_is_refused_and_nothing_changes(model: Path, number: int) -> None:
    before = grown(model, "a", "b")
    with pytest.raises(BadInput, match="0 to 2"):
        history.rollback(model, number)
    assert history.read(model) == before


def test_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no model"):
        history.read(tmp_path)
