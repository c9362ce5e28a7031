"""An album's cameras refined by rendering: a prior shows each photo, and the camera moves until it shows it best.

Five landmarks leave a head's tilt poorly known (see `faces.pose`); the whole picture knows more.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import camera as cameras
from selfsame.core.camera import Camera
from selfsame.faces.album import Album
from selfsame.faces.records import PhotoRecord
from selfsame.jobs import parts
from selfsame.jobs.progress import Progress, silent
from selfsame.tasks import invert
from selfsame.tasks.invert import AT_ONCE, InvertConfig
from selfsame.tasks.prior import Prior
from selfsame.tasks.targets import Features

REFINE = replace(invert.QUICK, space="w", steps=60, camera_lr=0.01)  # chosen on six synthetic people


def refine(
    album: Album, prior: Prior, features: Features, config: InvertConfig = REFINE, progress: Progress = silent
) -> list[float]:
    """Refine the cameras of the kept photos that have those of their landmarks; by how many degrees each turned.

    What is done is written after every few photos, so a killed run goes on.
    """
    todo = [i for i, photo in enumerate(album.kept) if photo.camera_from == "landmarks"]
    turned: list[float] = []
    for part in (todo[start : start + AT_ONCE] for start in range(0, len(todo), AT_ONCE)):
        before = album.cameras()[part]
        found = of_pictures(album.images(prior.net.config.image_px, which=part), before, prior, features, config)
        turned += angle_between(before, found).tolist()
        photos = [album.kept[i] for i in part]
        album.change({photo.id: _moved(photo, found[i : i + 1]) for i, photo in enumerate(photos)})
        progress("refining cameras", len(turned), len(todo))
    return turned


def of_pictures(
    images: Float[Tensor, "b 3 s s"], camera: Camera, prior: Prior, features: Features, config: InvertConfig = REFINE
) -> Camera:
    """The cameras (B) from which the prior shows pictures best, sought from `camera` on along with their codes."""
    start = parts.first_codes(prior.digest, images, config, prior.middle)
    found = invert.invert_all(prior.net, images, camera, start, config, w_std=prior.w_std, features=features)
    return found.camera


def angle_between(one: Camera, other: Camera) -> Float[Tensor, "b"]:
    """Degrees between the directions in which pairs of cameras look."""
    cosine = torch.cosine_similarity(one.cam2world[:, :3, 2], other.cam2world[:, :3, 2]).clamp(-1, 1)
    degrees: Tensor = torch.rad2deg(torch.acos(cosine))
    return degrees


def _moved(photo: PhotoRecord, camera: Camera) -> PhotoRecord:
    assert photo.quality is not None
    yaw, pitch = (round(float(torch.rad2deg(angle)), 2) for angle in cameras.angles(camera))
    quality = replace(photo.quality, yaw_degrees=yaw, pitch_degrees=pitch)
    label = tuple(camera.pack()[0].tolist())
    return replace(photo, camera=label, camera_from="rendering", quality=quality)
