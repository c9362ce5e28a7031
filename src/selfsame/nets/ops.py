"""Resampling with StyleGAN2's filter [1, 3, 3, 1] and convolution through it, in plain torch.

Zeros lie outside every picture, as in the published networks. On a CPU the networks run in channels-last order, which
spares a reordering before and after each convolution and is up to three times as fast in the filters.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from selfsame.nets.rows import PerRow

Weight = Float[Tensor, "o i k k"] | PerRow
LRELU_SLOPE = 0.2
LRELU_GAIN = 2**0.5  # keeps the variance through the leaky rectifier [StyleGAN2, bias_act]


def fast_layout(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """The same numbers in the memory order in which this device convolves fastest."""
    return x.contiguous(memory_format=torch.channels_last) if x.is_cpu else x


def blur() -> Float[Tensor, "4 4"]:
    """StyleGAN2's filter: the outer product of [1, 3, 3, 1] / 8 with itself."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64


def filter_1331(
    x: Float[Tensor, "b c h w"], *, gain: float = 1.0, pad: int = 1, stride: int = 1
) -> Float[Tensor, "b c h2 w2"]:
    """Every channel through the filter times `gain`, then every stride-th."""
    kernel = blur().to(x) * gain
    return F.conv2d(x, kernel.expand(x.shape[1], 1, 4, 4), stride=stride, padding=pad, groups=x.shape[1])


def upsample(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Twice the size: zeros between the pixels, then the filter with gain 4.

    In each direction that is a quarter of one neighbour and three quarters of the other: bilinear interpolation,
    except that the outside is zero and not the edge repeated, which the border of zeros sees to.
    """
    bordered = F.pad(x, (1, 1, 1, 1))
    return F.interpolate(bordered, scale_factor=2.0, mode="bilinear", align_corners=False)[:, :, 2:-2, 2:-2]


def downsample(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Half the size: the filter, then every second pixel."""
    return filter_1331(x, stride=2)


def conv(x: Float[Tensor, "b i h w"], weight: Float[Tensor, "o i k k"], *, up: bool = False) -> Tensor:
    """Convolution that keeps the size, or with `up` doubles it: transposed convolution, then the filter with gain 4."""
    if up:
        return filter_1331(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), gain=4.0)
    return F.conv2d(x, weight, padding=weight.shape[-1] // 2)


def conv_down(x: Float[Tensor, "b i h w"], weight: Float[Tensor, "o i k k"]) -> Tensor:
    """Convolution that halves the size: the filter first, then stride 2 (a 1x1 kernel: `downsample` first)."""
    if weight.shape[-1] == 1:
        return F.conv2d(downsample(x), weight)
    return F.conv2d(filter_1331(x, pad=2), weight, stride=2)


def modulated_conv(
    x: Float[Tensor, "b i h w"],
    weight: Weight,
    styles: Float[Tensor, "b i"],
    *,
    demodulate: bool = True,
    up: bool = False,
    gain: float = 1.0,
) -> Float[Tensor, "b o h2 w2"]:
    """`gain` times StyleGAN2's modulated convolution [StyleGAN2, section 2.2, equations 1 and 3].

    One image scales the small weight; a batch shares the weight, scales its channels before the convolution and
    demodulates them after it. Both equal the published grouped convolution, which is slow on a CPU; so rows with
    weights of their own are done as single images.
    """
    if isinstance(weight, PerRow):
        rows = zip(x.split(1), weight, styles.split(1), strict=True)
        return torch.cat([modulated_conv(*row, demodulate=demodulate, up=up, gain=gain) for row in rows])
    if len(x) == 1:
        weight = weight * styles[0, :, None, None]
        if demodulate:
            weight = weight * (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).rsqrt()
        return conv(x, weight * gain, up=up)
    if demodulate and styles.dtype == torch.float16 and isinstance(weight, Tensor):
        weight, styles = _shrunk(weight), styles / styles.detach().abs().amax(1, keepdim=True)
    y = conv(x * styles[:, :, None, None], weight, up=up)
    if not demodulate:
        return y * gain if gain != 1 else y
    scale = (styles.square() @ weight.square().sum((2, 3)).t() + 1e-8).rsqrt() * gain
    return y * scale[:, :, None, None]


def _shrunk(weight: Float[Tensor, "o i k k"]) -> Float[Tensor, "o i k k"]:
    """Each output's weights small enough that sums stay inside fp16; demodulation takes it back [NVlabs/stylegan3]."""
    largest = weight.detach().abs().amax((1, 2, 3), keepdim=True)
    return weight / (largest * math.sqrt(weight[0].numel()))


def linear(
    x: Float[Tensor, "*b i"], weight: Float[Tensor, "o i"] | PerRow, bias: Float[Tensor, "*rows o"]
) -> Float[Tensor, "*b o"]:
    """x times the weight transposed, plus the bias; both may be each row's own."""
    if isinstance(weight, PerRow):
        return torch.cat([F.linear(*row) for row in zip(x.split(1), weight, bias, strict=True)])
    return F.linear(x, weight, bias)


def add(x: Tensor, offset: Tensor) -> Tensor:
    """x plus what is broadcast to it, in place, in x's precision: adding another one is several times as slow."""
    return x.add_(offset.to(x.dtype))


def lrelu(x: Tensor) -> Tensor:
    """Leaky rectifier in place; callers put LRELU_GAIN on what comes in, which is the same and spares a pass."""
    return F.leaky_relu(x, LRELU_SLOPE, inplace=True)


def styled_layer(
    x: Float[Tensor, "b i h w"],
    weight: Weight,
    styles: Float[Tensor, "b i"],
    offsets: Sequence[Tensor],
    *,
    up: bool = False,
) -> Float[Tensor, "b o h2 w2"]:
    """Modulated convolution, its offsets (noise, bias; both times LRELU_GAIN) and the leaky rectifier."""
    learns = isinstance(weight, PerRow) or any(t.requires_grad for t in (weight, *offsets))
    if torch.is_grad_enabled() and not learns:
        frozen: Tensor = _FrozenLayer.apply(x, weight, styles, up, *offsets)
        return frozen
    y = modulated_conv(x, weight, styles, up=up, gain=LRELU_GAIN)
    for offset in offsets:
        y = add(y, offset)
    return lrelu(y)


class _FrozenLayer(torch.autograd.Function):
    """`styled_layer` where only input and styles get gradients.

    It keeps its input and its result, which is the next layer's input, and nothing between. The styles' gradient comes
    from the input's; that of the weight scaled by them, as dear as another convolution, is not computed. The factor of
    demodulation has the gradient sum(g y) / factor over the pixels, where y is what it gives and g the gradient of y.
    And g times y + offsets, on one side of the rectifier, is gradient times result on the other.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, styles: Tensor, up: bool, *offsets: Tensor) -> Tensor:
        result = styled_layer(x, weight, styles, offsets, up=up)
        ctx.save_for_backward(x, weight, styles.to(weight.dtype), result, *offsets)
        ctx.up = up
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, styles, result, *offsets = ctx.saved_tensors

        def sums(a: Tensor, b: Tensor) -> Tensor:
            return (a * b).sum((2, 3), dtype=weight.dtype)

        scaled = sums(gradient, result)
        gradient = torch.ops.aten.leaky_relu_backward(gradient, result, LRELU_SLOPE, True)
        for offset in offsets:
            scaled -= sums(gradient, offset.to(gradient.dtype))
        squares = weight.square().sum((2, 3))
        energy = styles.square() @ squares.t() + 1e-8
        scale = energy.rsqrt() * LRELU_GAIN
        gradient.mul_(scale[:, :, None, None].to(gradient.dtype))
        kernel = weight.to(gradient.dtype)
        if ctx.up:  # the filter reads the same from behind
            gradient = F.conv2d(filter_1331(gradient, gain=4.0, pad=2), kernel.transpose(0, 1), stride=2)
        else:
            gradient = F.conv_transpose2d(gradient, kernel, padding=kernel.shape[-1] // 2)
        to_styles = sums(gradient, x) - styles * ((scaled / energy) @ squares)
        gradient.mul_(styles[:, :, None, None].to(gradient.dtype))
        return gradient, None, to_styles, None, *(None for _ in offsets)
