"""MM-Det's spatio-temporal branch: windows of frames beside what a VQ-VAE makes of them, for a hybrid transformer with
attention in and across frames [Song et al. 2024].

The other branch is left out: features of a language model's answer (LLaVA, 7 billion parameters) about one frame, which
a detector here has no place to receive. Dynamic fusion, which weighs the tokens of both branches, weighs those of the
frames alone. The authors report the reconstruction to add 1.1 % (issue 1), and do not mean the detector for face swaps,
which they have not tried (issue 17). They cache reconstructions and train the VQ-VAE beforehand; here it learns along,
from real frames alone, and the detector's loss does not reach it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.detectors.checkpoint import checked, one_logit
from selfsame.detectors.detector import IMAGENET, Detector, Lesson, Sight, resized
from selfsame.detectors.hybrid import HybridResNet
from selfsame.detectors.iafa import IAFABlock
from selfsame.detectors.residual import ConvStem, residual
from selfsame.detectors.vqvae import VQVAE

FRAMES, SMALL_FRAMES = 10, 4
CLAMP = 20.0  # the published two logits are clamped at 10 in training; ours is their difference
FIRST = 0.01  # deviation of the fusion's first weights

Look = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""What the two convolutional stems see of frames and what the VQ-VAE makes of them."""


class Window(nn.Module):
    """A window of frames as tokens of two convolutional stems, and one frame-centric token (FC) for each frame.

    `side` is that of a frame's square of tokens, of `patch` x `patch` cells of the stems' maps. The last maps are those
    that enter the last block, (B, C, T, h, w) at `place`.
    """

    def __init__(
        self, vqvae: VQVAE, look: Look, rgb: nn.Module, recons: nn.Module, channels: int, *, frames: int, side: int,
        patch: int = 1, dim: int = 768, depth: int = 12, heads: int = 12, interleaved: bool = False,
    ) -> None:  # fmt: skip
        from timm.layers.attention import Attention

        super().__init__()
        self.vqvae, self.look, self.rgb, self.recons, self.num_features = vqvae, look, rgb, recons, dim
        self.frames, self.side = frames, side
        joined = nn.Conv2d(2 * channels, channels, 1)
        self.transition = nn.Sequential(joined, nn.BatchNorm2d(channels), nn.ReLU())
        self.proj = nn.Conv2d(channels, dim, patch, patch)
        self.fc_token = nn.Parameter(torch.randn(1, frames, dim) * 1e-6)
        self.pos_embed = nn.Parameter(torch.randn(1, side**2, dim) * 0.02)
        self.temporal_pos_embed = nn.Parameter(torch.randn(1, frames, dim) * 0.02)
        self.time_embed = nn.Parameter(torch.randn(1, frames, dim) * 0.02)
        self.blocks = nn.ModuleList(IAFABlock(dim, heads, frames, interleaved) for _ in range(depth))
        self.norm, self.place = nn.LayerNorm(dim, eps=1e-6), nn.Identity()
        self.fusion = Attention(dim, 8, dim_out=1, qkv_bias=True)
        for layer in self.fusion.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=FIRST)
        nn.init.ones_(self.fusion.proj.bias)  # fusion begins as a mean

    def train(self, mode: bool = True) -> "Window":
        """Training mode; the VQ-VAE reconstructs as it judges, so that a batch's fakes do not bend its norms."""
        super().train(mode)
        self.vqvae.eval()
        return self

    def tokens(self, clips: Float[Tensor, "b t 3 p p"]) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b n d"]]:
        """The frames' own tokens, and those of their places, frame by frame."""
        flat = clips.flatten(0, 1)
        with torch.no_grad():
            again = self.vqvae(flat)[0]
        seen, anew = self.look(flat, again)
        maps = self.proj(self.transition(torch.cat([self.rgb(seen), self.recons(anew)], 1)))
        places = maps.flatten(2).transpose(1, 2).unflatten(0, clips.shape[:2])  # b t n d
        places = places + self.pos_embed[:, None] + self.time_embed[:, :, None]
        own = (self.fc_token + self.temporal_pos_embed + self.time_embed).expand(len(clips), -1, -1)
        return own, places.flatten(1, 2)

    def forward_features(self, clips: Float[Tensor, "b t 3 p p"]) -> Float[Tensor, "b t d"]:
        """The frames' own tokens after the last block."""
        own, places = self.tokens(clips)
        for n, block in enumerate(self.blocks):
            if n + 1 == len(self.blocks):
                grid = places.transpose(1, 2).unflatten(2, (self.frames, self.side, self.side))
                places = self.place(grid).flatten(2).transpose(1, 2)
            own, places = block(own, places)
        last: Tensor = self.norm(own)
        return last

    def forward_head(self, own: Float[Tensor, "b t d"], pre_logits: bool) -> Float[Tensor, "b d"]:
        """Their mean, weighed by dynamic fusion."""
        weighed: Tensor = own * self.fusion(own)
        return weighed.mean(1)


def mm_det() -> Detector:
    """Ten frames of 224 px, ViT-B/16 behind two ResNet-50 stems, 204.4 million parameters [repository of MM-Det].

    Of them 4.9 are the VQ-VAE's. Blocks divide places among the frames as the released code does (`IAFABlock`).
    """
    body = Window(
        VQVAE(256, 512), _imagenet, HybridResNet(), HybridResNet(), HybridResNet.channels, frames=FRAMES, side=14,
        interleaved=True,
    )  # fmt: skip
    return Detector(body, Sight(224, FRAMES), "place", lesson=Lesson(learn))


def small() -> Detector:
    """Four frames of 112 px: noise residuals beside residuals of what the VQ-VAE loses, 0.3 million parameters."""
    body = Window(
        VQVAE(16, 64),
        _residuals,
        ConvStem(112, 8, 3, 48).net,
        ConvStem(112, 8, 3, 48).net,
        48,
        frames=SMALL_FRAMES,
        side=7,
        patch=2,
        dim=64,
        depth=2,
        heads=4,
    )
    return Detector(body, Sight(112, SMALL_FRAMES), "place", lesson=Lesson(learn))


def learn(
    net: Detector, clips: Float[Tensor, "b t 3 p p"], fake: Float[Tensor, "b"], g: torch.Generator
) -> Float[Tensor, ""]:
    """Cross entropy of clamped logits, and the VQ-VAE's own loss on one frame of each real clip, drawn."""
    logits = net(clips).float().clamp(-CLAMP, CLAMP)
    loss = F.binary_cross_entropy_with_logits(logits, fake)
    real = clips[fake < 0.5]
    if len(real):
        frame = torch.randint(real.shape[1], (len(real),), generator=g).to(real.device)
        one = real[torch.arange(len(real), device=real.device), frame][:, None]
        vqvae: Any = net.get_submodule("body.vqvae")
        vqvae.train()
        loss = loss + vqvae.loss(resized(one, net.sight.px).squeeze(1))
        vqvae.eval()
    return loss


UNUSED = ("backbone.pos_embed", "backbone.cls_token", "clip_proj.", "mm_proj.", "mm_encoder.")
"""What the published file holds that the branch does not use: two tensors that the released code never reads, and the
language branch."""


def published(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' checkpoint and their VQ-VAE's (vqvae/model.pt), merged into one, under our names, for `mm-det`.

    The two-class head becomes the difference of its rows, class 1 is fake. Without the language branch that head sees
    less than it was trained with: scores want calibration at least, better some training. Raises BadInput where names
    or shapes are another network's, or the VQ-VAE is missing.
    """
    return checked(renamed(tensors), mm_det, "mm-det")


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What the branch uses of published tensors, under our names; what does not fit stays as it is."""
    found = {}
    for name, x in tensors.items():
        name = name.removeprefix("module.")
        if name.startswith(UNUSED):
            continue
        if name == "backbone.window_pos_embed" and x.ndim == 3:
            x = x[:, 1:]  # the first is a class token's, which is not there
        if name in ("head.weight", "head.bias"):
            x = one_logit(x)
        found[_ours(name)] = x
    return found


RENAMED = (
    ("backbone.patch_embed.rgb_backbone.", "body.rgb."), ("backbone.patch_embed.recons_backbone.", "body.recons."),
    ("backbone.patch_embed.", "body."), ("backbone.window_pos_embed", "body.pos_embed"), ("backbone.", "body."),
    ("final_fusion.channel_attn.", "body.fusion."), ("codebook.embedding.", "body.vqvae.codebook."),
    ("encoder.", "body.vqvae.encoder."), ("decoder.", "body.vqvae.decoder."),
)  # fmt: skip
"""How published names begin, and ours; the first that fits."""


def _ours(name: str) -> str:
    for theirs, ours in RENAMED:
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name


def _imagenet(frames: Tensor, again: Tensor) -> tuple[Tensor, Tensor]:
    mean, std = (frames.new_tensor(values)[:, None, None] for values in IMAGENET)
    return ((frames + 1) / 2 - mean) / std, ((again + 1) / 2 - mean) / std


def _residuals(frames: Tensor, again: Tensor) -> tuple[Tensor, Tensor]:
    return residual(frames), residual(frames - again)
