"""Toys that several folders of tests share: a solid of known geometry, a tiny prior and judge, an album."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from selfsame.core import image, weights
from selfsame.core.camera import Camera, facing
from selfsame.core.config import to_json, write_atomic
from selfsame.faces.album import Album
from selfsame.faces.records import PhotoRecord
from selfsame.jobs import continual_cells, continual_people, continual_systems
from selfsame.nets.iresnet import IResNet, IResNetConfig
from selfsame.nets.judges import Judge
from selfsame.nets.triplane import TriPlane, TriPlaneConfig
from selfsame.tasks.prior import Prior, frozen, prior_card
from selfsame.world.grid import MAP_PX
from selfsame.world.surface import Surface


def sphere(radius: float = 1.0, colour: tuple[float, float, float] = (0.6, 0.4, 0.2)) -> Surface:
    """A head that is a sphere of `radius` head units and one colour, before a grey that gets darker downwards."""
    flat = torch.ones(1, 1, *MAP_PX)
    return Surface(
        maps=torch.cat([radius * flat, flat], 1),
        colour=torch.tensor(colour)[None, :, None, None] * flat,
        skin=torch.full((1, 3, 1), 0.5),
        clothes=torch.full((1, 3, 1), 0.3),
        key=torch.tensor([[0.0, 0.0, 1.0]]),
        tint=torch.ones(1, 3, 1),
        ambient=torch.ones(1, 3, 1),
        neck=torch.tensor([[0.40, -1.2]]),
        drape=torch.zeros(1, 2),
        hair=torch.full((1, 3, 1), 0.2),
        top=torch.full((1, 3), 0.9),
        bottom=torch.full((1, 3), 0.1),
        side=torch.zeros(1, 1),
    )


TINY = TriPlaneConfig(
    z_dim=8, c_dim=0, w_dim=16, mapping_layers=2, channel_base=256, channel_max=16, plane_px=16, plane_channels=4,
    plane_order="orthogonal", feature_channels=4, decoder_hidden=8, density_gain=16.0, backdrop_px=2, neural_px=8,
    image_px=16, superres_channels=(4, 4), depth_samples=6, importance_samples=4,
)  # fmt: skip


def tiny_prior(seed: int = 0) -> Prior:
    """A prior that nothing has trained; its pictures are blobs that differ by code and by camera.

    Its solid is loosened and its colours are spread, so that views differ; its super-resolution does little more than
    enlarge, as a trained one does, so that picture and raw rendering show the same.
    """
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        net = TriPlane(TINY)
        net.decoder.net[2].bias[0] -= 0.6
        net.decoder.net[2].weight[1:] *= 4
        for block in (net.superresolution.block0, net.superresolution.block1):
            block.torgb.weight *= 0.05
    card = prior_card(TINY, seed=seed, licence="For tests.", digest=weights.digest(net.state_dict()))
    return Prior(*frozen(net, card))


def tiny_judge() -> Judge:
    """A judge that nothing has trained."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Judge(IResNet(IResNetConfig(stem=4, stages=((4, 1), (8, 1)), squeeze=2, size_px=16, embedding=8)))


def poses(count: int) -> Camera:
    """Cameras in front of the face, all different."""
    return facing(torch.linspace(-0.4, 0.4, count), torch.linspace(0.1, -0.1, count))


NO_PHOTO = PhotoRecord(
    id="", file="", folder="", time_s=None, digest="", taken=None, age_years=None, age_source=None, age_conflict=None,
    session=0, size_px=None, camera=None, camera_from=None, landmarks=None, quality=None, similarity=None, rule=None,
    why_left_out=None, by_hand=False,
)  # fmt: skip
"""Of which nothing is known."""


def tiny_album(path: Path, prior: Prior, count: int = 8, seed: int = 0) -> Album:
    """An album of what the prior shows of `count` codes: photos whose person the prior knows, without a detector."""
    album = Album.create(path, consent="Nobody: a toy.", size_px=16)
    camera = poses(count)
    with torch.no_grad():
        pictures = prior.net(prior.draw(count, seed, psi=1.0), camera).image.clamp(-1, 1)
    records = []
    for i, picture in enumerate(pictures):
        digest = hashlib.sha256(f"{seed} {i}".encode()).hexdigest()
        label = tuple(camera.pack()[i].tolist())
        blank = replace(NO_PHOTO, id=digest[:12], file=f"{i}.png", digest=digest)
        records.append(replace(blank, size_px=16, camera=label, camera_from="landmarks"))
        album.face(records[-1]).parent.mkdir(exist_ok=True)
        image.save(picture[None], album.face(records[-1]))
    write_atomic(path / "album.json", to_json(replace(album.record, photos=tuple(records))))
    return Album.open(path)


def short_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation of memory of three sessions of four photos, and a step or two for each."""
    for name, value in {"SESSIONS": 3, "TRAIN": 4, "TEST": 3}.items():
        monkeypatch.setattr(continual_people, name, value)
    for name in ("TUNING", "LOW_RANK"):
        short = replace(getattr(continual_systems, name), steps=2)
        monkeypatch.setattr(continual_systems, name, short)
    monkeypatch.setattr(continual_systems, "FIRST_STEPS", 1)
    for name, value in {"TESTED": 2, "SAMPLES": 3, "RECALLED": 3}.items():
        monkeypatch.setattr(continual_cells, name, value)
