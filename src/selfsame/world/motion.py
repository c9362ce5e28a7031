"""What a face and a head do during a talk: curves of the expression and turns of the head, fixed by (seed, time)."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import rng
from selfsame.world import speech as talks
from selfsame.world.person import Expression
from selfsame.world.speech import CONSONANTS, VOWELS, Speech, Syllable

Times = Float[np.ndarray, "t"]

BLINK_EVERY_S, BLINK_S = (2.0, 6.0), (0.15, 0.30)
SPREAD = {"i": 0.20, "e": 0.10}  # vowels that draw the corners of the mouth apart, as a smile does
TURN_DEG = (1.5, 3.0, 1.5)  # standard deviation of nodding, turning and tilting
TURN_HZ = (0.06, 0.45)
SWAY = (0.012, 0.008, 0.015)  # standard deviation in world units: sideways, up and down, towards the camera
GAZE_MOST = (0.28, 0.23)


@dataclass(frozen=True)
class Blink:
    """When lids begin to close and are open again."""

    start_s: float
    end_s: float


def expression(
    speech: Speech, seed: int, times_s: Times, yaw: Float[Tensor, "t"], pitch: Float[Tensor, "t"]
) -> Expression:
    """The face (T) at these times; the eyes stay on a camera that the head sees at `yaw` and `pitch` (radians)."""
    sideways, upwards = _gaze(speech, seed, times_s)
    smile = 0.14 + 0.12 * wander(seed, "smile", times_s, (0.03, 0.15))
    smile += talks.at(talks.track(speech, 0.0, _corners, _corners, 0.050), times_s)
    # An eye turned by an angle carries its iris 0.8 times the sine aside, in half widths, and the eye is half as high.
    sideways, upwards = sideways + 0.8 * np.sin(yaw.numpy()), upwards + 1.6 * np.sin(pitch.numpy())
    curves = {
        "smile": np.clip(smile, -0.1, 0.7),
        "mouth_open": mouth_open(speech, seed, times_s),
        "mouth_round": mouth_round(speech, times_s),
        "brow_raise": _brows(speech, seed, times_s),
        "lid_close": _lids(blinks(speech, seed), seed, times_s),
        "gaze_right": np.clip(sideways, -GAZE_MOST[0], GAZE_MOST[0]),
        "gaze_up": np.clip(upwards, -GAZE_MOST[1], GAZE_MOST[1]),
    }
    return Expression(**{name: torch.from_numpy(curve).float() for name, curve in curves.items()})


def mouth_open(speech: Speech, seed: int, times_s: Times) -> Times:
    """How far the mouth is open: wide on open and stressed vowels, shut (0 and less) in pauses and on p, b and m."""
    lively = 0.72 + 0.16 * float(torch.rand((), generator=rng.generator(seed, "lively")))

    def vowel(s: Syllable) -> float:
        return lively * (0.15 + 0.85 * VOWELS[s.vowel].open) * (1.0 if s.stressed else 0.8)

    # Pressed lips aim below shut, so that even between two wide vowels the blur leaves them shut for a frame or two.
    opening = talks.track(speech, -0.05, lambda s: 0.14 - 0.44 * CONSONANTS[s.consonant].lips, vowel, 0.030)
    return talks.at(opening, times_s)


def mouth_round(speech: Speech, times_s: Times) -> Times:
    """How round the lips are: lips round early, already on the consonant."""

    def consonant(s: Syllable) -> float:
        return max({"w": 0.9, "sh": 0.5}.get(s.consonant, 0.0), 0.7 * VOWELS[s.vowel].round)

    return talks.at(talks.track(speech, 0.0, consonant, lambda s: VOWELS[s.vowel].round, 0.040), times_s)


def _corners(s: Syllable) -> float:
    return SPREAD.get(s.vowel, 0.0)


def _brows(speech: Speech, seed: int, times_s: Times) -> Times:
    """Brows rise with some of the stressed syllables."""
    raised = 0.08 * wander(seed, "brows", times_s, (0.05, 0.3))
    for middle_s, strength in _beats(speech, seed, "brow beats", 0.3):
        raised += (0.3 + 0.35 * strength) * np.exp(-0.5 * ((times_s - middle_s) / 0.14) ** 2)
    return np.clip(raised, -0.3, 0.85)


def _beats(speech: Speech, seed: int, purpose: str, share: float) -> list[tuple[float, float]]:
    """The middles in seconds of a share of the stressed syllables, each with a strength in [0, 1]."""
    stressed = [0.5 * (s.vowel_s + s.end_s) for s in speech.syllables if s.stressed]
    draws = [torch.rand(2, generator=rng.generator(seed, purpose, i)).tolist() for i in range(len(stressed))]
    return [(middle_s, strength) for middle_s, (luck, strength) in zip(stressed, draws, strict=True) if luck < share]


def blinks(speech: Speech, seed: int) -> tuple[Blink, ...]:
    """Blinks 2 to 6 s apart, rather where a phrase ends."""
    g = rng.generator(seed, "blinks")
    made: list[Blink] = []
    low_s, high_s = 0.4, 3.0
    while True:
        luck, place, length = torch.rand(3, generator=g).tolist()
        ends = [p.end_s + 0.03 for p in speech.phrases if low_s <= p.end_s + 0.03 <= high_s]
        start_s = ends[0] if ends and luck < 0.6 else low_s + (high_s - low_s) * place
        end_s = start_s + BLINK_S[0] + (BLINK_S[1] - BLINK_S[0]) * length
        if end_s > speech.seconds:
            return tuple(made)
        made.append(Blink(round(start_s, 4), round(end_s, 4)))
        low_s, high_s = start_s + BLINK_EVERY_S[0], start_s + BLINK_EVERY_S[1]


def _lids(blinked: tuple[Blink, ...], seed: int, times_s: Times) -> Times:
    """Lids fall faster than they rise, and stay shut for a moment."""
    closed = 0.04 * wander(seed, "lids", times_s, (0.05, 0.3))
    for blink in blinked:
        share = (times_s - blink.start_s) / (blink.end_s - blink.start_s)
        closed = np.maximum(closed, np.minimum(_step(share / 0.35), _step((1 - share) / 0.45)))
    return closed


def _step(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _gaze(speech: Speech, seed: int, times_s: Times) -> tuple[Times, Times]:
    """Where the eyes look beside the camera: jumps of 50 ms every second or so, most of them back to it."""
    sideways, upwards = np.zeros_like(times_s), np.zeros_like(times_s)
    g = rng.generator(seed, "gaze")
    at_s, before = 0.0, (0.0, 0.0)
    while at_s < speech.seconds:
        luck, right, up, wait = torch.rand(4, generator=g).tolist()
        after = (0.0, 0.0) if luck < 0.55 else (0.44 * (right - 0.5), 0.28 * (up - 0.4))
        share = _step((times_s - at_s) / 0.05)
        sideways += share * (after[0] - before[0])
        upwards += share * (after[1] - before[1])
        at_s, before = at_s + 0.6 + 1.6 * wait, after
    return sideways, upwards


def turns(speech: Speech, seed: int, times_s: Times) -> Float[Tensor, "t 3"]:
    """Rotation vectors (T, 3) of the head in radians: nod down, turn to the person's left, tilt to the right."""
    names = ("nod", "turn", "tilt")
    axes = [math.radians(deg) * wander(seed, name, times_s, TURN_HZ) for name, deg in zip(names, TURN_DEG, strict=True)]
    for middle_s, strength in _beats(speech, seed, "nods", 0.5):
        axes[0] += math.radians(1.5 + 2.5 * strength) * np.exp(-0.5 * ((times_s - middle_s) / 0.13) ** 2)
    return torch.from_numpy(np.stack(axes, -1)).float()


def shifts(seed: int, times_s: Times) -> Float[Tensor, "t 3"]:
    """Slow sway (T, 3) of the camera along its own axes, in world units."""
    axes = [size * wander(seed, f"sway {i}", times_s, (0.05, 0.30)) for i, size in enumerate(SWAY)]
    return torch.from_numpy(np.stack(axes, -1)).float()


def wander(seed: int, purpose: str, times_s: Times, band_hz: tuple[float, float], waves: int = 6) -> Times:
    """A smooth curve of unit variance without any frequency outside `band_hz`."""
    draws = torch.rand(2, waves, generator=rng.generator(seed, "wander", purpose), dtype=torch.float64).numpy()
    hz = band_hz[0] + (band_hz[1] - band_hz[0]) * draws[0]
    phase = 2 * np.pi * (hz * times_s[:, None] + draws[1])
    return math.sqrt(2 / waves) * np.sin(phase).sum(-1)
