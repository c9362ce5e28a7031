"""StyleGAN2's generator (skip) and discriminator (residual), under NVIDIA's published names [NVlabs/stylegan3]."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsame.nets import ops
from selfsame.nets.layers import EqualizedLinear, MappingNetwork, Noise, SynthesisNetwork, drop_resample_filters


@dataclass(frozen=True)
class StyleGAN2Config:
    """Every number of a StyleGAN2; a block of size s has min(channel_base / s, channel_max) channels."""

    image_px: int = 1024
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8
    channel_base: int = 32768
    channel_max: int = 512


STYLEGAN2_FFHQ1024 = StyleGAN2Config()
STYLEGAN2_256 = StyleGAN2Config(image_px=256, channel_base=16384)
STARTER_2D = StyleGAN2Config(
    image_px=128, z_dim=89, w_dim=256, mapping_layers=2, channel_base=4096, channel_max=192
)  # z is the world's code of a look (86) and of a camera (3)


class StyleGAN2(nn.Module):
    """Generator z -> w_plus -> image; no call changes it, and noise is random only where a generator is passed in."""

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.config = c = config
        self.synthesis = SynthesisNetwork(c.w_dim, c.image_px, 3, c.channel_base, c.channel_max)
        self.mapping = MappingNetwork(c.z_dim, 0, c.w_dim, c.mapping_layers, self.synthesis.num_ws)
        self.register_load_state_dict_pre_hook(drop_resample_filters)

    @property
    def num_ws(self) -> int:
        """How many w a w_plus holds."""
        return self.synthesis.num_ws

    def map(self, z: Float[Tensor, "b z"], psi: float = 1.0, cutoff: int | None = None) -> Float[Tensor, "b l w"]:
        """z to w_plus, its first `cutoff` (default all) rows truncated by `psi`."""
        w_plus: Tensor = self.mapping(z, None, psi, cutoff)
        return w_plus

    def forward(self, w_plus: Float[Tensor, "b l w"], noise: Noise = "const") -> Float[Tensor, "b 3 p p"]:
        """Images, about [-1, 1]."""
        image: Tensor = self.synthesis(w_plus, noise)
        return image


class EqualizedConv(nn.Module):
    """Convolution whose stored weight has unit variance; halves the size with `down`.

    Without `lrelu` it is the residual block's skip: no bias either.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, down: bool = False, lrelu: bool = True, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if lrelu else None
        self.down = down
        self.gain = gain * (ops.LRELU_GAIN if lrelu else 1.0)
        self.weight_gain = (inputs * kernel**2) ** -0.5

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h2 w2"]:
        """The layer's activations."""
        weight = self.weight * (self.weight_gain * self.gain)
        y = ops.conv_down(x, weight) if self.down else ops.conv(x, weight)
        return y if self.bias is None else ops.lrelu(ops.add(y, (self.bias * self.gain)[:, None, None]))


class ResidualBlock(nn.Module):
    """Two convolutions and a skip, half the size; the first block of a discriminator also reads the picture."""

    def __init__(self, inputs: int, outputs: int, picture_channels: int = 0) -> None:
        super().__init__()
        self.fromrgb = EqualizedConv(picture_channels, inputs, 1) if picture_channels else None
        self.conv0 = EqualizedConv(inputs, inputs, 3)
        self.conv1 = EqualizedConv(inputs, outputs, 3, down=True, gain=0.5**0.5)
        self.skip = EqualizedConv(inputs, outputs, 1, down=True, lrelu=False, gain=0.5**0.5)

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h2 w2"]:
        """The block's activations."""
        x = x if self.fromrgb is None else self.fromrgb(x)
        y: Tensor = self.skip(x) + self.conv1(self.conv0(x))
        return y


class Verdict(nn.Module):
    """The discriminator's end: how much the batch varies as one more channel, one convolution, two layers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = EqualizedConv(channels + 1, channels, 3)
        self.fc = EqualizedLinear(channels * 4**2, channels, lrelu=True)
        self.out = EqualizedLinear(channels, 1)

    def forward(self, x: Float[Tensor, "b c 4 4"]) -> Float[Tensor, "b 1"]:
        """Logits."""
        x = self.conv(torch.cat([x, batch_deviation(x)], 1))
        logits: Tensor = self.out(self.fc(x.flatten(1)))
        return logits


def batch_deviation(x: Float[Tensor, "b c h w"], group: int = 4) -> Float[Tensor, "b 1 h w"]:
    """Mean standard deviation inside groups of `group` images, or of the next smaller size that divides the batch."""
    group = next(g for g in range(min(group, len(x)), 0, -1) if len(x) % g == 0)
    grouped = x.reshape(group, -1, *x.shape[1:])
    deviation = (grouped.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
    return deviation.repeat(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Every number of a discriminator, widths as in StyleGAN2Config; EG3D's reads pictures of six channels."""

    image_px: int
    channel_base: int = 32768
    channel_max: int = 512
    picture_channels: int = 3


class Discriminator(nn.Module):
    """Image of `config.image_px` to one logit, high for real."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = c = config
        self.sizes = [2**i for i in range(c.image_px.bit_length() - 1, 2, -1)]
        widths = {size: min(c.channel_base // size, c.channel_max) for size in [*self.sizes, 4]}
        for size in self.sizes:
            reads = c.picture_channels if size == c.image_px else 0
            setattr(self, f"b{size}", ResidualBlock(widths[size], widths[size // 2], reads))
        self.b4 = Verdict(widths[4])
        self.register_load_state_dict_pre_hook(drop_resample_filters)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1"]:
        """Logits."""
        x = ops.fast_layout(image)
        for size in self.sizes:
            x = getattr(self, f"b{size}")(x)
        logits: Tensor = self.b4(x)
        return logits
