"""Convolutional detectors of single frames: Xception, the baseline of FaceForensics++, EfficientNet-B4, a small one."""

from typing import Any

from selfsame.detectors.detector import IMAGENET, Detector, Sight
from selfsame.detectors.residual import frame_residual

SMALL_CHANNELS = (16, 32, 64, 128)


def xception() -> Detector:
    """Xception at 256 px [Chollet 2017; Rössler et al. 2019; DeepfakeBench], 20.8 million parameters."""
    import timm

    return Detector(timm.create_model("legacy_xception", num_classes=0), Sight(256), "act4")


def efficientnet_b4() -> Detector:
    """EfficientNet-B4 at 256 px [Tan and Le 2019; DeepfakeBench], 17.6 million parameters."""
    import timm

    return Detector(timm.create_model("efficientnet_b4", num_classes=0), Sight(256, 1, *IMAGENET), "bn2")


def small() -> Detector:
    """A residual network of four blocks on the noise residual at 112 px, 0.3 million parameters."""
    from timm.models.resnet import BasicBlock, ResNet

    block: Any = BasicBlock  # timm types the block as an instance of it
    body = ResNet(block, (1, 1, 1, 1), num_classes=0, channels=SMALL_CHANNELS, output_stride=16)
    return Detector(body, Sight(112), "layer4", arrange=frame_residual)
