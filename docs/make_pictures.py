"""Draw the pictures of README and docs/world.md anew. Everybody on them is synthetic.

python docs/make_pictures.py
"""

from dataclasses import fields, replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from selfsame.core import camera as cameras
from selfsame.core import image
from selfsame.core.memory import keep_freed_memory
from selfsame.world import album, clip, person
from selfsame.world.person import Age, Expression, Light, Look

FOLDER = Path(__file__).parent / "assets"
SIZE_PX, OVERSAMPLE = 176, 2
# Seed, age in years, smile and yaw (radians) of the people in the README's picture, chosen by eye.
PORTRAITS = (
    (201, 24, 0.4, 0.30), (15, 72, 0.4, -0.25), (99, 9, 0.6, 0.15), (202, 38, 0.4, 0.35),
    (112, 31, 0.5, -0.15), (11, 66, 0.5, -0.35),
    (3, 45, 0.5, 0.20), (106, 34, 0.4, -0.30), (204, 82, 0.3, 0.10), (103, 27, 0.5, 0.35),
    (117, 13, 0.4, -0.10), (14, 52, 0.6, -0.35),
)  # fmt: skip
AGING, AGES = (201, 202, 204), (5.0, 12.0, 20.0, 35.0, 50.0, 65.0, 85.0)
RESTYLED, SESSIONS = ((206, 32), (207, 45), (208, 24)), range(7)
SITTER = 36  # who is seen from everywhere, in every light and with every face
TAKE, TALK_FRAMES = 33, (5, 31, 2)  # which talk of the sitter, and its frames from, to, by
YAWS = (-1.2, -0.8, -0.4, 0.0, 0.4, 0.8, 1.2)


def calm(look: Look, smile: torch.Tensor) -> Look:
    """The looks with a smile, eyes open and on the camera, under one light from the upper left."""
    zero = torch.zeros_like(smile)
    still = Expression(**{f.name: zero for f in fields(Expression)})
    light = Light(yaw=zero - 0.35, pitch=zero + 0.4, key=zero + 0.85, ambient=zero + 0.36, warmth=zero)
    return replace(look, expression=replace(still, smile=smile), light=light)


def people(seeds: list[int], years: list[float], smile: list[float], backdrops: int) -> Look:
    """One calm look a listed person, before the backdrops drawn with the seed `backdrops`."""
    look = calm(person.draw_photos(seeds, backdrops), torch.tensor(smile))
    return replace(look, age=Age(torch.tensor(years)))


def sitter(count: int) -> Look:
    """The same look of one person, `count` times."""
    return person.select(people([SITTER], [30.0], [0.2], 5), [0] * count)


def write(name: str, look: Look, yaws: list[float], columns: int) -> None:
    """Photograph each look at its yaw and write the sheet."""
    camera = cameras.facing(torch.tensor(yaws), torch.zeros(len(yaws)))
    sheet = image.grid(album.photograph(look, camera, SIZE_PX, OVERSAMPLE), columns=columns)
    image.save(sheet, FOLDER / name)


def portraits() -> None:
    """Twelve people."""
    seeds, years, smiles, yaws = (list(column) for column in zip(*PORTRAITS, strict=True))
    write("world.png", people(seeds, [float(y) for y in years], smiles, 9), yaws, 6)


def ages() -> None:
    """Three people at seven ages: everybody grows older, each in their own way."""
    seeds, years = [s for s in AGING for _ in AGES], list(AGES) * len(AGING)
    look = people(seeds, years, [0.3] * len(seeds), 6)
    first = [i - i % len(AGES) for i in range(len(seeds))]
    once = person.select(look, first)
    write("ages.png", replace(look, style=once.style, backdrop=once.backdrop), [0.2] * len(seeds), len(AGES))


def sessions() -> None:
    """Three people in seven sessions each: hair, dye, beard, glasses and make-up change, the person does not."""
    seeds = [seed for seed, _ in RESTYLED for _ in SESSIONS]
    years = [float(y) for _, y in RESTYLED for _ in SESSIONS]
    code = person.encode(people(seeds, years, [0.3] * len(seeds), 6))
    code[:, person.COLUMNS["style"]] = person.draw_style(seeds, [*SESSIONS] * len(RESTYLED))
    look = calm(person.decode(code, person.draw_marks(seeds)), torch.full((len(seeds),), 0.3))
    backdrop = person.select(look, [0] * len(seeds)).backdrop
    write("sessions.png", replace(look, backdrop=backdrop), [-0.25] * len(seeds), len(SESSIONS))


def views() -> None:
    """One look from everywhere."""
    write("views.png", sitter(len(YAWS)), list(YAWS), len(YAWS))


def lights() -> None:
    """One person under other lights: from the left, the camera and the right, then from above, warm, and dim."""
    settings = ((-1.1, 0.2, 0.9, 0.0), (0.0, 0.0, 0.9, 0.0), (1.1, 0.2, 0.9, 0.0), (0.0, 0.9, 0.9, 0.0),
                (-0.5, 0.4, 0.9, 1.0), (-0.5, 0.4, 0.9, -1.0), (0.6, 0.3, 0.55, 0.0))  # fmt: skip
    yaw, pitch, key, warmth = torch.tensor(settings).unbind(1)
    light = Light(yaw, pitch, key, torch.full_like(key, 0.32), warmth)
    write("lights.png", replace(sitter(len(settings)), light=light), [0.0] * len(settings), len(settings))


def expressions() -> None:
    """One person, seven faces: each trait of the expression at an end of its range."""
    changes = ({}, {"smile": 1.0}, {"smile": 0.9, "mouth_open": 0.6}, {"mouth_open": 0.6, "mouth_round": 1.0},
               {"brow_raise": 0.9}, {"lid_close": 1.0}, {"gaze_right": 0.3, "gaze_up": 0.2})  # fmt: skip
    names = [f.name for f in fields(Expression)]
    made = Expression(**{name: torch.tensor([change.get(name, 0.0) for change in changes]) for name in names})
    write("expressions.png", replace(sitter(len(changes)), expression=made), [0.0] * len(changes), len(changes))


def talking() -> None:
    """A second of somebody's talk: every second frame, and under it the sound that belongs to it."""
    talk = clip.talk(SITTER, 3.0, years=30.0, take=TAKE)
    shown = list(range(*TALK_FRAMES))
    frames = album.photograph(person.select(talk.look, shown), talk.camera[shown], 256, OVERSAMPLE)
    sheet = image.grid(frames[..., 55:215, 60:196], columns=len(shown))
    start_s, end_s = (TALK_FRAMES[0] - 0.5) / talk.plan.fps, (TALK_FRAMES[1] - 0.5) / talk.plan.fps
    first, last = round(start_s * talk.rate_hz), round(end_s * talk.rate_hz)
    figure, (above, below) = plt.subplots(2, figsize=(16, 2.85), height_ratios=(2.1, 1.0), layout="constrained")
    above.imshow(image.to_uint8(sheet)[0], aspect="auto")
    above.axis("off")
    below.plot(np.linspace(start_s, end_s, last - first), talk.sound[first:last], linewidth=0.4)
    for s in talk.speech.syllables:
        if start_s <= s.start_s < end_s - 0.03:
            below.axvline(s.start_s, color="0.7", linewidth=0.8)
            below.text(s.start_s + 0.004, 0.55, s.consonant + s.vowel, fontsize=11)
    below.set(xlim=(start_s, end_s), ylim=(-0.85, 0.85), yticks=[], xlabel="seconds")
    figure.savefig(FOLDER / "talking.png", dpi=100)
    plt.close(figure)


def main() -> None:
    """Draw all."""
    keep_freed_memory()
    FOLDER.mkdir(exist_ok=True)
    for draw in (portraits, ages, sessions, views, lights, expressions, talking):
        draw()


if __name__ == "__main__":
    main()
