"""Editing a look: the steps that are judged, the strip, the film, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import poses, tiny_judge, tiny_prior
from torch import Tensor

from selfsame.commands.edit import parsed
from selfsame.core import image, video
from selfsame.core.camera import facing
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.weights import Card
from selfsame.jobs import edit
from selfsame.tasks.directions import Scorer
from selfsame.tasks.model import PersonalModel

FRONT = facing(torch.zeros(1), torch.zeros(1))
THETAS = [-8.0, -4.0, 0.0, 4.0, 8.0]


@pytest.fixture(scope="module")
def model() -> PersonalModel:
    prior = tiny_prior()
    return PersonalModel(prior.net, prior.draw(5, 3), poses(5), replace(prior.card, kind="personal-3d"))


def brightness(images: Tensor) -> dict[str, Tensor]:
    return {"bright": images.mean((1, 2, 3))}


def direction(model: PersonalModel) -> Tensor:
    """From one anchor to another: every policy can go there."""
    along = model.anchors[1, 0] - model.anchors[0, 0]
    return along / along.norm()


def swept(model: PersonalModel, policy: edit.Policy, code: Tensor | None = None) -> edit.Swept:
    code = model.anchors.mean(0, keepdim=True) if code is None else code
    scorer = Scorer(brightness, "mean")
    return edit.sweep(model, code, FRONT, direction(model), "bright", THETAS, tiny_judge(), scorer, policy)


def test_a_sweep_judges_each_picture_and_compares_it_with_the_unedited_one(model: PersonalModel) -> None:
    made = swept(model, "continue")
    assert made.kept == pytest.approx(1, abs=1e-3)
    for picture, step, theta in zip(made.images, made.steps, THETAS, strict=True):
        assert step.score == pytest.approx(float(picture.mean()), abs=1e-5)
        assert step.asked == step.theta == theta
    assert made.steps[2].identity == pytest.approx(1, abs=1e-5)
    assert max(s.identity for s in made.steps) < 1 + 1e-5
    assert min(s.identity for s in made.steps) < 1 - 1e-4
    with torch.no_grad():
        alone = model.net(made.w_plus[:1], FRONT).image.clamp(-1, 1)
    torch.testing.assert_close(alone[0], made.images[0], atol=1e-4, rtol=0)


def test_steps_are_counted_in_the_unit_that_is_given(model: PersonalModel) -> None:
    one, other = (
        edit.sweep(
            model, model.anchors[:1], FRONT, direction(model), "bright", [t / unit for t in THETAS], tiny_judge(),
            Scorer(brightness, "mean"), "stop", unit=unit,
        )
        for unit in (1.0, 4.0)
    )  # fmt: skip
    torch.testing.assert_close(one.w_plus, other.w_plus)
    assert [s.theta for s in one.steps] == pytest.approx([4 * s.theta for s in other.steps], abs=1e-5)


def test_a_code_of_no_anchor_is_edited_too(model: PersonalModel) -> None:
    far = model.anchors[:1] + torch.randn(1, *model.anchors.shape[1:], generator=torch.Generator().manual_seed(0))
    assert torch.equal(swept(model, "stop", far).w_plus[2:3], far)


def test_a_stopped_sweep_says_where(model: PersonalModel, tmp_path: Path) -> None:
    made = swept(model, "stop")
    sweep = edit.write(model, made, "bright", "stop", tmp_path / "deep" / "strip.png")
    assert len(sweep.stopped) == 2 and -8 < sweep.stopped[0] < 0 < sweep.stopped[1] < 8
    assert "stop" in edit.caption(made.steps[0]) and "unedited" in edit.caption(made.steps[2])
    assert image.load(sweep.strip).shape[-1] == 5 * edit.TILE_PX + 4 * 2
    assert edit.write(model, swept(model, "free"), "bright", "free", tmp_path / "free.png").stopped == ()


def test_the_film_shows_both_ends_beside_the_unedited_look(model: PersonalModel, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    edit.write(model, swept(model, "free"), "bright", "free", tmp_path / "strip.png", film=film, frames=3)
    frames = list(video.frames(film))
    assert len(frames) == 3 and frames[0].pixels.shape[1] == 3 * edit.TILE_PX + 2 * 2


def test_places() -> None:
    assert edit.places(None, "ada-smile", True) == (Path("ada-smile.png"), Path("ada-smile.mp4"))
    assert edit.places(Path("there"), "ada-smile", False) == (Path("there/ada-smile.png"), None)
    assert edit.places(Path("x.jpg"), "ada-smile", True) == (Path("x.jpg"), Path("x.mp4"))


def test_what_is_refused(model: PersonalModel) -> None:
    with pytest.raises(WrongUse, match="unedited"):
        edit.sweep(
            model, model.anchors[:1], FRONT, direction(model), "bright", [1.0], tiny_judge(), Scorer(brightness, "")
        )
    with pytest.raises(WrongUse, match=r"\.gif"):
        edit.places(Path("strip.gif"), "ada-smile", False)
    with pytest.raises(BadInput, match="2D"):
        edit.solid(Card("personal-2d", {}, 0, ""))


def test_edits_are_read_from_words() -> None:
    assert parsed("-3:3") == [-3, -2, -1, 0, 1, 2, 3]
    assert parsed("2") == [0, 2] and parsed("-1.5") == [-1.5, 0]
    assert parsed("1:2:2") == [0, 1, 2]
    assert parsed("-3:3:4") == [-3, -1, 0, 1, 3]
    for words in ("", "x", "3:-3", "1:2:1", "1:2:3:4", "nan", "inf", "0:1e9"):
        with pytest.raises(WrongUse, match="tells no edits"):
            parsed(words)
