"""Talking clips: a synthetic person says something made up, seen as in a video call, and all of it is known."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import camera as cameras
from selfsame.core import rng
from selfsame.core.camera import FACE_DISTANCE, Camera
from selfsame.core.errors import WrongUse
from selfsame.world import motion, person, speech, voice
from selfsame.world.album import PHOTO_FOCAL, photograph
from selfsame.world.motion import Blink
from selfsame.world.person import Age, Light, Look
from selfsame.world.speech import Speech

FRAME_CENTRE = (0.0, 0.04, 0.15)  # the world point in the middle of the frame: a little hair over the head is free
NECK = (0.0, -0.32, -0.12)  # the world point about which a head turns
FASTEST_FPS = 120.0
BATCH = 4  # frames rendered at a time: memory stays flat however long the clip


@dataclass(frozen=True)
class Plan:
    """All that a clip follows from: whose it is, which of their takes, its length and frame rate, their age."""

    seed: int
    take: int
    seconds: float
    fps: float
    years: float


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip before it is filmed: looks (T), cameras (T) in the head's frame, the sound (S), and what happens in it.

    `turn` (T, 3) are the head's rotation vectors in radians, `shift` (T, 3) its sway in world units. Frame i shows
    the middle of its time, (i + 0.5) / fps seconds.
    """

    plan: Plan
    look: Look
    camera: Camera
    turn: Float[Tensor, "t 3"]
    shift: Float[Tensor, "t 3"]
    sound: Float[np.ndarray, "s"]
    rate_hz: int
    speech: Speech
    blinks: tuple[Blink, ...]

    def __len__(self) -> int:
        return len(self.look)


def talk(seed: int, seconds: float, fps: float = 25.0, years: float = 35.0, take: int = 0) -> Clip:
    """The person with this seed talks; another `take` says something else in another place. Nothing is rendered yet.

    Raises WrongUse for lengths, rates and ages that cannot be filmed.
    """
    plan = check(Plan(seed, take, seconds, fps, years))
    count = round(seconds * fps)
    said = speech.draw(rng.key(seed, "take", take), count / fps)
    acted = rng.key(seed, "acting", take)
    times_s = (np.arange(count) + 0.5) / fps
    turn, shift = motion.turns(said, acted, times_s), motion.shifts(acted, times_s)
    camera = cameras.nudge(_call(plan, count), -turn, shift, NECK)
    look = sitter(plan)
    sound = voice.speak(said, voice.voice_of(seed, float(look.identity.sex), years), acted)
    seen = replace(
        person.select(look, [0] * count),
        expression=motion.expression(said, acted, times_s, *cameras.angles(camera)),
        light=_light(look.light, turn),
    )
    return Clip(plan, seen, camera, turn, shift, sound, voice.RATE_HZ, said, motion.blinks(said, acted))


def check(plan: Plan) -> Plan:
    """The plan itself; raises WrongUse where it cannot be filmed."""
    if not 0 < plan.fps <= FASTEST_FPS:
        raise WrongUse(f"{plan.fps} frames a second cannot be filmed.", f"Ask for more than 0, at most {FASTEST_FPS}.")
    if not (math.isfinite(plan.seconds) and plan.seconds * plan.fps >= 1):
        raise WrongUse(f"A clip of {plan.seconds} seconds has no frame.", "Ask for a longer one.")
    (age,) = fields(Age)
    low, high = age.metadata["range"]
    if not low <= plan.years <= high:
        raise WrongUse(f"Nobody here is {plan.years} years old.", f"Ask for an age between {low} and {high}.")
    return plan


def sitter(plan: Plan) -> Look:
    """The person of a plan at rest (one look), in the light and before the backdrop of this take."""
    g = rng.generator(plan.seed, "clip", plan.take)
    style = person.draw_style([plan.seed], [plan.take])
    code = torch.cat([person.draw_identity([plan.seed]), style, person.draw_conditions(1, g)], -1)
    look = person.decode(code, person.draw_marks([plan.seed]))
    # Away from the ends of its range, so that a light seen from a turned head still has a code.
    light = replace(look.light, yaw=look.light.yaw.clamp(-0.8, 0.8), pitch=look.light.pitch.clamp(0.1, 0.65))
    return replace(look, age=Age(torch.tensor([float(plan.years)])), light=light)


def _call(plan: Plan, count: int) -> Camera:
    """The camera of a video call, `count` times: nearly in front; the face fills half of the frame's height."""
    g = rng.generator(plan.seed, "video call", plan.take)
    yaw, pitch = (0.10 * torch.randn(2, generator=g)).clamp(-0.2, 0.2).tolist()
    angle = torch.full((count,), 1.0)
    return cameras.from_angles(yaw * angle, pitch * angle, pivot=FRAME_CENTRE, radius=FACE_DISTANCE, focal=PHOTO_FOCAL)


def _light(light: Light, turn: Float[Tensor, "t 3"]) -> Light:
    """One light that stays where it is in the room, as the turning head (T) meets it."""
    yaw, pitch = light.yaw, light.pitch
    room = torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], -1)
    x, y, z = (cameras.rotation(-turn) @ room[0]).unbind(-1)
    still = {name: value.expand(len(turn)) for name, value in vars(light).items()}
    return replace(Light(**still), yaw=torch.atan2(x, z), pitch=torch.asin(y.clamp(-1, 1)))


def film(clip: Clip, size_px: int, oversample: int = 1) -> Iterator[Tensor]:
    """The frames (3, size_px, size_px) in [-1, 1], rendered as they are asked for."""
    for first in range(0, len(clip), BATCH):
        part = slice(first, first + BATCH)
        yield from photograph(person.select(clip.look, part), clip.camera[part], size_px, oversample)
