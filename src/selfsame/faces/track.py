"""One face through a video: found, followed from frame to frame, and where its crop lies, steadied in time."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from selfsame.core import curves
from selfsame.core.video import Frame
from selfsame.faces import align, detect
from selfsame.faces.align import Affine, Alignment
from selfsame.faces.detect import Face

GAP_S = 0.4  # a face unseen for no longer is taken to have moved straight on
SEARCH_EVERY_S = 0.2  # while there is no face for longer
CUT = 0.12  # a mean change of the small grey picture, as a share of white, that only a cut makes
SMALL_PX = 16


@dataclass(frozen=True, eq=False)
class Track:
    """The face in each of T frames: times (T) in seconds, landmarks (T, 5, 2) in pixels, NaN where it is not seen.

    `shot` (T) counts the cuts before a frame.
    """

    times_s: Float[np.ndarray, "t"]
    landmarks: Float[np.ndarray, "t 5 2"]
    shot: Int[np.ndarray, "t"]

    @property
    def seen(self) -> Bool[np.ndarray, "t"]:
        """In which frames the face was found."""
        found: np.ndarray = ~np.isnan(self.landmarks[:, 0, 0])
        return found


def follow(frames: Iterable[Frame], on_frame: Callable[[int], None] | None = None) -> Track:
    """Find the largest face and follow it; `on_frame` hears how many frames are done. Frames are looked at once."""
    times_s: list[float] = []
    landmarks: list[np.ndarray] = []
    shots: list[int] = []
    face, small_before, searched_s, shot = None, None, -math.inf, 0
    last_seen_s = -math.inf
    for frame in frames:
        small = _small(frame.pixels)
        if small_before is not None and np.abs(small - small_before).mean() > CUT:
            face, shot, searched_s, last_seen_s = None, shot + 1, -math.inf, -math.inf
        small_before = small
        found = detect.near(frame.pixels, face) if face else None
        lost_long = frame.time_s - last_seen_s > GAP_S
        if found is None and (not lost_long or frame.time_s - searched_s >= SEARCH_EVERY_S):
            searched_s = frame.time_s
            found = _search(frame.pixels, None if lost_long else face)
        if found is not None:
            last_seen_s = frame.time_s
            face = found
        elif lost_long:
            face = None
        times_s.append(frame.time_s)
        landmarks.append(np.full((5, 2), np.nan) if found is None else found.landmarks)
        shots.append(shot)
        if on_frame:
            on_frame(len(times_s))
    return Track(np.array(times_s), np.array(landmarks, float).reshape(-1, 5, 2), np.array(shots, int))


def stretches(track: Track) -> list[Int[np.ndarray, "n"]]:
    """The frames of each unbroken appearance of the face: within one shot, first to last sight, short gaps included."""
    where = np.flatnonzero(track.seen)
    if not len(where):
        return []
    apart = (np.diff(track.times_s[where]) > GAP_S) | (np.diff(track.shot[where]) > 0)
    return [np.arange(part[0], part[-1] + 1) for part in np.split(where, np.flatnonzero(apart) + 1)]


def crops(track: Track, size_px: int, sigma_s: float, alignment: Alignment = "eg3d") -> list[Affine | None]:
    """From each frame's pixels to its crop of `size_px`, steadied over `sigma_s` seconds; None without a face."""
    transform = align.TRANSFORMS[alignment]
    placed: list[Affine | None] = [None] * len(track.times_s)
    for part in stretches(track):
        seen, times_s = track.seen[part], track.times_s[part]
        places = np.full((len(part), 4), np.nan)
        places[seen] = [_place(transform(p, size_px), size_px) for p in track.landmarks[part][seen]]
        for i, place in zip(part, curves.smooth(times_s, curves.fill(times_s, places, seen), sigma_s), strict=True):
            placed[i] = _transform(place, size_px)
    return placed


def _search(pixels: UInt8[np.ndarray, "h w 3"], lost: Face | None) -> Face | None:
    """The refined face of a whole frame: the largest, or the one where it was lost."""
    faces = detect.detect(pixels)
    if lost is not None:
        faces = [one for one in faces if detect.shift(one, lost) < detect.LARGEST_SHIFT]
    return detect.refine(pixels, faces[0]) if faces else None


def _small(pixels: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "16 16"]:
    """The frame as a tiny grey picture in [0, 1]."""
    tiny = cv2.resize(pixels, (SMALL_PX, SMALL_PX), interpolation=cv2.INTER_AREA)
    grey: Float[np.ndarray, "16 16"] = tiny.mean(-1) / 255
    return grey


def _place(transform: Affine, size_px: int) -> tuple[float, float, float, float]:
    """Middle of the crop in the photo, and the photo pixels and direction of one crop pixel to the right."""
    middle = np.full((1, 2), (size_px - 1) / 2)
    x, y = align.apply(cv2.invertAffineTransform(transform), middle)[0]
    across, down = transform[0][:2] / np.square(transform[0, :2]).sum()
    return float(x), float(y), float(across), float(down)


def _transform(place: Float[np.ndarray, "4"], size_px: int) -> Affine:
    """The transform with such a place."""
    x, y, across, down = place
    return align.similarity(np.array([x, y]), 1 / math.hypot(across, down), math.atan2(down, across), size_px)
