"""MM-Det's branch: a VQ-VAE of real frames alone, attention by frame, the published network by its published names."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from detect_toys import CROP, config, examples
from torch import Tensor
from torch.nn import functional as F

from selfsame.core.errors import BadInput
from selfsame.detectors import explain, mm_det, table
from selfsame.detectors.detector import Detector, Lesson, Sight
from selfsame.detectors.hybrid import HybridResNet
from selfsame.detectors.iafa import IAFABlock
from selfsame.detectors.mm_det import Window
from selfsame.detectors.residual import ConvStem
from selfsame.detectors.vqvae import VQVAE
from selfsame.metrics import detection
from selfsame.tasks import detect, detector
from selfsame.train.optim import update

FRAMES = mm_det.SMALL_FRAMES


def tiny() -> Detector:
    """The small detector on pictures of 32 px."""
    stems = [ConvStem(32, 8, 3, 48).net for _ in range(2)]
    body = Window(
        VQVAE(16, 64), mm_det._residuals, stems[0], stems[1], 48, frames=FRAMES, side=2, patch=2, dim=64, depth=2,
        heads=4,
    )  # fmt: skip
    return Detector(body, Sight(CROP.px, FRAMES), "place", lesson=Lesson(mm_det.learn))


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int, px: int = 32, frames: int = FRAMES) -> Tensor:
    return torch.rand(count, frames, 3, px, px, generator=drawn(1)) * 2 - 1


def test_the_published_size_is_that_of_its_module_tree() -> None:
    with torch.device("meta"):
        net = mm_det.mm_det()
    assert sum(p.numel() for p in net.parameters()) == 204_412_421
    assert sum(p.numel() for p in net.get_submodule("body.vqvae").parameters()) == 4_882_179
    counted = {name: int(np.prod(shape)) for name, shape in published_shapes().items() if learns(name)}
    language = sum(count for name, count in counted.items() if name.startswith(("clip_proj", "mm_proj")))
    unused = counted["backbone.pos_embed"] + counted["backbone.cls_token"] + 768  # and a class token's position
    assert sum(counted.values()) == 204_412_421 + language + unused + 769  # and the head's other class
    assert sum(p.numel() for p in mm_det.small().parameters()) == 309_029


def test_the_published_size_sees_windows_of_its_frames() -> None:
    with torch.device("meta"):
        net, seen = mm_det.mm_det().eval(), []
        net.tap.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape)))
        logits = net(torch.empty(1, 10, 3, 224, 224))
    assert logits.shape == (1,) and seen == [(1, 768, 10, 14, 14)]


def test_every_weight_has_a_gradient() -> None:
    torch.manual_seed(0)
    net = tiny().train()
    net.lesson.loss(net, noise(4), torch.arange(4) % 2.0, drawn(0)).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_the_vqvae_learns_from_real_frames_alone() -> None:
    torch.manual_seed(0)
    net, clips, found = tiny().train(), noise(4), []
    fake = torch.tensor([0.0, 1, 0, 1])
    for batch in (clips, torch.where(fake[:, None, None, None, None] > 0, -clips, clips)):
        net.zero_grad(set_to_none=True)
        net.lesson.loss(net, batch, fake, drawn(0)).backward()
        found.append({name: p.grad.clone() for name, p in net.get_submodule("body.vqvae").named_parameters()})
    assert all(torch.equal(x, found[1][name]) for name, x in found[0].items())
    net.zero_grad(set_to_none=True)
    net.lesson.loss(net, clips, torch.ones(4), drawn(0)).backward()
    assert all(p.grad is None for p in net.get_submodule("body.vqvae").parameters())


def test_the_vqvae_reconstructs_as_it_judges_while_the_rest_learns() -> None:
    torch.manual_seed(0)
    net = tiny().train()
    vqvae = net.get_submodule("body.vqvae")
    assert net.body.training and not vqvae.training
    before = vqvae.get_buffer("encoder.1.running_mean").clone()
    net(noise(2))
    assert torch.equal(vqvae.get_buffer("encoder.1.running_mean"), before)
    net.lesson.loss(net, noise(2), torch.tensor([0.0, 1]), drawn(0))
    assert not torch.equal(vqvae.get_buffer("encoder.1.running_mean"), before) and not vqvae.training


def test_a_vqvae_learns_to_make_pictures_anew() -> None:
    torch.manual_seed(0)
    vqvae, losses = VQVAE(16, 32), []
    adam = torch.optim.AdamW(vqvae.parameters(), 3e-3)
    pictures = F.interpolate(torch.randn(8, 3, 4, 4, generator=drawn(2)) * 0.4, 16, mode="bicubic").clamp(-1, 1)
    for _ in range(30):
        loss = vqvae.loss(pictures)
        update(adam, loss)
        losses.append(loss.item())
    with torch.no_grad():
        left = F.mse_loss(vqvae(pictures)[0], pictures) / pictures.var()
    assert losses[-1] < losses[0] / 2 and left < 0.7


def test_a_code_is_the_nearest_and_the_gradient_goes_through_it() -> None:
    torch.manual_seed(0)
    vqvae = VQVAE(4, 8)
    made, encoded, codes = vqvae(noise(1, 8)[0])
    for n, y, x in np.ndindex(FRAMES, 2, 2):
        away = (vqvae.codebook.weight - encoded[n, :, y, x]).norm(dim=1)
        assert torch.equal(codes[n, :, y, x], vqvae.codebook.weight[away.argmin()])
    made.sum().backward()
    assert vqvae.codebook.weight.grad is None and vqvae.encoder[0].weight.grad.abs().sum() > 0


def test_places_of_a_frame_are_its_own_or_as_released() -> None:
    torch.manual_seed(0)
    places, own = torch.arange(12.0)[None, :, None].expand(1, -1, 8), torch.zeros(1, 3, 8)
    frames = IAFABlock(8, 2, 3, interleaved=False)._with_places(own, places)
    released = IAFABlock(8, 2, 3, interleaved=True)._with_places(own, places)
    assert frames[:, 1:, 0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert released[:, 1:, 0].tolist() == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]


@pytest.mark.parametrize("interleaved", [False, True])
def test_a_block_without_weights_changes_nothing(interleaved: bool) -> None:
    block = IAFABlock(8, 2, 3, interleaved)
    for p in block.parameters():
        torch.nn.init.zeros_(p)
    own, places = torch.randn(2, 3, 8), torch.randn(2, 12, 8)
    same = block(own, places)
    assert torch.equal(same[0], own) and torch.equal(same[1], places)


def test_scores_do_not_hang_on_the_batch_and_survive_a_file() -> None:
    torch.manual_seed(0)
    net, other = table.build("mm-det-small").eval(), table.build("mm-det-small").eval()
    clips = noise(3, 112)
    detector.restore(other, net.learned())
    with torch.no_grad():
        together = net(clips)
        torch.testing.assert_close(torch.cat([net(one[None]) for one in clips]), together, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(other(clips.flip(0)), together.flip(0), atol=1e-5, rtol=1e-5)


def test_grad_cam_gives_a_map_a_frame() -> None:
    torch.manual_seed(0)
    net = table.build("mm-det-small").eval()
    maps = explain.grad_cam(net, noise(1, 112), "both")
    assert maps.shape == (1, FRAMES, 7, 7) and maps.isfinite().all() and maps.abs().sum() > 0


def test_eight_clips_of_noise_are_learned_by_heart() -> None:
    torch.manual_seed(0)
    net, clips = tiny().train(), noise(8)
    fake = torch.tensor([0.0, 1, 1, 0, 1, 0, 0, 1])
    adam = torch.optim.AdamW(net.parameters(), 3e-3)
    told = []
    for number in range(14):
        with torch.no_grad():
            told.append(F.binary_cross_entropy_with_logits(net(clips), fake).item())
        update(adam, net.lesson.loss(net, clips, fake, drawn(number)))
    assert told[-1] < 0.2 < told[0], f"from {told[0]:.2f} to {told[-1]:.2f}"


def test_it_learns_what_it_has_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "DETECTORS", {"mm-det-small": tiny})
    asked = examples(300, 12)
    detect.train(tmp_path, examples(0, 16), examples(100, 8), config("mm-det-small", steps=12, select_every=6))
    model = detector.load(tmp_path)
    score = np.array([model.judge(e.crops()).mean() for e in asked])
    assert detection.auc(score, np.array([e.fake for e in asked])) > 0.9


def test_a_stopped_training_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "DETECTORS", {"mm-det-small": tiny})
    learn, select = examples(0, 8), examples(100, 4)
    asked = config("mm-det-small", steps=3, batch=4, select_every=1)

    def stop(done: int, losses: dict[str, float]) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect.train(tmp_path / "a", learn, select, asked, on_step=stop)
    again, whole = (detect.train(tmp_path / name, learn, select, asked) for name in "ab")
    assert again.card.digest == whole.card.digest and again.parts == whole.parts


def learns(name: str) -> bool:
    return not name.endswith(("running_mean", "running_var", "num_batches_tracked"))


def published_shapes(
    frames: int = 10, places: int = 196, dim: int = 768, depth: int = 12, vqvae: int = 256, codes: int = 512
) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the two published files by the rules of their module trees."""
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(name: str, *shape: int, bias: bool = True) -> None:
        shapes[f"{name}.weight"] = shape
        if bias:
            shapes[f"{name}.bias"] = shape[:1]

    def batch_norm(name: str, count: int) -> None:
        layer(name, count)
        shapes[f"{name}.running_mean"] = shapes[f"{name}.running_var"] = (count,)
        shapes[f"{name}.num_batches_tracked"] = ()

    def stage(name: str, before: int, after: int, blocks: int) -> None:
        inner = after // 4
        for n in range(blocks):
            at = f"{name}.blocks.{n}"
            if n == 0:
                layer(f"{at}.downsample.conv", after, before, 1, 1, bias=False)
                layer(f"{at}.downsample.norm", after)
            layer(f"{at}.conv1", inner, before if n == 0 else after, 1, 1, bias=False)
            layer(f"{at}.conv2", inner, inner, 3, 3, bias=False)
            layer(f"{at}.conv3", after, inner, 1, 1, bias=False)
            for norm, count in (("norm1", inner), ("norm2", inner), ("norm3", after)):
                layer(f"{at}.{norm}", count)

    for way in ("rgb_backbone", "recons_backbone"):
        at = f"backbone.patch_embed.{way}"
        for stem in ("stem", "freq_stem"):
            layer(f"{at}.{stem}.conv", 64, 3, 7, 7, bias=False)
            layer(f"{at}.{stem}.norm", 64)
        stage(f"{at}.freq_stage", 192, 256, 3)
        for n, (before, after, blocks) in enumerate(((64, 256, 3), (256, 512, 4), (512, 1024, 9))):
            stage(f"{at}.stages.{n}", before, after, blocks)
        layer(f"{at}.stems_transition_conv_1x1.0", 256, 512, 1, 1, bias=False)
        batch_norm(f"{at}.stems_transition_conv_1x1.1", 256)
    layer("backbone.patch_embed.transition.0", 1024, 2048, 1, 1)
    batch_norm("backbone.patch_embed.transition.1", 1024)
    layer("backbone.patch_embed.proj", dim, 1024, 1, 1)
    shapes["backbone.cls_token"], shapes["backbone.pos_embed"] = (1, 1, dim), (1, 197, dim)
    shapes["backbone.window_pos_embed"] = (1, 1 + places, dim)
    for name in ("fc_token", "temporal_pos_embed", "time_embed"):
        shapes[f"backbone.{name}"] = (1, frames, dim)
    for n in range(depth):
        for kind in ("", "temporal_"):
            at = f"backbone.blocks.{n}.{kind}"
            layer(f"{at}norm1", dim)
            layer(f"{at}norm2", dim)
            layer(f"{at}attn.qkv", 3 * dim, dim)
            layer(f"{at}attn.proj", dim, dim)
            layer(f"{at}mlp.fc1", 4 * dim, dim)
            layer(f"{at}mlp.fc2", dim, 4 * dim)
    layer("backbone.norm", dim)
    layer("clip_proj", dim, 1024)
    layer("mm_proj", dim, 4096)
    layer("final_fusion.channel_attn.qkv", 3 * dim, dim)
    layer("final_fusion.channel_attn.proj", 1, dim)
    layer("head", 2, dim)

    layer("encoder.0", vqvae, 3, 4, 4)
    layer("encoder.3", vqvae, vqvae, 4, 4)
    layer("decoder.3", vqvae, vqvae, 4, 4)
    shapes["decoder.6.weight"], shapes["decoder.6.bias"] = (vqvae, 3, 4, 4), (3,)
    for at in ("encoder.4", "encoder.5", "decoder.0", "decoder.1"):
        layer(f"{at}.block.1", vqvae, vqvae, 3, 3)
        layer(f"{at}.block.4", vqvae, vqvae, 1, 1)
        batch_norm(f"{at}.block.2", vqvae)
        batch_norm(f"{at}.block.5", vqvae)
    batch_norm("encoder.1", vqvae)
    batch_norm("decoder.4", vqvae)
    shapes["codebook.embedding.weight"] = (codes, vqvae)
    return shapes


def plain(w: Mapping[str, Tensor], clips: Tensor, heads: int) -> Tensor:
    """Both published networks, the language branch aside, computed from their names step by step: two logits."""

    def batch_norm(x: Tensor, name: str) -> Tensor:
        return F.batch_norm(x, *(w[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")))

    def residue(x: Tensor, at: str) -> Tensor:
        x = x.relu()  # in place, in the published file
        y = batch_norm(F.conv2d(x, w[f"{at}.1.weight"], w[f"{at}.1.bias"], 1, 1), f"{at}.2").relu()
        return x + batch_norm(F.conv2d(y, w[f"{at}.4.weight"], w[f"{at}.4.bias"]), f"{at}.5")

    def again(x: Tensor) -> Tensor:
        x = batch_norm(F.conv2d(x, w["encoder.0.weight"], w["encoder.0.bias"], 2, 1), "encoder.1").relu()
        x = F.conv2d(x, w["encoder.3.weight"], w["encoder.3.bias"], 2, 1)
        x = residue(residue(x, "encoder.4.block"), "encoder.5.block")
        book = w["codebook.embedding.weight"]
        x = book[(x[:, None] - book[:, :, None, None]).square().sum(2).argmin(1)].permute(0, 3, 1, 2)
        x = residue(residue(x, "decoder.0.block"), "decoder.1.block").relu()
        x = F.conv_transpose2d(x, w["decoder.3.weight"], w["decoder.3.bias"], 2, 1)
        x = batch_norm(x, "decoder.4").relu()
        return F.conv_transpose2d(x, w["decoder.6.weight"], w["decoder.6.bias"], 2, 1).tanh()

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = w[f"{name}.weight"]
        flat = weight.flatten(1)
        flat = (flat - flat.mean(1, keepdim=True)) / (flat.var(1, unbiased=False, keepdim=True) + 1e-8).sqrt()
        more = max((-(-x.shape[-1] // stride) - 1) * stride + weight.shape[-1] - x.shape[-1], 0)
        x = F.pad(x, (more // 2, more - more // 2) * 2)
        return F.conv2d(x, flat.view_as(weight), None, stride)

    def group_norm(x: Tensor, name: str) -> Tensor:
        return F.group_norm(x, 32, w[f"{name}.weight"], w[f"{name}.bias"])

    def stage(x: Tensor, name: str, blocks: int, stride: int) -> Tensor:
        for n in range(blocks):
            at, pace = f"{name}.blocks.{n}", stride if n == 0 else 1
            short = x if n else group_norm(conv(x, f"{at}.downsample.conv", pace), f"{at}.downsample.norm")
            x = group_norm(conv(x, f"{at}.conv1"), f"{at}.norm1").relu()
            x = group_norm(conv(x, f"{at}.conv2", pace), f"{at}.norm2").relu()
            x = (group_norm(conv(x, f"{at}.conv3"), f"{at}.norm3") + short).relu()
        return x

    def stem(x: Tensor, name: str) -> Tensor:
        x = group_norm(conv(x, f"{name}.conv", 2), f"{name}.norm").relu()
        return F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-torch.inf), 3, 2)

    def blur(x: Tensor, size: int, sigma: float) -> Tensor:
        at = torch.linspace(-(size - 1) / 2, (size - 1) / 2, size)
        line = (-0.5 * (at / sigma) ** 2).exp()
        square = torch.outer(line, line) / line.sum() ** 2
        wide = F.pad(x, (size // 2,) * 4, mode="reflect")
        return F.conv2d(wide, square.expand(x.shape[1], 1, -1, -1), groups=x.shape[1])

    def resnet(x: Tensor, at: str) -> Tensor:
        fine = stem(x, f"{at}.freq_stem")
        lost = fine.repeat(1, 3, 1, 1) - torch.cat([blur(fine, 3, 0.8), blur(fine, 5, 1.3), blur(fine, 7, 1.8)], 1)
        y = stage(stem(x, f"{at}.stem"), f"{at}.stages.0", 3, 1)
        y = torch.cat([y, stage(lost, f"{at}.freq_stage", 3, 1)], 1)
        at_join = f"{at}.stems_transition_conv_1x1"
        y = batch_norm(F.conv2d(y, w[f"{at_join}.0.weight"]), f"{at_join}.1").relu()
        return stage(stage(y, f"{at}.stages.1", 4, 2), f"{at}.stages.2", 9, 2)

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], 1e-6)

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def attend(x: Tensor, name: str, heads: int) -> Tensor:
        b, n, d = x.shape
        q, k, v = linear(x, f"{name}.qkv").reshape(b, n, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
        seen = (q * (d // heads) ** -0.5 @ k.transpose(-2, -1)).softmax(-1) @ v
        return linear(seen.transpose(1, 2).reshape(b, n, d), f"{name}.proj")

    def mlp(x: Tensor, name: str) -> Tensor:
        return linear(F.gelu(linear(x, f"{name}.fc1")), f"{name}.fc2")

    b, t = clips.shape[:2]
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    flat = clips.flatten(0, 1)
    ways = [((x + 1) / 2 - mean) / std for x in (flat, again(flat))]
    at = "backbone.patch_embed"
    x = torch.cat([resnet(ways[0], f"{at}.rgb_backbone"), resnet(ways[1], f"{at}.recons_backbone")], 1)
    x = batch_norm(
        F.conv2d(x, w[f"{at}.transition.0.weight"], w[f"{at}.transition.0.bias"]), f"{at}.transition.1"
    ).relu()
    x = F.conv2d(x, w[f"{at}.proj.weight"], w[f"{at}.proj.bias"]).flatten(2).transpose(1, 2)
    x = x.reshape(b, -1, x.shape[-1])
    per, tokens = x.shape[1] // t, []
    for i in range(t):
        own = w["backbone.fc_token"][:, i : i + 1].expand(b, -1, -1) + w["backbone.temporal_pos_embed"][:, i : i + 1]
        mine = x[:, i * per : (i + 1) * per] + w["backbone.window_pos_embed"][:, 1:]
        tokens.append(torch.cat([own, mine], 1) + w["backbone.time_embed"][:, i : i + 1])
    x = torch.cat([token[:, :1] for token in tokens] + [token[:, 1:] for token in tokens], 1)
    for n in range(sum(name.endswith(".temporal_norm1.bias") for name in w)):
        at = f"backbone.blocks.{n}"
        own, seq = x[:, :t], x[:, t:]
        seq = seq + attend(norm(seq, f"{at}.norm1"), f"{at}.attn", heads)
        seq = seq + mlp(norm(seq, f"{at}.norm2"), f"{at}.mlp")
        groups = [torch.cat([own[:, i : i + 1], seq[:, i::t]], 1) for i in range(t)]  # every t-th, as released
        groups = [y + attend(norm(y, f"{at}.temporal_norm1"), f"{at}.temporal_attn", heads) for y in groups]
        groups = [y + mlp(norm(y, f"{at}.temporal_norm2"), f"{at}.temporal_mlp") for y in groups]
        seq = torch.stack([y[:, 1:] for y in groups], 2).flatten(1, 2)
        x = torch.cat([*(y[:, :1] for y in groups), seq], 1)
    x = norm(x, "backbone.norm")[:, :t]
    x = x * attend(x, "final_fusion.channel_attn", 8)
    return linear(x.mean(1), "head")


def test_the_published_files_are_renamed_completely() -> None:
    made = {name: torch.zeros(()).expand(shape) for name, shape in published_shapes().items()}
    found = mm_det.published(made)
    with torch.device("meta"):
        own = mm_det.mm_det().state_dict()
    assert {name: x.shape for name, x in found.items()} == {name: x.shape for name, x in own.items()}
    assert set(mm_det.published({f"module.{name}": x for name, x in made.items()})) == set(own)
    without = {name: x for name, x in made.items() if not name.startswith(("encoder", "decoder", "codebook"))}
    with pytest.raises(BadInput, match=r"another network than mm-det: body\.vqvae\.codebook\.weight is missing"):
        mm_det.published(without)
    for name, shape in (
        ("head.weight", (3, 768)),
        ("head.bias", (1,)),
        ("backbone.window_pos_embed", (768,)),
        ("layer.weight", (1,)),
    ):
        with pytest.raises(BadInput, match="another network"):
            mm_det.published(made | {name: torch.zeros(shape)})


def test_our_branch_with_published_weights_is_the_published_one() -> None:
    g, frames = drawn(5), 3
    made = {
        name: torch.randn(shape, generator=g) * 0.2
        for name, shape in published_shapes(frames, 4, 16, 2, 8, 16).items()
        if not name.startswith(mm_det.UNUSED)
    }
    made |= {name: x.abs() + 0.5 for name, x in made.items() if name.endswith("_var")}
    body = Window(
        VQVAE(8, 16), mm_det._imagenet, HybridResNet(), HybridResNet(), 1024, frames=frames, side=2, dim=16, depth=2,
        heads=4, interleaved=True,
    )  # fmt: skip
    net = Detector(body, Sight(32, frames), "place").eval()
    net.load_state_dict(mm_det.renamed(made))
    clips = noise(2, 32, frames)
    with torch.no_grad():
        two = plain(made, clips, 4)
        torch.testing.assert_close(net(clips), two[:, 1] - two[:, 0], atol=1e-4, rtol=1e-3)
