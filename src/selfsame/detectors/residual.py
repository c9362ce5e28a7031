"""What lets small detectors learn from few clips: they see the noise residual alone, through a stem of convolutions."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

GAIN = 8.0  # residuals of faces are small; networks want numbers about one


def residual(pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """What is left of a picture without its local mean, enlarged: traces of generators, hardly any face [after SRM,
    Fridrich and Kodovsky 2012; Zhou et al. 2018].
    """
    smooth = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="reflect"), 3, 1)
    return GAIN * (pictures - smooth)


def frame_residual(clips: Float[Tensor, "b 1 3 p p"]) -> Float[Tensor, "b 3 p p"]:
    """The residual of clips of one frame."""
    return residual(clips.squeeze(1))


class ConvStem(nn.Module):
    """Tokens of 8 x 8 pixels by strided convolutions: with them transformers learn sooner [Xiao et al. 2021].

    Takes the arguments of timm's patch embeddings; `last` puts channels last, as a Swin wants them.
    """

    def __init__(
        self, img_size: int, patch_size: int, in_chans: int, embed_dim: int, *, last: bool = False, **_: object
    ):
        super().__init__()
        widths = [in_chans, 16, 32, 64]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Conv2d(widths[-1], embed_dim, 1))
        self.last, self.patch_size, self.grid_size = last, (patch_size, patch_size), (img_size // patch_size,) * 2
        self.num_patches = self.grid_size[0] * self.grid_size[1]

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Tensor:
        """Tokens (B, N, C), or a picture of them (B, h, w, C)."""
        made: Tensor = self.net(x)
        return made.permute(0, 2, 3, 1) if self.last else made.flatten(2).transpose(1, 2)


def in_time(clips: Float[Tensor, "b t 3 p p"]) -> Float[Tensor, "b t 3 p p"]:
    """The residual of every frame."""
    return torch.stack([residual(frames) for frames in clips.unbind(1)], 1)


def halved(before: int, after: int) -> nn.Sequential:
    """A layer of small detectors that halves the picture's sides."""
    return nn.Sequential(nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
