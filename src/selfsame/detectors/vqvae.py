"""A VQ-VAE: pictures by way of a small set of codes, and back [van den Oord et al. 2017].

Learned on real pictures it makes them anew; what it makes of a generated one differs in other ways, which is what
MM-Det looks at. Layers are those of the widespread PyTorch VectorQuantizedVAE(3, 256, 512), which MM-Det calls by this
name with these numbers; MM-Det's own copy of that file was not at hand.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

COMMITMENT = 0.25  # weight of the third term [van den Oord et al. 2017, equation 3]
SPREAD = 0.5  # of the first codes: from the usual 1 / codes they need a thousand steps to reach what is encoded


class Residue(nn.Module):
    """A residual block on what is positive of its input."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.ReLU(), nn.Conv2d(dim, dim, 3, 1, 1), nn.BatchNorm2d(dim),
            nn.ReLU(), nn.Conv2d(dim, dim, 1), nn.BatchNorm2d(dim),
        )  # fmt: skip

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The next maps. The published block changes its input in place, so that its shortcut is rectified as well."""
        positive = F.relu(x)
        made: Tensor = positive + self.block(positive)
        return made


class VQVAE(nn.Module):
    """`codes` vectors of `dim` channels, one for each 4 x 4 pixels."""

    def __init__(self, dim: int, codes: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, dim, 4, 2, 1), nn.BatchNorm2d(dim), nn.ReLU(),
            nn.Conv2d(dim, dim, 4, 2, 1), Residue(dim), Residue(dim),
        )  # fmt: skip
        self.codebook = nn.Embedding(codes, dim)
        self.decoder = nn.Sequential(
            Residue(dim), Residue(dim), nn.ReLU(),
            nn.ConvTranspose2d(dim, dim, 4, 2, 1), nn.BatchNorm2d(dim), nn.ReLU(),
            nn.ConvTranspose2d(dim, 3, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip
        nn.init.normal_(self.codebook.weight, std=SPREAD)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(
        self, x: Float[Tensor, "b 3 p p"]
    ) -> tuple[Float[Tensor, "b 3 p p"], Float[Tensor, "b c h w"], Float[Tensor, "b c h w"]]:
        """Pictures in [-1, 1] made anew, what they were encoded as, and the nearest codes; sides divide by 4."""
        encoded = self.encoder(x)
        rows = encoded.permute(0, 2, 3, 1)
        with torch.no_grad():
            nearest = torch.cdist(rows.flatten(0, 2).float(), self.codebook.weight.float()).argmin(-1)
        codes = self.codebook(nearest).unflatten(0, rows.shape[:3]).permute(0, 3, 1, 2)
        return self.decoder(encoded + (codes - encoded).detach()), encoded, codes  # the gradient goes straight through

    def loss(self, x: Float[Tensor, "b 3 p p"]) -> Float[Tensor, ""]:
        """Reconstruction, codebook and commitment [van den Oord et al. 2017, equation 3]."""
        made, encoded, codes = self(x)
        book, commitment = F.mse_loss(codes, encoded.detach()), F.mse_loss(encoded, codes.detach())
        total: Tensor = F.mse_loss(made, x) + book + COMMITMENT * commitment
        return total
