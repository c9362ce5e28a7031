"""Face and head during a talk: lips that shut where they must, blinks, and motion without jumps."""

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
import torch

from selfsame.world import motion, speech
from selfsame.world.person import Expression
from selfsame.world.speech import CONSONANTS, VOWELS, Speech

FPS = 25.0
SEEDS = range(8)


def times(seconds: float, fps: float = FPS) -> np.ndarray:
    return (np.arange(round(seconds * fps)) + 0.5) / fps


@pytest.fixture(scope="module")
def talks() -> list[Speech]:
    return [speech.draw(seed, 20.0) for seed in SEEDS]


def middles(talk: Speech) -> np.ndarray:
    """When each vowel is half said."""
    return np.array([0.5 * (s.vowel_s + s.end_s) for s in talk.syllables])


def seen(talk: Speech, seed: int, at_s: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Yaw and pitch at which the turning head sees a camera before it."""
    turn = motion.turns(talk, seed, at_s)
    return -turn[:, 1], turn[:, 0]


def acted(talk: Speech, seed: int, fps: float = FPS) -> Expression:
    at_s = times(talk.seconds, fps)
    return motion.expression(talk, seed, at_s, *seen(talk, seed, at_s))


def test_every_curve_is_finite_moves_and_keeps_its_range(talks: list[Speech]) -> None:
    faces = [acted(talk, seed) for seed, talk in enumerate(talks)]
    for item in fields(Expression):
        curve = torch.cat([getattr(face, item.name) for face in faces])
        low, high = item.metadata["range"]
        assert curve.isfinite().all() and float(curve.std()) > 0.02, item.name
        # Lids shut altogether, which looks drawn at random need not.
        assert low <= float(curve.min()) and float(curve.max()) <= (1 if item.name == "lid_close" else high), item.name


def test_lips_shut_on_p_b_and_m(talks: list[Speech]) -> None:
    at_s = times(20.0)
    for seed, talk in enumerate(talks):
        opened = motion.mouth_open(talk, seed, at_s)
        for s in talk.syllables:
            if CONSONANTS[s.consonant].lips == 1:
                assert opened[(at_s > s.start_s - 0.02) & (at_s < s.vowel_s + 0.02)].min() <= 0


def test_the_mouth_opens_with_the_vowel_and_shuts_in_pauses(talks: list[Speech]) -> None:
    heights: dict[str, list[float]] = {name: [] for name in VOWELS}
    for seed, talk in enumerate(talks):
        for s, height in zip(talk.syllables, motion.mouth_open(talk, seed, middles(talk)), strict=True):
            heights[s.vowel].append(float(height))
        ends = np.array([a.end_s + 0.12 for a, b in pairwise(talk.phrases)])
        starts = np.array([b.start_s - 0.12 for a, b in pairwise(talk.phrases)])
        assert motion.mouth_open(talk, seed, 0.5 * (ends + starts)).max() <= 0
    mean = {name: float(np.mean(h)) for name, h in heights.items()}
    assert mean["a"] > 0.55 > mean["o"] > mean["i"] > 0.08
    assert min(heights["a"]) > 0.35


def test_lips_round_on_o_and_u(talks: list[Speech]) -> None:
    for talk in talks:
        for s, rounded in zip(talk.syllables, motion.mouth_round(talk, middles(talk)), strict=True):
            assert rounded > 0.6 if s.vowel in "ou" else rounded < 0.4


def test_blinks_are_two_to_six_seconds_apart_and_rather_between_phrases() -> None:
    near, gaps = [], []
    for seed in range(20):
        talk = speech.draw(seed, 60.0)
        blinks = motion.blinks(talk, seed)
        assert all(0.149 < b.end_s - b.start_s < 0.301 for b in blinks) and blinks[-1].end_s <= 60
        gaps += [b.start_s - a.start_s for a, b in pairwise(blinks)]
        near += [min(abs(b.start_s - p.end_s) for p in talk.phrases) < 0.1 for b in blinks]
    assert min(gaps) > 1.99 and max(gaps) < 6.01 and 2.5 < np.mean(gaps) < 4.5
    assert np.mean(near) > 0.5


def test_lids_shut_in_every_blink_and_only_there() -> None:
    talk = speech.draw(3, 30.0)
    at_s = times(30.0, 100.0)
    lids = acted(talk, 3, 100.0).lid_close.numpy()
    inside = np.zeros(len(at_s), bool)
    for blink in motion.blinks(talk, 3):
        during = (at_s > blink.start_s) & (at_s < blink.end_s)
        assert lids[during].max() > 0.99
        inside |= during
    assert lids[~inside].max() < 0.2


def test_the_head_moves_smoothly(talks: list[Speech]) -> None:
    at_s = times(20.0)
    for seed, talk in enumerate(talks):
        turn = np.degrees(motion.turns(talk, seed, at_s).numpy())
        assert np.abs(np.diff(turn, axis=0)).max() < 1.5  # degrees from frame to frame
        assert np.abs(turn).max() < 15 and turn.std(0).min() > 0.5
        assert np.abs(np.diff(motion.shifts(seed, at_s).numpy(), axis=0)).max() < 0.004


def test_wandering_stays_in_its_band() -> None:
    at_s = times(200.0)
    for seed in SEEDS:
        curve = motion.wander(seed, "test", at_s, (0.1, 0.5))
        power = np.abs(np.fft.rfft(curve * np.hanning(len(curve)))) ** 2
        hz = np.fft.rfftfreq(len(curve), 1 / FPS)
        assert power[(hz > 0.08) & (hz < 0.52)].sum() > 0.999 * power.sum()
        assert 0.8 < curve.std() < 1.2


def test_motion_is_a_function_of_seed_and_time() -> None:
    talk = speech.draw(1, 10.0)
    whole, later = times(10.0), times(10.0)[100:120]
    for name, curve in vars(motion.expression(talk, 7, whole, *seen(talk, 7, whole))).items():
        part = motion.expression(talk, 7, later, *seen(talk, 7, later))
        torch.testing.assert_close(getattr(part, name), curve[100:120], msg=name)
    assert not torch.equal(motion.turns(talk, 7, later), motion.turns(talk, 8, later))
