"""A tiny StyleGAN2 prior, encoder, age judge and batches of pictures that the prior makes."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from selfsame.core import rng, weights
from selfsame.core.weights import Card
from selfsame.nets.age import AgeConfig, AgeJudge, build
from selfsame.nets.encoder import EncoderConfig, GradualStyleEncoder
from selfsame.nets.iresnet import IResNetConfig
from selfsame.nets.stylegan2 import StyleGAN2, StyleGAN2Config
from selfsame.tasks import encoders
from selfsame.tasks.encoders import Batch, Inversion, InversionConfig
from selfsame.tasks.reage import Sam

# From 8 channels on: with fewer, one thread and AVX2 alone, torch 2.15 (oneDNN 3.13) writes past the end of a buffer in
# the gradient of a 1 x 1 convolution of stride 2.
TINY = EncoderConfig(
    input_px=32, styles=8, w_dim=16, stem=8, stages=((8, 1), (16, 1), (16, 1), (16, 1)), squeeze=2, head=8
)
SHORT = InversionConfig(
    encoder=TINY, steps=5, optimizer="adam", lr=0.01, code=0.1, w_norm=0.005, face_identity=False, save_every=2
)


@dataclass(frozen=True, eq=False)
class TinyPrior:
    net: StyleGAN2
    w_mean: Tensor
    digest: str


def tiny_image_prior(seed: int = 0) -> TinyPrior:
    """A StyleGAN2 that nothing has trained, its colours enlarged so that codes differ in the picture."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        net = StyleGAN2(
            StyleGAN2Config(image_px=32, z_dim=8, w_dim=16, mapping_layers=2, channel_base=256, channel_max=16)
        )
        w_mean = net.map(torch.randn(200, 8))[:, 0].mean(0)
        pictures = net(net.map(torch.randn(8, 8)))
        for block in (getattr(net.synthesis, f"b{size}") for size in net.synthesis.sizes):
            block.torgb.weight *= 0.5 / pictures.std()
    return TinyPrior(net.requires_grad_(False), w_mean, weights.digest(net.state_dict()))


def tiny_encoder(channels: int = 3, seed: int = 0) -> GradualStyleEncoder:
    """An encoder that nothing has trained, with running averages other than the start's."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        net = GradualStyleEncoder(EncoderConfig(**(vars(TINY) | {"input_channels": channels})))
        net(torch.randn(4, channels, 32, 32))
    return net


def tiny_age_judge() -> AgeJudge:
    """An age judge that nothing has trained."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        sizes = IResNetConfig(stem=4, stages=((4, 1), (8, 1)), squeeze=2, size_px=16, embedding=8)
        return AgeJudge(build(AgeConfig(sizes)))


def tiny_inversion(prior: TinyPrior) -> Inversion:
    """An inversion encoder with its card."""
    card = encoders.card_of(SHORT, prior.digest, licence="For tests.")
    return Inversion(tiny_encoder(), prior.w_mean, card)


def pictures(prior: TinyPrior, index: int, count: int = 4, *, known: bool = True) -> Batch:
    """What the prior shows of random codes: the batch of step `index`."""
    z = torch.randn(count, 8, generator=rng.generator(5, "toy pictures", index))
    with torch.no_grad():
        w_plus = prior.net.map(z)
        images = prior.net(w_plus).clamp(-1, 1)
    return Batch(images, 20 + 10 * torch.arange(float(count)), w_plus if known else None)


def sam_card() -> Card:
    """A card that saving completes."""
    return Card(kind="sam", config={}, seed=0, licence="For tests.")


def tiny_sam() -> Sam:
    """A SAM that nothing has trained."""
    prior = tiny_image_prior()
    return Sam(tiny_encoder(channels=4, seed=3), tiny_inversion(prior), prior.net, replace(sam_card(), digest="a" * 64))
