"""CADDM: a frame detector that must also say where the artifacts are, at several scales [Dong et al., CVPR 2023].

A network that learns from labels alone takes the people of the real clips for what is real and those of the fakes for
what is fake ("implicit identity leakage"), and fails on others. Boxes about local artifacts tell it to look at these
instead: a place of a picture shows hardly whose face it is. Facts from the paper and the code released with it,
megvii-research/CADDM; that code gives the boxes of partial swaps with rows first to anchors with columns first, which
is not followed here. Its multi-scale facial swap needs each fake's source frame: `blending` says what stands for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.core.errors import BadInput
from selfsame.detectors import artifact_boxes, blending
from selfsame.detectors.artifact_boxes import Scale
from selfsame.detectors.checkpoint import checked, one_logit
from selfsame.detectors.detector import Detector, Lesson, Sight
from selfsame.detectors.residual import frame_residual

SHARE = 0.1  # of the boxes' loss beside the cross entropy
SCALES = (
    Scale(7, 32 / 224, 40 / 224, 80 / 224), Scale(5, 45 / 224, 80 / 224, 120 / 224),
    Scale(3, 75 / 224, 120 / 224, 160 / 224), Scale(1, 1.0, 1.0, 1.0),
)  # fmt: skip
SMALL_SCALES = (Scale(3, 1 / 3, 0.4, 0.6), Scale(1, 1.0, 1.0, 1.0))
SMALL_CHANNELS = (16, 32, 48, 64)
BYTES = ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))  # the released code feeds its network [0, 255]


class Block(nn.Module):
    """A residual block without padding, which shrinks a map of k x k and more by k - 1."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = nn.Sequential(
            nn.Conv2d(channels, channels, kernel, stride, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c k l"]:
        """The smaller map."""
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(inner + self.downsample(x))


class Last(nn.Module):
    """The block that makes one place of 3 x 3, without normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(channels, channels, 3), nn.Conv2d(channels, channels, 1)
        self.downsample = nn.Conv2d(channels, channels, 3)

    def forward(self, x: Float[Tensor, "b c 3 3"]) -> Float[Tensor, "b c 1 1"]:
        """The whole picture in one place."""
        return F.relu(self.conv2(F.relu(self.conv1(x))) + self.downsample(x))


class Artifacts(nn.Module):
    """The artifact detection module: maps of falling size, and two boxes with their confidence at each place of each.

    `shrink` holds kernel and stride of each block before the last.
    """

    def __init__(self, channels: int, shrink: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        blocks = [Block(channels, kernel, stride) for kernel, stride in shrink]
        self.layers = nn.ModuleList([*blocks, Last(channels)])
        looks = [(3, 1)] * len(shrink) + [(1, 0)]  # kernel and padding
        self.where = nn.ModuleList(nn.Conv2d(channels, 2 * 4, kernel, padding=pad) for kernel, pad in looks)
        self.which = nn.ModuleList(nn.Conv2d(channels, 2 * 2, kernel, padding=pad) for kernel, pad in looks)

    def forward(
        self, x: Float[Tensor, "b c h w"]
    ) -> tuple[Float[Tensor, "b a 4"], Float[Tensor, "b a 2"], Float[Tensor, "b c"]]:
        """The offsets of boxes from their anchors, (no artifact, artifact), and the last map."""
        places, kinds = [], []
        for layer, where, which in zip(self.layers, self.where, self.which, strict=True):
            x = layer(x)
            places.append(where(x).permute(0, 2, 3, 1).reshape(len(x), -1, 4))
            kinds.append(which(x).permute(0, 2, 3, 1).reshape(len(x), -1, 2))
        return torch.cat(places, 1), torch.cat(kinds, 1), x.flatten(1)


class Body(nn.Module):
    """A convolutional network of timm's whose pooled features are added to those of the artifact detection module."""

    anchors: Tensor

    def __init__(self, cnn: Any, scales: Sequence[Scale], shrink: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.cnn: Any = cnn
        self.num_features = int(cnn.num_features)
        self.artifacts = Artifacts(self.num_features, shrink)
        self.sizes = [(scale.short, scale.long) for scale in scales[:-1]]
        self.register_buffer("anchors", artifact_boxes.anchors(scales), persistent=False)

    def forward_features(self, x: Float[Tensor, "b 3 p p"]) -> Float[Tensor, "b c h w"]:
        """The network's last map."""
        maps: Tensor = self.cnn.forward_features(x)
        return maps

    def forward_head(self, maps: Float[Tensor, "b c h w"], pre_logits: bool = True) -> Float[Tensor, "b c"]:
        """What the head judges by."""
        return self.judged(maps)[0]

    def judged(
        self, maps: Float[Tensor, "b c h w"]
    ) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b a 4"], Float[Tensor, "b a 2"]]:
        """What the head judges by, offsets of boxes, their confidences."""
        location, confidence, last = self.artifacts(maps)
        return self.cnn.forward_head(maps, pre_logits=True) + last, location, confidence


def loss(
    net: Detector, clips: Float[Tensor, "b 1 3 p p"], fake: Float[Tensor, "b"], g: torch.Generator
) -> Float[Tensor, ""]:
    """Cross entropy of the clips, some of whose fakes are made anew (`blending`), and SHARE of the boxes' loss."""
    body: Any = net.body
    with torch.no_grad():
        clips, boxes, there = blending.pairs(clips, fake, body.sizes, g)
        offsets, artifact = artifact_boxes.match(boxes, there, body.anchors)
    features, location, confidence = body.judged(net.maps(clips))
    whole = F.binary_cross_entropy_with_logits(net.head(features).squeeze(-1).float(), fake)
    return whole + SHARE * artifact_boxes.loss(location, confidence, offsets, artifact)


def b4() -> Detector:
    """CADDM with EfficientNet-B4 at 224 px, the one with the best published numbers; 287.9 million parameters.

    The artifact detection module has 270.4 million of them, since it keeps 1792 channels, as in the released code.
    """
    import timm

    return on(timm.create_model("tf_efficientnet_b4", num_classes=0, drop_rate=0.4, drop_path_rate=0.2))


def on(cnn: nn.Module) -> Detector:
    """The published module on an EfficientNet of timm's that pads as TensorFlow does."""
    body = Body(cnn, SCALES, [(1, 1), (3, 1), (3, 1)])
    return Detector(body, Sight(224, 1, *BYTES), "cnn.bn2", backbone="body.cnn", lesson=Lesson(loss))


def small() -> Detector:
    """A residual network of four blocks and boxes of two scales, on the noise residual at 112 px; 0.3 million
    parameters.
    """
    from timm.models.resnet import BasicBlock, ResNet

    block: Any = BasicBlock  # timm types the block as an instance of it
    # Residuals of faces vary by far less than 1, where statistics begin; trainings of few steps need them soon.
    norm: Any = partial(nn.BatchNorm2d, momentum=0.3)
    cnn = ResNet(block, (1, 1, 1, 1), num_classes=0, channels=SMALL_CHANNELS, output_stride=16, norm_layer=norm)
    body = Body(cnn, SMALL_SCALES, [(3, 2)])
    sight, lesson = Sight(112), Lesson(loss)
    return Detector(body, sight, "cnn.layer4", arrange=frame_residual, backbone="body.cnn", lesson=lesson)


def published(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The released efficientnet-b4.pkl ("network" in it) under the names of `caddm`; raises BadInput for another's.

    Its network sees blue first, ours red, so the first layer's channels are turned. Its ImageNet classifier, which it
    never asks, is left out.
    """
    with torch.device("meta"):
        net = b4()
    return of_names(tensors, net)


def of_names(tensors: Mapping[str, Tensor], net: Detector) -> dict[str, Tensor]:
    """Tensors of the released code's names under those of `net`, a detector that `on` made."""
    body: Any = net.body
    prefixes = dict(_prefixes(body.cnn))
    found = {}
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition(".")
        if layer in prefixes:
            found[f"{prefixes[layer]}.{kind}"] = tensor
        elif layer not in ("fc", "base_model._fc"):
            found[name] = tensor  # too much, which is then said
    try:
        found["body.cnn.conv_stem.weight"] = tensors["base_model._conv_stem.weight"].flip(1)
        found |= {f"head.{kind}": one_logit(tensors[f"fc.{kind}"]) for kind in ("weight", "bias")}
    except KeyError as error:
        raise BadInput(
            f"This is not a checkpoint of caddm: {error.args[0]} is missing.",
            'Give the "network" of the released efficientnet-b4.pkl.',
        ) from error
    return checked(found, lambda: net, "caddm")


def _prefixes(cnn: Any) -> Iterator[tuple[str, str]]:
    """The released code's names of layers and ours."""
    for theirs, ours in (("_conv_stem", "conv_stem"), ("_bn0", "bn1"), ("_conv_head", "conv_head"), ("_bn1", "bn2")):
        yield f"base_model.{theirs}", f"body.cnn.{ours}"
    number = count()
    for i, stage in enumerate(cnn.blocks):
        for j, block in enumerate(stage):
            first = hasattr(block, "conv_pwl")  # blocks of the first stage do not expand
            grow = [("_expand_conv", "conv_pw"), ("_bn0", "bn1")] if first else []
            names = ("conv_dw", "bn2", "conv_pwl", "bn3") if first else ("conv_dw", "bn1", "conv_pw", "bn2")
            rest = list(zip(("_depthwise_conv", "_bn1", "_project_conv", "_bn2"), names, strict=True))
            squeeze = [("_se_reduce", "se.conv_reduce"), ("_se_expand", "se.conv_expand")]
            at = next(number)
            for theirs, ours in grow + rest + squeeze:
                yield f"base_model._blocks.{at}.{theirs}", f"body.cnn.blocks.{i}.{j}.{ours}"
    for i in range(3):
        for part in ("conv1", "bn1", "conv2", "bn2", "downsample.0", "downsample.1"):
            yield f"adm.adm_extra_layers.{i}.0.{part}", f"body.artifacts.layers.{i}.{part}"
    for part in ("conv1", "conv2", "downsample"):
        yield f"adm.adm_extra_layers.3.{part}", f"body.artifacts.layers.3.{part}"
    for i in range(4):
        for theirs, ours in (("ms_dets", "where"), ("ms_cls", "which")):
            yield f"adm.multi_scale_detection_module.{theirs}.{i}", f"body.artifacts.{ours}.{i}"
