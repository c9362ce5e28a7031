from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from selfsame.core import weights
from selfsame.losses.image import perceptual
from selfsame.nets import lpips
from selfsame.nets.lpips import Lpips, LpipsConfig, normalise

# Each layer under torchvision's number: (kernel, stride, padding) of a convolution, "relu" or (size, stride) of a pool.
ALEX = [(11, 4, 2), "relu", (3, 2), (5, 1, 2), "relu", (3, 2), *[(3, 1, 1), "relu"] * 3]
CONV = [(3, 1, 1), "relu"]
VGG = [*CONV * 2, (2, 2), *CONV * 2, (2, 2), *CONV * 3, (2, 2), *CONV * 3, (2, 2), *CONV * 3]


def network(backbone: str) -> Lpips:
    torch.manual_seed(1)
    net = Lpips(LpipsConfig(backbone))  # type: ignore[arg-type]
    for head in net.heads:
        torch.nn.init.uniform_(head, 0, 2)
    return net


def slow_maps(x: torch.Tensor, tensors: dict[str, torch.Tensor], layers: list, taps: list[int]) -> list[torch.Tensor]:
    x = (x - torch.tensor([-0.030, -0.088, -0.188])[:, None, None]) / torch.tensor([0.458, 0.448, 0.450])[:, None, None]
    maps = []
    for number, layer in enumerate(layers):
        if layer == "relu":
            x = x.clamp(min=0)
        elif len(layer) == 2:
            x = F.max_pool2d(x, *layer)
        else:
            kernel, stride, padding = layer
            weight = tensors[f"backbone.{number}.weight"]
            assert weight.shape[2:] == (kernel, kernel)
            x = F.conv2d(x, weight, tensors[f"backbone.{number}.bias"], stride, padding)
        if number in taps:
            maps.append(x)
    return maps


def slow_distance(a: torch.Tensor, b: torch.Tensor, net: Lpips, layers: list, taps: list[int]) -> float:
    """The published formula, one place and one channel at a time, for a single pair."""
    tensors = net.state_dict()
    total = 0.0
    pairs = zip(slow_maps(a, tensors, layers, taps), slow_maps(b, tensors, layers, taps), strict=True)
    for layer, (x, y) in enumerate(pairs):
        unit_x = x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
        unit_y = y / (y.square().sum(1, keepdim=True).sqrt() + 1e-10)
        weighted = [w * (unit_x - unit_y)[0, c] ** 2 for c, w in enumerate(tensors[f"heads.{layer}"])]
        total += torch.stack(weighted).sum(0).mean().item()
    return total


@pytest.mark.parametrize(
    ("backbone", "layers", "taps", "size_px"),
    [("alex", ALEX, [1, 4, 7, 9, 11], 64), ("vgg", VGG, [3, 8, 15, 22, 29], 32)],
)
def test_the_distance_is_the_published_formula(backbone: str, layers: list, taps: list[int], size_px: int) -> None:
    net = network(backbone)
    a, b = torch.rand(2, 2, 3, size_px, size_px) * 2 - 1
    distance = perceptual(net(a), net(b))
    for i in range(2):
        assert distance[i].item() == pytest.approx(
            slow_distance(a[i : i + 1], b[i : i + 1], net, layers, taps), rel=1e-3
        )
    assert perceptual(net(a), net(a.clone())).tolist() == [0.0, 0.0]
    assert all(x.shape[1] == len(head) for x, head in zip(net(a), net.heads, strict=True))


def test_a_picture_moves_towards_its_target() -> None:
    net = network("alex")
    target = net(torch.rand(1, 3, 64, 64) * 2 - 1)
    image = torch.zeros(1, 3, 64, 64, requires_grad=True)
    first = perceptual(net(image), target)
    first.sum().backward()
    assert image.grad is not None
    assert image.grad.isfinite().all()
    moved = image.detach() - 0.1 * image.grad / image.grad.abs().max()
    assert perceptual(net(moved), target).item() < first.item()
    assert all(p.grad is None for p in net.parameters())


def test_normalise_is_finite_where_all_channels_are_zero() -> None:
    x = torch.zeros(1, 4, 2, 2, requires_grad=True)
    normalise(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert torch.allclose(normalise(torch.full((1, 4, 1, 1), 3.0)), torch.full((1, 4, 1, 1), 0.5))


def test_weights_come_from_a_folder(tmp_path: Path) -> None:
    net = network("alex")
    card = weights.Card(lpips.PERCEPTUAL_JUDGE, asdict(net.config), seed=0, licence="BSD-2-Clause")
    weights.save(tmp_path, net.state_dict(), card)
    image = torch.rand(1, 3, 64, 64)
    again = lpips.load(tmp_path)
    assert all(torch.equal(x, y) for x, y in zip(again(image), net(image), strict=True))
