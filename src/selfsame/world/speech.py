"""A made-up talk as data: phrases and pauses, syllables of a consonant and a vowel, each with its times in seconds."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from selfsame.core import rng

TRACK_HZ = 200  # how finely what moves while speaking is laid out: 5 ms
PHRASE_S, PAUSE_S = (1.0, 3.0), (0.2, 0.8)
STRESSED_S, PLAIN_S, FINAL = 0.185, 0.115, 1.4  # length of vowels; the last one of a phrase is stretched by FINAL


@dataclass(frozen=True)
class Consonant:
    """How a syllable begins: its length, how far the lips shut, and what it sounds like.

    `locus_hz` is where the second formant starts from, `voice` how loud the vocal folds are meanwhile, `noise` how
    loud the burst (plosives, after the closure) or the hiss (fricatives) about `noise_hz`; `weight` how often it comes.
    """

    kind: str
    seconds: float
    lips: float
    locus_hz: float
    voice: float
    noise: float
    noise_hz: float
    weight: float


@dataclass(frozen=True)
class Vowel:
    """Three formants in Hz of a man's mouth, how far the jaw opens and how round the lips are, both in [0, 1]."""

    formants_hz: tuple[float, float, float]
    open: float
    round: float
    weight: float


CONSONANTS = {
    "": Consonant("none", 0.0, 0.0, 1500, 0.0, 0.0, 0, 1.0),
    "p": Consonant("plosive", 0.105, 1.0, 900, 0.0, 0.5, 900, 1.1),
    "b": Consonant("plosive", 0.090, 1.0, 900, 0.12, 0.25, 700, 1.2),
    "t": Consonant("plosive", 0.085, 0.0, 1800, 0.0, 0.7, 4200, 1.4),
    "d": Consonant("plosive", 0.065, 0.0, 1800, 0.12, 0.35, 3600, 1.2),
    "k": Consonant("plosive", 0.090, 0.0, 2100, 0.0, 0.6, 2000, 1.2),
    "m": Consonant("nasal", 0.090, 1.0, 950, 0.34, 0.0, 0, 1.6),
    "n": Consonant("nasal", 0.070, 0.0, 1700, 0.34, 0.0, 0, 1.6),
    "s": Consonant("fricative", 0.105, 0.0, 1800, 0.0, 0.42, 6800, 1.4),
    "sh": Consonant("fricative", 0.100, 0.0, 1900, 0.0, 0.45, 3200, 0.7),
    "f": Consonant("fricative", 0.090, 0.6, 1000, 0.0, 0.16, 5500, 0.8),
    "l": Consonant("glide", 0.065, 0.0, 1250, 0.45, 0.0, 0, 1.2),
    "w": Consonant("glide", 0.075, 0.35, 700, 0.45, 0.0, 0, 0.8),
}
VOWELS = {
    "a": Vowel((750, 1180, 2500), 1.0, 0.0, 2.0),
    "e": Vowel((510, 1850, 2500), 0.55, 0.0, 1.6),
    "i": Vowel((290, 2280, 3000), 0.22, 0.0, 1.3),
    "o": Vowel((500, 850, 2420), 0.60, 0.8, 1.3),
    "u": Vowel((310, 820, 2280), 0.25, 1.0, 0.9),
    "ə": Vowel((520, 1480, 2480), 0.45, 0.1, 1.2),
}


@dataclass(frozen=True)
class Syllable:
    """The names of a syllable's consonant and vowel; its start, where the vowel begins, and its end, in seconds."""

    start_s: float
    vowel_s: float
    end_s: float
    consonant: str
    vowel: str
    stressed: bool


@dataclass(frozen=True)
class Phrase:
    """What is said in one breath."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Speech:
    """A talk of `seconds`: its phrases and syllables in order."""

    seconds: float
    phrases: tuple[Phrase, ...]
    syllables: tuple[Syllable, ...]


def draw(seed: int, seconds: float) -> Speech:
    """The talk with this seed: 4 to 5 syllables a second in phrases of 1 to 3 s; what comes after `seconds` is cut.

    A longer talk begins like a shorter one.
    """
    phrases: list[Phrase] = []
    syllables: list[Syllable] = []
    g = rng.generator(seed, "talk")
    start_s = 0.15 + 0.25 * _uniform(g)
    tempo = 0.93 + 0.16 * _uniform(g)
    while start_s < seconds:
        said = _phrase(rng.generator(seed, "phrase", len(phrases)), start_s, tempo)
        kept = [s for s in said if s.end_s <= seconds - 0.1]
        syllables += kept
        if kept:
            phrases.append(Phrase(kept[0].start_s, kept[-1].end_s))
        if len(kept) < len(said):
            break
        start_s = said[-1].end_s + _between(g, PAUSE_S)
    return Speech(seconds, tuple(phrases), tuple(syllables))


def _phrase(g: torch.Generator, start_s: float, tempo: float) -> list[Syllable]:
    """Syllables from `start_s` until a length between those of PHRASE_S is full; stressed ones never side by side."""
    said: list[Syllable] = []
    at_s, room_s = start_s, _between(g, PHRASE_S)
    while True:
        consonant, vowel = _choose(g, CONSONANTS), _choose(g, VOWELS)
        stressed = _uniform(g) < 0.55 and not (said and said[-1].stressed)
        stretch = tempo * (0.85 + 0.3 * _uniform(g))
        vowel_s = at_s + stretch * CONSONANTS[consonant].seconds
        end_s = vowel_s + stretch * (STRESSED_S if stressed else PLAIN_S)
        last = end_s + 0.2 > start_s + room_s
        if last:
            end_s = vowel_s + FINAL * (end_s - vowel_s)
        said.append(Syllable(round(at_s, 4), round(vowel_s, 4), round(end_s, 4), consonant, vowel, stressed))
        if last:
            return said
        at_s = end_s


def _uniform(g: torch.Generator) -> float:
    return float(torch.rand((), generator=g))


def _between(g: torch.Generator, ends: tuple[float, float]) -> float:
    return ends[0] + (ends[1] - ends[0]) * _uniform(g)


def _choose(g: torch.Generator, table: dict[str, Consonant] | dict[str, Vowel]) -> str:
    weights = torch.tensor([entry.weight for entry in table.values()])
    return list(table)[int(torch.multinomial(weights, 1, generator=g))]


def track(
    speech: Speech,
    rest: float,
    consonant: Callable[[Syllable], float],
    vowel: Callable[[Syllable], float],
    spread_s: float,
) -> Float[np.ndarray, "n"]:
    """What moves with the talk, at TRACK_HZ: a value a consonant, one a vowel, `rest` between phrases, run together.

    Neighbours flow into each other through a Gaussian of `spread_s`: the mouth prepares a sound before it comes.
    """
    steps = np.full(round(speech.seconds * TRACK_HZ) + 1, float(rest))
    for s in speech.syllables:
        start, middle, end = (round(time_s * TRACK_HZ) for time_s in (s.start_s, s.vowel_s, s.end_s))
        steps[start:middle], steps[middle:end] = consonant(s), vowel(s)
    return blur(steps, spread_s)


def blur(values: Float[np.ndarray, "n"], spread_s: float) -> Float[np.ndarray, "n"]:
    """A track smoothed by a Gaussian of `spread_s`."""
    reach = max(1, round(3 * spread_s * TRACK_HZ))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (spread_s * TRACK_HZ)) ** 2)
    return np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), mode="valid")


def at(values: Float[np.ndarray, "n"], times_s: Float[np.ndarray, "t"]) -> Float[np.ndarray, "t"]:
    """A track at other times."""
    return np.interp(times_s, np.arange(len(values)) / TRACK_HZ, values)
