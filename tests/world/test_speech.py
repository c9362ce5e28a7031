"""A made-up talk and its voice: plausible rates, a melody and formants, the same for the same seed."""

from itertools import pairwise

import numpy as np
import pytest

from selfsame.world import speech, voice
from selfsame.world.speech import CONSONANTS, VOWELS, Phrase, Speech, Syllable
from selfsame.world.voice import RATE_HZ, Voice

MAN = Voice(pitch_hz=120.0, formants=1.0, breath=0.05, jitter=0.005)


def spoken(consonant: str, vowel: str) -> Speech:
    """One long stressed syllable."""
    return Speech(1.0, (Phrase(0.2, 0.8),), (Syllable(0.2, 0.3 if consonant else 0.2, 0.8, consonant, vowel, True),))


def spectrum(sound: np.ndarray, start_s: float, end_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and power of a stretch of sound."""
    part = sound[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]
    return np.fft.rfftfreq(len(part), 1 / RATE_HZ), np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2


def test_people_speak_four_to_five_syllables_a_second_in_phrases() -> None:
    talks = [speech.draw(seed, 60.0) for seed in range(20)]
    rates = [len(t.syllables) / sum(p.end_s - p.start_s for p in t.phrases) for t in talks]
    assert min(rates) > 3.8 and max(rates) < 5.2 and 4.2 < np.mean(rates) < 4.8
    lengths = [p.end_s - p.start_s for t in talks for p in t.phrases[:-1]]
    assert min(lengths) > 0.7 and max(lengths) < 3.2
    pauses = [b.start_s - a.end_s for t in talks for a, b in pairwise(t.phrases)]
    assert min(pauses) > 0.19 and max(pauses) < 0.81


def test_syllables_follow_each_other_and_fill_their_phrases() -> None:
    talk = speech.draw(5, 30.0)
    assert {s.consonant for s in talk.syllables} == set(CONSONANTS) and {s.vowel for s in talk.syllables} == set(VOWELS)
    for s, after in pairwise(talk.syllables):
        assert s.start_s <= s.vowel_s < s.end_s <= after.start_s
        assert not (s.stressed and after.stressed and after.start_s == s.end_s)
    assert talk.syllables[-1].end_s < 30
    edges = {p.start_s for p in talk.phrases} | {p.end_s for p in talk.phrases}
    assert edges <= {s.start_s for s in talk.syllables} | {s.end_s for s in talk.syllables}


def test_a_longer_talk_begins_like_a_shorter_one() -> None:
    short, long = speech.draw(3, 5.0), speech.draw(3, 20.0)
    assert long.syllables[: len(short.syllables)] == short.syllables
    assert speech.draw(4, 5.0) != short


def test_a_talk_too_short_for_a_syllable_is_silence() -> None:
    talk = speech.draw(1, 0.1)
    assert not talk.syllables and not talk.phrases
    assert np.abs(voice.speak(talk, MAN, 1)).max() < 0.01


def test_sound_is_a_function_of_its_seed_and_stays_in_range() -> None:
    talk = speech.draw(2, 3.0)
    one, same, other = (voice.speak(talk, MAN, seed) for seed in (1, 1, 2))
    assert one.dtype == np.float32 and one.shape == (3 * RATE_HZ,)
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert 0.7 < np.abs(one).max() < 0.9


def test_pauses_are_quiet() -> None:
    talk = speech.draw(2, 12.0)
    sound = voice.speak(talk, MAN, 1)
    times = np.arange(len(sound)) / RATE_HZ
    said = np.zeros(len(sound), bool)
    for p in talk.phrases:
        said |= (times > p.start_s - 0.02) & (times < p.end_s + 0.08)
    assert np.sqrt((sound[said] ** 2).mean()) > 20 * np.sqrt((sound[~said] ** 2).mean())


@pytest.mark.parametrize("vowel", sorted(VOWELS))
def test_a_vowel_has_its_formants(vowel: str) -> None:
    hz, power = spectrum(voice.speak(spoken("", vowel), MAN, 0), 0.35, 0.7)
    smooth = np.convolve(np.log(power + 1e-12), np.hanning(61) / np.hanning(61).sum(), "same")
    smooth += 2 * np.log(hz + 50)  # what the vocal folds take from high notes is given back
    for formant in VOWELS[vowel].formants_hz:
        near = (hz > formant - 160) & (hz < formant + 160)
        beside = ((hz > formant - 700) & (hz < formant - 350)) | ((hz > formant + 350) & (hz < formant + 700))
        assert smooth[near].max() > np.median(smooth[beside & (hz > 150)])


def test_an_s_is_high_noise_and_a_vowel_is_not() -> None:
    sound = voice.speak(spoken("s", "a"), MAN, 0)
    for start_s, end_s, high in ((0.22, 0.28, True), (0.4, 0.7, False)):
        hz, power = spectrum(sound, start_s, end_s)
        assert (power[hz > 4000].sum() > power[hz < 4000].sum()) == high


def test_men_have_lower_voices_and_age_roughens() -> None:
    women, men = ([voice.voice_of(seed, sex, 30.0) for seed in range(40)] for sex in (-1.0, 1.0))
    assert 180 < np.median([v.pitch_hz for v in women]) < 230 and 100 < np.median([v.pitch_hz for v in men]) < 130
    assert np.mean([v.formants for v in women]) > 1.1 * np.mean([v.formants for v in men])
    old, young = voice.voice_of(1, 1.0, 80.0), voice.voice_of(1, 1.0, 30.0)
    assert old.jitter > young.jitter and old.pitch_hz > young.pitch_hz
    assert voice.voice_of(1, -1.0, 80.0).pitch_hz < voice.voice_of(1, -1.0, 30.0).pitch_hz


def test_the_pitch_heard_is_the_voice_s() -> None:
    for pitch_hz in (110.0, 210.0):
        own = Voice(pitch_hz, 1.0, 0.05, 0.005)
        part = voice.speak(spoken("", "a"), own, 0)[round(0.45 * RATE_HZ) : round(0.55 * RATE_HZ)]
        echo = np.correlate(part, part, "full")[len(part) - 1 :]
        shortest = RATE_HZ // 400
        heard = RATE_HZ / (shortest + int(echo[shortest : RATE_HZ // 60].argmax()))
        assert abs(np.log2(heard / pitch_hz)) < 0.45
