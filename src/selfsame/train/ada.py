"""Adaptive discriminator augmentation [Karras et al. 2020b]: pictures changed at random, so often that D cannot recite.

Each transformation happens with probability p, the same to real and generated pictures, so that for p below about 0.8
the generator learns the pictures as they are. All geometry is one affine map, sampled once with its surroundings
reflected; the paper's wavelet filter around the sampling is left out, and only pictures that are moved by parts of a
pixel are softened for it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import rng


@dataclass(frozen=True)
class AdaConfig:
    """How far each transformation goes (0: never), and how the probability of all of them adapts.

    The defaults are the paper's set "bgc" [appendix B]: spreads are standard deviations, those of scales in powers of
    two, `shift` and `fraction` shares of the side, `turn` the largest angle in half turns. p moves so that D's verdict
    on real pictures has the mean sign `target`, and could go from 0 to 1 within `images_to_one` pictures.
    """

    flip: bool = True
    quarter_turns: bool = True
    shift: float = 0.125
    scale: float = 0.2
    turn: float = 1.0
    stretch: float = 0.2
    fraction: float = 0.125
    brightness: float = 0.2
    contrast: float = 0.5
    luma_flip: bool = True
    hue: float = 1.0
    saturation: float = 1.0
    target: float = 0.6
    images_to_one: int = 500_000
    every: int = 4


BGC = AdaConfig()
FACES = AdaConfig(quarter_turns=False)  # nobody is photographed lying or upside down; the sensible choice for faces


def start(device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """The state of the adaptation: the probability p, and sum and number of signs since it last moved."""
    return {"p": torch.zeros((), device=device), "signs": torch.zeros(2, device=device)}


@torch.no_grad()
def adapt(state: Mapping[str, Tensor], sign: Tensor, batch: int, config: AdaConfig) -> None:
    """Take in the mean sign of D's real logits of one batch; after `every` batches move p, in place [section 3.2]."""
    state["signs"].add_(torch.stack([sign, torch.ones_like(sign)]))
    if state["signs"][1] < config.every:
        return
    mean = state["signs"][0] / state["signs"][1]
    state["p"].add_(torch.sign(mean - config.target) * (batch * config.every / config.images_to_one)).clamp_(0, 1)
    state["signs"].zero_()


def augment(
    pictures: Float[Tensor, "b c h w"], p: Float[Tensor, ""], source: rng.Source, config: AdaConfig
) -> Float[Tensor, "b c h w"]:
    """Pictures changed with probability `p`, differentiable twice; channels beyond three are more pictures of the same.

    A picture and its raw rendering, six channels, move and change colour together.
    """
    if not p:
        return pictures
    grid = F.affine_grid(_geometry(pictures, p, source, config), list(pictures.shape), align_corners=False)
    moved: Tensor = _Sample.apply(pictures, grid.to(pictures.dtype))
    colour = _colour(pictures, p, source, config)
    coloured = torch.einsum("bij,bkjhw->bkihw", colour[:, :, :3], moved.unflatten(1, (-1, 3)))
    return (coloured + colour[:, None, :, 3, None, None]).flatten(1, 2)


def _geometry(pictures: Tensor, p: Tensor, source: rng.Source, config: AdaConfig) -> Float[Tensor, "b 2 3"]:
    """The map from places in the result to places in the picture, both in [-1, 1]."""
    draw = _Draws(len(pictures), p, source, pictures)
    size = torch.tensor([pictures.shape[3], pictures.shape[2]], device=pictures.device)
    steps = [torch.eye(3, device=pictures.device).expand(len(pictures), 3, 3)]
    if config.flip:
        flip = 1 - 2 * draw.sometimes((draw.uniform(1) * 2).floor())[:, 0]
        steps.append(_scaling(flip, torch.ones_like(flip)))
    if config.quarter_turns:
        steps.append(_turning(draw.sometimes((draw.uniform(1) * 4).floor())[:, 0] * (math.pi / 2)))
    if config.shift:
        pixels = ((draw.uniform(2) * 2 - 1) * config.shift * size).round()
        steps.append(_moving(draw.sometimes(pixels) * 2 / size))
    if config.scale:
        by = torch.exp2(draw.sometimes(draw.normal(1) * config.scale))[:, 0]
        steps.append(_scaling(by, by))
    before = draw.turn(config.turn) if config.turn else None  # with the second, any turn happens with probability p
    if before is not None:
        steps.append(_turning(before))
    if config.stretch:
        by = torch.exp2(draw.sometimes(draw.normal(1) * config.stretch))[:, 0]
        steps.append(_scaling(by, 1 / by))
    if config.turn:
        steps.append(_turning(draw.turn(config.turn)))
    if config.fraction:
        steps.append(_moving(draw.sometimes(draw.normal(2) * config.fraction) * 2))
    total = steps[0]
    for matrix in steps[1:]:
        total = total @ matrix
    return total[:, :2]


def _colour(pictures: Tensor, p: Tensor, source: rng.Source, config: AdaConfig) -> Float[Tensor, "b 3 4"]:
    """The affine map of RGB, in the paper's order, about the grey axis where it turns or stretches colours."""
    draw = _Draws(len(pictures), p, source, pictures)
    grey = torch.full((3, 3), 1 / 3, device=pictures.device)  # projects on the grey axis
    rest = torch.eye(3, device=pictures.device) - grey
    linear = torch.eye(3, device=pictures.device).expand(len(pictures), 3, 3)
    offset = torch.zeros(len(pictures), 3, 1, device=pictures.device)
    if config.brightness:
        offset = offset + draw.sometimes(draw.normal(1) * config.brightness)[:, :, None]
    steps = []
    if config.contrast:
        steps.append(
            torch.exp2(draw.sometimes(draw.normal(1) * config.contrast))[..., None]
            * torch.eye(3, device=pictures.device)
        )
    if config.luma_flip:
        flip = draw.sometimes((draw.uniform(1) * 2).floor())
        steps.append(torch.eye(3, device=pictures.device) - 2 * flip[..., None] * grey)
    if config.hue:
        steps.append(_about_grey(draw.turn_once(config.hue), grey, rest))
    if config.saturation:
        steps.append(grey + torch.exp2(draw.sometimes(draw.normal(1) * config.saturation))[..., None] * rest)
    for matrix in steps:
        linear, offset = matrix @ linear, matrix @ offset
    return torch.cat([linear, offset], 2).to(pictures.dtype)


@dataclass(frozen=True, eq=False)
class _Draws:
    """Random numbers for `count` pictures, brought to the device and type of `like`."""

    count: int
    p: Tensor
    source: rng.Source
    like: Tensor

    def uniform(self, columns: int) -> Tensor:
        return rng.uniform(self.source, (self.count, columns)).to(self.like.device)

    def normal(self, columns: int) -> Tensor:
        return rng.normal(self.source, (self.count, columns)).to(self.like.device)

    def sometimes(self, values: Tensor, p: Tensor | None = None) -> Tensor:
        """The values of a share p of the pictures, 0 (which changes nothing) of the others."""
        return values * (self.uniform(1) < (self.p if p is None else p))

    def turn(self, most: float) -> Tensor:
        """Angles (B,) in radians, of which two in a row leave a picture alone with probability 1 - p."""
        return self.sometimes((self.uniform(1) * 2 - 1) * (math.pi * most), 1 - (1 - self.p).sqrt())[:, 0]

    def turn_once(self, most: float) -> Tensor:
        return self.sometimes((self.uniform(1) * 2 - 1) * (math.pi * most))[:, 0]


def _matrix(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[x, zero, zero], [zero, y, zero], [zero, zero, one]])


def _turning(angle: Tensor) -> Tensor:
    c, s, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return _matrix([[c, -s, zero], [s, c, zero], [zero, zero, one]])


def _moving(by: Tensor) -> Tensor:
    zero, one = torch.zeros_like(by[:, 0]), torch.ones_like(by[:, 0])
    return _matrix([[one, zero, by[:, 0]], [zero, one, by[:, 1]], [zero, zero, one]])


def _about_grey(angle: Tensor, grey: Tensor, rest: Tensor) -> Tensor:
    """Rotation of RGB about the axis (1, 1, 1) [Rodrigues' formula]."""
    axis = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=angle.device) / 3**0.5
    return grey + angle.cos()[:, None, None] * rest + angle.sin()[:, None, None] * axis


class _Sample(torch.autograd.Function):
    """grid_sample (bilinear, reflected) with a second derivative in the pictures, which torch's own has not.

    It is linear in the pictures: its gradient is its transpose, whose gradient is itself.
    """

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, pictures: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = pictures.shape  # type: ignore[attr-defined]
        return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors  # type: ignore[attr-defined]
        back: Tensor = _Transposed.apply(gradients[0], grid, ctx.shape)  # type: ignore[attr-defined]
        return back, None


class _Transposed(torch.autograd.Function):
    """The transpose of `_Sample`: values at the grid's places spread over the picture."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, values: Tensor, grid: Tensor, shape: tuple[int, ...]
    ) -> Tensor:
        ctx.save_for_backward(grid)
        empty = values.new_zeros(shape)
        # Modes 0 and 2 are bilinear and reflection; of the two gradients only that of the picture is asked for.
        back: Tensor = torch.ops.aten.grid_sampler_2d_backward(values, empty, grid, 0, 2, False, (True, False))[0]
        return back

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors  # type: ignore[attr-defined]
        again: Tensor = _Sample.apply(gradients[0], grid)
        return again, None, None
