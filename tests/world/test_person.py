"""Looks and their codes: the truth that every prior of the world is trained and judged on."""

from dataclasses import fields

import pytest
import torch

from selfsame.core.errors import WrongUse
from selfsame.world import person
from selfsame.world.album import looks
from selfsame.world.person import CODE_DIM, IDENTITY_DIM, STYLE_DIM, Look


def ranges_kept(look: Look) -> bool:
    return all(
        item.metadata["range"][0] <= float(getattr(record, item.name).min()) + 1e-5
        and float(getattr(record, item.name).max()) <= item.metadata["range"][1] + 1e-5
        for record in (getattr(look, name) for name, _ in person.PARTS)
        for item in fields(record)
    )


def test_a_look_is_its_code() -> None:
    z = torch.randn(50, CODE_DIM).clamp(-3, 3)
    torch.testing.assert_close(person.encode(person.decode(z)), z, atol=2e-3, rtol=0)


def test_a_code_is_its_look() -> None:
    look = person.decode(torch.randn(20, CODE_DIM).clamp(-3, 3))
    again = person.decode(person.encode(look))
    torch.testing.assert_close(again.identity.nose_height, look.identity.nose_height)
    torch.testing.assert_close(again.age.years, look.age.years)
    torch.testing.assert_close(again.backdrop.clothes_blue, look.backdrop.clothes_blue)


def test_every_trait_stays_in_its_range_however_far_the_code() -> None:
    assert ranges_kept(person.decode(torch.cat([torch.randn(50, CODE_DIM) * 4, torch.full((1, CODE_DIM), 30.0)])))


def test_the_code_of_a_value_outside_its_range_is_finite() -> None:
    look = person.decode(torch.full((2, CODE_DIM), 40.0))
    assert person.encode(look).isfinite().all()


def test_codes_of_another_length_are_refused() -> None:
    with pytest.raises(WrongUse, match=str(CODE_DIM)):
        person.decode(torch.zeros(1, CODE_DIM - 1))


def test_a_seed_is_a_person() -> None:
    codes = person.draw_identity([5, 6, 5])
    assert codes.shape == (3, IDENTITY_DIM)
    assert torch.equal(codes[0], codes[2])
    assert torch.equal(codes[1], person.draw_identity([6])[0])
    assert float((codes[0] - codes[1]).abs().mean()) > 0.3


def test_people_are_drawn_from_the_normal_distribution() -> None:
    codes = person.draw_identity(list(range(200)))
    assert abs(float(codes.mean())) < 0.05
    assert abs(float(codes.std()) - 1) < 0.05


def test_marks_belong_to_the_person_and_are_not_in_the_code() -> None:
    z = torch.randn(1, CODE_DIM)
    plain, marked = person.decode(z), person.decode(z, person.draw_marks([3]))
    assert torch.equal(person.encode(plain), person.encode(marked))
    assert float(plain.marks.dark.abs().sum() + plain.marks.lean.abs().sum()) == 0
    one, same, other = (person.draw_marks([seed]) for seed in (3, 3, 4))
    assert torch.equal(one.place, same.place)
    assert not torch.equal(one.place, other.place)
    assert torch.equal(marked.marks.place, one.place)


def test_selected_looks_keep_all_their_parts() -> None:
    look = person.draw_photos([1, 2, 3], 0)
    chosen = person.select(look, [2, 0])
    assert len(chosen) == 2
    assert torch.equal(person.encode(chosen), person.encode(look)[[2, 0]])
    assert torch.equal(chosen.marks.place, look.marks.place[[2, 0]])
    assert torch.equal(person.encode(person.select(look, slice(1, 3))), person.encode(look)[1:])


def test_photos_of_one_person_share_identity_and_nothing_else() -> None:
    code = person.encode(person.draw_photos([8, 8, 9], 1))
    torch.testing.assert_close(code[0, :IDENTITY_DIM], code[1, :IDENTITY_DIM])
    assert not torch.allclose(code[0, IDENTITY_DIM:], code[1, IDENTITY_DIM:])
    assert not torch.allclose(code[0, :IDENTITY_DIM], code[2, :IDENTITY_DIM])


def test_two_sessions_of_a_person_share_taste_and_little_else() -> None:
    seeds = list(range(300))
    one, two = (person.draw_style(seeds, [session] * 300) for session in (0, 1))
    assert one.shape == (300, STYLE_DIM)
    assert torch.equal(one, person.draw_style(seeds, [0] * 300))
    assert abs(float(one.std()) - 1) < 0.05
    assert abs(float((one * two).mean()) - person.TASTE) < 0.05
    assert abs(float((one[1:] * two[:-1]).mean())) < 0.05  # other people's tastes


def test_rare_traits_are_seldom_far_from_their_low_end() -> None:
    dye = person.decode(torch.randn(4000, CODE_DIM)).style.dye
    assert 0.05 < float((dye > 0.55).float().mean()) < 0.2
    assert float(dye.median()) < 0.1


def test_a_shoot_is_one_person_at_the_ages_asked_for() -> None:
    look = looks(4, 30, (40.0, 44.0))
    assert 40 <= float(look.age.years.min()) < 41
    assert 43 < float(look.age.years.max()) <= 44
    code = person.encode(look)[:, :IDENTITY_DIM]
    assert torch.equal(code, code[:1].expand_as(code))
    assert torch.equal(person.encode(looks(4, 30, (40.0, 44.0))), person.encode(look))
    assert float(look.expression.smile.std()) > 0.1
