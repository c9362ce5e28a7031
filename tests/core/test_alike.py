"""Copies of pictures are recognised, and close hashes are found as one by one."""

from itertools import combinations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from skimage.data import astronaut, cat

from selfsame.core import alike


def grey(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)


def test_a_saved_again_copy_is_the_same_picture_and_another_is_not() -> None:
    photo = astronaut()
    copy = cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR)
    smaller = cv2.resize(copy, (200, 200), interpolation=cv2.INTER_AREA)
    first = alike.perceptual_hash(grey(photo))
    assert alike.apart(first, alike.perceptual_hash(grey(smaller))) <= alike.SAME_BITS
    assert alike.apart(first, alike.perceptual_hash(grey(cat()[:, :300]))) > alike.SAME_BITS
    assert alike.apart(first, alike.perceptual_hash(grey(photo[:, ::-1]))) > alike.SAME_BITS
    assert alike.apart(first, first) == 0


@given(st.integers(0, 2**32 - 1), st.integers(0, 150), st.integers(0, 3), st.integers(0, 20))
def test_close_hashes_are_those_of_brute_force(seed: int, count: int, frames: int, bits: int) -> None:
    """Few different rows, each with a few bits turned, so that some pairs lie on either side of any limit."""
    random = np.random.default_rng(seed)
    base = random.integers(0, 256, (4, frames * 32), np.uint8)[random.integers(0, 4, count)]
    rows = base ^ (1 << random.integers(0, 8, base.shape)).astype(np.uint8) * (random.random(base.shape) < 0.15)
    hashes = [row.tobytes().hex() for row in rows]
    slow = {
        (i, j)
        for (i, one), (j, other) in combinations(enumerate(hashes), 2)
        if (int(one or "0", 16) ^ int(other or "0", 16)).bit_count() <= bits
    }
    pairs = alike.close(alike.unpacked(hashes), bits)
    assert pairs.shape == (len(slow), 2) and {(int(i), int(j)) for i, j in pairs} == slow
