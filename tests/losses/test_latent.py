import math

import pytest
import torch
from torch.nn import functional as F

from selfsame.losses.latent import angular_margin, code, distance_to_mean, hull_spread, hull_sum, identity, w_norm


def test_identity() -> None:
    a = torch.tensor([[1.0, 0.0], [2.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    b = torch.tensor([[3.0, 0.0], [0.0, 5.0], [-1.0, 0.0], [1.0, 0.0]])
    assert identity(a, b).tolist() == pytest.approx([0.0, 1.0, 2.0, 1 - math.sqrt(0.5)])
    x = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(identity, (x, torch.randn(3, 5, dtype=torch.float64)))


def test_code() -> None:
    known = torch.tensor([[[1.0, 1.0], [1.0, 1.0]]])
    assert code(known + torch.tensor([[1.0, 0.0], [3.0, 0.0]]), known).tolist() == [2.5]
    assert code(known, known).tolist() == [0.0]


def test_distance_to_mean() -> None:
    mean = torch.tensor([1.0, 1.0])
    w_plus = torch.tensor([[[1.0, 1.0], [1.0, 1.0]], [[4.0, 5.0], [1.0, 2.0]]])
    assert distance_to_mean(w_plus, mean).tolist() == [0.0, 3.0]
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: distance_to_mean(w, torch.ones(4, dtype=torch.float64)), x)


def test_w_norm() -> None:
    w_plus = torch.tensor([[[1.0, 1.0], [1.0, 1.0]], [[4.0, 5.0], [1.0, 13.0]]])
    assert w_norm(w_plus, torch.tensor([1.0, 1.0])).tolist() == [0.0, 13.0]
    assert w_norm(w_plus, torch.tensor([[4.0, 5.0], [1.0, 1.0]])).tolist() == [5.0, 12.0]
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: w_norm(w, torch.ones(3, 4, dtype=torch.float64)), x)
    start = torch.ones(1, 2, 2, requires_grad=True)
    w_norm(start, torch.ones(2)).sum().backward()
    assert start.grad is not None
    assert start.grad.abs().max() == 0


def test_hull_terms() -> None:
    alpha = torch.tensor([[0.5, 0.5], [0.25, 0.25]])
    deltas = torch.zeros(2, 3, 2)
    assert hull_spread(deltas).tolist() == [0.0, 0.0]
    assert hull_sum(alpha, deltas).tolist() == [0.0, 0.25]
    deltas[0] = torch.tensor([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0]])
    assert hull_spread(deltas).tolist() == [16.0, 0.0]
    assert hull_spread(deltas, layers=2).tolist() == [6.0, 0.0]
    assert hull_sum(alpha, deltas).tolist() == pytest.approx([(49 + 1 + 196) / 3, 0.25])


def test_hull_terms_have_a_gradient_also_where_they_start() -> None:
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    alpha = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(hull_spread, x)
    assert torch.autograd.gradcheck(hull_sum, (alpha, x))
    start = torch.zeros(1, 3, 4, requires_grad=True)
    hull_spread(start).sum().backward()
    assert start.grad is not None
    assert start.grad.abs().max() == 0


def test_angular_margin() -> None:
    cosines = torch.tensor([[0.5, 0.2, -0.1], [0.3, 0.9, 0.0], [-0.99, 0.0, 0.1]])
    labels = torch.tensor([0, 1, 0])
    assert torch.allclose(
        angular_margin(cosines, labels, margin=0.0, scale=8), F.cross_entropy(8 * cosines, labels, reduction="none")
    )
    expected = []
    for row, label in zip(cosines.tolist(), labels.tolist(), strict=True):
        angle = math.acos(row[label])
        row[label] = math.cos(angle + 0.5) if angle + 0.5 < math.pi else row[label] - 0.5 * math.sin(0.5)
        terms = [math.exp(8 * c) for c in row]
        expected.append(-math.log(terms[label] / sum(terms)))
    assert angular_margin(cosines, labels, scale=8).tolist() == pytest.approx(expected, rel=1e-4)


def test_angular_margin_falls_with_the_true_cosine_and_has_a_gradient() -> None:
    true = torch.linspace(-1, 1, 41)
    loss = angular_margin(torch.stack([true, torch.zeros(41)], 1), torch.zeros(41, dtype=torch.long), scale=4)
    assert (loss.diff() < 0).all()
    x = torch.rand(3, 4, dtype=torch.float64).mul(0.9).requires_grad_()
    assert torch.autograd.gradcheck(lambda c: angular_margin(c, torch.tensor([0, 2, 3]), scale=4), x)
    ends = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    angular_margin(ends, torch.tensor([0, 0])).sum().backward()
    assert ends.grad is not None
    assert ends.grad.isfinite().all()
