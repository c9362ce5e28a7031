"""EG3D's super-resolution: the rendered features and their first three channels to the final image."""

from jaxtyping import Float
from torch import Tensor, nn

from selfsame.core import image
from selfsame.core.errors import WrongUse
from selfsame.nets import ops
from selfsame.nets.layers import SynthesisBlock


class SuperResolution(nn.Module):
    """Two synthesis blocks on the last w, without noise.

    Four times the size doubles in both blocks (published as Hybrid8XDC, channels 256 and 128, and as Hybrid8X, 128 and
    64); twice the size doubles in the second only (Hybrid2X).
    """

    def __init__(self, feature_channels: int, channels: tuple[int, int], w_dim: int, in_px: int, out_px: int) -> None:
        super().__init__()
        if out_px not in (2 * in_px, 4 * in_px):
            raise WrongUse(f"Super-resolution from {in_px} to {out_px} pixels is neither twice nor four times.")
        self.in_px = in_px
        first, second = channels
        self.block0 = SynthesisBlock(feature_channels, first, w_dim, out_px // 2, 3, up=out_px == 4 * in_px)
        self.block1 = SynthesisBlock(first, second, w_dim, out_px, 3)

    def forward(self, features: Float[Tensor, "b f p p"], w: Float[Tensor, "b w_dim"]) -> Float[Tensor, "b 3 q q"]:
        """The image of `features`, which are resized first if they were rendered at another size."""
        features = ops.fast_layout(image.resize(features, self.in_px))
        ws = w[:, None].expand(-1, 3, -1)
        x, picture = self.block0(features, features[:, :3], ws, "none")
        result: Tensor = self.block1(x, picture, ws, "none")[1]
        return result
