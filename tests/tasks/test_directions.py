"""Directions: a planted attribute is found again, they are kept beside the model, and a stopped search goes on."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from selfsame.core.errors import BadInput, WrongUse
from selfsame.tasks import directions
from selfsame.tasks.directions import DirectionsConfig, Scorer
from selfsame.tasks.prior import Prior

SMALL = DirectionsConfig(
    samples=40, share=0.4, train=0.7, psi=0.7, softness=1.0, depth_samples=4, importance_samples=0, chunk=10, seed=0
)


class Counting:
    """Scores that anybody can check on a picture, and how many pictures were scored."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, images: Tensor) -> Mapping[str, Tensor]:
        self.seen += len(images)
        half = images.shape[-1] // 2
        return {"bright": images.mean((1, 2, 3)), "side": (images[..., half:] - images[..., :half]).mean((1, 2, 3))}


def test_a_planted_attribute_is_found_and_a_random_one_is_not() -> None:
    g = torch.Generator().manual_seed(0)
    w = torch.randn(600, 16, generator=g) + 3
    true = torch.zeros(16)
    true[[2, 5]] = torch.tensor([0.6, -0.8])
    config = replace(SMALL, share=0.3)
    found = directions.fit("planted", w, (w @ true).exp(), config)  # any rising function of it ranks alike
    assert float(found.normal @ true) > 0.95
    assert float(found.normal.norm()) == pytest.approx(1, abs=1e-5)
    assert found.figures.held_out == 2 * (180 - 126)
    assert found.figures.accuracy > 0.93 and found.figures.auc > 0.98
    assert found.figures.low < found.figures.high
    assert found.figures.spread == pytest.approx(float((w @ found.normal).std()), rel=1e-4)
    chance = directions.fit("noise", w, torch.rand(600, generator=g), config)
    assert 0.3 < chance.figures.auc < 0.7


def test_too_few_samples_are_refused() -> None:
    w = torch.randn(40, 4)
    for config in (replace(SMALL, share=0.02), replace(SMALL, share=0.6), replace(SMALL, train=1.0)):
        with pytest.raises(WrongUse, match="too few"):
            directions.fit("x", w, w[:, 0], config)


def test_alone_is_at_right_angles_to_the_others_and_still_points_the_same_way(prior: Prior) -> None:
    found = directions.find(prior.net, "d", Scorer(Counting(), "j"), SMALL)
    split = directions.alone(found, "bright")
    assert float(split @ found["side"].normal) == pytest.approx(0, abs=1e-5)
    assert float(split @ found["bright"].normal) > 0
    assert float(split.norm()) == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(directions.alone(found, "bright", []), found["bright"].normal)
    with pytest.raises(WrongUse, match="bright, side"):
        directions.alone(found, "smile")


def test_directions_are_kept_for_their_model_judge_and_configuration_alone(prior: Prior, tmp_path: Path) -> None:
    judge = Counting()
    first = directions.find(prior.net, "d", Scorer(judge, "j"), SMALL, tmp_path)
    assert judge.seen == 40
    again = directions.find(prior.net, "d", Scorer(judge, "j"), SMALL, tmp_path)
    assert judge.seen == 40
    for name, direction in first.items():
        assert torch.equal(direction.normal, again[name].normal)
        assert direction.figures == again[name].figures
    assert {p.name for p in tmp_path.iterdir()} == {directions.DIRECTIONS_FILE}
    for digest, by, config in (("other", "j", SMALL), ("other", "other", SMALL), ("other", "other", SMALL_SEED_1)):
        before = judge.seen
        directions.find(prior.net, digest, Scorer(judge, by), config, tmp_path)
        assert judge.seen == before + 40
    (tmp_path / directions.DIRECTIONS_FILE).write_bytes(b"damaged")
    directions.find(prior.net, "d", Scorer(judge, "j"), SMALL, tmp_path)
    assert judge.seen == 200


SMALL_SEED_1 = replace(SMALL, seed=1)


def test_a_search_that_was_stopped_goes_on_and_finds_the_same(prior: Prior, tmp_path: Path) -> None:
    judge = Counting()

    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        assert total == 40
        if done == 20:
            raise Stop

    with pytest.raises(Stop):
        directions.find(prior.net, "d", Scorer(judge, "j"), SMALL, tmp_path, stop)
    assert judge.seen == 20
    resumed = directions.find(prior.net, "d", Scorer(judge, "j"), SMALL, tmp_path)
    assert judge.seen == 40
    whole = directions.find(prior.net, "d", Scorer(Counting(), "j"), SMALL)
    for name in whole:
        assert torch.equal(resumed[name].normal, whole[name].normal)


def test_the_codes_are_those_of_the_prior_pulled_to_its_mean(prior: Prior) -> None:
    w = directions.codes(prior.net, replace(SMALL, psi=0.0))
    torch.testing.assert_close(w, prior.w_mean.expand(40, -1))
    wide, near = (directions.codes(prior.net, replace(SMALL, psi=psi)) - prior.w_mean for psi in (1.0, 0.7))
    torch.testing.assert_close(near, 0.7 * wide, atol=1e-6, rtol=1e-5)


def test_a_score_that_is_no_number_is_refused(prior: Prior) -> None:
    with pytest.raises(BadInput, match="not a number"):
        directions.find(prior.net, "d", Scorer(lambda x: {"a": x.mean((1, 2, 3)) * torch.nan}, "j"), SMALL)
