"""Whether pictures are the same but for size and compression: difference hashes, and those that lie close together."""

import cv2
import numpy as np
from jaxtyping import Int, UInt8, UInt64

HASH_PX = 16
SAME_BITS = 16  # of HASH_PX**2; saved again: 4 to 21; frames of one video: median 41 to 53, some under 16
COMPARED_AT_ONCE = 64  # rows of a distance matrix that is never whole in memory


def perceptual_hash(grey: UInt8[np.ndarray, "h w"]) -> str:
    """Which neighbours of a 16 x 17 reduction are brighter, as 64 hexadecimal digits (difference hash)."""
    tiny = cv2.resize(grey, (HASH_PX + 1, HASH_PX), interpolation=cv2.INTER_AREA).astype(np.int16)
    bits = (tiny[:, 1:] > tiny[:, :-1]).flatten()
    return np.packbits(bits).tobytes().hex()


def apart(one: str, other: str) -> int:
    """In how many bits two perceptual hashes differ: at most SAME_BITS where one is a resized or re-saved copy."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def unpacked(hashes: list[str]) -> UInt64[np.ndarray, "n k"]:
    """Hexadecimal hashes of one length, a multiple of 16 digits, as 64 bits a number."""
    packed = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64)
    return packed.reshape(len(hashes), -1 if hashes else 0)


def close(hashes: UInt64[np.ndarray, "n k"], bits: int) -> Int[np.ndarray, "p 2"]:
    """All pairs (i < j) of rows that differ in at most so many bits; a second for six thousand rows of 1024 bits."""
    found = [np.zeros((0, 2), int)]
    for first in range(0, len(hashes), COMPARED_AT_ONCE):
        rows = hashes[first : first + COMPARED_AT_ONCE, None]
        differ = np.bitwise_count(rows ^ hashes[None, first:]).sum(-1, dtype=np.int32)
        pairs = np.argwhere(np.triu(differ <= bits, 1))
        found.append(pairs + first)
    return np.concatenate(found)
