"""Train the W encoder of the 3D starter prior on photos of synthetic people, and measure it on people it never saw.

    python recipes/photo_data.py --out runs/photos --people 1250
    python recipes/w_encoder.py --data runs/photos --out runs/w-encoder --publish src/selfsame/starter/w-encoder

The world knows the code of every photo, and the prior's mapping makes w of it: the encoder learns to tell this w.
Photos are shifted, scaled, turned and blurred a little. Run again to resume.
"""

import argparse
from pathlib import Path

import torch
from judges import JudgeTraining, Loss, train
from photo_data import Photos, blurred, moved, read
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import weights
from selfsame.core.camera import Camera
from selfsame.core.memory import keep_freed_memory
from selfsame.core.results import Measured
from selfsame.metrics import portrait, stats
from selfsame.nets import w_encoder
from selfsame.nets.judges import prepare
from selfsame.nets.w_encoder import STARTER_W, WEncoder, WNetwork
from selfsame.tasks.prior import Prior, load_prior


def jitter(photos: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Photos (B, 3, s, s) as crops and cameras a little off would give them, averaged down; none of them mirrored."""
    u = torch.rand(5, len(photos), generator=g) * 2 - 1
    x = moved(prepare(photos, STARTER_W.residual.size_px), 1 + 0.03 * u[0], 0.04 * u[1], 0.03 * u[2:4].T)
    return blurred(x, u[4].clamp_min(0)), torch.ones(len(photos))


@torch.no_grad()
def targets(prior: Prior, photos: Photos) -> Tensor:
    """The prior's w (N, w_dim) of the photos' true codes."""
    return prior.net.map(photos.codes)[:, 0]


def encoder_parts(prior: Prior, photos: Photos) -> tuple[WNetwork, Loss]:
    """The network, and the squared error as a share of the variance of w."""
    wanted, net = targets(prior, photos), WNetwork(STARTER_W)
    net.w_mean.copy_(prior.w_mean)
    variance = (wanted - prior.w_mean).square().sum(1).mean()

    def loss(x: Tensor, which: Tensor, flip: Tensor, done: float) -> dict[str, Tensor]:
        return {"loss": (net(x).float() - wanted[which]).square().sum(1).mean() / variance}

    return net, loss


@torch.no_grad()
def tell(prior: Prior, encoder: WEncoder, photos: Photos) -> tuple[Measured, ...]:
    """On unseen people: the share of the variance of w that is told, and how well the prior then shows the photo.

    One photo a person is rendered, raw, from its true camera; the prior's mean is the comparison.
    """
    wanted, people = targets(prior, photos), photos.people.tolist()
    told = torch.cat([encoder(photos.images(part)) for part in torch.arange(len(photos)).split(64)])
    variance = (wanted - prior.w_mean).square().sum(1).mean()
    missed = (told - wanted).square().sum(1) / variance
    found = [stats.measure("share of the variance of w that is missed", missed.tolist(), better="low", units=people)]
    first = torch.tensor([people.index(p) for p in sorted(set(people))])
    truth = F.adaptive_avg_pool2d(photos.images(first), prior.net.config.neural_px)
    cameras = Camera.unpack(photos.cameras[first])
    means = prior.w_mean.expand_as(told)
    for name, w in (("the code told", told), ("the true code", wanted), ("the mean code", means)):
        w_plus = w[first, None].expand(-1, prior.net.num_ws, -1)
        raw = torch.cat([prior.net(w_plus[i : i + 8], cameras[slice(i, i + 8)]).raw for i in range(0, len(first), 8)])
        values = portrait.psnr(raw, truth).tolist()
        found.append(stats.measure(f"PSNR (dB) of the photo drawn from {name}", values, better="high"))
    return tuple(found)


def main() -> None:
    """Train, measure, and write the encoder with its card."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--steps", type=int, default=1500)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--publish", type=Path, required=True)
    given = options.parse_args()
    keep_freed_memory()
    torch.manual_seed(given.seed)
    prior, photos = load_prior("starter-3d"), read(given.data)
    net, loss = encoder_parts(prior, photos)
    train(photos, net, loss, jitter, given.out, JudgeTraining("w-encoder", given.steps, seed=given.seed))
    measured = tell(prior, WEncoder(net), read(given.data, "test"))
    for figure in measured:
        print(figure, flush=True)
    card = weights.Card(
        kind=w_encoder.W_ENCODER, config={}, seed=given.seed, licence="Apache-2.0", prior_digest=prior.digest,
        measured=measured,
        command=f"python recipes/w_encoder.py --data runs/photos --out runs/w-encoder --steps {given.steps}",
    )  # fmt: skip
    w_encoder.save(given.publish, net, card, half=True)


if __name__ == "__main__":
    main()
