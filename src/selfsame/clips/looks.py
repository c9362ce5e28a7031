"""What clips look like: perceptual hashes of a few frames, kept by digest, and the clips that are copies by them."""

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2

from selfsame.clips.index import SAVED_EVERY, THREADS, Clip, Index
from selfsame.clips.media import Media
from selfsame.core import alike, video
from selfsame.core.config import write_atomic
from selfsame.core.errors import BadInput

TIMES_S = (0.0, 1.0, 2.0, 3.0)
"""Seconds and not shares of the clip: a copy may have another rate or end earlier, and little must be decoded."""


def of(path: Path, media: Media) -> str:
    """The hashes of a clip's frames at TIMES_S, by exact index, one after the other; raises BadInput as `video.picked`.

    A clip that ends earlier repeats its last frame.
    """
    numbers = [min(round(time_s * media.fps), media.frames - 1) for time_s in TIMES_S]
    seen = {
        number: alike.perceptual_hash(cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2GRAY))
        for number, frame in video.picked(path, numbers)
    }
    if not seen:
        raise BadInput(f"{path.name} cannot be decoded.")
    return "".join(seen.get(number, seen[max(seen)]) for number in numbers)


def known(
    index: Index, file: Path, on_clip: Callable[[int, int], None] | None = None
) -> tuple[dict[str, str], dict[str, str]]:
    """The hashes of an index's usable clips by digest, and why others have none by path; `file` keeps the hashes.

    Each content is decoded once, several at a time; `on_clip` hears how many are done of how many.
    """
    found = _read(file)
    missing = {clip.digest: clip for clip in index.usable if clip.digest not in found}
    why: dict[str, str] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for done, (clip, seen) in enumerate(pool.map(lambda clip: (clip, _hash(index, clip)), missing.values()), 1):
            if isinstance(seen, BadInput):
                why[clip.path] = seen.what
            else:
                found[clip.digest] = seen
            if done % SAVED_EVERY == 0 or done == len(missing):
                write_atomic(file, "".join(json.dumps(pair) + "\n" for pair in found.items()))
            if on_clip:
                on_clip(done, len(missing))
    return found, why


def groups(clips: Iterable[Clip], hashes: Mapping[str, str]) -> dict[str, str]:
    """For each clip that looks like one with other bytes, by path: the path of the first of all that look like it.

    What looks like a copy of a copy belongs to the same group.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    hashed = [clip for clip in clips if clip.digest in hashes]
    digests = sorted({clip.digest for clip in hashed})
    pairs = alike.close(alike.unpacked([hashes[digest] for digest in digests]), alike.SAME_BITS * len(TIMES_S))
    links = coo_array(([True] * len(pairs), (pairs[:, 0], pairs[:, 1])), (len(digests), len(digests)))
    group_of = dict(zip(digests, connected_components(links, directed=False)[1].tolist(), strict=True))
    linked = {group_of[digests[i]] for i in pairs.ravel()}
    first: dict[int, str] = {}
    return {
        clip.path: first.setdefault(group_of[clip.digest], clip.path)
        for clip in hashed
        if group_of[clip.digest] in linked
    }


def _hash(index: Index, clip: Clip) -> str | BadInput:
    assert clip.media, clip.path  # usable clips have it
    try:
        return of(index.file(clip), clip.media)
    except BadInput as error:
        return error


def _read(file: Path) -> dict[str, str]:
    """What an earlier call kept; a damaged file, or one of other frames, is made again."""
    try:
        found = dict(json.loads(line) for line in file.read_text().splitlines())
    except (OSError, ValueError, TypeError):
        return {}
    digits = len(TIMES_S) * alike.HASH_PX**2 // 4
    return found if all(isinstance(x, str) and len(x) == digits for x in found.values()) else {}
