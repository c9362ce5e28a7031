"""HiFi-Net: the contract, the published size, its checkpoint's names against a plain computation, learning."""

from dataclasses import replace
from pathlib import Path

import detector_contract as contract
import numpy as np
import pytest
import torch
from detect_toys import CROP, config, examples
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.core.errors import BadInput
from selfsame.detectors import hifi_net, table
from selfsame.detectors.detector import Detector
from selfsame.metrics import detection
from selfsame.tasks import detect

NAME = "hifi-net-small"
WIDTHS = (18, 36, 72, 144)


def test_it_keeps_the_contract() -> None:
    contract.check_gradients(NAME)
    contract.check_order(NAME)
    contract.check_file(NAME, "cnn-small")
    contract.check_maps(NAME, 7)


def test_it_learns_eight_clips_by_heart() -> None:
    contract.check_memory(NAME, 12, 3e-3, 48)


def test_sizes() -> None:
    with torch.device("meta"):
        net, small = hifi_net.published_size(), hifi_net.small()
    count = {part: sum(p.numel() for p in part.parameters()) for part in (net.body, net.body.net, small.body)}
    assert list(count.values()) == [19_330_656, 18_042_464, 254_504]


def test_frames_are_seen_in_order_and_the_last_counts_most() -> None:
    net, clips = contract.shown(NAME, 1)
    with torch.no_grad():
        assert not torch.equal(net(clips.flip(1)), net(clips))
        assert torch.equal(net(clips[:, [0, 0, 0, 0, 0]]), net(clips[:, :1].expand(-1, 5, -1, -1, -1)))


def test_judging_in_parts_is_judging_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    net, clips = contract.shown(NAME, 2)
    monkeypatch.setattr(hifi_net, "AT_ONCE", 3)
    with torch.no_grad():
        parts = net(clips)
    torch.testing.assert_close(parts, net(clips).detach(), atol=1e-5, rtol=1e-5)


def test_it_learns_what_it_has_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tiny() -> Detector:
        net = hifi_net.small()
        net.sight = replace(net.sight, px=CROP.px, frames=CROP.length)
        return net

    monkeypatch.setattr(table, "DETECTORS", {NAME: tiny})
    model = detect.train(tmp_path, examples(0, 24), examples(100, 12), config(NAME, steps=16, select_every=16))
    asked = examples(300, 16)
    score = np.array([model.judge(e.crops()).mean() for e in asked])
    assert detection.auc(score, np.array([e.fake for e in asked])) > 0.9


def published_file() -> dict[str, Tensor]:
    """Random tensors under the names of HiFi_IFDL's checkpoint, by the rule of its modules."""
    g, made = torch.Generator().manual_seed(0), {}

    def conv(name: str, after: int, before: int, kernel: int, bias: bool = False) -> None:
        made[f"{name}.weight"] = torch.randn(after, before, kernel, kernel, generator=g) / (before * kernel**2) ** 0.5
        if bias:
            made[f"{name}.bias"] = torch.randn(after, generator=g) / 4

    def norm(name: str, width: int) -> None:
        made[f"{name}.weight"] = torch.rand(width, generator=g) + 0.5
        made[f"{name}.bias"] = torch.randn(width, generator=g) / 4
        made[f"{name}.running_mean"] = torch.randn(width, generator=g) / 4
        made[f"{name}.running_var"] = torch.rand(width, generator=g) + 0.5
        made[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def both(name: str, after: int, before: int, kernel: int, bias: bool = False) -> None:
        conv(f"{name}.0", after, before, kernel, bias)
        norm(f"{name}.1", after)

    def bottleneck(name: str, width: int, before: int) -> None:
        for n, (after, of, kernel) in enumerate(((width, before, 1), (width, width, 3), (4 * width, width, 1)), 1):
            conv(f"{name}.conv{n}", after, of, kernel)
            norm(f"{name}.bn{n}", after)
        if before != 4 * width:
            both(f"{name}.downsample", 4 * width, before, 1)

    for n, before in ((1, 3), (2, 64)):
        conv(f"conv{n}", 64, before, 3)
        norm(f"bn{n}", 64)
    conv("conv_1x1_merge.0", 64, 64, 1)
    norm("conv_1x1_merge.1", 64)
    bottleneck("layer1.0", 64, 64)
    bottleneck("layer1.1", 64, 256)
    both("transition1.0", 18, 256, 3)
    for i in (1, 2, 3):
        for j in range(i):
            both(f"transition1.{i}.{j}", WIDTHS[i] if j == i - 1 else 256, 256, 3)
    for stage in ("stage2.0", "stage3.0", "stage4.0"):
        for i, width in enumerate(WIDTHS):
            for block in range(2):
                for n in (1, 2):
                    conv(f"{stage}.branches.{i}.{block}.conv{n}", width, width, 3)
                    norm(f"{stage}.branches.{i}.{block}.bn{n}", width)
            for j, other in enumerate(WIDTHS):
                if j > i:
                    both(f"{stage}.fuse_layers.{i}.{j}", width, other, 1)
                for k in range(i - j):
                    both(f"{stage}.fuse_layers.{i}.{j}.{k}", width if k == i - j - 1 else other, other, 3)
    for i, (width, head) in enumerate(zip(WIDTHS, (32, 64, 128, 256), strict=True)):
        bottleneck(f"incre_modules.{i}.0", head, width)
        if i < 3:
            both(f"downsamp_modules.{i}", 8 * head, 4 * head, 3, True)
    both("final_layer", 2048, 1024, 1, True)
    made |= {"classifier.weight": torch.randn(1000, 2048, generator=g) / 45, "classifier.bias": torch.randn(1000)}
    whole = {f"module.FENet.{name}": x for name, x in made.items()}
    for name, shape in (("weight_ih", (1024, 1000)), ("weight_hh", (1024, 256)), ("bias_ih", 1024), ("bias_hh", 1024)):
        whole[f"module.rnn.{name}_l0"] = torch.randn(shape, generator=g) / 20
    return whole | {
        "module.output_rnn.1.weight": torch.randn(2, 256, generator=g), "module.output_rnn.1.bias": torch.randn(2)
    }  # fmt: skip


def plain(w: dict[str, Tensor], frames: Tensor) -> Tensor:
    """The published network written out: two logits of clips (B, T, 3, h, w), the first that of fake."""

    def conv(name: str, x: Tensor, stride: int = 1) -> Tensor:
        kernel = w[f"{name}.weight"]
        return F.conv2d(x, kernel, w.get(f"{name}.bias"), stride, kernel.shape[-1] // 2)

    def norm(name: str, x: Tensor) -> Tensor:
        return F.batch_norm(x, *(w[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")))

    def both(name: str, x: Tensor, stride: int = 1) -> Tensor:
        return norm(f"{name}.1", conv(f"{name}.0", x, stride))

    def block(name: str, x: Tensor, convs: int) -> Tensor:
        y = x
        for n in range(1, convs + 1):
            y = norm(f"{name}.bn{n}", conv(f"{name}.conv{n}", y))
            y = y.relu() if n < convs else y
        return (y + (both(f"{name}.downsample", x) if f"{name}.downsample.0.weight" in w else x)).relu()

    def stage(name: str, levels: list[Tensor]) -> list[Tensor]:
        for i, x in enumerate(levels):
            for n in range(2):
                x = block(f"{name}.branches.{i}.{n}", x, 2)
            levels[i] = x
        fused = []
        for i, own in enumerate(levels):
            total = own
            for j, x in enumerate(levels):
                if j > i:
                    x = both(f"{name}.fuse_layers.{i}.{j}", x)
                    total = total + F.interpolate(x, own.shape[-2:], mode="bilinear", align_corners=True)
                elif j < i:
                    for k in range(i - j):
                        x = both(f"{name}.fuse_layers.{i}.{j}.{k}", x, 2)
                        x = x.relu() if k < i - j - 1 else x
                    total = total + x
            fused.append(total.relu())
        return fused

    x = frames.flatten(0, 1)
    for n in (1, 2):
        x = norm(f"bn{n}", conv(f"conv{n}", x)).relu()
    x = block("layer1.1", block("layer1.0", x, 3), 3)
    levels = [both("transition1.0", x).relu()]
    for i in (1, 2, 3):
        y = x
        for j in range(i):
            y = both(f"transition1.{i}.{j}", y, 2).relu()
        levels.append(y)
    for name in ("stage2.0", "stage3.0", "stage4.0"):
        levels = stage(name, levels)
    y = block("incre_modules.0.0", levels[0], 3)
    for i in range(3):
        y = block(f"incre_modules.{i + 1}.0", levels[i + 1], 3) + both(f"downsamp_modules.{i}", y, 2).relu()
    seen = both("final_layer", y).relu().mean((-2, -1))
    each = F.linear(seen, w["classifier.weight"], w["classifier.bias"]).unflatten(0, frames.shape[:2])
    state, cell = torch.zeros(2, len(frames), 256)
    for z in each.unbind(1):
        gates = F.linear(z, w["rnn.weight_ih_l0"], w["rnn.bias_ih_l0"])
        gates = gates + F.linear(state, w["rnn.weight_hh_l0"], w["rnn.bias_hh_l0"])
        take, forget, new, give = gates.chunk(4, -1)
        cell = forget.sigmoid() * cell + take.sigmoid() * new.tanh()
        state = give.sigmoid() * cell.tanh()
    return F.linear(state.relu(), w["output_rnn.1.weight"], w["output_rnn.1.bias"])


def test_the_published_checkpoint_gives_what_the_published_network_gives() -> None:
    given = published_file()
    net = hifi_net.published_size().eval()
    net.load_state_dict(hifi_net.published(given))
    frames = torch.rand(1, 2, 3, 32, 32) * 2 - 1
    bare = {name.removeprefix("module.").removeprefix("FENet."): x for name, x in given.items()}
    with torch.no_grad():
        fake, real = plain(bare, frames)[0]
        body: nn.Module = net.body
        ours = net.head(body.forward_head(body.forward_features(frames), pre_logits=True))
    torch.testing.assert_close(ours.squeeze(), fake - real, atol=1e-3, rtol=1e-3)


def test_another_networks_file_is_refused() -> None:
    given = published_file()
    for wrong in ({}, {"module.output_rnn.1.weight": torch.zeros(1, 256)}):
        with pytest.raises(BadInput, match="another network"):
            hifi_net.published(wrong)
    with pytest.raises(BadInput, match=r"body.net.bn1.bias is \(3,\), not \(64,\)"):
        hifi_net.published(given | {"module.FENet.bn1.bias": torch.zeros(3)})
    with pytest.raises(BadInput, match=r"body.rnn.weight_ih_l1 is more than it has"):
        hifi_net.published(given | {"module.rnn.weight_ih_l1": torch.zeros(3)})
    del given["module.FENet.conv1.weight"]
    with pytest.raises(BadInput, match=r"body.net.conv1.weight is missing"):
        hifi_net.published(given)
