"""The sound of a made-up talk: pulses of the vocal folds and noise of the breath through the resonances of a mouth."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.signal import lfilter, sosfilt

from selfsame.core import rng
from selfsame.world import speech as talks
from selfsame.world.speech import CONSONANTS, TRACK_HZ, VOWELS, Phrase, Speech, Syllable

RATE_HZ = 24000
BANDWIDTHS_HZ = (70.0, 100.0, 140.0, 220.0, 300.0)  # of the five resonances
HIGH_HZ = (3500.0, 4500.0)  # the fourth and fifth, which no vowel moves
RISE, FALL = 0.42, 0.18  # shares of a period in which the vocal folds open and shut
PEAK, FLOOR = 0.8, 6e-4  # loudest sample, and the noise of the room


@dataclass(frozen=True)
class Voice:
    """Whose voice: mean pitch, size of the mouth (1 a man's, its formants grow with it), breath, unsteadiness."""

    pitch_hz: float
    formants: float
    breath: float
    jitter: float


@dataclass(frozen=True, eq=False)
class _Tracks:
    """What the voice does over the talk, each (n,) at TRACK_HZ; `formants_hz` (5, n)."""

    loud: np.ndarray
    puff: np.ndarray
    pitch_hz: np.ndarray
    formants_hz: np.ndarray


def voice_of(seed: int, sex: float, years: float) -> Voice:
    """The voice of the person with this seed: lower in men, rougher with age, in which men's rise and women's fall."""
    own = torch.randn(3, generator=rng.generator(seed, "voice")).clamp(-2, 2).tolist()
    man, old = (sex + 1) / 2, max(0.0, (years - 50) / 30)
    pitch = math.log(205) + man * math.log(115 / 205) + 0.09 * own[0] + 0.12 * old * (2 * man - 1)
    formants = 1.17 - 0.17 * man + 0.025 * own[1]
    return Voice(math.exp(pitch), formants, (0.05 + 0.03 * old) * math.exp(0.3 * own[2]), 0.008 + 0.012 * old)


def speak(speech: Speech, voice: Voice, seed: int) -> Float[np.ndarray, "s"]:
    """The talk as RATE_HZ mono samples in [-1, 1], float32; `seed` fixes melody and noise."""
    tracks = _tracks(speech, voice, seed)
    sound = np.zeros(round(speech.seconds * RATE_HZ), np.float32)
    for number, phrase in enumerate(speech.phrases):
        first, last = _sample(max(0.0, phrase.start_s - 0.45)), min(len(sound), _sample(phrase.end_s + 0.1))
        noise = np.random.default_rng(rng.key(seed, "noise", number))
        sound[first:last] += _say(speech, phrase, voice, tracks, first, last, noise)
    sound *= PEAK / max(float(np.abs(sound).max(initial=0.0)), 1e-6)
    sound += FLOOR * np.random.default_rng(rng.key(seed, "room")).standard_normal(len(sound), np.float32)
    return sound


def _sample(time_s: float) -> int:
    return round(time_s * RATE_HZ)


def _tracks(speech: Speech, voice: Voice, seed: int) -> _Tracks:
    loud = talks.track(speech, 0.0, lambda s: CONSONANTS[s.consonant].voice, loudness, 0.010)
    puff = talks.track(speech, 0.0, lambda s: 0.0, lambda s: 0.0, 0.010)
    for s in speech.syllables:
        if CONSONANTS[s.consonant].kind == "plosive" and not CONSONANTS[s.consonant].voice:
            puff[round(s.vowel_s * TRACK_HZ) - 3 : round(s.vowel_s * TRACK_HZ) + 4] = 0.25
    formants = [
        talks.track(speech, 500, lambda s: 280 if _hummed(s) else 400, lambda s: VOWELS[s.vowel].formants_hz[0], 0.018),
        talks.track(speech, 1500, lambda s: CONSONANTS[s.consonant].locus_hz, lambda s: _second(s), 0.026),
        talks.track(speech, 2500, lambda s: 2500, lambda s: VOWELS[s.vowel].formants_hz[2], 0.026),
    ]
    formants += [np.full_like(loud, hz) for hz in HIGH_HZ]
    return _Tracks(loud, talks.blur(puff, 0.008), _melody(speech, voice, seed), voice.formants * np.stack(formants))


def loudness(syllable: Syllable) -> float:
    """How loud a vowel is, up to 1: open mouths and stressed syllables are louder."""
    return (0.45 + 0.55 * VOWELS[syllable.vowel].open) * (1.0 if syllable.stressed else 0.72)


def _second(s: Syllable) -> float:
    return VOWELS[s.vowel].formants_hz[1]


def _hummed(s: Syllable) -> bool:
    return CONSONANTS[s.consonant].kind == "nasal"


def _melody(speech: Speech, voice: Voice, seed: int) -> Float[np.ndarray, "n"]:
    """Pitch in Hz: it falls through a phrase, leaps on stressed syllables, and ends low, or high as a question does."""
    leaps = talks.track(speech, 0.0, lambda s: 0.0, lambda s: float(s.stressed), 0.050)
    octaves = np.zeros_like(leaps)
    for number, phrase in enumerate(speech.phrases):
        asks, lively = torch.rand(2, generator=rng.generator(seed, "melody", number)).tolist()
        first, last = (round(time_s * TRACK_HZ) for time_s in (phrase.start_s, phrase.end_s))
        done = np.linspace(0, 1, last - first)
        end = (0.45 if asks < 0.25 else -0.16) * np.clip((done - 0.8) / 0.2, 0, 1)
        octaves[first:last] = 0.16 - 0.34 * done + end + (0.16 + 0.22 * lively) * leaps[first:last]
    return voice.pitch_hz * 2 ** talks.blur(octaves, 0.030)


def _say(
    speech: Speech, phrase: Phrase, voice: Voice, tracks: _Tracks, first: int, last: int, noise: np.random.Generator
) -> Float[np.ndarray, "s"]:
    """Samples `first` to `last`, which hold one phrase and the breath drawn before it."""
    times = np.arange(first, last) / RATE_HZ
    loud, puff = talks.at(tracks.loud, times), talks.at(tracks.puff, times)
    pulses, open_folds = _folds(talks.at(tracks.pitch_hz, times), voice, noise)
    hiss = noise.standard_normal(len(times))
    source = loud * (pulses + voice.breath * hiss * (0.3 + open_folds)) + 0.35 * puff * hiss
    sound = _mouth(source, tracks.formants_hz, first)
    for s in speech.syllables:
        if phrase.start_s <= s.start_s < phrase.end_s and CONSONANTS[s.consonant].noise:
            begin, burst = _noise(s, noise)
            room = sound[begin - first : begin - first + len(burst)]
            room += burst[: len(room)]
    return sound + _breath_in(phrase, times, noise)


def _folds(
    pitch_hz: Float[np.ndarray, "s"], voice: Voice, noise: np.random.Generator
) -> tuple[Float[np.ndarray, "s"], Float[np.ndarray, "s"]]:
    """Change of the flow through the vocal folds (Rosenberg's pulse), and the flow itself in [0, 1]."""
    wander = talks.at(
        noise.standard_normal(2 + len(pitch_hz) * TRACK_HZ // RATE_HZ), np.arange(len(pitch_hz)) / RATE_HZ
    )
    phase = np.cumsum(pitch_hz * (1 + voice.jitter * wander)) / RATE_HZ
    period = phase.astype(int)
    part = phase - period
    opening = 0.5 - 0.5 * np.cos(np.pi * np.minimum(part / RISE, 1))
    closing = np.cos(0.5 * np.pi * np.clip((part - RISE) / FALL, 0, 1))
    strength = 1 + 3 * voice.jitter * noise.standard_normal(period.max(initial=0) + 1)
    flow = np.where(part < RISE, opening, closing) * strength[period]
    return np.diff(flow, prepend=0.0) * RATE_HZ / pitch_hz / 6, flow


def _mouth(source: Float[np.ndarray, "s"], formants_hz: np.ndarray, first: int) -> Float[np.ndarray, "s"]:
    """The source through five resonances in a row, which move every 5 ms; each has gain 1 at 0 Hz."""
    block = RATE_HZ // TRACK_HZ
    state = np.zeros((len(formants_hz), 2))
    out = np.empty_like(source)
    radius = np.exp(-np.pi * np.array(BANDWIDTHS_HZ) / RATE_HZ)
    for begin in range(0, len(source), block):
        hz = formants_hz[:, min((first + begin) // block, formants_hz.shape[1] - 1)]
        turn, back = 2 * radius * np.cos(2 * np.pi * hz / RATE_HZ), radius**2
        gain, none = 1 - turn + back, np.zeros_like(turn)
        sections = np.stack([gain, none, none, none + 1, -turn, back], -1)
        out[begin : begin + block], state = sosfilt(sections, source[begin : begin + block], zi=state)
    return out


def _noise(s: Syllable, noise: np.random.Generator) -> tuple[int, Float[np.ndarray, "n"]]:
    """First sample and samples of a plosive's burst (at the end of its closure) or of a fricative's hiss."""
    consonant = CONSONANTS[s.consonant]
    start_s, end_s = (s.vowel_s - 0.018, s.vowel_s + 0.012) if consonant.kind == "plosive" else (s.start_s, s.vowel_s)
    length = _sample(end_s) - _sample(start_s)
    share = np.linspace(0, 1, length)
    sharp = consonant.kind == "plosive"
    shape = np.exp(-4 * share) if sharp else np.sin(np.pi * share) ** 0.5
    radius = math.exp(-math.pi * 0.22 * consonant.noise_hz / RATE_HZ)
    turn = 2 * radius * math.cos(2 * math.pi * consonant.noise_hz / RATE_HZ)
    hiss = lfilter([1.0, 0.0, -1.0], [1.0, -turn, radius**2], noise.standard_normal(length))
    return _sample(start_s), consonant.noise * shape * hiss / max(float(hiss.std()), 1e-6)


def _breath_in(phrase: Phrase, times: Float[np.ndarray, "s"], noise: np.random.Generator) -> Float[np.ndarray, "s"]:
    """The quiet breath before a phrase."""
    swell = np.exp(-0.5 * ((times - phrase.start_s + 0.20) / 0.07) ** 2) * (times < phrase.start_s)
    return 0.022 * swell * lfilter([1.0, -0.6], [1.0, -1.1, 0.5], noise.standard_normal(len(times)))
