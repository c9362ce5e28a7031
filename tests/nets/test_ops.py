"""Resampling and modulated convolution against the textbook forms of the published code."""

import pytest
import torch
from torch.nn import functional as F

from selfsame.nets import ops

TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
FILTER = torch.outer(TAPS, TAPS) / 64


def upfirdn(x: torch.Tensor, up: int, pad: tuple[int, int], gain: float) -> torch.Tensor:
    """Zeros between the pixels, a border, then the filter: StyleGAN2's definition, one step after the other."""
    b, c, h, w = x.shape
    wide = torch.zeros(b, c, h * up, w * up, dtype=x.dtype)
    wide[:, :, ::up, ::up] = x
    wide = F.pad(wide, (*pad, *pad))
    kernel = (FILTER * gain).expand(c, 1, 4, 4)
    return F.conv2d(wide, kernel, groups=c)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 3, 6, 6, dtype=torch.float64)


def test_upsample_is_zeros_then_filter(x: torch.Tensor) -> None:
    torch.testing.assert_close(ops.upsample(x), upfirdn(x, 2, (2, 1), 4.0))


def test_downsample_is_filter_then_every_second(x: torch.Tensor) -> None:
    torch.testing.assert_close(ops.downsample(x), upfirdn(x, 1, (1, 1), 1.0)[:, :, ::2, ::2])


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
def test_modulated_conv_of_one_image_of_a_batch_and_as_published(x: torch.Tensor, up: bool, demodulate: bool) -> None:
    weight, styles = torch.randn(5, 3, 3, 3).double(), torch.randn(2, 3).double()
    expected = []
    for image, style in zip(x, styles, strict=True):  # a kernel of its own for each image
        own = weight * style[:, None, None]
        own = own / (own.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt() if demodulate else own
        if up:  # zeros between the pixels, the kernel flipped, then the filter
            wide = F.conv_transpose2d(image[None], own.transpose(0, 1), stride=2)
            expected.append(upfirdn(wide, 1, (1, 1), 4.0))
        else:
            expected.append(F.conv2d(image[None], own, padding=1))
    batch = ops.modulated_conv(x, weight, styles, demodulate=demodulate, up=up, gain=1.5)
    single = [ops.modulated_conv(x[i : i + 1], weight, styles[i : i + 1], demodulate=demodulate, up=up) for i in (0, 1)]
    torch.testing.assert_close(batch, torch.cat(expected) * 1.5)
    torch.testing.assert_close(torch.cat(single), torch.cat(expected))


@pytest.mark.parametrize("batch", [1, 2])
def test_gradients(batch: int) -> None:
    x = torch.randn(batch, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    styles = torch.randn(batch, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *a: ops.lrelu(ops.modulated_conv(*a, up=True)), (x, weight, styles))
    assert torch.autograd.gradgradcheck(lambda a: ops.lrelu(ops.conv_down(a.repeat(1, 1, 2, 2), weight)), (x,))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("up", [False, True])
def test_a_frozen_layer_has_the_gradients_of_any_other(batch: int, up: bool) -> None:
    x = torch.randn(batch, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    styles = torch.randn(batch, 2, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 2, 3, 3, dtype=torch.float64)
    size = 6 if up else 3
    noise, bias = torch.randn(size, size).double(), torch.randn(3, 1, 1).double()

    def gradients(trained: bool) -> tuple[torch.Tensor, ...]:
        y = ops.styled_layer(x, weight.requires_grad_(trained), styles, [noise, bias], up=up)
        return torch.autograd.grad((y * torch.arange(y.numel()).reshape(y.shape)).sum(), (x, styles))

    torch.testing.assert_close(gradients(trained=False), gradients(trained=True))


def test_a_frozen_layer_keeps_only_input_and_result() -> None:
    kept: list[torch.Tensor] = []
    x, styles = torch.randn(2, 4, 16, 16, requires_grad=True), torch.randn(2, 4, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = ops.styled_layer(x, torch.randn(5, 4, 3, 3), styles, [torch.randn(5, 1, 1)])
    assert {t.data_ptr() for t in kept if t.numel() > 2**9} == {x.data_ptr(), y.data_ptr()}


def test_large_weights_and_styles_do_not_overflow_fp16() -> None:
    """Demodulation takes any scale back, but the sums before it go beyond 65,504 unless both are shrunk first."""
    x, styles = torch.randn(2, 64, 4, 4), torch.randn(2, 64) * 30
    weight = torch.randn(8, 64, 3, 3, requires_grad=True)
    exact = ops.modulated_conv(x, weight, styles)
    half = ops.modulated_conv(x.half(), weight.detach().half(), styles.half())
    torch.testing.assert_close(half.float(), exact.detach(), atol=0.02, rtol=0.02)
    assert not (styles.half().square() @ weight.detach().half().square().sum((2, 3)).t()).isfinite().all()
    with torch.autocast("cpu", torch.float16):
        again = ops.modulated_conv(x.half(), weight, styles.half())
    both = [torch.autograd.grad(y.float().sin().sum(), weight)[0] for y in (again, exact)]
    torch.testing.assert_close(*both, atol=0.02, rtol=0.05)
