"""A life in portraits: one person, many years, and every moment at another age."""

import torch

from selfsame.world import life, person


def test_a_moment_at_another_age_is_the_same_moment() -> None:
    taken = life.portraits(7, torch.tensor([30.0, 60.0]), "test", size_px=32)
    older = taken.at(80)
    assert older.years.tolist() == [80.0, 80.0]
    assert torch.equal(older.camera.cam2world, taken.camera.cam2world)
    before, after = person.encode(taken.look), person.encode(older.look)
    same = torch.ones(before.shape[1], dtype=torch.bool)
    same[person.COLUMNS["age"]] = False
    assert torch.equal(before[:, same], after[:, same])
    assert not torch.allclose(older.images, taken.images, atol=0.05)
    assert torch.equal(taken.at(30).images[0], taken.images[0])


def test_other_purposes_are_other_moments_of_the_same_person() -> None:
    years = torch.tensor([30.0, 31.0, 60.0])
    one, other = (life.portraits(7, years, purpose, size_px=16) for purpose in ("album", "test"))
    assert torch.equal(
        person.encode(one.look)[:, person.COLUMNS["identity"]], person.encode(other.look)[:, person.COLUMNS["identity"]]
    )
    assert not torch.allclose(one.images, other.images, atol=0.05)
    style = person.encode(one.look)[:, person.COLUMNS["style"]]
    assert torch.equal(style[0], style[1])  # the same three years
    assert not torch.equal(style[1], style[2])


def test_the_first_of_many_are_the_same_whatever_how_many_are_photographed() -> None:
    years = torch.linspace(20, 40, 5)
    assert torch.equal(
        life.portraits(3, years, "album", size_px=16, only=2).images,
        life.portraits(3, years, "album", size_px=16).images[:2],
    )
