import pytest
import torch

from selfsame.losses.age import (
    adaptive_norm_weight,
    aging,
    face,
    identity_weight,
    personal_identity,
    references,
)


def test_aging() -> None:
    assert aging(torch.tensor([30.0, 80.0]), torch.tensor([30.0, 20.0])).tolist() == pytest.approx([0.0, 0.36])
    x = torch.tensor([30.0, 80.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda years: aging(years, torch.tensor([10.0, 90.0], dtype=torch.float64)), x)


@pytest.mark.parametrize(("years", "weight"), [(0, 1.0), (30, 0.89695), (50, 0.75), (-50, 0.75), (100, 0.5)])
def test_identity_counts_less_the_further_the_age(years: float, weight: float) -> None:
    assert identity_weight(torch.tensor([float(years)])).item() == pytest.approx(weight, abs=1e-5)


def test_the_face_is_the_published_crop_at_any_size() -> None:
    rows = torch.arange(256.0)[None, None, :, None].expand(1, 1, 256, 256)
    assert face(rows)[0, 0, [0, -1], 0].tolist() == [35.0, 222.0]
    columns = rows.transpose(2, 3)
    assert face(columns)[0, 0, 0, [0, -1]].tolist() == [32.0, 219.0]
    assert face(rows).shape == (1, 1, 188, 188)
    assert face(torch.zeros(2, 3, 128, 128)).shape == (2, 3, 94, 94)
    assert face(torch.zeros(2, 3, 512, 512)).shape == (2, 3, 376, 376)


def test_references_are_the_photos_within_three_years() -> None:
    photos = torch.tensor([20, 23, 24, 40, 43])
    found = references(photos, torch.tensor([20, 21, 30, 41]))
    assert found.tolist() == [
        [True, True, False, False, False],
        [True, True, True, False, False],
        [False, False, False, False, False],
        [False, False, False, True, True],
    ]


def test_the_released_rule_counts_from_the_nearest_photo_and_never_finds_none() -> None:
    photos = torch.tensor([20, 23, 24, 40, 43])
    found = references(photos, torch.tensor([27, 32, 90]), "nearest")
    assert found.tolist() == [
        [False, True, True, False, False],  # from 24
        [False, True, True, False, False],  # 24 and 40 tie: the younger
        [False, False, False, True, True],  # from 43
    ]


def test_all_98_exact_three_year_differences_match() -> None:
    targets = torch.arange(98)
    assert all(references(torch.tensor([a + 3]), targets[a : a + 1]).all() for a in range(98))
    in_centuries = sum(abs((a + 3) / 100 - a / 100) <= 0.03 for a in range(98))
    assert in_centuries == 98 - 53  # what the released code loses


def test_personal_identity_is_one_minus_the_best_allowed_cosine() -> None:
    known = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 2.0]])
    made = torch.tensor([[3.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    mask = torch.tensor([[True, True, True], [False, True, True], [False, False, False]])
    assert personal_identity(made, known, mask).tolist() == pytest.approx([0.0, 0.4, 0.0], abs=1e-6)
    x = made[:2].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda e: personal_identity(e, known.double(), mask[:2]), x)


@pytest.mark.parametrize(("years", "weight"), [(0, 0.0), (30, 0.41221), (-50, 1.0), (100, 2.0)])
def test_the_pull_to_the_mean_grows_with_the_years(years: float, weight: float) -> None:
    years_apart = torch.tensor([float(years)])
    assert adaptive_norm_weight(years_apart).item() == pytest.approx(weight, abs=1e-5)
    released = 7 * (1 - identity_weight(years_apart))
    torch.testing.assert_close(released, 7 * 0.25 * adaptive_norm_weight(years_apart))
