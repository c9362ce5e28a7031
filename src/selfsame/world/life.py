"""A synthetic person's life in portraits: the same person in many years, and any one moment of it at another age."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import rng
from selfsame.core.camera import Camera
from selfsame.world import person
from selfsame.world.album import PORTRAIT, album_cameras, photograph
from selfsame.world.person import Age, Look

HAIR = (slice(2, 14), slice(44, 84))  # rows and columns of a frontal portrait of 128 px that hold hair
STYLE_YEARS = 3  # how long hair, beard and glasses stay as they are


@dataclass(frozen=True, eq=False)
class Portraits:
    """Pictures (N, 3, s, s) in [-1, 1], the looks and cameras behind them."""

    images: Float[Tensor, "n 3 s s"]
    look: Look
    camera: Camera

    @property
    def years(self) -> Float[Tensor, "n"]:
        """The age on each of them."""
        return self.look.age.years

    def first(self) -> "Portraits":
        """The first of them alone."""
        return Portraits(self.images[:1], person.select(self.look, slice(1)), self.camera[:1])

    def at(self, years: float) -> "Portraits":
        """What the same moments show, were the person of another age: style, light, face and camera stay."""
        aged = replace(self.look, age=Age(torch.full((len(self.look),), float(years))))
        return Portraits(photograph(aged, self.camera, self.images.shape[-1], 1), aged, self.camera)


def portraits(
    seed: int, years: Float[Tensor, "n"], purpose: str, size_px: int = 128, only: int | None = None
) -> Portraits:
    """The person with this seed photographed at these ages; another `purpose` gives other moments of the same life.

    Hair, beard and glasses go with the year, light, expression and view change from photo to photo. Of all these
    moments the first `only` are photographed.
    """
    count = len(years)
    g = rng.generator(seed, "life", purpose, count)
    sessions = [int(y) // STYLE_YEARS for y in years.tolist()]
    style = person.draw_style([seed] * count, sessions)
    code = torch.cat([person.draw_identity([seed] * count), style, person.draw_conditions(count, g)], -1)
    look = replace(person.decode(code, person.draw_marks([seed] * count)), age=Age(years.float()))
    camera = album_cameras(count, g, stand=PORTRAIT)
    if only is not None:
        look, camera = person.select(look, slice(only)), camera[:only]
    return Portraits(photograph(look, camera, size_px, 1), look, camera)


def hair_lightness(pictures: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b"]:
    """Mean brightness (0 to 255) of the hair above the forehead in portraits of 128 px."""
    return (pictures[:, :, HAIR[0], HAIR[1]].mean((1, 2, 3)) + 1) * 127.5
