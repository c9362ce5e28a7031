"""A detector of your own in one file: the noise of four frames at once, seen by two convolutions.

selfsame bench train docs/own_detector.py --protocol "P1 *"
"""

from torch import Tensor, nn

from selfsame.detectors import residual
from selfsame.detectors.detector import Detector, Sight
from selfsame.tasks.clip_augment import AugmentConfig
from selfsame.tasks.clip_crops import CropConfig
from selfsame.tasks.detect_config import DetectConfig


class Noise(nn.Module):
    """The noise of four frames (B, 4, 3, p, p) becomes a map (B, 32, p / 4, p / 4), and its mean 32 numbers."""

    num_features = 32

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(12, 32, 5, stride=2, padding=2), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        )  # fmt: skip

    def forward_features(self, x: Tensor) -> Tensor:
        """The map."""
        return self.net(x.flatten(1, 2))

    def forward_head(self, x: Tensor, pre_logits: bool) -> Tensor:
        """Its mean."""
        return x.mean((-2, -1))


def detector() -> Detector:
    """Four frames of 112 px; Grad-CAM looks at what leaves the layer `net`."""
    return Detector(Noise(), Sight(112, frames=4), "net", arrange=residual.in_time)


PRESET = DetectConfig("own", CropConfig(px=112), AugmentConfig(blur=0.0, jpeg=0.0), steps=300, lr=1e-3, select_every=50)
