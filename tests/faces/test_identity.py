"""The identity gate on embeddings whose people are known."""

import pytest
import torch

from selfsame.core.errors import BadInput
from selfsame.faces.identity import belongs


def embeddings(*people: int) -> torch.Tensor:
    """One noisy unit vector a photo; equal numbers are the same person."""
    return torch.eye(16)[list(people)] + 0.05 * torch.randn(len(people), 16)


def nobody(count: int) -> torch.Tensor:
    return torch.zeros(count, dtype=torch.bool)


def test_strangers_are_left_out_of_the_majority() -> None:
    assert belongs(embeddings(0, 0, 1, 0, 0, 2, 0), nobody(7), 0.5).tolist() == [
        True,
        True,
        False,
        True,
        True,
        False,
        True,
    ]


def test_one_person_all_belong() -> None:
    assert belongs(embeddings(3, 3, 3), nobody(3), 0.5).all()
    assert belongs(embeddings(3), nobody(1), 0.5).all()


@pytest.mark.parametrize("people", [(0, 1), (0, 0, 1, 1), (0, 0, 0, 1, 1), (0, 0, 0, 1, 1, 1, 2)])
def test_two_people_about_equally_stop_the_add(people: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match="two people about equally often"):
        belongs(embeddings(*people), nobody(len(people)), 0.5)


def test_known_photos_say_who_the_person_is_even_against_a_majority() -> None:
    known = torch.tensor([True, True, False, False, False, False])
    assert belongs(embeddings(0, 0, 1, 1, 1, 0), known, 0.5).tolist() == [True, True, False, False, False, True]
