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
SESSION_YEARS = 2  # between one session and the next
SAME = 0.9  # share of the variance of light and backdrop that belongs to the session


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
    look = _look(seed, style, person.draw_conditions(count, g), years.float())
    camera = album_cameras(count, g, stand=PORTRAIT)
    if only is not None:
        look, camera = person.select(look, slice(only)), camera[:only]
    return Portraits(photograph(look, camera, size_px, 1), look, camera)


def session(seed: int, number: int, count: int, size_px: int = 128) -> Portraits:
    """One session of the person with this seed, such as an afternoon or an interview: `count` portraits of one look.

    Style, light and backdrop are the session's and hardly vary in it; expression and view change from photo to photo.
    Sessions lie SESSION_YEARS apart, the first between 20 and 40 years of age. No other session has the same look.
    """
    g = rng.generator(seed, "session", number)
    shared, own = person.draw_conditions(1, g), person.draw_conditions(count, g)
    style = person.draw_style([seed], [number]).expand(count, -1)
    for name in ("light", "backdrop"):
        first, last = (
            end - person.COLUMNS["style"].stop for end in (person.COLUMNS[name].start, person.COLUMNS[name].stop)
        )
        columns = slice(first, last)  # among the conditions, which follow the style
        own[:, columns] = SAME**0.5 * shared[:, columns] + (1 - SAME) ** 0.5 * own[:, columns]
    begun = 20 + 20 * float(torch.rand((), generator=rng.generator(seed, "first session")))
    years = torch.full((count,), begun + SESSION_YEARS * number)
    look, camera = _look(seed, style, own, years), album_cameras(count, g, stand=PORTRAIT)
    return Portraits(photograph(look, camera, size_px, 1), look, camera)


def _look(seed: int, style: Float[Tensor, "n s"], conditions: Float[Tensor, "n c"], years: Float[Tensor, "n"]) -> Look:
    """One person's looks, of codes of their style and conditions, at these ages."""
    people = [seed] * len(years)
    code = torch.cat([person.draw_identity(people), style, conditions], -1)
    return replace(person.decode(code, person.draw_marks(people)), age=Age(years))


def hair_lightness(pictures: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b"]:
    """Mean brightness (0 to 255) of the hair above the forehead in portraits of 128 px."""
    return (pictures[:, :, HAIR[0], HAIR[1]].mean((1, 2, 3)) + 1) * 127.5
