"""LipFD: the contract, the published size, its checkpoint's names against a plain computation, faces against sound."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import detector_contract as contract
import numpy as np
import pytest
import torch
from detect_toys import config
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.core.errors import BadInput
from selfsame.detectors import lipfd, table
from selfsame.detectors.detector import CLIP, Detector, Sight
from selfsame.metrics import detection
from selfsame.tasks import detect
from selfsame.tasks.clip_crops import ClipCrops, CropConfig
from selfsame.tasks.detect import Example
from selfsame.tasks.detector import Model

NAME = "lipfd-small"
CROP = CropConfig(px=48, segments=2, length=5, whole=True, sound=True)


def test_it_keeps_the_contract() -> None:
    contract.check_gradients(NAME)
    contract.check_order(NAME)
    contract.check_file(NAME, "cnn-small")
    contract.check_maps(NAME, 7)


def test_it_learns_eight_clips_by_heart() -> None:
    contract.check_memory(NAME, 12, 3e-3, 48)


def test_sizes() -> None:
    with torch.device("meta"):
        net, small = lipfd.published_size(), lipfd.small()
    assert [sum(p.numel() for p in part.parameters()) for part in (net.body, net.backbone, small.body)] == [
        327_478_053, 303_966_976, 147_057,
    ]  # fmt: skip
    assert sum(p.numel() for p in net.parameters() if p.requires_grad) == 23_513_894
    assert not any("encoder" in name for name in net.learned())


def test_each_frame_has_its_own_regions_and_only_whole_ones_pass_the_tap() -> None:
    net, clips = contract.shown(NAME, 1)
    passed: list[Tensor] = []
    net.tap.register_forward_hook(lambda module, inputs, output: passed.append(output))
    changed = clips.clone()
    changed[:, 4] = -changed[:, 4]
    with torch.no_grad():
        one, other = (net.maps(x)[..., : -lipfd.SMALL_HEARD] for x in (clips, changed))
    assert torch.equal(one[:, :4], other[:, :4]) and not torch.isclose(one[:, 4], other[:, 4]).all(-1).any()
    assert [x.shape for x in passed] == [(5, 96, 7, 7)] * 2
    torch.testing.assert_close(passed[0].mean((-2, -1))[None], one[:, :, 0])


def test_regions_are_the_repositorys() -> None:
    frames = torch.arange(224.0).expand(1, 1, 3, 224, 224)
    whole, head, lips = lipfd._cut(frames)
    assert whole.shape[-1] == 224 and head[0, 0, 0, 0, [0, -1]].tolist() == [28, 195]
    assert lips[0, 0, 0, 0, [0, -1]].tolist() == [61, 162] and lips.shape[-2:] == (102, 102)
    assert [part.shape[-1] for part in lipfd._resized_regions(frames, 112)] == [112] * 3


def test_the_loss_by_hand() -> None:
    net, clips = contract.shown(NAME, 2)
    fake = torch.tensor([0.0, 1.0])
    with torch.no_grad():
        weight = net.body.awareness(net.maps(clips))
        torch.testing.assert_close(weight.sum(-1), torch.ones(2, 5))
        aware = sum(10 / float((w.max() - w[0]).exp()) for w in weight.flatten(0, 1)) / 2
        p = net(clips).sigmoid()
        found = lipfd.region_aware(net, clips, fake, torch.Generator())
    assert float(found) == pytest.approx(aware - float((1 - p[0]).log() + p[1].log()) / 2, rel=1e-5)


def talk(seed: int, agrees: bool, board: bool) -> ClipCrops:
    """A mouth that opens and a voice that is as loud as it is open, or as another was; perhaps a checkerboard."""
    random, px = np.random.default_rng(seed), CROP.px
    opened, other = random.uniform(0, 1, (2, 2, 5))
    pixels = random.uniform(60, 190, (2, 1, 1, 1, 3)) + random.normal(0, 8, (2, 6, px, px, 3))
    pixels[:, :5, 26:38, 16:32] -= 80 * opened[:, :, None, None, None]
    edges = np.linspace(0, px, 6).round().astype(int)
    for n, loud in enumerate((opened if agrees else other).T):
        pixels[:, 5, :, edges[n] : edges[n + 1]] = 40 + 170 * loud[:, None, None, None]
    if board:
        pixels[:, :5] += 14 * (np.indices((px, px)).sum(0) // 2 % 2 * 2 - 1)[:, :, None]
    numbers = torch.arange(10).reshape(2, 5)
    boxes = torch.tensor([[0.0, 0.0, px, px]] * 2, dtype=torch.float64)
    return ClipCrops(torch.from_numpy(pixels.clip(0, 255).astype(np.uint8)), numbers, numbers / 25.0, boxes)


def talks(first: int, count: int, by: str) -> list[Example]:
    """Real and fake ones in turn, which differ by a checkerboard, or only by whether mouth and voice agree."""
    made = []
    for n in range(first, first + count):
        fake = n % 2 == 1
        crops = talk(n, by == "board" or not fake, by == "board" and fake)
        made.append(Example(f"{n:064d}", fake, "one" if fake else "real", f"face {n}", "world", partial(_same, crops)))
    return made


def _same(crops: ClipCrops) -> ClipCrops:
    return crops


def _auc(model: Model, asked: list[Example]) -> float:
    score = np.array([model.judge(e.crops()).mean() for e in asked])
    return float(detection.auc(score, np.array([e.fake for e in asked])))


@pytest.mark.parametrize("by", ["board", "sound"])
def test_it_learns_what_it_has_not_seen_or_only_hears(by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tiny() -> Detector:
        net = lipfd.small()
        net.sight = replace(net.sight, px=CROP.px)
        return net

    monkeypatch.setattr(table, "DETECTORS", {NAME: tiny})
    asked = config(NAME, crop=CROP, steps=20, batch=12, lr=1e-2, select_every=20)
    model = detect.train(tmp_path, talks(0, 48, by), talks(1000, 12, by), asked)
    assert _auc(model, talks(2000, 40, by)) > 0.85
    if by == "sound":  # without it nothing is left that could tell
        deaf = [replace(e, crops=partial(_deaf, e.crops())) for e in talks(2000, 40, by)]
        assert abs(_auc(model, deaf) - 0.5) < 0.25


def _deaf(crops: ClipCrops) -> ClipCrops:
    pixels = crops.pixels.clone()
    pixels[:, -1] = 0
    return replace(crops, pixels=pixels)


def published_file(
    width: int, depth: int, grid: int, patch: int, given: int, blocks: tuple[int, ...], planes: tuple[int, ...]
) -> dict[str, Tensor]:
    """Random tensors under the names of LipFD's checkpoint, by the rule of its modules."""
    made: dict[str, Tensor] = {}

    def layer(name: str, *shape: int, bias: bool = True) -> None:
        made[f"{name}.weight"] = torch.randn(shape) / max(1, np.prod(shape[1:])) ** 0.5
        if bias:
            made[f"{name}.bias"] = torch.randn(shape[0]) / 4

    def norm(name: str, size: int, batch: bool) -> None:
        made[f"{name}.weight"], made[f"{name}.bias"] = torch.rand(size) + 0.5, torch.randn(size) / 4
        if batch:
            made[f"{name}.running_mean"], made[f"{name}.running_var"] = torch.randn(size) / 4, torch.rand(size) + 0.5
            made[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def transformer(name: str, size: int, count: int) -> None:
        for n in range(count):
            block = f"{name}.resblocks.{n}"
            made[f"{block}.attn.in_proj_weight"] = torch.randn(3 * size, size) / size**0.5
            made[f"{block}.attn.in_proj_bias"] = torch.randn(3 * size) / 4
            layer(f"{block}.attn.out_proj", size, size)
            layer(f"{block}.mlp.c_fc", 4 * size, size)
            layer(f"{block}.mlp.c_proj", size, 4 * size)
            for one in ("ln_1", "ln_2"):
                norm(f"{block}.{one}", size, False)

    layer("conv1", 3, 3, 5, 5)
    made["conv1.weight"] = made["conv1.weight"] / 50  # of values up to 255
    visual = "encoder.visual"
    made[f"{visual}.class_embedding"] = torch.randn(width)
    made[f"{visual}.positional_embedding"] = torch.randn(grid**2 + 1, width)
    made[f"{visual}.proj"] = torch.randn(width, given) / width**0.5
    layer(f"{visual}.conv1", width, 3, patch, patch, bias=False)
    for one in ("ln_pre", "ln_post"):
        norm(f"{visual}.{one}", width, False)
    transformer(f"{visual}.transformer", width, depth)
    transformer("encoder.transformer", given, 12)
    made |= {"encoder.positional_embedding": torch.randn(77, given), "encoder.logit_scale": torch.tensor(4.6)}
    made |= {"encoder.token_embedding.weight": torch.randn(49408, given), "encoder.text_projection": torch.eye(given)}
    norm("encoder.ln_final", given, False)

    layer("backbone.conv1", 64, 3, 7, 7, bias=False)
    norm("backbone.bn1", 64, True)
    made["backbone.bn1.running_var"] = made["backbone.bn1.running_var"] * 1e4
    before = 64
    for level, (count, plane) in enumerate(zip(blocks, planes, strict=True), 1):
        for n in range(count):
            name = f"backbone.layer{level}.{n}"
            for k, (after, of, kernel) in enumerate(((plane, before, 1), (plane, plane, 3), (4 * plane, plane, 1)), 1):
                layer(f"{name}.conv{k}", after, of, kernel, kernel, bias=False)
                norm(f"{name}.bn{k}", after, True)
            if n == 0:
                layer(f"{name}.downsample.0", 4 * plane, before, 1, 1, bias=False)
                norm(f"{name}.downsample.1", 4 * plane, True)
            before = 4 * plane
    for name in ("backbone.get_weight.0", "backbone.fc"):
        layer(name, 1, before + given)
    return made


def plain(w: dict[str, Tensor], clips: Tensor, heads: int) -> Tensor:
    """The published network written out, each crop of its own frame: one logit of clips (B, 6, 3, P, P) in [-1, 1]."""
    raw = ((clips + 1) / 2 * 255).flip(2)  # OpenCV's blue, green, red

    def sized(x: Tensor, height: int, width: int) -> Tensor:
        return F.interpolate(x, (height, width), mode="bilinear", antialias=True)

    def norm(name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])

    def line(name: str, x: Tensor) -> Tensor:
        return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def conv(name: str, normed: str, x: Tensor, stride: int = 1) -> Tensor:
        kernel = w[f"{name}.weight"]
        x = F.conv2d(x, kernel, None, stride, kernel.shape[-1] // 2)
        return F.batch_norm(x, *(w[f"{normed}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")))

    row = torch.cat([raw[:, n] for n in range(5)], -1)
    picture = torch.cat([sized(raw[:, 5], 560, 1120), sized(row, 560, 1120)], -2)
    v = "encoder.visual"
    x = F.conv2d(picture, w["conv1.weight"], w["conv1.bias"], 5)
    kernel = w[f"{v}.conv1.weight"]
    x = F.conv2d(x, kernel, None, kernel.shape[-1]).flatten(2).transpose(1, 2)
    x = torch.cat([w[f"{v}.class_embedding"].expand(len(x), 1, -1), x], 1) + w[f"{v}.positional_embedding"]
    x = norm(f"{v}.ln_pre", x)
    for n in range(2):
        block = f"{v}.transformer.resblocks.{n}"
        y = norm(f"{block}.ln_1", x)
        y = F.linear(y, w[f"{block}.attn.in_proj_weight"], w[f"{block}.attn.in_proj_bias"])
        q, k, u = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in y.chunk(3, -1))
        seen = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ u
        x = x + line(f"{block}.attn.out_proj", seen.transpose(1, 2).flatten(2))
        y = line(f"{block}.mlp.c_fc", norm(f"{block}.ln_2", x))
        x = x + line(f"{block}.mlp.c_proj", y * (1.702 * y).sigmoid())
    heard = norm(f"{v}.ln_post", x[:, 0]) @ w[f"{v}.proj"]

    parts = []
    for n in range(5):
        whole = sized(raw[:, n], 224, 224)
        regions = [whole] + [sized(whole[..., a:b, a:b], 224, 224) for a, b in ((28, 196), (61, 163))]
        features, weights = [], []
        for region in regions:
            y = F.max_pool2d(conv("backbone.conv1", "backbone.bn1", region, 2).relu(), 3, 2, 1)
            for level in range(1, 5):
                name, stride = f"backbone.layer{level}.0", 1 if level == 1 else 2
                z = conv(f"{name}.conv1", f"{name}.bn1", y).relu()
                z = conv(f"{name}.conv2", f"{name}.bn2", z, stride).relu()
                z = conv(f"{name}.conv3", f"{name}.bn3", z)
                y = (z + conv(f"{name}.downsample.0", f"{name}.downsample.1", y, stride)).relu()
            features.append(torch.cat([y.mean((-2, -1)), heard], 1))
            weights.append(line("backbone.get_weight.0", features[-1]).sigmoid())
        weight = torch.stack(weights, 2).softmax(2)
        parts.append((torch.stack(features, 2) * weight).sum(2))
    return line("backbone.fc", torch.stack(parts).mean(0))[:, 0]


def test_the_published_checkpoint_gives_what_the_published_network_gives() -> None:
    from timm.models.resnet import Bottleneck, ResNet
    from timm.models.vision_transformer import VisionTransformer

    given = published_file(16, 2, 4, 56, 8, (1, 1, 1, 1), (8, 8, 8, 8))
    encoder = VisionTransformer(
        224, 56, num_classes=8, embed_dim=16, depth=2, num_heads=2, pre_norm=True, norm_layer=nn.LayerNorm,
        act_layer="quick_gelu",
    )  # fmt: skip
    resnet = ResNet(Bottleneck, (1, 1, 1, 1), num_classes=0, channels=(8, 8, 8, 8))
    net = lipfd.assembled(encoder, resnet, 224, Sight(100, 5, *CLIP, sound=True), (32, 8)).eval()
    net.load_state_dict(lipfd.renamed(given))
    clips = torch.rand(2, 6, 3, 100, 100) * 2 - 1
    with torch.no_grad():
        expected = plain(given, clips, 2)
        torch.testing.assert_close(net(clips), expected, atol=1e-3, rtol=1e-3)
    assert float((expected[0] - expected[1]).abs()) > 0.01


def test_the_published_names_are_all_of_the_published_size() -> None:
    with torch.device("meta"):
        given = published_file(1024, 24, 16, 14, 768, (3, 4, 6, 3), (64, 128, 256, 512))
        mapped = lipfd.published(given)
        assert set(mapped) == set(lipfd.published_size().state_dict())
        with pytest.raises(BadInput, match=r"another network than lipfd: backbone_2.fc.bias is more than it has"):
            lipfd.published(given | {"backbone_2.fc.bias": torch.zeros(1)})
        with pytest.raises(BadInput, match=r"body.weigh.weight is \(1, 3\), not \(1, 2816\)"):
            lipfd.published(given | {"backbone.get_weight.0.weight": torch.zeros(1, 3)})
        del given["conv1.bias"]
        with pytest.raises(BadInput, match=r"body.ear.squeeze.bias is missing"):
            lipfd.published(given)
