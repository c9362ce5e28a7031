"""In-and-across frame attention: all places of a window see each other, then each frame's token sees its own places
[Song et al. 2024].
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class IAFABlock(nn.Module):
    """A transformer block over all places of `frames` frames, and one over each frame's token with its places.

    Places lie frame by frame. The released code nevertheless gives a frame's token every `frames`-th of all places, not
    the frame's own; `interleaved` does as the code, which published weights were trained with.
    """

    def __init__(self, dim: int, heads: int, frames: int, interleaved: bool) -> None:
        from timm.layers.attention import Attention
        from timm.layers.mlp import Mlp

        super().__init__()
        self.frames, self.interleaved = frames, interleaved
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn, self.mlp = Attention(dim, heads, qkv_bias=True), Mlp(dim, 4 * dim)
        self.temporal_norm1, self.temporal_norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.temporal_attn, self.temporal_mlp = Attention(dim, heads, qkv_bias=True), Mlp(dim, 4 * dim)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def forward(
        self, own: Float[Tensor, "b t d"], places: Float[Tensor, "b n d"]
    ) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b n d"]]:
        """The frames' own tokens and those of all places after the block."""
        places = places + self.attn(self.norm1(places))
        places = places + self.mlp(self.norm2(places))
        x = self._with_places(own, places)
        x = x + self.temporal_attn(self.temporal_norm1(x))
        x = x + self.temporal_mlp(self.temporal_norm2(x))
        x = x.unflatten(0, (-1, self.frames))
        mine = x[:, :, 1:].transpose(1, 2) if self.interleaved else x[:, :, 1:]
        return x[:, :, 0], mine.flatten(1, 2)

    def _with_places(self, own: Tensor, places: Tensor) -> Tensor:
        """Each frame's token and its places, (B T, 1 + n, D)."""
        if self.interleaved:
            mine = places.unflatten(1, (-1, self.frames)).transpose(1, 2)
        else:
            mine = places.unflatten(1, (self.frames, -1))
        return torch.cat([own[:, :, None], mine], 2).flatten(0, 1)
