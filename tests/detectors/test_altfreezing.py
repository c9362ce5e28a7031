"""AltFreezing: kernels that rest do not move, fakes of real clips, the published network by its published names."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from detect_toys import CROP, config, examples
from torch import Tensor
from torch.nn import functional as F

from selfsame.core.errors import BadInput
from selfsame.detectors import altfreezing, clip_fakes, explain, table
from selfsame.detectors.altfreezing import I3D, Turns, freeze
from selfsame.detectors.detector import Detector, Sight
from selfsame.metrics import detection
from selfsame.tasks import detect, detector
from selfsame.tasks.detect import Example
from selfsame.train.optim import update

STAGES = {2: (3, "3"), 3: (4, "31"), 4: (6, "31"), 5: (3, "13")}  # SlowFast's names: blocks, kernels in time
FRAMES = altfreezing.SMALL_FRAMES


def tiny() -> Detector:
    """The small detector on pictures of 32 px."""
    net = altfreezing.small()
    net.sight = replace(net.sight, px=CROP.px)
    return net


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int, px: int = 32, frames: int = FRAMES) -> Tensor:
    return torch.rand(count, frames, 3, px, px, generator=drawn(1)) * 2 - 1


def step(net: Detector, number: int, clips: Tensor, fake: Tensor) -> Tensor:
    assert net.lesson.before
    net.lesson.before(net, number)
    return net.lesson.loss(net, clips, fake, drawn(number))


def moved(net: Detector, before: Mapping[str, Tensor]) -> set[str]:
    return {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}


def test_the_published_size_is_that_of_i3d() -> None:
    with torch.device("meta"):
        net = altfreezing.altfreezing()
    count = sum(p.numel() for p in net.parameters())
    assert count == 27_225_921
    assert count - 2049 + 400 * 2049 == 28_043_472  # with 400 classes: the 28.0 million of SlowFast's I3D R50
    assert sum(p.numel() for p in altfreezing.small().parameters()) == 147_185


def test_the_published_size_sees_windows_of_its_frames() -> None:
    with torch.device("meta"):
        net, seen = altfreezing.altfreezing().eval(), []
        net.tap.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape)))
        logits = net(torch.empty(1, 32, 3, 224, 224))
    assert logits.shape == (1,) and seen == [(1, 2048, 16, 7, 7)]


def test_over_one_period_every_weight_has_a_gradient() -> None:
    torch.manual_seed(0)
    net, fake, reached = tiny().train(), torch.arange(4) % 2.0, set()
    for number in range(2):
        net.zero_grad(set_to_none=True)
        step(net, number, noise(4), fake).backward()
        reached |= {name for name, p in net.named_parameters() if p.grad is not None}
    assert reached == {name for name, _ in net.named_parameters()}


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_kernels_that_rest_have_no_gradient_and_do_not_move(kind: str) -> None:
    torch.manual_seed(0)
    net, fake, turns = tiny().train(), torch.arange(4) % 2.0, Turns(1, 2)
    net.lesson = replace(net.lesson, before=partial(freeze, turns))
    if kind == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9, weight_decay=0.1)
    else:
        optimizer = torch.optim.AdamW(net.parameters(), 0.01, weight_decay=0.1)
    names = {name for name, _ in net.named_parameters()}
    time = {f"body.stages.{n}.0.a.weight" for n in range(3)}
    space = {f"body.stages.{n}.0.b.weight" for n in range(3)}
    for number, rests in enumerate((time, space, space, time, space)):
        before = {name: p.detach().clone() for name, p in net.named_parameters()}
        update(optimizer, step(net, number, noise(4), fake))
        assert {name for name, p in net.named_parameters() if p.grad is None} == rests
        changed = moved(net, before)
        assert not changed & rests and (number < 2 or changed == names - rests)  # blocks begin as their shortcuts


def test_the_published_turns_are_one_step_and_twenty() -> None:
    with torch.device("meta"):
        net = altfreezing.altfreezing()
    assert net.lesson.before
    resting = []
    for number in range(43):
        net.lesson.before(net, number)
        shapes = {tuple(p.shape[2:]) for p in net.parameters() if not p.requires_grad}
        resting.append(shapes.pop())
        assert not shapes
    assert resting == ([(3, 1, 1)] + [(1, 3, 3)] * 20) * 2 + [(3, 1, 1)]
    assert net.get_parameter("body.stem.conv.weight").requires_grad


def test_scores_do_not_hang_on_the_batch_and_survive_a_file() -> None:
    torch.manual_seed(0)
    net, other = table.build("altfreezing-small").eval(), table.build("altfreezing-small").eval()
    clips = noise(3, 112)
    detector.restore(other, net.learned())
    with torch.no_grad():
        together = net(clips)
        torch.testing.assert_close(torch.cat([net(one[None]) for one in clips]), together, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(other(clips.flip(0)), together.flip(0), atol=1e-5, rtol=1e-5)


def test_grad_cam_gives_a_map_a_frame() -> None:
    torch.manual_seed(0)
    net = table.build("altfreezing-small").eval()
    maps = explain.grad_cam(net, noise(1, 112), "both")
    assert maps.shape == (1, FRAMES, 7, 7) and maps.isfinite().all() and maps.abs().sum() > 0


def test_eight_clips_of_noise_are_learned_by_heart() -> None:
    torch.manual_seed(0)
    net, clips = tiny(), noise(8)
    fake = torch.tensor([0.0, 1, 1, 0, 1, 0, 0, 1])
    net.lesson = altfreezing.lesson(Turns(made=0.0))
    adam = torch.optim.AdamW(net.train().parameters(), 3e-3)
    losses = []
    for number in range(16):
        loss = step(net, number, clips, fake)
        update(adam, loss)
        losses.append(loss.item())
    assert losses[-1] < 0.2 < losses[0], f"from {losses[0]:.2f} to {losses[-1]:.2f}"


def longer(example: Example) -> Example:
    """An example with twice the frames."""
    crops = example.crops()
    made = replace(crops, **{name: getattr(crops, name).repeat_interleave(2, 1) for name in ("numbers", "times_s")})
    made = replace(made, pixels=torch.cat([crops.pixels, crops.pixels.flip(1)], 1))
    return replace(example, crops=lambda: made)


def test_it_learns_what_it_has_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "DETECTORS", {"altfreezing-small": tiny})
    learn, select, asked = (
        [longer(e) for e in examples(first, count)] for first, count in ((0, 16), (100, 8), (300, 12))
    )
    crop = replace(CROP, length=FRAMES)
    detect.train(tmp_path, learn, select, config("altfreezing-small", crop=crop, steps=16, select_every=8))
    model = detector.load(tmp_path)
    score = np.array([model.judge(e.crops()).mean() for e in asked])
    assert detection.auc(score, np.array([e.fake for e in asked])) > 0.9


def test_a_stopped_training_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "DETECTORS", {"altfreezing-small": tiny})
    learn, select = [longer(e) for e in examples(0, 8)], [longer(e) for e in examples(100, 4)]
    asked = config("altfreezing-small", steps=3, batch=4, select_every=1, crop=replace(CROP, length=FRAMES))

    def stop(done: int, losses: dict[str, float]) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect.train(tmp_path / "a", learn, select, asked, on_step=stop)
    again, whole = (detect.train(tmp_path / name, learn, select, asked) for name in "ab")
    assert again.card.digest == whole.card.digest and again.parts == whole.parts


def test_faults_in_time_are_of_the_clips_own_frames() -> None:
    clip = torch.arange(8.0)[:, None, None, None].expand(8, 3, 2, 2)
    for seed in range(30):
        lost = clip_fakes.dropped(clip, drawn(seed))[:, 0, 0, 0].diff()
        assert (lost[lost > 0] - 1).sum() in (1, 2) and (lost.abs() == 1).sum() == 6
        still = clip_fakes.repeated(clip, drawn(seed))[:, 0, 0, 0].diff()
        assert set(still.tolist()) <= {0.0, 1.0} and 1 <= int((still == 0).sum()) <= 2


def test_a_blended_clip_has_no_fault_in_time_and_this_clips_colours() -> None:
    clip = noise(1, 24)[0, :1].expand(8, -1, -1, -1) * 0.4
    other = noise(2, 24)[1, :1].expand(8, -1, -1, -1) * 0.1 + 0.5
    made = clip_fakes.blended(clip, other, drawn(3))
    changed = (made - clip).abs().amax((0, 1))
    assert torch.equal(made[0], made[7]) and changed.max() > 0.2 and changed[0, 0] < 0.02
    assert float(made.mean()) == pytest.approx(float(clip.mean()), abs=0.05)


def test_only_fakes_are_replaced_and_the_generator_alone_decides() -> None:
    clips, fake = noise(6, 8), torch.arange(6) % 2.0
    made = clip_fakes.mixed(clips, fake, 1.0, drawn(0))
    assert torch.equal(made[::2], clips[::2]) and not (made[1::2] == clips[1::2]).flatten(1).all(1).any()
    assert torch.equal(made, clip_fakes.mixed(clips, fake, 1.0, drawn(0)))
    assert torch.equal(clips, clip_fakes.mixed(clips, fake, 0.0, drawn(0)))
    assert torch.equal(clips, clip_fakes.mixed(clips, torch.ones(6), 1.0, drawn(0)))


def published_shapes(width: int = 64) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the published file by the rules of its module tree."""
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, count: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (count,)
        shapes[f"{name}.num_batches_tracked"] = ()

    shapes["resnet.s1.pathway0_stem.conv.weight"] = (width, 3, 5, 7, 7)
    norm("resnet.s1.pathway0_stem.bn", width)
    before = width
    for stage, (blocks, times) in STAGES.items():
        inner = width * 2 ** (stage - 2)
        for n in range(blocks):
            at, time = f"resnet.s{stage}.pathway0_res{n}", int(times[n % len(times)])
            if n == 0:
                shapes[f"{at}.branch1.weight"] = (4 * inner, before, 1, 1, 1)
                norm(f"{at}.branch1_bn", 4 * inner)
            shapes[f"{at}.branch2.a.weight"] = (inner, before, time, 1, 1)
            shapes[f"{at}.branch2.b.weight"] = (inner, inner, 1, 3, 3)
            shapes[f"{at}.branch2.c.weight"] = (4 * inner, inner, 1, 1, 1)
            for layer, count in (("a", inner), ("b", inner), ("c", 4 * inner)):
                norm(f"{at}.branch2.{layer}_bn", count)
            before = 4 * inner
    shapes["resnet.head.projection.weight"], shapes["resnet.head.projection.bias"] = (1, before), (1,)
    return shapes


def plain(tensors: Mapping[str, Tensor], clips: Tensor) -> Tensor:
    """The published network computed from its names, step by step."""

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = tensors[f"resnet.{name}.weight"]
        return F.conv3d(x, weight, None, (1, stride, stride), tuple(k // 2 for k in weight.shape[2:]))

    def norm(x: Tensor, name: str) -> Tensor:
        parts = [tensors[f"resnet.{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *parts, eps=1e-5)

    x = norm(conv(clips.transpose(1, 2), "s1.pathway0_stem.conv", 2), "s1.pathway0_stem.bn").relu()
    x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    for stage, (blocks, _) in STAGES.items():
        for n in range(blocks):
            at, stride = f"s{stage}.pathway0_res{n}", 2 if stage > 2 and n == 0 else 1
            y = norm(conv(x, f"{at}.branch2.a"), f"{at}.branch2.a_bn").relu()
            y = norm(conv(y, f"{at}.branch2.b", stride), f"{at}.branch2.b_bn").relu()
            y = norm(conv(y, f"{at}.branch2.c"), f"{at}.branch2.c_bn")
            short = x if n else norm(conv(x, f"{at}.branch1", stride), f"{at}.branch1_bn")
            x = (short + y).relu()
        x = F.max_pool3d(x, (2, 1, 1)) if stage == 2 else x
    return F.linear(x.mean((2, 3, 4)), tensors["resnet.head.projection.weight"], tensors["resnet.head.projection.bias"])


def test_the_published_file_is_renamed_completely() -> None:
    made = {name: torch.zeros(()).expand(shape) for name, shape in published_shapes().items()}
    found = altfreezing.published(made)
    with torch.device("meta"):
        own = altfreezing.altfreezing().state_dict()
    assert {name: x.shape for name, x in found.items()} == {name: x.shape for name, x in own.items()}
    assert set(altfreezing.published({f"module.{name}": x for name, x in made.items()})) == set(own)
    made.pop("resnet.s3.pathway0_res2.branch2.b.weight")
    with pytest.raises(BadInput, match=r"another network than altfreezing: body\.stages\.1\.2\.b\.weight is missing"):
        altfreezing.published(made)
    with pytest.raises(BadInput, match="another network"):
        altfreezing.published({"conv1.weight": torch.zeros(64, 3, 7, 7)})


def test_our_network_with_published_weights_is_the_published_one() -> None:
    g = drawn(5)
    made = {name: torch.randn(shape, generator=g) * 0.2 for name, shape in published_shapes(4).items()}
    made |= {name: x.abs() + 0.5 for name, x in made.items() if name.endswith("_var")}
    net = Detector(I3D(4), Sight(32, FRAMES), "stages.3", arrange=lambda x: x).eval()
    net.load_state_dict({altfreezing._ours(name): x for name, x in made.items()})
    with torch.no_grad():
        torch.testing.assert_close(net(noise(2)), plain(made, noise(2)).squeeze(1), atol=1e-4, rtol=1e-4)
