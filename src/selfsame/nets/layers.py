"""The layers that StyleGAN2 and EG3D share; modules and parameters bear NVIDIA's published names.

A published state dict therefore loads as it is; its constant `resample_filter` buffers are checked and dropped.
Activations are not clamped: the published clamp at 256 only guards half precision.
"""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from selfsame.core import rng
from selfsame.core.errors import BadInput
from selfsame.nets import ops

Noise = Literal["const", "none"] | rng.Source


def unit_second_moment(x: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """Each row scaled to a mean square of one."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class EqualizedLinear(nn.Module):
    """Fully connected layer whose stored weight has unit variance: y = x (weight_gain weight)^T + bias_gain bias."""

    def __init__(
        self, inputs: int, outputs: int, *, lrelu: bool = False, lr_multiplier: float = 1.0, bias_init: float = 0.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), float(bias_init)))
        self.weight_gain = lr_multiplier / inputs**0.5
        self.bias_gain = lr_multiplier
        self.lrelu = lrelu

    def forward(self, x: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """The layer, followed by the leaky rectifier where the layer has one."""
        gain = ops.LRELU_GAIN if self.lrelu else 1.0
        y = ops.linear(x, self.weight * (self.weight_gain * gain), self.bias * (self.bias_gain * gain))
        return ops.lrelu(y) if self.lrelu else y


class MappingNetwork(nn.Module):
    """z, and with `c_dim` a label c, to w; `w_avg` is the running mean that truncation pulls towards."""

    w_avg: Tensor

    def __init__(self, z_dim: int, c_dim: int, w_dim: int, layers: int, num_ws: int) -> None:
        super().__init__()
        self.embed = EqualizedLinear(c_dim, w_dim) if c_dim else None
        self.layers = layers
        self.num_ws = num_ws
        widths = [z_dim + (w_dim if c_dim else 0)] + [w_dim] * layers
        for i in range(layers):
            setattr(self, f"fc{i}", EqualizedLinear(widths[i], widths[i + 1], lrelu=True, lr_multiplier=0.01))
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: Float[Tensor, "b z"],
        label: Float[Tensor, "b c"] | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
    ) -> Float[Tensor, "b l w"]:
        """w repeated for every layer, the first `cutoff` (default all) drawn to `w_avg` by 1 - `psi`."""
        x = unit_second_moment(z)
        if self.embed is not None and label is not None:
            x = torch.cat([x, unit_second_moment(self.embed(label))], 1)
        for i in range(self.layers):
            x = getattr(self, f"fc{i}")(x)
        w_plus = x[:, None].expand(-1, self.num_ws, -1)
        if psi == 1:
            return w_plus
        cutoff = self.num_ws if cutoff is None else cutoff
        return torch.cat([self.w_avg.lerp(w_plus[:, :cutoff], psi), w_plus[:, cutoff:]], 1)

    @torch.no_grad()
    def update_w_avg(self, w: Float[Tensor, "b w"], decay: float = 0.998) -> None:
        """Move the running mean towards the mean of `w`: the only way in which it ever changes."""
        self.w_avg.lerp_(w.detach().mean(0), 1 - decay)


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky rectifier; doubles the size with `up`."""

    noise_const: Tensor

    def __init__(self, inputs: int, outputs: int, w_dim: int, size_px: int, *, up: bool = False) -> None:
        super().__init__()
        self.up = up
        self.affine = EqualizedLinear(w_dim, inputs, bias_init=1)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.register_buffer("noise_const", torch.randn(size_px, size_px))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Float[Tensor, "b i h w"], w: Float[Tensor, "b w_dim"], noise: Noise) -> Tensor:
        """The layer's activations; the rectifier's gain is carried by weight, noise and bias, which is the same."""
        offsets = [(self.bias * ops.LRELU_GAIN)[..., None, None]]
        if noise != "none":
            offsets.insert(0, self._noise(x, noise) * (self.noise_strength * ops.LRELU_GAIN))
        return ops.styled_layer(x, self.weight, self.affine(w), offsets, up=self.up)

    def _noise(self, x: Tensor, noise: Noise) -> Tensor:
        if not isinstance(noise, str):
            return rng.normal(noise, (len(x), 1, *self.noise_const.shape)).to(x.device)
        return self.noise_const


class ToRGB(nn.Module):
    """Modulated 1x1 convolution without demodulation to picture (or plane) channels."""

    def __init__(self, inputs: int, outputs: int, w_dim: int) -> None:
        super().__init__()
        self.affine = EqualizedLinear(w_dim, inputs, bias_init=1)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.weight_gain = inputs**-0.5

    def forward(self, x: Float[Tensor, "b i h w"], w: Float[Tensor, "b w_dim"]) -> Float[Tensor, "b o h w"]:
        """The picture channels of `x`."""
        y = ops.modulated_conv(x, self.weight, self.affine(w) * self.weight_gain, demodulate=False)
        return ops.add(y, self.bias[..., None, None])


class SynthesisBlock(nn.Module):
    """One resolution of the skip architecture: conv0 (doubles the size if `up`), conv1, toRGB added to the picture.

    `inputs` 0 makes the first block: a learned constant and conv1 only. With `recompute` the block keeps its input
    alone and is computed again in the backward pass (not with random noise, which would be drawn anew).
    """

    recompute = False

    def __init__(
        self, inputs: int, outputs: int, w_dim: int, size_px: int, picture_channels: int, *, up: bool = True
    ) -> None:
        super().__init__()
        self.up = up and inputs > 0
        if inputs:
            self.conv0 = SynthesisLayer(inputs, outputs, w_dim, size_px, up=up)
        else:
            self.const = nn.Parameter(torch.randn(outputs, size_px, size_px))
        self.convs = 2 if inputs else 1
        self.conv1 = SynthesisLayer(outputs, outputs, w_dim, size_px)
        self.torgb = ToRGB(outputs, picture_channels, w_dim)

    def forward(
        self, x: Tensor | None, picture: Tensor | None, ws: Float[Tensor, "b n w_dim"], noise: Noise
    ) -> tuple[Tensor, Tensor]:
        """Activations and picture after this block; `ws` holds one w for each convolution and one for toRGB."""
        if self.recompute and torch.is_grad_enabled() and isinstance(noise, str):
            again: tuple[Tensor, Tensor] = checkpoint(
                self._draw, x, picture, ws, noise, use_reentrant=False, preserve_rng_state=False
            )
            return again
        return self._draw(x, picture, ws, noise)

    def _draw(self, x: Tensor | None, picture: Tensor | None, ws: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        first = ops.fast_layout(self.const.expand(len(ws), -1, -1, -1)) if x is None else self.conv0(x, ws[:, 0], noise)
        x = self.conv1(first, ws[:, self.convs - 1], noise)
        added = self.torgb(x, ws[:, self.convs])
        if picture is None:
            return x, added
        return x, added.add_(ops.upsample(picture) if self.up else picture)


def recompute_blocks(net: nn.Module, on: bool = True) -> None:
    """Let all synthesis blocks of a network compute their activations again in the backward pass, or keep them."""
    for module in net.modules():
        if isinstance(module, SynthesisBlock):
            module.recompute = on


class SynthesisNetwork(nn.Module):
    """w_plus to a picture of `picture_channels` (images: 3, EG3D: the planes'), blocks b4, b8 up to b`size_px`."""

    def __init__(self, w_dim: int, size_px: int, picture_channels: int, channel_base: int, channel_max: int) -> None:
        super().__init__()
        self.sizes = [2**i for i in range(2, size_px.bit_length())]
        self.num_ws = 2 * len(self.sizes)
        inputs = 0
        for size in self.sizes:
            outputs = min(channel_base // size, channel_max)
            setattr(self, f"b{size}", SynthesisBlock(inputs, outputs, w_dim, size, picture_channels))
            inputs = outputs

    def forward(
        self, w_plus: Float[Tensor, "b l w_dim"], noise: Noise = "const", until_px: int | None = None
    ) -> Float[Tensor, "b c h w"]:
        """The picture; toRGB of one block shares its w with the first convolution of the next.

        `until_px` stops at that size: what the blocks so far have summed up is the picture in small.
        """
        x: Tensor | None = None
        picture: Tensor | None = None
        first = 0
        for size in self.sizes:
            block = getattr(self, f"b{size}")
            x, picture = block(x, picture, w_plus[:, first : first + block.convs + 1], noise)
            first += block.convs
            if size == until_px:
                break
        assert picture is not None
        return picture


def drop_resample_filters(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Pre-hook of load_state_dict: the published constant buffers go; a filter that is not [1, 3, 3, 1] is refused."""
    expected = ops.blur()
    for key in [k for k in state if k.startswith(prefix) and k.endswith("resample_filter")]:
        if not torch.allclose(state.pop(key).float().cpu(), expected):
            raise BadInput(f"{key} is not the filter [1, 3, 3, 1], so this is another network.")
