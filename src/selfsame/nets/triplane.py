"""EG3D's generator: StyleGAN2 draws three feature planes, a decoder reads points of them, rays become an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from selfsame.core import rng
from selfsame.core.camera import Camera, rays
from selfsame.core.errors import WrongUse
from selfsame.nets import planes as plane_lookup
from selfsame.nets import render
from selfsame.nets.layers import EqualizedLinear, MappingNetwork, Noise, SynthesisNetwork, drop_resample_filters
from selfsame.nets.planes import PlaneOrder
from selfsame.nets.render import RayOutput
from selfsame.nets.superres import SuperResolution

POINTS_AT_ONCE = {"cpu": 2**16}  # what a pass over points keeps in the cache
POINTS_ELSEWHERE = 2**21
POINTS_KEPT_FOR_GRADIENT = 2**19  # beyond it (about half a gigabyte at EG3D's widths) chunks are computed again


@dataclass(frozen=True)
class TriPlaneConfig:
    """Every number of a tri-plane generator; the defaults are EG3D for FFHQ at 512 px.

    `c_dim` 25 conditions the mapping on a camera, 0 does not. Channels of a block of size s: min(channel_base / s,
    channel_max). Lengths are world units. `plane_order` "eg3d" is the released weights' (xy, xz, zx), which never sees
    the plane yz, "orthogonal" is (xy, yz, zx). `backdrop_px` 0 leaves the background black as in EG3D; n > 0 adds an
    n x n picture from the last w behind the volume, which does not move with the camera. `density_gain` multiplies the
    raw density, so that supervised training reaches the density of a solid at ordinary learning rates; EG3D has 1.
    """

    z_dim: int = 512
    c_dim: int = 25
    w_dim: int = 512
    mapping_layers: int = 2
    channel_base: int = 32768
    channel_max: int = 512
    plane_px: int = 256
    plane_channels: int = 32
    plane_order: PlaneOrder = "eg3d"
    feature_channels: int = 32
    decoder_hidden: int = 64
    density_gain: float = 1.0
    backdrop_px: int = 0
    neural_px: int = 128
    image_px: int = 512
    superres_channels: tuple[int, int] = (256, 128)
    ray_start: float = 2.25
    ray_end: float = 3.3
    box_warp: float = 1.0
    depth_samples: int = 48
    importance_samples: int = 48


EG3D_FFHQ512 = TriPlaneConfig()
STARTER_3D = TriPlaneConfig(
    z_dim=86,
    c_dim=0,
    w_dim=256,
    mapping_layers=2,
    channel_base=4096,
    channel_max=192,
    plane_px=128,
    plane_channels=16,
    plane_order="orthogonal",
    feature_channels=16,
    density_gain=16.0,
    backdrop_px=8,
    neural_px=64,
    image_px=128,
    superres_channels=(32, 32),
    depth_samples=24,
    importance_samples=24,
)


@dataclass(frozen=True)
class Rendering:
    """An image, the raw rendering it was made from (both in [-1, 1]), expected depth and alpha of the raw pixels."""

    image: Float[Tensor, "b 3 q q"]
    raw: Float[Tensor, "b 3 p p"]
    depth: Float[Tensor, "b 1 p p"]
    alpha: Float[Tensor, "b 1 p p"]


def joined(parts: Sequence[Rendering]) -> Rendering:
    """Renderings one after the other in one batch."""
    return Rendering(**{name: torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])})


class Backbone(nn.Module):
    """Mapping network and the synthesis network that draws the planes, under the published names."""

    def __init__(self, config: TriPlaneConfig) -> None:
        super().__init__()
        c = config
        self.synthesis = SynthesisNetwork(c.w_dim, c.plane_px, 3 * c.plane_channels, c.channel_base, c.channel_max)
        self.mapping = MappingNetwork(c.z_dim, c.c_dim, c.w_dim, c.mapping_layers, self.synthesis.num_ws)


class Decoder(nn.Module):
    """Plane features of a point to its colour features in (-0.001, 1.001) and its raw density."""

    def __init__(self, inputs: int, hidden: int, features: int, density_gain: float = 1.0) -> None:
        super().__init__()
        self.density_gain = density_gain
        self.net = nn.Sequential(EqualizedLinear(inputs, hidden), nn.Softplus(), EqualizedLinear(hidden, 1 + features))

    def forward(self, x: Float[Tensor, "b n c"]) -> tuple[Float[Tensor, "b n f"], Float[Tensor, "b n 1"]]:
        """Features and raw density [EG3D, OSGDecoder]."""
        y = self.net(x)
        return torch.sigmoid(y[..., 1:]) * (1 + 2 * 0.001) - 0.001, y[..., :1] * self.density_gain


class TriPlane(nn.Module):
    """EG3D's generator; no call changes it, and nothing in it is random but what a generator passed in draws."""

    def __init__(self, config: TriPlaneConfig) -> None:
        super().__init__()
        self.config = c = config
        self.backbone = Backbone(c)
        self.superresolution = SuperResolution(
            c.feature_channels, c.superres_channels, c.w_dim, c.neural_px, c.image_px
        )
        self.decoder = Decoder(c.plane_channels, c.decoder_hidden, c.feature_channels, c.density_gain)
        self.backdrop = EqualizedLinear(c.w_dim, 3 * c.backdrop_px**2) if c.backdrop_px else None
        self.register_load_state_dict_pre_hook(drop_resample_filters)

    @property
    def num_ws(self) -> int:
        """How many w a w_plus holds."""
        return self.backbone.synthesis.num_ws

    def map(
        self, z: Float[Tensor, "b z"], camera: Camera | None = None, psi: float = 1.0, cutoff: int | None = None
    ) -> Float[Tensor, "b l w"]:
        """z (and the conditioning camera, if the configuration has one) to w_plus, truncated by `psi` up to `cutoff`.

        Raises WrongUse where the network wants a camera and gets none.
        """
        if self.config.c_dim and camera is None:
            raise WrongUse("This generator's mapping needs a camera.", "Pass the camera to condition on.")
        label = camera.pack() if camera is not None and self.config.c_dim else None
        w_plus: Tensor = self.backbone.mapping(z, label, psi, cutoff)
        return w_plus

    def planes(
        self, w_plus: Float[Tensor, "b l w"], noise: Noise = "const", until_px: int | None = None
    ) -> Float[Tensor, "b 3 c p p"]:
        """The three feature planes of each w_plus; `until_px` stops at smaller ones, which hold the same in coarse."""
        picture: Tensor = self.backbone.synthesis(w_plus, noise, until_px)
        return picture.reshape(len(picture), 3, -1, *picture.shape[2:])

    def field(
        self, planes: Float[Tensor, "b 3 c p p"], points: Float[Tensor, "b n 3"]
    ) -> tuple[Float[Tensor, "b n f"], Float[Tensor, "b n 1"]]:
        """Features in (-0.001, 1.001) and raw density (the marcher takes softplus(sigma - 1)) at world points."""
        c = self.config
        decoded: tuple[Tensor, Tensor] = self.decoder(
            plane_lookup.lookup(planes, points, box=c.box_warp, order=c.plane_order)
        )
        return decoded

    def render_rays(
        self,
        planes: Float[Tensor, "b 3 c p p"],
        w: Float[Tensor, "b w"],
        origins: Float[Tensor, "b r 3"],
        directions: Float[Tensor, "b r 3"],
        uv: Float[Tensor, "b r 2"],
        *,
        generator: rng.Source | None = None,
        depth_samples: int | None = None,
        importance_samples: int | None = None,
        ray_chunk: int | None = None,
    ) -> RayOutput:
        """Any rays through the planes: features (the first three are RGB, all about [-1, 1]), depth, alpha.

        `w` (the last of w_plus) and `uv` (places in the picture, u right, v down, [0, 1]) are for the backdrop.
        Without a generator every draw is fixed. Rays are done `ray_chunk` at a time; with gradients a chunk is computed
        again in the backward pass, which bounds memory. None chooses the chunk, or none at all for a small backward.
        """
        c = self.config
        batch, count, _ = origins.shape
        first = c.depth_samples if depth_samples is None else depth_samples
        more = c.importance_samples if importance_samples is None else importance_samples
        jitter = render.draws(batch, count, first, generator, origins.device, spread=False)
        uniform = render.draws(batch, count, more, generator, origins.device, spread=True)
        depths = render.stratified_depths(jitter, c.ray_start, c.ray_end)
        chunk = ray_chunk or self._chunk(planes, batch, count, first + more)
        march = partial(render.render_rays, partial(self.field, planes))
        if torch.is_grad_enabled() and chunk < count:
            march = partial(checkpoint, march, use_reentrant=False, preserve_rng_state=False)
        pieces = zip(*(x.split(chunk, 1) for x in (origins, directions, depths, uniform)), strict=True)
        outputs = [march(*piece) for piece in pieces]
        features, depth, alpha = (
            torch.cat([getattr(o, name) for o in outputs], 1) for name in ("features", "depth", "alpha")
        )
        return RayOutput(self._with_backdrop(features, alpha, w, uv) * 2 - 1, depth, alpha)

    def _chunk(self, planes: Tensor, batch: int, count: int, samples: int) -> int:
        points = batch * count * samples
        if torch.is_grad_enabled() and points <= POINTS_KEPT_FOR_GRADIENT:
            return count
        return max(1, POINTS_AT_ONCE.get(planes.device.type, POINTS_ELSEWHERE) // (batch * samples))

    def _with_backdrop(self, features: Tensor, alpha: Tensor, w: Tensor, uv: Tensor) -> Tensor:
        if self.backdrop is None:
            return features
        size = self.config.backdrop_px
        picture = torch.sigmoid(self.backdrop(w)).reshape(-1, 3, size, size)
        seen = F.grid_sample(picture, uv[:, None] * 2 - 1, padding_mode="border", align_corners=False)[:, :, 0]
        colour = features[..., :3] + (1 - alpha) * seen.transpose(1, 2)
        return torch.cat([colour, features[..., 3:]], -1)

    def forward(
        self,
        w_plus: Float[Tensor, "b l w"],
        camera: Camera,
        *,
        neural_px: int | None = None,
        noise: Noise = "const",
        generator: rng.Source | None = None,
        depth_samples: int | None = None,
        importance_samples: int | None = None,
        ray_chunk: int | None = None,
    ) -> Rendering:
        """Images of `w_plus` seen by `camera`; the overrides stand in for the configuration's numbers."""
        features, depth, alpha = self.raw(
            self.planes(w_plus, noise), w_plus[:, -1], camera,
            neural_px=neural_px, generator=generator, depth_samples=depth_samples,
            importance_samples=importance_samples, ray_chunk=ray_chunk,
        )  # fmt: skip
        return Rendering(self.superresolution(features, w_plus[:, -1]), features[:, :3], depth, alpha)

    def raw(
        self,
        planes: Float[Tensor, "b 3 c p p"],
        w: Float[Tensor, "b w"],
        camera: Camera,
        *,
        neural_px: int | None = None,
        generator: rng.Source | None = None,
        depth_samples: int | None = None,
        importance_samples: int | None = None,
        ray_chunk: int | None = None,
    ) -> tuple[Float[Tensor, "b f q q"], Float[Tensor, "b 1 q q"], Float[Tensor, "b 1 q q"]]:
        """What super-resolution starts from, seen in planes: features (the first three are RGB), depth, alpha."""
        size = neural_px or self.config.neural_px
        origins, directions = rays(camera, size)
        with torch.autocast(origins.device.type, enabled=False):  # products along a ray need all their digits
            seen = self.render_rays(
                planes.to(origins.dtype),
                w.to(origins.dtype),
                origins,
                directions,
                pixel_centres(size, origins.device).expand(len(origins), -1, -1),
                generator=generator,
                depth_samples=depth_samples,
                importance_samples=importance_samples,
                ray_chunk=ray_chunk,
            )
        features, depth, alpha = (
            x.transpose(1, 2).unflatten(2, (size, size)) for x in (seen.features, seen.depth, seen.alpha)
        )
        return features, depth, alpha


def pixel_centres(size_px: int, device: torch.device) -> Float[Tensor, "n 2"]:
    """uv of all pixels, row by row, in the order of `core.camera.rays`."""
    centres = (torch.arange(size_px, device=device) + 0.5) / size_px
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([u.flatten(), v.flatten()], -1)
