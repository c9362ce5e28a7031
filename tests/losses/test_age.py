import pytest
import torch

from selfsame.losses.age import aging, face, identity_weight


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
