"""Grad-CAM: values by hand, every family, the right frame, the right place, nothing left behind; mass by region."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.detectors import explain, tall
from selfsame.detectors.detector import Detector, Sight
from selfsame.detectors.table import build

PLACES = torch.tensor([[0.0, 1.0], [2.0, 1.0]])  # mean 1: how much each place counts for the pooled features


class Two(nn.Module):
    """A 1x1 convolution to two channels, pooled with weights by place."""

    num_features = 2

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1, bias=False)
        self.conv.weight.data = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])[:, :, None, None]

    def forward_features(self, x: Tensor) -> Tensor:
        return self.conv(x)

    def forward_head(self, x: Tensor, pre_logits: bool) -> Tensor:
        return (x * PLACES).sum((-2, -1))


def two(frozen: bool = False) -> Detector:
    net = Detector(Two(), Sight(2), "conv", frozen=frozen).eval()
    net.head.weight.data = torch.tensor([[3.0, -1.0]])
    return net


@pytest.mark.parametrize("frozen", [False, True])
def test_the_value_by_hand(frozen: bool) -> None:
    picture = torch.zeros(1, 1, 3, 2, 2)
    picture[0, 0, 0] = torch.tensor([[0.5, 0.0], [-0.5, 0.25]])
    picture[0, 0, 1] = torch.tensor([[0.0, 1.0], [0.0, 0.5]])
    # Channels weigh their mean gradient: 3 and -1 times the mean of PLACES.
    raw = torch.tensor([[1.5, -1.0], [-1.5, 0.25]])
    net = two(frozen)
    torch.testing.assert_close(explain.grad_cam(net, picture)[0, 0], raw.clamp_min(0))
    torch.testing.assert_close(explain.grad_cam(net, picture, "real")[0, 0], (-raw).clamp_min(0))


@pytest.mark.parametrize(("name", "cells"), [("cnn-small", 7), ("vit-small", 14), ("tall-small", 7)])
def test_every_family_has_maps_and_nothing_stays_behind(name: str, cells: int) -> None:
    net = build(name).eval()
    clips = torch.rand(2, net.sight.frames, 3, net.sight.px, net.sight.px) * 2 - 1
    before = net(clips)
    with torch.no_grad():
        fake, real = explain.grad_cam(net, clips), explain.grad_cam(net, clips, "real")
    assert fake.shape == real.shape == (2, net.sight.frames, cells, cells)
    assert fake.min() >= 0 and (fake * real == 0).all() and (fake + real).sum() > 0
    assert torch.equal(explain.grad_cam(net, clips), fake)
    # One by one as in a batch: no map is stretched by its neighbours.
    torch.testing.assert_close(explain.grad_cam(net, clips[1:]), fake[1:], atol=1e-6, rtol=1e-4)
    assert all(parameter.grad is None for parameter in net.parameters()) and not clips.requires_grad
    assert not net.tap._forward_hooks and not net.tap._forward_pre_hooks
    assert not net.training and torch.equal(net(clips), before)


def test_a_map_that_fails_leaves_no_hook() -> None:
    net = two()
    net.head = nn.Linear(3, 1)
    with pytest.raises(RuntimeError, match="shapes"):
        explain.grad_cam(net, torch.zeros(1, 1, 3, 2, 2))
    assert not net.tap._forward_pre_hooks and not net.tap._forward_hooks


class Thumbnails(Two):
    """The first channel alone, each place as much as any other."""

    def forward_head(self, x: Tensor, pre_logits: bool) -> Tensor:
        return x.mean((-2, -1))


@pytest.mark.parametrize("frame", range(4))
def test_a_thumbnail_is_cut_into_its_frames(frame: int) -> None:
    net = Detector(Thumbnails(), Sight(2, 4), "conv", arrange=tall.thumbnail, rows=2).eval()
    net.head.weight.data = torch.tensor([[4.0, 0.0]])
    clips = torch.zeros(1, 4, 3, 2, 2)
    clips[0, frame, 0] = torch.tensor([[0.25, 0.5], [0.75, 1.0]])
    found = explain.grad_cam(net, clips)
    expected = torch.zeros(1, 4, 2, 2)
    expected[0, frame] = clips[0, frame, 0] * 4 / 16
    torch.testing.assert_close(found, expected)


def test_a_cell_that_frames_share_counts_in_each() -> None:
    cut = explain._by_frame(torch.arange(9.0).reshape(1, 3, 3), 1, 4, 2)
    assert cut[0, 1].tolist() == [[1, 2, 2], [1, 2, 2], [4, 5, 5]] and cut[0, 2][0].tolist() == [3, 3, 4]


def test_a_detector_that_learned_one_quarter_looks_there() -> None:
    torch.manual_seed(0)
    net, random = build("cnn-small"), np.random.default_rng(0)
    adam = torch.optim.AdamW(net.parameters(), lr=2e-3)
    board = torch.from_numpy(np.indices((48, 48)).sum(0) // 3 % 2 * 2.0 - 1).float()

    def batch(fake: Tensor) -> Tensor:
        x = torch.from_numpy(random.normal(0, 0.25, (len(fake), 1, 3, 96, 96))).float()
        x[:, :, :, :48, 48:] += 0.5 * fake[:, None, None, None, None] * board
        return x.clamp(-1, 1)

    for _ in range(25):
        fake = torch.arange(8) % 2.0
        loss = F.binary_cross_entropy_with_logits(net.train()(batch(fake)), fake)
        adam.zero_grad()
        loss.backward()
        adam.step()
    maps = explain.grad_cam(net.eval(), batch(torch.ones(8)))
    there = maps[..., :3, 3:].sum((1, 2, 3)) / maps.sum((1, 2, 3))
    assert float(there.mean()) > 0.6, f"a quarter of the picture holds {there.mean():.2f} of the evidence"


@given(st.floats(1.0, 3.0), st.integers(1, 16), st.integers(1, 16))
def test_regions_fill_the_picture(margin: float, height: int, width: int) -> None:
    of = explain.regions(margin, height, width)
    torch.testing.assert_close(of.sum(0), torch.ones(height, width))
    area = explain.area_shares(margin, height, width)
    even = explain.shares(torch.ones(2, height, width), margin)
    torch.testing.assert_close(even, area.expand(2, 3))


def test_areas_are_those_of_ellipses() -> None:
    margin = 1.8
    face = math.pi / 4 * explain.FACE_WIDTH / margin**2
    found = explain.area_shares(margin, 12, 12)
    expected = torch.tensor([face, face * (explain.RING**2 - 1), 1 - face * explain.RING**2])
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


def test_mass_is_told_by_region_and_none_has_no_shares() -> None:
    maps = torch.zeros(4, 9, 9)
    maps[0, 4, 4], maps[1, 0, 0], maps[2, 1, 4] = 3.0, 0.1, 2.0
    found = explain.shares(maps, 1.8)
    assert found[:2].tolist() == [[1, 0, 0], [0, 0, 1]]
    assert found[2, 1] > 0.7 and found[3].isnan().all()
    torch.testing.assert_close(found[:3].sum(-1), torch.ones(3))
    torch.testing.assert_close(explain.shares(7 * maps, 1.8)[:3], found[:3])


def test_maps_of_frames_volumes_and_all_frames_at_once_are_told_by_frame() -> None:
    singles = torch.arange(24.0).reshape(6, 2, 2)
    assert torch.equal(explain._by_frame(singles, 2, 3, 1)[1, 2], singles[5])
    volume = torch.arange(8.0).reshape(1, 2, 2, 2)
    by_frame = explain._by_frame(volume, 1, 3, 1)
    assert torch.equal(by_frame[0, 1], volume[0, 0]) and torch.equal(by_frame[0, 2], volume[0, 1])
    both = torch.rand(2, 4, 4)
    assert torch.equal(explain._by_frame(both, 2, 5, 1), both[:, None].expand(2, 5, 4, 4))
