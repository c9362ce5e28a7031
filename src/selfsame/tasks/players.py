"""The two kinds of adversarial training: StyleGAN2 on pictures, EG3D on pictures with their raw rendering."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image, rng
from selfsame.core.camera import Camera
from selfsame.core.errors import WrongUse
from selfsame.nets.stylegan2 import Discriminator, StyleGAN2
from selfsame.nets.triplane import TriPlane

POINTS, NEAR = 1000, 0.004  # how many points a solid is asked at, and how far the others are, in world units
MIXED = 0.9  # share of pictures whose later layers follow another code [StyleGAN, section 3.1]


@dataclass(frozen=True, eq=False)
class Flat:
    """StyleGAN2 and its discriminator."""

    generator: StyleGAN2
    discriminator: Discriminator

    def make(self, count: int, labels: Tensor | None, source: rng.Source) -> Float[Tensor, "b 3 h w"]:
        """Pictures of random codes with random noise, most of them of two codes mixed."""
        net = self.generator
        z = rng.normal(source, (count, 2, net.config.z_dim)).to(next(net.parameters()).device)
        u = rng.uniform(source, (count, 2)).to(z.device)
        one, other = net.map(z.flatten(0, 1)).unflatten(0, (count, 2)).unbind(1)
        cut = torch.where(u[:, 0] < MIXED, 1 + (u[:, 1] * (net.num_ws - 1)).floor(), net.num_ws)
        w_plus = torch.where((torch.arange(net.num_ws, device=z.device) < cut[:, None])[..., None], one, other)
        pictures: Tensor = net(w_plus, source)
        return pictures

    def show(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """The images themselves."""
        return images

    def roughness(self, count: int, source: rng.Source) -> Float[Tensor, "b"]:
        """Nothing: raises WrongUse."""
        raise WrongUse("Pictures have no density.", "Train them with density 0.")


@dataclass(frozen=True, eq=False)
class Posed:
    """A tri-plane generator and EG3D's dual discriminator, which is not told the camera [EG3D, section 4.3]."""

    generator: TriPlane
    discriminator: Discriminator

    def __post_init__(self) -> None:
        if self.generator.config.c_dim:
            raise WrongUse(
                "A generator whose mapping is conditioned on the camera cannot be trained here.",
                "Start from a prior with c_dim 0, or from none.",
            )

    def make(self, count: int, labels: Tensor | None, source: rng.Source) -> Float[Tensor, "b 6 h w"]:
        """Pictures of random codes seen by the cameras in `labels`, each above its enlarged raw rendering."""
        assert labels is not None, "three dimensions need cameras"
        net = self.generator
        z = rng.normal(source, (count, net.config.z_dim)).to(labels.device)
        made = net(net.map(z), Camera.unpack(labels), noise=source, generator=source)
        return self._dual(made.image.to(made.raw.dtype), made.raw)

    def show(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 6 h w"]:
        """The images above themselves at the raw rendering's resolution."""
        return self._dual(images, image.resize(images, self.generator.config.neural_px))

    def roughness(self, count: int, source: rng.Source) -> Float[Tensor, "b"]:
        """Mean difference of raw density between random points of the box and others close to them [EG3D, loss]."""
        net = self.generator
        z = rng.normal(source, (count, net.config.z_dim)).to(next(net.parameters()).device)
        planes = net.planes(net.map(z), source)
        points = (rng.uniform(source, (count, POINTS, 3)).to(z.device) - 0.5) * net.config.box_warp
        near = points + NEAR * rng.normal(source, (count, POINTS, 3)).to(z.device)
        raw = net.field(planes, torch.cat([points, near], 1))[1]
        return (raw[:, :POINTS] - raw[:, POINTS:]).abs().mean((1, 2))

    def _dual(self, picture: Tensor, raw: Tensor) -> Tensor:
        return torch.cat([picture, image.resize(raw, picture.shape[-1])], 1)
