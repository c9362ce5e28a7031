"""The aging law: global part and personal part, each with known parameters."""

from dataclasses import fields, replace

import pytest
import torch

from selfsame.world import person
from selfsame.world.aging import PERSONAL, Aging, age_effects, average_aging
from selfsame.world.person import IDENTITY_DIM, Identity


def somebody(seed: int, count: int) -> Identity:
    """One person `count` times."""
    code = person.draw_identity([seed]).expand(count, IDENTITY_DIM)
    return person.decode_record(Identity, code)


def test_a_child_grows_up_and_nothing_else_ages_yet() -> None:
    effects = age_effects(average_aging(somebody(3, 3)), torch.tensor([4.0, 12.0, 19.0]))
    assert effects.child.tolist() == pytest.approx([1.0, 0.448, 0.0], abs=0.01)
    for name in ("wrinkles", "sag", "grey", "bald", "spots", "thin", "old"):
        assert float(getattr(effects, name).abs().max()) == 0, name


@pytest.mark.parametrize("seed", range(5))
def test_no_effect_of_age_turns_back(seed: int) -> None:
    years = torch.linspace(5, 90, 60)
    effects = age_effects(somebody(seed, 60), years)
    for f in fields(Aging):
        steps = getattr(effects, f.name).diff()
        assert bool((steps <= 1e-6).all() if f.name == "child" else (steps >= -1e-6).all()), f.name


def test_rates_scale_the_law_and_the_greying_age_shifts_it() -> None:
    one = average_aging(somebody(1, 1))
    twice = replace(one, wrinkle_rate=2 * one.wrinkle_rate, grey_at=one.grey_at - 10)
    years = torch.tensor([60.0])
    assert float(age_effects(twice, years).wrinkles) == pytest.approx(2 * float(age_effects(one, years).wrinkles))
    assert float(age_effects(twice, years - 10).grey) == pytest.approx(float(age_effects(one, years).grey))
    assert float(age_effects(one, one.grey_at).grey) == pytest.approx(0.5)


def test_the_average_person_has_the_global_part_only() -> None:
    code = person.draw_identity(list(range(50)))
    people = person.decode_record(Identity, code)
    average = average_aging(people)
    years = torch.full((50,), 65.0)
    for name in PERSONAL:
        assert float(getattr(average, name).std()) < 1e-5
    assert torch.equal(average.nose_height, people.nose_height)
    for name in ("wrinkles", "sag", "spots", "thin"):  # what depends on its personal parameter alone, and linearly
        law, own = getattr(age_effects(average, years), name), getattr(age_effects(people, years), name)
        assert float(law.std()) < 1e-5
        assert float(own.std()) > 0.1 * float(law.mean())
        assert float(own.mean()) == pytest.approx(float(law.mean()), rel=0.15)
