"""What the cards of both starter priors state, measured on people whom no recipe trains on."""

import torch
from photo_data import photograph
from torch import Tensor

from selfsame.core.camera import facing
from selfsame.core.results import Measured
from selfsame.jobs.parts import load_features
from selfsame.metrics import fid, portrait, stats
from selfsame.nets.triplane import TriPlane
from selfsame.world import person
from selfsame.world.album import ALBUM, Photographers
from selfsame.world.render import render
from selfsame.world.surface import surface

REAL_FIRST, REAL_PEOPLE = 720_000, 600  # whose photos FID and KID compare with
DEPTH_FIRST, DEPTH_PEOPLE, DEPTH_YAWS = 730_000, 40, (-0.6, 0.0, 0.6)
MM = 400.0  # a world unit is about 40 cm


def against_truth(made: Tensor, truth: Tensor) -> tuple[Measured, ...]:
    """PSNR and SSIM of pictures of unseen people, made from their codes, against the world's."""
    made = made.clamp(-1, 1)
    return (
        stats.measure("PSNR (dB) of unseen people", portrait.psnr(made, truth).tolist(), better="high"),
        stats.measure("SSIM of unseen people", portrait.ssim(made, truth).tolist(), better="high"),
    )


def against_photos(made: Tensor, stand: Photographers = ALBUM) -> tuple[Measured, ...]:
    """FID and KID of pictures of random codes against photos of unseen people."""
    net = load_features()
    photos = photograph([REAL_FIRST + i for i in range(REAL_PEOPLE)], REAL_FIRST, stand).images(slice(None))
    real, found = net.features(photos), net.features(made.clamp(-1, 1))
    return (
        fid.fid(f"FID of random people ({net.name})", real, found),
        fid.kid(f"KID of random people ({net.name})", real, found),
    )


@torch.no_grad()
def depth(net: TriPlane) -> tuple[Measured, ...]:
    """How far the surface seen from three sides lies from the true one: absolute error of depth, one value a person."""
    seeds = [DEPTH_FIRST + i for i in range(DEPTH_PEOPLE)]
    look = person.draw_photos(seeds, DEPTH_FIRST)
    code = person.encode(look)
    errors = []
    for i in range(0, DEPTH_PEOPLE, 4):
        solid, w_plus = surface(person.select(look, slice(i, i + 4))), net.map(code[i : i + 4])
        views = []
        for yaw in DEPTH_YAWS:
            camera = facing(torch.full((4,), yaw), torch.zeros(4))
            truth, made = render(solid, camera, net.config.neural_px, 1), net(w_plus, camera)
            both = ((truth.depth > 0) & (made.alpha > 0.5)).float()
            views.append(((made.depth - truth.depth).abs() * both).sum((1, 2, 3)) / both.sum((1, 2, 3)))
        errors.append(torch.stack(views).mean(0) * MM)
    return (
        stats.measure("depth error (mm), views of -34, 0 and 34 degrees", torch.cat(errors).tolist(), better="low"),
    )
