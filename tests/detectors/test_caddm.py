"""CADDM: the contract of detectors, boxes by hand, pairs made of a batch, and the released checkpoint's names."""

from collections.abc import Callable
from pathlib import Path

import detect_toys
import numpy as np
import pytest
import torch
from detect_toys import config, examples
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from selfsame.core.errors import BadInput
from selfsame.detectors import artifact_boxes, blending, caddm, explain, table
from selfsame.detectors.artifact_boxes import Scale
from selfsame.detectors.detector import Detector
from selfsame.metrics import detection
from selfsame.tasks import detect
from selfsame.tasks import detector as judging
from selfsame.tasks.clip_crops import CropConfig

NAME = "caddm-small"
LABELS = torch.tensor([0.0, 1, 1, 0, 1, 0, 0, 1])


def shown(count: int = 8, px: int = 112) -> tuple[Detector, Tensor]:
    torch.manual_seed(0)
    return table.build(NAME), torch.rand(count, 1, 3, px, px) * 2 - 1


def step(net: Detector, optimizer: torch.optim.Optimizer, clips: Tensor, number: int) -> float:
    loss = net.lesson.loss(net.train(), clips, LABELS, torch.Generator().manual_seed(number))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


@pytest.fixture(scope="module")
def full() -> Detector:
    with torch.device("meta"):
        return table.build("caddm")


def test_the_published_size_is_that_of_the_released_code(full: Detector) -> None:
    body = full.body
    counts = [sum(p.numel() for p in part.parameters()) for part in (body.cnn, body.artifacts, full)]
    # 84 convolutions of 1792 x 1792 in the module, where a kernel of 3 x 3 counts as nine.
    assert counts == [17_548_616, 270_391_344, 287_941_753] and counts[1] // 1792**2 == 84
    assert body.anchors.shape == (2 * (49 + 25 + 9 + 1), 4)
    assert sum(p.numel() for p in table.build(NAME).parameters()) == 337_881


def test_every_weight_learns_from_both_losses_and_eight_clips_are_learned_by_heart() -> None:
    net, clips = shown()
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    for number in range(12):
        step(net, optimizer, clips, number)
        if number < 2:
            assert all(p.grad is not None for p in net.parameters())
    # Steps before this one moved the scales of residual branches away from 0.
    assert all(p.grad.abs().sum() > 0 for p in net.parameters() if p.grad is not None)
    with torch.no_grad():
        assert torch.equal(net.eval()(clips) > 0, LABELS > 0)


def test_a_score_is_its_own_and_a_map_shows_where() -> None:
    net, clips = shown(3)
    net.eval()
    with torch.no_grad():
        together = net(clips)
        torch.testing.assert_close(net(clips.flip(0)), together.flip(0), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(torch.cat([net(one[None]) for one in clips]), together, atol=1e-5, rtol=1e-5)
    maps = torch.stack([explain.grad_cam(net, clips, side) for side in ("fake", "real")])
    assert maps.shape == (2, 3, 1, 7, 7) and maps.isfinite().all() and (maps.sum(0).flatten(1).sum(1) > 0).all()


def test_it_learns_what_it_has_not_seen_and_is_the_same_when_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crop = CropConfig(px=112, segments=1, length=2)
    monkeypatch.setattr(detect_toys, "CROP", crop)
    asked = config(NAME, crop=crop, steps=10, select_every=10, lr=3e-3)
    model = detect.train(tmp_path, examples(0, 24), examples(100, 8), asked)
    again, others = judging.load(tmp_path), examples(300, 12)
    score = np.array([again.judge(e.crops()).mean() for e in others])
    assert detection.auc(score, np.array([e.fake for e in others])) > 0.8
    assert all(torch.equal(x, again.net.state_dict()[name]) for name, x in model.net.state_dict().items())


def test_anchors_stand_upright_and_lying_at_every_place() -> None:
    found = artifact_boxes.anchors([Scale(2, 0.5, 0.2, 0.4), Scale(1, 1.0, 1.0, 1.0)])
    expected = [[0.25, 0.25, 0.2, 0.4], [0.25, 0.25, 0.4, 0.2], [0.75, 0.25, 0.2, 0.4], [0.75, 0.25, 0.4, 0.2]]
    torch.testing.assert_close(found[:4], torch.tensor(expected))
    assert found[-1].tolist() == [0.5, 0.5, 1, 1] and len(found) == 10
    steps = artifact_boxes.anchors(caddm.SCALES) * 224
    assert steps[0].tolist() == pytest.approx([16, 16, 40, 80]) and steps[98].tolist() == pytest.approx(
        [22.5, 22.5, 80, 120]
    )


def test_an_anchor_answers_for_the_box_that_it_overlaps_and_no_box_is_left_alone() -> None:
    prior = artifact_boxes.anchors([Scale(2, 0.5, 0.5, 0.5), Scale(1, 1.0, 1.0, 1.0)])  # pairs of equal ones
    boxes = torch.tensor([[[0.0, 0, 1, 1], [0.05, 0.0, 0.55, 0.5]], [[0.0, 0, 1, 1], [0.3, 0.3, 0.4, 0.4]]])
    boxes = torch.cat([boxes, boxes[:1]])
    there = torch.tensor([[True, True], [True, True], [False, False]])
    offsets, artifact = artifact_boxes.match(boxes, there, prior)
    # 0.45 x 0.5 of 0.55 x 0.5 is shared by the first two; a box of a hundredth gets the first that fits it best.
    assert artifact.tolist() == [[True] * 2 + [False] * 6 + [True] * 2, [True] + [False] * 7 + [True] * 2, [False] * 10]
    assert offsets[0, 0].tolist() == pytest.approx([0.05 / 0.05, 0, 0, 0], abs=1e-5)
    small = [0.1 / 0.05, 0.1 / 0.05, np.log(0.2) / 0.2, np.log(0.2) / 0.2]
    assert offsets[1, 0].tolist() == pytest.approx(small, abs=1e-4) and offsets[0, 8].abs().max() < 1e-5


corners = st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4)


@given(corners, corners)
def test_overlap_is_that_of_torchvision(a: list[float], b: list[float]) -> None:
    from torchvision.ops import box_iou

    one, two = (torch.tensor([[*sorted(x[::2]), *sorted(x[1::2])]])[:, [0, 2, 1, 3]].double() for x in (a, b))
    if all(float((x[:, 2:] - x[:, :2]).min()) > 1e-3 for x in (one, two)):
        torch.testing.assert_close(artifact_boxes.overlap(one, two), box_iou(one, two)[0])


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_the_loss_is_that_of_a_plain_count(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    location, offsets = (torch.randn(3, 12, 4, generator=g) for _ in range(2))
    confidence, artifact = torch.randn(3, 12, 2, generator=g), torch.rand(3, 12, generator=g) < 0.25
    artifact[2] = False
    total = 0.0
    for row in range(3):
        said = -confidence[row].log_softmax(-1)
        positive = artifact[row].nonzero().flatten().tolist()
        rest = sorted((float(said[a, 0]) for a in range(12) if a not in positive), reverse=True)
        total += sum(rest[: min(2 * len(positive), 11)])
        for a in positive:
            far = (location[row, a] - offsets[row, a]).abs()
            total += float(said[a, 1] + torch.where(far < 1, far**2 / 2, far - 0.5).sum())
    expected = total / max(int(artifact.sum()), 1)
    assert float(artifact_boxes.loss(location, confidence, offsets, artifact)) == pytest.approx(expected, rel=1e-4)


def test_pairs_change_real_crops_in_their_window_alone() -> None:
    clips, fake = torch.rand(200, 1, 3, 40, 40) * 0.5 - 0.25, torch.arange(200) % 2.0
    sizes = [(0.3, 0.5), (0.5, 0.7)]
    made, boxes, there = blending.pairs(clips, fake, sizes, torch.Generator().manual_seed(1))
    again = blending.pairs(clips, fake, sizes, torch.Generator().manual_seed(1))
    assert torch.equal(made, again[0]) and torch.equal(made[::2], clips[::2])
    assert torch.equal(there[:, 0], fake > 0) and not there[::2].any()
    assert 30 < int(there[:, 1].sum()) < 70  # half of 100
    assert boxes[:, 0].tolist() == [[0, 0, 1, 1]] * 200
    wide = (boxes[:, 1, 2:] - boxes[:, 1, :2]).round(decimals=4)
    assert {tuple(sorted(pair)) for pair in wide.double().round(decimals=4).tolist()} == {(0.3, 0.5), (0.5, 0.7)}
    kept = (fake > 0) & ~there[:, 1]
    assert torch.equal(made[kept], clips[kept])
    at = (torch.arange(40) + 0.5) / 40
    for row in there[:, 1].nonzero().flatten().tolist():
        x0, y0, x1, y1 = boxes[row, 1].tolist()
        inside = ((at > y0) & (at < y1))[:, None] & ((at > x0) & (at < x1))
        same = (made[row] == clips[::2]).all((1, 2))  # of which real crop, pixel by pixel
        source = same[:, ~inside].all(1)
        assert source.sum() == 1 and not same[source][0, inside].all()
        middle = made[row, 0, :, int((y0 + y1) * 20), int((x0 + x1) * 20)]
        assert (middle != clips[::2][source][0, 0, :, int((y0 + y1) * 20), int((x0 + x1) * 20)]).any()


def test_without_real_crops_nothing_is_made_and_without_fakes_no_box_is_there() -> None:
    clips, g = torch.rand(8, 1, 3, 16, 16), torch.Generator().manual_seed(0)
    made, _, there = blending.pairs(clips, torch.ones(8), [(0.5, 0.5)], g)
    assert torch.equal(made, clips) and there.tolist() == [[True, False]] * 8
    net, clips = shown(2)
    loss = caddm.loss(net.train(), clips, torch.zeros(2), g)
    loss.backward()
    assert loss.isfinite() and all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_a_changed_copy_is_near_and_not_the_same() -> None:
    smooth = F.interpolate(torch.rand(4, 3, 5, 5), size=64, mode="bicubic").clamp(0, 1) - 0.5
    far = (blending.changed(smooth, torch.Generator().manual_seed(2)) - smooth).abs().mean((1, 2, 3))
    assert (far > 0.01).all() and (far < 0.25).all()


def test_a_window_takes_on_the_colour_of_where_it_goes() -> None:
    one, other = torch.rand(2, 3, 8, 8) * 0.2 - 0.5, torch.rand(2, 3, 8, 8) * 0.2 + 0.3
    share = torch.zeros(2, 1, 8, 8)
    share[:, :, 2:5, 1:7] = 0.7
    mean = [x[:, :, 2:5, 1:7].mean((2, 3)) for x in (blending.toned(one, other, share), other)]
    torch.testing.assert_close(mean[0], mean[1])


def released(net: Detector, make: Callable[[str, tuple[int, ...]], Tensor]) -> dict[str, Tensor]:
    """A file under the released code's names, by the rules of its modules."""
    cnn, width = net.body.cnn, int(net.body.num_features)
    made: dict[str, Tensor] = {}

    def conv(name: str, after: int, before: int, kernel: int, bias: bool = False) -> None:
        made[f"{name}.weight"] = make(f"{name}.weight", (after, before, kernel, kernel))
        if bias:
            made[f"{name}.bias"] = make(f"{name}.bias", (after,))

    def norm(name: str, channels: int) -> None:
        for kind in ("weight", "bias", "running_mean", "running_var"):
            made[f"{name}.{kind}"] = make(f"{name}.{kind}", (channels,))
        made[f"{name}.num_batches_tracked"] = torch.tensor(5)

    stem = cnn.conv_stem.out_channels
    conv("base_model._conv_stem", stem, 3, 3)
    norm("base_model._bn0", stem)
    blocks = [block for stage in cnn.blocks for block in stage]
    for i, block in enumerate(blocks):
        at, inner, kernel = f"base_model._blocks.{i}", block.conv_dw.out_channels, block.conv_dw.kernel_size[0]
        if hasattr(block, "conv_pwl"):
            conv(f"{at}._expand_conv", inner, block.conv_pw.in_channels, 1)
            norm(f"{at}._bn0", inner)
        last = getattr(block, "conv_pwl", block.conv_pw)
        squeezed = block.se.conv_reduce.out_channels
        conv(f"{at}._depthwise_conv", inner, 1, kernel)
        norm(f"{at}._bn1", inner)
        conv(f"{at}._se_reduce", squeezed, inner, 1, True)
        conv(f"{at}._se_expand", inner, squeezed, 1, True)
        conv(f"{at}._project_conv", last.out_channels, inner, 1)
        norm(f"{at}._bn2", last.out_channels)
    conv("base_model._conv_head", width, cnn.conv_head.in_channels, 1)
    norm("base_model._bn1", width)
    for name in ("base_model._fc", "fc"):
        classes = 1000 if name.startswith("base") else 2
        made[f"{name}.weight"] = make(f"{name}.weight", (classes, width))
        made[f"{name}.bias"] = make(f"{name}.bias", (classes,))
    for i, kernel in enumerate((1, 3, 3)):
        at = f"adm.adm_extra_layers.{i}.0"
        conv(f"{at}.conv1", width, width, kernel, True)
        norm(f"{at}.bn1", width)
        conv(f"{at}.conv2", width, width, 3)
        norm(f"{at}.bn2", width)
        conv(f"{at}.downsample.0", width, width, kernel)
        norm(f"{at}.downsample.1", width)
    for part, kernel in (("conv1", 3), ("conv2", 1), ("downsample", 3)):
        conv(f"adm.adm_extra_layers.3.{part}", width, width, kernel, True)
    for i, kernel in enumerate((3, 3, 3, 1)):
        conv(f"adm.multi_scale_detection_module.ms_dets.{i}", 8, width, kernel, True)
        conv(f"adm.multi_scale_detection_module.ms_cls.{i}", 4, width, kernel, True)
    return made


def plainly(t: dict[str, Tensor], x: Tensor, strides: list[int]) -> tuple[Tensor, Tensor]:
    """What the released network makes of blue, green and red in [0, 255]: its two logits and its offsets."""

    def conv(name: str, x: Tensor, stride: int = 1, same: bool = True, **more: int) -> Tensor:
        weight = t[f"{name}.weight"]
        if same:
            pad = max((-(-x.shape[-1] // stride) - 1) * stride + weight.shape[-1] - x.shape[-1], 0)
            x = F.pad(x, (pad // 2, pad - pad // 2) * 2)
        return F.conv2d(x, weight, t.get(f"{name}.bias"), stride, **more)

    def norm(name: str, x: Tensor, eps: float = 1e-5) -> Tensor:
        kinds = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(t[f"{name}.{kind}"] for kind in kinds), eps=eps)

    x = F.silu(norm("base_model._bn0", conv("base_model._conv_stem", x, 2), 1e-3))
    for i, stride in enumerate(strides):
        at, before = f"base_model._blocks.{i}", x
        if f"{at}._expand_conv.weight" in t:
            x = F.silu(norm(f"{at}._bn0", conv(f"{at}._expand_conv", x), 1e-3))
        x = F.silu(norm(f"{at}._bn1", conv(f"{at}._depthwise_conv", x, stride, groups=x.shape[1]), 1e-3))
        x = x * conv(f"{at}._se_expand", F.silu(conv(f"{at}._se_reduce", x.mean((2, 3), True)))).sigmoid()
        x = norm(f"{at}._bn2", conv(f"{at}._project_conv", x), 1e-3)
        x = x + before if stride == 1 and x.shape == before.shape else x
    x = F.silu(norm("base_model._bn1", conv("base_model._conv_head", x), 1e-3))
    pooled, offsets = x.mean((2, 3)), []
    for i in range(4):
        at = f"adm.adm_extra_layers.{i}" + (".0" if i < 3 else "")
        if i < 3:
            inner = norm(f"{at}.bn1", conv(f"{at}.conv1", x, same=False)).relu()
            beside = norm(f"{at}.downsample.1", conv(f"{at}.downsample.0", x, same=False))
            x = (norm(f"{at}.bn2", conv(f"{at}.conv2", inner)) + beside).relu()
        else:
            inner = conv(f"{at}.conv1", x, same=False).relu()
            x = (conv(f"{at}.conv2", inner) + conv(f"{at}.downsample", x, same=False)).relu()
        offset = conv(f"adm.multi_scale_detection_module.ms_dets.{i}", x)
        offsets.append(offset.permute(0, 2, 3, 1).reshape(len(x), -1))
    return F.linear(pooled + x.flatten(1), t["fc.weight"], t["fc.bias"]), torch.cat(offsets, 1).reshape(len(x), -1, 4)


def test_the_released_names_are_all_known_and_another_file_is_refused(
    full: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caddm, "b4", lambda: full)
    file = released(full, lambda name, shape: torch.empty(shape, device="meta"))
    found = caddm.published(file)
    assert {n: x.shape for n, x in found.items()} == {n: x.shape for n, x in full.state_dict().items()}
    lacks = {name: x for name, x in file.items() if "ms_cls.2" not in name}
    with pytest.raises(BadInput, match=r"another network than caddm: body.artifacts.which.2.bias is missing"):
        caddm.published(lacks)
    with pytest.raises(BadInput, match=r"adm.more.weight is more than it has"):
        caddm.published(file | {"adm.more.weight": torch.empty(3)})
    with pytest.raises(BadInput, match=r"base_model._conv_stem.weight is missing"):
        caddm.published({"conv1.weight": torch.empty(64, 3, 7, 7)})


def test_under_our_names_it_computes_what_the_released_network_does() -> None:
    from timm.models.efficientnet import _gen_efficientnet

    torch.manual_seed(0)
    tiny = {"channel_multiplier": 0.25, "depth_multiplier": 1.1, "num_classes": 0, "pad_type": "same", "bn_eps": 1e-3}
    net = caddm.on(_gen_efficientnet("tf_efficientnet_b0", **tiny)).eval().double()

    def make(name: str, shape: tuple[int, ...]) -> Tensor:
        if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
            return torch.rand(shape).double() + 0.5
        return torch.randn(shape).double() * (1.5 / max(np.prod(shape[1:]), 1) ** 0.5 if len(shape) > 1 else 0.2)

    file = released(net, make)
    net.load_state_dict(caddm.of_names(file, net))
    pixels = torch.randint(0, 256, (2, 3, 224, 224)).double()
    strides = [int(block.conv_dw.stride[0]) for stage in net.body.cnn.blocks for block in stage]
    with torch.no_grad():
        logits, offsets = plainly(file, pixels.flip(1), strides)
        clips = (pixels / 127.5 - 1)[:, None]
        torch.testing.assert_close(net(clips), logits[:, 1] - logits[:, 0])
        torch.testing.assert_close(net.body.judged(net.maps(clips))[1], offsets)
