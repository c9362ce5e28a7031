"""The identity gate on embeddings whose people are known."""

import pytest
import torch

from selfsame.core.errors import BadInput
from selfsame.faces import identity


def embeddings(*people: int) -> torch.Tensor:
    """One noisy unit vector a face; equal numbers are the same person."""
    g = torch.Generator().manual_seed(len(people))
    return torch.eye(16)[list(people)] + 0.05 * torch.randn(len(people), 16, generator=g)


def find(*people: int, known: tuple[int, ...] = (), photo: list[int] | None = None) -> torch.Tensor:
    where = torch.arange(len(people)) if photo is None else torch.tensor(photo)
    is_known = torch.zeros(len(people), dtype=torch.bool)
    is_known[list(known)] = True
    return identity.find(embeddings(*people), where, is_known, 0.5)


def test_strangers_are_left_out_of_the_majority() -> None:
    assert find(0, 0, 1, 0, 0, 2, 0).tolist() == [True, True, False, True, True, False, True]


def test_one_person_all_belong() -> None:
    assert find(3, 3, 3).all()
    assert find(3).all()


@pytest.mark.parametrize("people", [(0, 1), (0, 0, 1, 1), (0, 0, 0, 1, 1), (0, 0, 0, 1, 1, 1, 2)])
def test_two_people_about_equally_stop_the_add(people: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match="two people about equally often"):
        find(*people)


def test_a_couple_that_is_always_together_is_two_people() -> None:
    with pytest.raises(BadInput, match=r"two people about equally often \(3 and 3 photos\)"):
        find(0, 1, 0, 1, 0, 1, photo=[0, 0, 1, 1, 2, 2])


def test_the_person_is_found_among_others_in_the_same_photos() -> None:
    found = find(1, 0, 0, 2, 3, 0, 0, photo=[0, 0, 1, 1, 2, 2, 3])
    assert found.tolist() == [False, True, True, False, False, True, True]


def test_nobody_is_in_a_photo_twice() -> None:
    found = find(0, 0, 0, 0, photo=[0, 0, 1, 2])
    assert found.sum() == 3 and found[2:].all()
    best = int(identity.similarity(embeddings(0, 0, 0, 0), found)[:2].argmax())
    assert found[best]


def test_known_faces_say_who_the_person_is_even_against_a_majority() -> None:
    assert find(0, 0, 1, 1, 1, 0, known=(0, 1)).tolist() == [True, True, False, False, False, True]


def test_a_reference_says_who_the_person_is_among_equals() -> None:
    faces = embeddings(0, 0, 1, 1, 2)
    found = identity.around(faces, torch.arange(5), torch.eye(16)[1], 0.5)
    assert found.tolist() == [False, False, True, True, False]
    nobody = identity.around(faces, torch.arange(5), torch.eye(16)[7], 0.5)
    assert not nobody.any()


def test_a_group_is_found_though_its_first_face_lies_aside() -> None:
    """A long chain of faces, each like its neighbours: the middle of the group takes both ends in."""
    angles = torch.linspace(0, 1.2, 9)
    faces = torch.stack([angles.cos(), angles.sin()], 1)
    found = identity.find(faces, torch.arange(9), torch.zeros(9, dtype=torch.bool), 0.75)
    assert found.all()


def test_similarity_is_to_the_nearest_of_the_other_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    half = 0.5**0.5
    person = torch.tensor([True, True, False])
    assert torch.allclose(identity.similarity(faces, person), torch.tensor([0.0, 0.0, half]), atol=1e-6)
    assert identity.similarity(faces, torch.tensor([True, False, False])).isnan().tolist() == [True, False, False]
    everybody = torch.ones(6, dtype=torch.bool)
    many = torch.nn.functional.normalize(torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    cosine = many @ many.T - 9 * torch.eye(6)
    wanted = cosine.sort(1, descending=True).values[:, :3].mean(1)
    monkeypatch.setattr(identity, "COMPARED_AT_ONCE", 4)
    assert torch.allclose(identity.similarity(many, everybody), wanted, atol=1e-6)


def test_a_life_is_one_person_though_its_ends_are_little_alike() -> None:
    angles = torch.linspace(0, 2.4, 13)
    life = torch.stack([angles.cos(), angles.sin(), torch.zeros(13)], 1)
    stranger = torch.tensor([[0.0, 0.0, 1.0]])
    faces = torch.cat([life, stranger])
    found = identity.find(faces, torch.arange(14), torch.zeros(14, dtype=torch.bool), 0.75)
    assert life[0] @ life[-1] < -0.7 and found.tolist() == [True] * 13 + [False]


def test_many_faces_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [0, 1, 0, 2, 0, 0, 3]
    whole = find(*people)
    monkeypatch.setattr(identity, "COMPARED_AT_ONCE", 2)
    assert torch.equal(find(*people), whole)
