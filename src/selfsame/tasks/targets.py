"""What an optimisation compares its pictures with: photos, or what is left of them, and what a judge sees there."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image
from selfsame.core.camera import Camera
from selfsame.losses import image as losses
from selfsame.nets.triplane import Rendering, TriPlane

Features = Callable[[Tensor], Sequence[Tensor]]
Degrade = Callable[[Tensor], Tensor]  # pictures (B, 3, s, s) to what damage leaves of them, differentiable


class Target:
    """Photos at the size of the picture and of the raw rendering, with their features, worked out once.

    `raw_features` asks for features of the raw size too, as personal training compares them [My3DGen]. With `degrade`
    photo and picture both pass through it, so that only what the damage left is compared [MyStyle, section 4]; the raw
    rendering is enlarged to the picture's size before.
    """

    def __init__(
        self,
        net: TriPlane,
        images: Float[Tensor, "b 3 s s"],
        features: Features | None = None,
        *,
        raw_features: bool = False,
        degrade: Degrade | None = None,
    ) -> None:
        self.net, self.features, self.degrade = net, features, degrade
        whole = image.resize(images, net.config.image_px)
        with torch.no_grad():
            self.image = degrade(whole) if degrade else whole
            self.raw = self.image if degrade else image.resize(images, net.config.neural_px)
            self.seen = features(self.image) if features else []
            self.seen_raw = features(self.raw) if features and raw_features else []

    def pixel(self, made: Rendering) -> Float[Tensor, "b"]:
        """Squared error of the picture and of the raw rendering."""
        return self.pixel_picture(made) + losses.mse(self._raw(made.raw), self.raw)

    def pixel_picture(self, made: Rendering) -> Float[Tensor, "b"]:
        """Squared error of the picture alone."""
        return losses.mse(self._picture(made), self.image)

    def pixel_sketch(self, sketch: Float[Tensor, "b 3 p p"]) -> Float[Tensor, "b"]:
        """Squared error of a raw rendering of any size."""
        if self.degrade:
            return losses.mse(self._raw(sketch), self.raw)
        return losses.mse(sketch, image.resize(self.image, sketch.shape[-1]))

    def perceptual(self, made: Rendering) -> Float[Tensor, "b"]:
        """Perceptual distance of the picture; zero without features."""
        if self.features is None:
            return self.image.new_zeros(len(self.image))
        return losses.perceptual(self.features(self._picture(made)), self.seen)

    def perceptual_raw(self, made: Rendering) -> Float[Tensor, "b"]:
        """Perceptual distance of the raw rendering; zero where its features were not asked for."""
        if self.features is None or not self.seen_raw:
            return self.image.new_zeros(len(self.image))
        return losses.perceptual(self.features(self._raw(made.raw)), self.seen_raw)

    def sketch(
        self, w_plus: Float[Tensor, "b l w"], camera: Camera, size_px: int, depth_samples: int, importance_samples: int
    ) -> Float[Tensor, "b"]:
        """Squared error of a raw rendering of `size_px`, through coarser planes: far cheaper than a whole picture."""
        planes_px = 1 << (2 * size_px - 1).bit_length()
        coarse = planes_px if planes_px < self.net.config.plane_px else None
        features, _, _ = self.net.raw(
            self.net.planes(w_plus, until_px=coarse), w_plus[:, -1], camera,
            neural_px=size_px, depth_samples=depth_samples, importance_samples=importance_samples,
        )  # fmt: skip
        return self.pixel_sketch(features[:, :3])

    def _picture(self, made: Rendering) -> Float[Tensor, "b 3 s s"]:
        return self.degrade(made.image) if self.degrade else made.image

    def _raw(self, raw: Float[Tensor, "b 3 p p"]) -> Tensor:
        return self.degrade(image.resize(raw, self.net.config.image_px)) if self.degrade else raw
