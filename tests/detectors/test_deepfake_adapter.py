"""DeepFake-Adapter: the contract of detectors, what is frozen, and the released code's names and numbers."""

from collections.abc import Callable
from pathlib import Path

import detect_toys
import numpy as np
import pytest
import torch
from detect_toys import config, examples
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from selfsame.core.errors import BadInput, WrongUse
from selfsame.detectors import deepfake_adapter, explain, table
from selfsame.detectors.detector import Detector
from selfsame.metrics import detection
from selfsame.tasks import detect, pretrained
from selfsame.tasks import detector as judging
from selfsame.tasks.clip_crops import CropConfig

NAME = "deepfake-adapter-small"
LABELS = torch.tensor([0.0, 1, 1, 0, 1, 0, 0, 1])


def shown(count: int = 8) -> tuple[Detector, Tensor]:
    torch.manual_seed(0)
    return table.build(NAME), torch.rand(count, 1, 3, 112, 112) * 2 - 1


def frozen() -> Detector:
    """The published adapters about a transformer of three narrow blocks, at 64 px."""
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(0)
    vit = VisionTransformer(64, 16, embed_dim=24, depth=3, num_heads=3, num_classes=0)
    return deepfake_adapter.on(vit, (2, 1))


@pytest.fixture(scope="module")
def full() -> Detector:
    with torch.device("meta"):
        return table.build("deepfake-adapter")


def test_the_published_size_is_that_of_the_released_code(full: Detector) -> None:
    body = full.body
    parts = (body.vit, body.bottlenecks, body.pyramid, body.inject, body.extract, full)
    counts = [sum(p.numel() for p in part.parameters()) for part in parts]
    assert counts == [85_798_656, 1_189_644, 1_531_712, 7_098_624, 7_096_320, 102_715_725]
    assert sum(p.numel() for p in full.parameters() if p.requires_grad) == 16_917_069
    assert sum(p.numel() for p in table.build(NAME).parameters()) == 343_728


@pytest.mark.parametrize("build", [lambda: table.build(NAME), frozen], ids=["all", "frozen"])
def test_all_that_is_trained_learns_and_eight_clips_are_learned_by_heart(build: Callable[[], Detector]) -> None:
    torch.manual_seed(0)
    net = build()
    clips = torch.rand(8, 1, 3, net.sight.px, net.sight.px) * 2 - 1
    before = {name: x.clone() for name, x in net.body.vit.state_dict().items()}
    trained = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, 2e-3)
    for number in range(8):
        loss = net.lesson.loss(net.train(), clips, LABELS, torch.Generator())
        optimizer.zero_grad()
        loss.backward()
        assert all((p.grad is not None) == p.requires_grad for p in net.parameters())
        # Adapters begin as nothing, so that what lies before their last layer learns from the second step on.
        assert number == 0 or all(p.grad.abs().sum() > 0 for p in trained if p.grad is not None)
        optimizer.step()
    with torch.no_grad():
        assert torch.equal(net(clips) > 0, LABELS > 0) and float(loss.detach()) < 0.3
    same = all(torch.equal(x, before[name]) for name, x in net.body.vit.state_dict().items())
    assert same == net.frozen


def test_at_first_the_transformer_is_as_it_was() -> None:
    net = frozen().eval()
    seen: list[Tensor] = []
    net.body.extract[-1].asked.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        net.body.forward_features(x)
        torch.testing.assert_close(net.body.vit.norm(seen[0]), net.body.vit.forward_features(x))


def test_what_was_learned_is_the_adapters_alone_and_needs_the_transformer_again(tmp_path: Path) -> None:
    net, other = frozen(), frozen()
    learned = net.learned()
    assert not any(name.startswith("body.vit.") for name in learned) and "body.whiten.running_var" in learned
    save_file(net.body.vit.state_dict() | {"head.weight": torch.zeros(5, 24)}, tmp_path / "vit.safetensors")
    with torch.no_grad():
        for p in other.parameters():
            p.add_(1.0)
    pretrained.load(other, "deepfake-adapter", tmp_path / "vit.safetensors")
    judging.restore(other, learned)
    clips = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(net.eval()(clips), other.eval()(clips))


def test_the_published_size_is_nothing_without_its_transformer(
    full: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "build", lambda name: full)
    sides = examples(0, 4), examples(100, 4)
    with pytest.raises(WrongUse, match="--weights"):
        detect.train(tmp_path, *sides, config("deepfake-adapter"))


def test_a_score_is_its_own_and_a_map_shows_where() -> None:
    net, clips = shown(3)
    for share in net.body.inject:
        torch.nn.init.normal_(share.share)
    net.eval()
    with torch.no_grad():
        together = net(clips)
        torch.testing.assert_close(net(clips.flip(0)), together.flip(0), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(torch.cat([net(one[None]) for one in clips]), together, atol=1e-5, rtol=1e-5)
    maps = torch.stack([explain.grad_cam(net, clips, side) for side in ("fake", "real")])
    assert maps.shape == (2, 3, 1, 14, 14) and maps.isfinite().all() and (maps.sum(0).flatten(1).sum(1) > 0).all()
    small = frozen().eval()
    assert explain.grad_cam(small, torch.rand(2, 1, 3, 64, 64), "both").shape == (2, 1, 4, 4)


def test_it_learns_what_it_has_not_seen_and_is_the_same_when_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crop = CropConfig(px=112, segments=1, length=2)
    monkeypatch.setattr(detect_toys, "CROP", crop)
    asked = config(NAME, crop=crop, steps=8, select_every=8, lr=1e-3)
    model = detect.train(tmp_path, examples(0, 24), examples(100, 8), asked)
    again, others = judging.load(tmp_path), examples(300, 12)
    score = np.array([again.judge(e.crops()).mean() for e in others])
    assert detection.auc(score, np.array([e.fake for e in others])) > 0.8
    assert all(torch.equal(x, again.net.state_dict()[name]) for name, x in model.net.state_dict().items())


def released(width: int, blocks: int, stages: int, tokens: int, make: Callable[[str, tuple[int, ...]], Tensor]) -> dict:
    """A file under the released code's names, by the rules of its modules."""
    made: dict[str, Tensor] = {}

    def pair(name: str, *weight: int, bias: int | None = None) -> None:
        made[f"{name}.weight"] = make(f"{name}.weight", weight)
        made[f"{name}.bias"] = make(f"{name}.bias", (weight[0] if bias is None else bias,))

    def conv(name: str, norm: str, after: int, before: int) -> None:
        made[f"{name}.weight"] = make(f"{name}.weight", (after, before, 3, 3))
        pair(norm, after)
        made[f"{norm}.running_mean"], made[f"{norm}.running_var"] = (
            make(f"{norm}.{kind}", (after,)) for kind in ("running_mean", "running_var")
        )
        made[f"{norm}.num_batches_tracked"] = torch.tensor(3)

    made["cls_token"], made["pos_embed"] = make("cls_token", (1, 1, width)), make("pos_embed", (1, tokens + 1, width))
    made["level_embed"] = make("level_embed", (3, width))
    pair("patch_embed.proj", width, 3, 16, 16)
    for i in range(blocks):
        at = f"blocks.{i}"
        pair(f"{at}.norm1", width)
        pair(f"{at}.norm2", width)
        pair(f"{at}.attn.qkv", 3 * width, width)
        pair(f"{at}.attn.proj", width, width)
        pair(f"{at}.mlp.fc1", 4 * width, width)
        pair(f"{at}.mlp.fc2", width, 4 * width)
        made[f"{at}.adaptor.scale"] = make(f"{at}.adaptor.scale", (1,))
        pair(f"{at}.adaptor.down_proj", 64, width)
        pair(f"{at}.adaptor.up_proj", width, 64)
    pair("norm", width)
    for i, before in ((0, 3), (3, 64), (6, 64)):
        conv(f"spm.stem.{i}", f"spm.stem.{i + 1}", 64, before)
    for i, before, after in ((2, 64, 128), (3, 128, 256), (4, 256, 256)):
        conv(f"spm.conv{i}.0", f"spm.conv{i}.1", after, before)
        pair(f"spm.fc{i}", width, after, 1, 1)
    for i in range(stages):
        for part in ("injector", "extractor"):
            at = f"interactions.{i}.{part}"
            pair(f"{at}.query_norm", width)
            pair(f"{at}.feat_norm", width)
            for kind, shape in (("weight", (3 * width, width)), ("bias", (3 * width,))):
                made[f"{at}.self_attn.in_proj_{kind}"] = make(f"{at}.self_attn.in_proj_{kind}", shape)
            pair(f"{at}.self_attn.out_proj", width, width)
        made[f"interactions.{i}.injector.gamma"] = make(f"interactions.{i}.injector.gamma", (width,))
    for kind in ("running_mean", "running_var"):
        made[f"head.0.{kind}"] = make(f"head.0.{kind}", (width,))
    made["head.0.num_batches_tracked"] = torch.tensor(3)
    pair("head.1", 2, width)
    return made


def plainly(t: dict[str, Tensor], x: Tensor, stages: list[list[int]], heads: int, spatial: int) -> Tensor:
    """What the released network makes of pictures in [-1, 1]: two logits."""

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ t[f"{name}.weight"].T + t[f"{name}.bias"]

    def norm(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
        return scaled * t[f"{name}.weight"] + t[f"{name}.bias"]

    def conv(name: str, at: str, x: Tensor, stride: int) -> Tensor:
        x = F.conv2d(x, t[f"{name}.weight"], None, stride, 1)
        kinds = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(t[f"{at}.{kind}"] for kind in kinds)).relu()

    def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        q, k, v = (z.unflatten(-1, (heads, -1)).transpose(1, 2) for z in (q, k, v))
        weight = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        return (weight @ v).transpose(1, 2).flatten(2)

    def cross(at: str, query: Tensor, feat: Tensor) -> Tensor:
        w, b = t[f"{at}.self_attn.in_proj_weight"].chunk(3), t[f"{at}.self_attn.in_proj_bias"].chunk(3)
        query, feat = norm(f"{at}.query_norm", query), norm(f"{at}.feat_norm", feat)
        q, k, v = (z @ w[i].T + b[i] for i, z in enumerate((query, feat, feat)))
        return linear(f"{at}.self_attn.out_proj", attend(q, k, v, spatial))

    c = x
    for i, stride in ((0, 2), (3, 1), (6, 1)):
        c = conv(f"spm.stem.{i}", f"spm.stem.{i + 1}", c, stride)
    c, parts = F.max_pool2d(c, 3, 2, 1), []
    for i in (2, 3, 4):
        c = conv(f"spm.conv{i}.0", f"spm.conv{i}.1", c, 2)
        token = F.conv2d(c, t[f"spm.fc{i}.weight"], t[f"spm.fc{i}.bias"])
        parts.append(token.flatten(2).transpose(1, 2) + t["level_embed"][i - 2])
    c = torch.cat(parts, 1)
    x = F.conv2d(x, t["patch_embed.proj.weight"], t["patch_embed.proj.bias"], 16).flatten(2).transpose(1, 2)
    x = torch.cat([t["cls_token"].expand(len(x), -1, -1), x], 1) + t["pos_embed"]
    for i, blocks in enumerate(stages):
        x = x + t[f"interactions.{i}.injector.gamma"] * cross(f"interactions.{i}.injector", x, c)
        for number in blocks:
            at = f"blocks.{number}"
            qkv = linear(f"{at}.attn.qkv", norm(f"{at}.norm1", x)).chunk(3, -1)
            x = x + linear(f"{at}.attn.proj", attend(*qkv, heads))
            beside = linear(f"{at}.adaptor.up_proj", linear(f"{at}.adaptor.down_proj", x).relu())
            inner = linear(f"{at}.mlp.fc2", F.gelu(linear(f"{at}.mlp.fc1", norm(f"{at}.norm2", x))))
            x = x + inner + t[f"{at}.adaptor.scale"] * beside
        c = c + cross(f"interactions.{i}.extractor", c, x)
    first = norm("norm", c)[:, 0]
    whitened = (first - t["head.0.running_mean"]) / (t["head.0.running_var"] + 1e-6).sqrt()
    return linear("head.1", whitened)


def test_the_released_names_are_all_known_and_another_file_is_refused(
    full: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deepfake_adapter, "base16", lambda: full)
    file = released(768, 12, 3, 196, lambda name, shape: torch.empty(shape, device="meta"))
    found = deepfake_adapter.published(file)
    assert {n: x.shape for n, x in found.items()} == {n: x.shape for n, x in full.state_dict().items()}
    lacks = {name: x for name, x in file.items() if "blocks.3.mlp.fc1" not in name}
    with pytest.raises(BadInput, match=r"body.vit.blocks.3.mlp.fc1.bias is missing"):
        deepfake_adapter.published(lacks)
    with pytest.raises(BadInput, match=r"embeddings.0 is more than it has"):
        deepfake_adapter.published(file | {"embeddings.0": torch.empty(1, 1, 768)})
    with pytest.raises(BadInput, match=r"head.1.weight is missing"):
        deepfake_adapter.published({"head.weight": torch.empty(2, 768)})


def test_under_our_names_it_computes_what_the_released_network_does() -> None:
    net = frozen().eval().double()

    def make(name: str, shape: tuple[int, ...]) -> Tensor:
        if "running_var" in name or (len(shape) == 1 and name.endswith("weight")):
            return torch.rand(shape).double() + 0.5
        return torch.randn(shape).double() * (1 / max(np.prod(shape[1:]), 1) ** 0.5 if len(shape) > 1 else 0.3)

    file = released(24, 3, 2, 16, make)
    net.load_state_dict(deepfake_adapter.of_names(file, net))
    clips = torch.rand(3, 1, 3, 64, 64).double() * 2 - 1
    with torch.no_grad():
        logits = plainly(file, clips[:, 0], [[0, 1], [2]], 3, deepfake_adapter.HEADS)
        assert float(logits.std()) > 0.01
        torch.testing.assert_close(net(clips), logits[:, 1] - logits[:, 0])
