"""Where a detector finds its evidence in clips: maps of some frames, and mean shares by region and generator."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from selfsame.clips.index import Clip
from selfsame.core.results import Measured
from selfsame.detectors import explain as cams
from selfsame.jobs import heat
from selfsame.metrics import stats
from selfsame.tasks import detector
from selfsame.tasks.clip_crops import ClipCrops
from selfsame.tasks.detector import Model

UNITS = 8  # of a clip that have maps, spread evenly


@dataclass(frozen=True, eq=False)
class Seen:
    """A clip, its calibrated probability, the maps of both sides (U, T, h, w) of some units, the frame (U) that each
    begins with, and the shares (3) of evidence for fake by region: means over frames that have any, NaN where none has.
    """

    clip: Clip
    probability: float
    maps: Float[Tensor, "u t h w"]
    numbers: tuple[int, ...]
    shares: Float[Tensor, "3"]

    @property
    def fake(self) -> bool:
        """What it is in truth."""
        return self.clip.label == "fake"


@dataclass(frozen=True, eq=False)
class Explained:
    """Mean shares of evidence by maker ("real" too) and region, the regions' shares of the picture, errors by
    confidence (fakes called real, reals called fake), what was left out and why, the page and the file of raw maps.
    """

    shares: dict[str, tuple[Measured, ...]]
    areas: tuple[float, ...]
    without: dict[str, int]
    missed: list[Seen]
    alarms: list[Seen]
    left_out: dict[str, str]
    page: Path
    maps: Path


def look(model: Model, clip: Clip, crops: ClipCrops) -> Seen:
    """Judge one clip and make the maps of some of its units."""
    told = list(detector.unit_frames(model.net, crops))
    units = detector.evenly(len(told), UNITS)
    maps = heat.maps(model, crops, units)
    shares = cams.shares(cams.of(maps, "fake"), model.parts.training.crop.shown).flatten(0, 1).nanmean(0)
    return Seen(clip, float(model.judge(crops).mean()), maps, tuple(told[u][0] for u in units.tolist()), shares)


def by_maker(seen: Sequence[Seen]) -> dict[str, tuple[Measured, ...]]:
    """Mean shares of each maker's clips by region, with intervals over identities; the real ones first.

    Better is more on the face. Clips without evidence for fake have no shares and do not count.
    """
    made = {}
    for maker in makers(seen):
        known = [s for s in seen if s.clip.maker == maker and not math.isnan(float(s.shares[0]))]
        if known:
            units = [s.clip.identity or s.clip.digest for s in known]
            made[maker] = tuple(
                stats.measure(
                    f"{maker}, {region}", [float(s.shares[i]) for s in known], units=units,
                    better="high" if region == "face" else "low",
                )
                for i, region in enumerate(cams.REGIONS)
            )  # fmt: skip
    return made


def makers(seen: Sequence[Seen]) -> list[str]:
    """Real first, then the generators by name."""
    return sorted({s.clip.maker for s in seen}, key=lambda name: (name != "real", name))


def without(seen: Sequence[Seen]) -> dict[str, int]:
    """How many clips of each maker have no evidence for fake at all."""
    none = [s.clip.maker for s in seen if s.shares.isnan().all()]
    return {maker: none.count(maker) for maker in makers(seen)}
