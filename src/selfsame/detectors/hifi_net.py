"""HiFi-Net: four resolutions side by side for each frame, then a recurrent network over the frames [Guo et al. 2023].

What its authors released for deepfakes is an application in their repository HiFi_IFDL: no localisation, no hierarchy
of forgery types, and the branch of frequencies (Laplacian of Gaussian) switched off, its merging layer without use.
This file is that network.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsame.detectors.checkpoint import checked, one_logit
from selfsame.detectors.detector import Detector, Sight
from selfsame.detectors.residual import halved, in_time

FRAMES, SMALL_FRAMES = 10, 5
AT_ONCE = 20  # frames that are judged in one pass
WIDTHS, SMALL_WIDTHS = (18, 36, 72, 144), (8, 16, 32, 64)
SMALL_FEATURES = 96
MOMENTUM = 0.01  # of the running statistics, as in HRNet's own code
UNUSED = "FENet.conv_1x1_merge."  # in the published file, never called by the published network


class InTime(nn.Module):
    """Frames one by one through `net`, whose classifier makes a vector of each, then an LSTM; its last output counts.

    `net` has timm's `forward_features`, maps (N, C, h, w), and a `classifier` of their means.
    """

    def __init__(self, net: nn.Module, width: int, hidden: int) -> None:
        super().__init__()
        self.net, self.num_features = net, hidden
        self.rnn = nn.LSTM(width, hidden, batch_first=True)

    def forward_features(self, x: Float[Tensor, "b t 3 p p"]) -> Float[Tensor, "b t c h w"]:
        """The map of each frame, all resolutions in one."""
        net: Any = self.net
        frames = x.flatten(0, 1)
        # Judging needs no graph, and the published size's maps of many clips at once would fill any memory.
        parts = frames.split(len(frames) if self.training or torch.is_grad_enabled() else AT_ONCE)
        maps = torch.cat([net.forward_features(part) for part in parts])
        by_clip: Tensor = maps.unflatten(0, x.shape[:2])
        return by_clip

    def forward_head(self, x: Float[Tensor, "b t c h w"], pre_logits: bool) -> Float[Tensor, "b f"]:
        """What is known after the last frame."""
        net: Any = self.net
        each = net.classifier(x.mean((-2, -1)).flatten(0, 1)).unflatten(0, x.shape[:2])
        # cuDNN's LSTM has no gradient in evaluation mode, which Grad-CAM asks for.
        with torch.backends.cudnn.flags(enabled=self.training):
            told, _ = self.rnn(each)
        last: Tensor = told[:, -1].relu()
        return last


def published_size() -> Detector:
    """Ten frames of 224 px for HRNet-W18 with four branches from stage 2 on, 1000 features a frame, and an LSTM of 256:
    19.3 million parameters [HiFi_IFDL, applications/deepfake_detection: seg_hrnet_config.py, train.py].

    timm's HRNet, in three things as the repository has it: the stem keeps the resolution, every stage is one module of
    four branches, and what is coarse is enlarged bilinearly, corners on corners. So training takes 3.9 GB a frame in
    single precision. ImageNet's HRNet-W18-Small-v2, from which its authors began, has other stages and is not read.
    """
    from timm.models.hrnet import HighResolutionNet

    stage = {"num_modules": 1, "num_branches": 4, "block_type": "BASIC", "num_blocks": (2,) * 4,
             "num_channels": WIDTHS, "fuse_method": "SUM"}  # fmt: skip
    first = {"num_modules": 1, "num_branches": 1, "block_type": "BOTTLENECK", "num_blocks": (2,),
             "num_channels": (64,), "fuse_method": "SUM"}  # fmt: skip
    net = HighResolutionNet({"stem_width": 64, "stage1": first, "stage2": stage, "stage3": stage, "stage4": stage})
    net.conv1.stride = net.conv2.stride = (1, 1)
    _smooth(net)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = MOMENTUM
    return Detector(InTime(net, 1000, 256), Sight(224, FRAMES), "net.final_layer")


class SmallBranches(nn.Module):
    """One module of HRNet with four branches of 8 to 64 channels at 1/2 to 1/16 of the picture, brought into one map of
    1/16 from fine to coarse, as HRNet's head does.
    """

    def __init__(self) -> None:
        from timm.models.hrnet import HighResolutionModule
        from timm.models.resnet import BasicBlock

        super().__init__()
        self.begin = nn.ModuleList([halved(a, b) for a, b in pairwise((3, *SMALL_WIDTHS))])
        self.branches = HighResolutionModule(4, BasicBlock, (1,) * 4, list(SMALL_WIDTHS), SMALL_WIDTHS, "SUM")
        _smooth(self.branches)
        self.down = nn.ModuleList([halved(a, b) for a, b in pairwise(SMALL_WIDTHS)])
        last = SMALL_WIDTHS[-1]
        self.final_layer = nn.Sequential(nn.Conv2d(last, SMALL_FEATURES, 1), nn.BatchNorm2d(SMALL_FEATURES), nn.ReLU())
        # Means over a picture differ little from clip to clip: an LSTM must be shown how they differ.
        self.classifier = nn.Sequential(nn.Linear(SMALL_FEATURES, SMALL_FEATURES), nn.BatchNorm1d(SMALL_FEATURES))

    def forward_features(self, x: Float[Tensor, "n 3 p p"]) -> Float[Tensor, "n c h w"]:
        """One map of each picture."""
        levels = []
        for halve in self.begin:
            x = halve(x)
            levels.append(x)
        fused = self.branches(levels)
        y = fused[0]
        for down, level in zip(self.down, fused[1:], strict=True):
            y = level + down(y)
        seen: Tensor = self.final_layer(y)
        return seen


def small() -> Detector:
    """Five noise residuals of 112 px, four narrow branches and an LSTM of 64: 0.3 million parameters."""
    return Detector(
        InTime(SmallBranches(), SMALL_FEATURES, 64), Sight(112, SMALL_FRAMES), "net.final_layer", arrange=in_time
    )


def published(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of HiFi_IFDL's deepfake checkpoint (its `model_state_dict`) under the names of `published_size`.

    There 0 is fake and 1 is real, so that our logit is the first row less the second. Raises BadInput where the file
    is another network's.
    """
    # The authors saved it in DataParallel.
    plain = {name.removeprefix("module."): x for name, x in tensors.items()}
    found = {}
    for name, x in plain.items():
        if name.startswith("FENet.") and not name.startswith(UNUSED):
            found["body.net." + name.removeprefix("FENet.")] = x
        elif name.startswith("output_rnn.1."):
            found["head." + name.removeprefix("output_rnn.1.")] = one_logit(x, fake=0)
        elif not name.startswith(UNUSED):
            found["body." + name] = x
    return checked(found, published_size, "hifi-net")


def _smooth(net: nn.Module) -> None:
    """Enlarge bilinearly, corners on corners, where timm repeats the nearest."""
    for module in net.modules():
        if isinstance(module, nn.Upsample):
            module.mode, module.align_corners = "bilinear", True
