"""Every detector keeps the contract: shapes, gradients, features apart from the head, a map that passes the tap."""

import pytest
import torch
from torch import nn

from selfsame.core.errors import BadInput, WrongUse
from selfsame.detectors import detector, residual, table, tall
from selfsame.detectors.detector import Detector, Sight

SMALL = ("cnn-small", "vit-small", "tall-small")
MILLIONS = {
    "xception": 20.807, "efficientnet-b4": 17.549, "vit-b16": 85.799, "tall-swin-b": 86.918, "cnn-small": 0.325,
    "vit-small": 0.385, "tall-small": 0.300,
}  # fmt: skip
"""Of the backbones without a head, as timm and the papers count them."""


def shown(name: str, count: int = 2) -> tuple[Detector, torch.Tensor]:
    torch.manual_seed(0)
    net = table.build(name).eval()
    sight = net.sight
    return net, torch.rand(count, sight.frames, 3, sight.px, sight.px) * 2 - 1


@pytest.mark.parametrize("name", MILLIONS)
def test_backbones_have_the_published_size(name: str) -> None:
    with torch.device("meta"):
        net = table.build(name)
    assert sum(p.numel() for p in net.body.parameters()) / 1e6 == pytest.approx(MILLIONS[name], abs=0.001)


@pytest.mark.parametrize("name", SMALL)
def test_a_detector_gives_a_logit_from_its_features_and_every_weight_a_gradient(name: str) -> None:
    net, clips = shown(name)
    logits = net(clips)
    assert logits.shape == (2,)
    assert torch.equal(net.head(net.features(clips)).squeeze(-1), logits)
    logits.sum().backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_a_score_does_not_hang_on_the_others_of_its_batch(name: str) -> None:
    net, clips = shown(name, 3)
    with torch.no_grad():
        together, alone = net(clips), torch.cat([net(one[None]) for one in clips])
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(net(clips.flip(0)), together.flip(0), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_the_map_at_the_tap_decides_and_is_a_picture(name: str) -> None:
    net, clips = shown(name)
    seen: list[torch.Tensor] = []
    hook = net.tap.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        net(clips)
    hook.remove()
    _, channels, height, width = seen[0].shape
    assert height == width > 1 and channels >= 64
    net.tap.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
    with torch.no_grad():
        empty = net(clips)
    assert name == "vit-small" or torch.allclose(empty[0], empty[1], atol=1e-6)  # a transformer's residual path goes on


def test_frames_of_another_size_are_resized_and_tall_sees_them_in_order() -> None:
    net, clips = shown("cnn-small")
    large = nn.functional.interpolate(clips[:, 0], scale_factor=2)[:, None]
    assert net(large).shape == (2,)
    frames = torch.arange(4.0)[None, :, None, None, None].expand(1, 4, 3, 2, 2)
    picture = tall.thumbnail(frames)
    assert picture.shape == (1, 3, 4, 4)
    assert picture[0, 0, ::2, ::2].tolist() == [[0.0, 1.0], [2.0, 3.0]]


def test_the_residual_has_no_mean_and_no_slope_but_every_dot() -> None:
    slope = torch.arange(8.0).expand(1, 3, 8, 8) + 5
    assert float(residual.residual(slope)[..., 1:-1].abs().max()) < 1e-4
    dot = torch.zeros(1, 3, 5, 5)
    dot[..., 2, 2] = 1.0
    made = residual.residual(dot)
    assert float(made[0, 0, 2, 2]) == pytest.approx(residual.GAIN * 8 / 9)
    assert float(made[0, 0, 1, 1]) == pytest.approx(-residual.GAIN / 9) and float(made[0, 0, 0, 0]) == 0
    clips = torch.rand(2, 4, 3, 8, 8)
    assert torch.equal(residual.in_time(clips)[:, 2], residual.residual(clips[:, 2]))


def test_a_stem_gives_a_token_for_each_patch() -> None:
    x = torch.rand(2, 3, 32, 32)
    stem = residual.ConvStem(32, 8, 3, 10).eval()
    assert stem(x).shape == (2, 16, 10) == (2, stem.num_patches, 10)
    assert residual.ConvStem(32, 8, 3, 10, last=True)(x).shape == (2, 4, 4, 10)


def test_normalisation_is_that_of_the_backbone() -> None:
    class Mean(nn.Module):
        num_features = 3

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Identity()

        def forward_features(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x)

        def forward_head(self, x: torch.Tensor, pre_logits: bool) -> torch.Tensor:
            return x.mean((2, 3))

    net = Detector(Mean(), Sight(4, 1, *detector.IMAGENET), "layer")
    white = net.features(torch.ones(1, 1, 3, 4, 4))
    expected = [(1 - m) / s for m, s in zip(*detector.IMAGENET, strict=True)]
    torch.testing.assert_close(white, torch.tensor([expected]))


def test_pretrained_weights_go_into_the_backbone_without_their_classifier() -> None:
    net, _ = shown("vit-small")
    other = table.build("vit-small")
    given = {**other.body.state_dict(), "head.weight": torch.zeros(1000, 128), "head.bias": torch.zeros(1000)}
    detector.load_backbone(net, given, "vit.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(net.body.state_dict().values(), given.values(), strict=False))
    with pytest.raises(BadInput, match=r"vit\.safetensors holds another network"):
        detector.load_backbone(table.build("cnn-small"), given, "vit.safetensors")


def test_a_frozen_backbone_learns_nothing_and_stays_as_it_judges() -> None:
    small = table.build("cnn-small")
    probe = Detector(small.body, small.sight, "layer4", frozen=True).train()
    assert [name for name, p in probe.named_parameters() if p.requires_grad] == ["head.weight", "head.bias"]
    assert probe.training and not probe.body.training and set(probe.learned()) == {"head.weight", "head.bias"}


def test_an_unknown_detector_is_named() -> None:
    with pytest.raises(WrongUse, match="no detector zzz"):
        table.build("zzz")
