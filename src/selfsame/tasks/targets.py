"""What an optimisation compares its pictures with: photos at both sizes of a tri-plane, and what a judge sees there."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image
from selfsame.losses import image as losses
from selfsame.nets.triplane import Rendering, TriPlane

Features = Callable[[Tensor], Sequence[Tensor]]


class Target:
    """Photos at the size of the picture and of the raw rendering, with their features, worked out once.

    `raw_features` asks for features of the raw size too, as personal training compares them [My3DGen].
    """

    def __init__(
        self,
        net: TriPlane,
        images: Float[Tensor, "b 3 s s"],
        features: Features | None = None,
        raw_features: bool = False,
    ) -> None:
        self.image = image.resize(images, net.config.image_px)
        self.raw = image.resize(images, net.config.neural_px)
        self.features = features
        with torch.no_grad():
            self.seen = features(self.image) if features else []
            self.seen_raw = features(self.raw) if features and raw_features else []

    def pixel(self, made: Rendering) -> Float[Tensor, "b"]:
        """Squared error of the picture and of the raw rendering."""
        return losses.mse(made.image, self.image) + losses.mse(made.raw, self.raw)

    def perceptual(self, made: Rendering) -> Float[Tensor, "b"]:
        """Perceptual distance of the picture; zero without features."""
        if self.features is None:
            return self.image.new_zeros(len(self.image))
        return losses.perceptual(self.features(made.image), self.seen)

    def perceptual_raw(self, made: Rendering) -> Float[Tensor, "b"]:
        """Perceptual distance of the raw rendering; zero where its features were not asked for."""
        if self.features is None or not self.seen_raw:
            return self.image.new_zeros(len(self.image))
        return losses.perceptual(self.features(made.raw), self.seen_raw)
