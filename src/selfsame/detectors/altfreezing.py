"""AltFreezing: a 3D network whose spatial and temporal kernels learn in turn [Wang et al. 2023].

Left alone such a network goes by one kind of fault and overlooks the other. So kernels that see only space (1 x 3 x 3)
and kernels that see only time (3 x 1 x 1) are frozen in turn; what is neither (the stem's 5 x 7 x 7, 1 x 1 x 1, norms
and head) always learns. The authors never released their training code. Network, groups and rates are those of their
repository (video_model_builder.py, optimizer.py, i3d_ori.yaml); that spatial kernels rest for 20 steps and temporal
ones for 1 is how DeepfakeBench reads the paper, and fits the repository's ALTER_FREQ of 20. Not here: its weight decay
of nothing on norms, and crops aligned by landmarks.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.detectors.checkpoint import checked
from selfsame.detectors.clip_fakes import mixed
from selfsame.detectors.detector import IMAGENET, Detector, Lesson, Sight, cross_entropy
from selfsame.detectors.residual import in_time

FRAMES, SMALL_FRAMES = 32, 8


@dataclass(frozen=True)
class Turns:
    """How many steps temporal kernels are frozen, then spatial ones; what share of fakes is made of real clips."""

    temporal: int = 1
    spatial: int = 20
    made: float = 0.5


class Block(nn.Module):
    """A bottleneck: `time` x 1 x 1, then 1 x 3 x 3 with the stride, then 1 x 1 x 1 [SlowFast's I3D ResNet]."""

    def __init__(self, before: int, inner: int, after: int, time: int, stride: int) -> None:
        super().__init__()
        self.a = nn.Conv3d(before, inner, (time, 1, 1), padding=(time // 2, 0, 0), bias=False)
        self.a_bn = nn.BatchNorm3d(inner)
        self.b = nn.Conv3d(inner, inner, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False)
        self.b_bn = nn.BatchNorm3d(inner)
        self.c = nn.Conv3d(inner, after, 1, bias=False)
        self.c_bn = nn.BatchNorm3d(after)
        nn.init.zeros_(self.c_bn.weight)  # a block begins as its shortcut
        self.shortcut: nn.Conv3d | None = None
        if before != after or stride != 1:
            self.shortcut = nn.Conv3d(before, after, 1, (1, stride, stride), bias=False)
            self.shortcut_bn = nn.BatchNorm3d(after)

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t k l"]:
        """The next maps."""
        y = F.relu(self.b_bn(self.b(F.relu(self.a_bn(self.a(x))))))
        short = x if self.shortcut is None else self.shortcut_bn(self.shortcut(x))
        return F.relu(short + self.c_bn(self.c(y)))


class I3D(nn.Module):
    """An I3D ResNet: a stem, stages of bottlenecks whose `times` are repeated, time halved after the first stage."""

    def __init__(
        self, width: int = 64, depths: tuple[int, ...] = (3, 4, 6, 3),
        times: tuple[tuple[int, ...], ...] = ((3,), (3, 1), (3, 1), (1, 3)), stem: tuple[int, int, int] = (5, 7, 7),
        dropout: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__()
        self.stem = nn.Sequential()
        around = (stem[0] // 2, stem[1] // 2, stem[2] // 2)
        self.stem.add_module("conv", nn.Conv3d(3, width, stem, (1, 2, 2), around, bias=False))
        self.stem.add_module("bn", nn.BatchNorm3d(width))
        self.stem.add_module("relu", nn.ReLU())
        self.stem.add_module("pool", nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)))
        stages, before = [], width
        for stage, depth in enumerate(depths):
            inner, blocks = width * 2**stage, []
            for n in range(depth):
                time, stride = times[stage][n % len(times[stage])], 2 if stage and n == 0 else 1
                blocks.append(Block(before, inner, 4 * inner, time, stride))
                before = 4 * inner
            stages.append(nn.Sequential(*blocks))
        self.stages, self.halve = nn.Sequential(*stages), nn.MaxPool3d((2, 1, 1))
        self.drop, self.num_features = nn.Dropout(dropout), before
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward_features(self, clips: Float[Tensor, "b t 3 p p"]) -> Float[Tensor, "b c u h w"]:
        """Maps in space and time, half as many in time."""
        first, *rest = self.stages
        x = self.halve(first(self.stem(clips.transpose(1, 2))))
        for stage in rest:
            x = stage(x)
        maps: Tensor = x
        return maps

    def forward_head(self, maps: Float[Tensor, "b c u h w"], pre_logits: bool) -> Float[Tensor, "b c"]:
        """Their mean over space and time."""
        pooled: Tensor = self.drop(maps.mean((2, 3, 4)))
        return pooled


def altfreezing() -> Detector:
    """The I3D ResNet-50 on 32 frames of 224 px, 27.2 million parameters [its repository's i3d_ori.yaml]."""
    return Detector(I3D(), Sight(224, FRAMES, *IMAGENET), "stages.3", lesson=lesson(Turns()))


def small() -> Detector:
    """Three bottlenecks on 8 noise residuals of 112 px, 0.15 million parameters."""
    body = I3D(16, (1, 1, 1), ((3,), (3,), (3,)), (3, 3, 3), dropout=0.0)
    turns = Turns(made=0.2)
    return Detector(body, Sight(112, SMALL_FRAMES), "stages.2", arrange=in_time, lesson=lesson(turns))


def lesson(turns: Turns) -> Lesson:
    """Cross entropy on batches with fakes made of real clips, kernels frozen in turn."""

    def loss(net: Detector, clips: Tensor, fake: Tensor, g: torch.Generator) -> Tensor:
        return cross_entropy(net, mixed(clips, fake, turns.made, g), fake, g)

    return Lesson(loss, partial(freeze, turns))


def freeze(turns: Turns, net: Detector, step: int) -> None:
    """Freeze the kernels whose turn it is to rest, and those alone: a frozen one has no gradient, and stays."""
    temporal = step % (turns.temporal + turns.spatial) < turns.temporal
    for layer in net.body.modules():
        if isinstance(layer, nn.Conv3d):
            time, height, _ = layer.kernel_size
            rests = (time > 1 and height == 1) if temporal else (time == 1 and height > 1)
            layer.requires_grad_(not rests)


def published(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' checkpoint (model.pth of ZhendongWang6/AltFreezing) under our names, for `altfreezing`.

    Its head has one output, as ours. Raises BadInput where names or shapes are another network's.
    """
    return checked({_ours(name): x for name, x in tensors.items()}, altfreezing, "altfreezing")


def _ours(name: str) -> str:
    """A name of SlowFast's module tree, resnet.s4.pathway0_res0.branch2.a.weight, as ours, body.stages.2.0.a.weight."""
    name = re.sub(r"^(module\.)?(network\.)?(resnet\.)?", "", name)
    name = re.sub(r"^s1\.pathway0_stem\.", "body.stem.", name)
    name = re.sub(r"^s([2-5])\.pathway0_res(\d+)\.", lambda at: f"body.stages.{int(at[1]) - 2}.{at[2]}.", name)
    name = name.replace(".branch2.", ".").replace(".branch1", ".shortcut")
    return re.sub(r"^head\.projection\.", "head.", name)
