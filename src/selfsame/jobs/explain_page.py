"""The page of what a detector looks at: shares by generator, then errors and successes as frames and heat maps."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from selfsame.clips.index import Clip
from selfsame.core import image
from selfsame.core.results import Measured
from selfsame.detectors.explain import REGIONS
from selfsame.jobs import evidence, heat, report
from selfsame.jobs.evidence import Explained, Seen
from selfsame.jobs.report import Section
from selfsame.tasks import detector
from selfsame.tasks.clip_crops import ClipCrops
from selfsame.tasks.detector import Model

Crops = Callable[[Clip], ClipCrops]

FRAMES = 3  # of a clip that is shown
TILE_PX, LEGEND_PX = 144, 320
SUCCESSES = 2  # a generator


def write(made: Explained, model: Model, seen: Sequence[Seen], crops_of: Crops, shown: int) -> None:
    """Write the page of what was found."""
    cases = _Cases(model, crops_of, heat.scale([s.maps for s in seen]))
    threshold = model.parts.calibration.threshold
    sections = [_shares(made, seen), cases.legend(seen[0])]
    for title, words, errors in (
        ("Fakes called real", "the least suspected first", made.missed),
        ("Reals called fake", "the most suspected first", made.alarms),
    ):
        told = f"{len(errors)} clips, {words}" + (f"; the first {shown} are shown." if len(errors) > shown else ".")
        sections.append(Section(title, told if errors else "None.", cases.pictures(errors[:shown])))
    for maker in evidence.makers(seen):
        words = f"The clearest of {sum(s.clip.maker == maker for s in seen)} clips."
        if best := successes(seen, maker, threshold):
            sections.append(Section(f"Right: {maker}", words, cases.pictures(best)))
    if made.left_out:
        lines = "".join(f"<li>{html.escape(f'{path}: {why}')}</li>" for path, why in made.left_out.items())
        sections.append(Section("Left out", f"{len(made.left_out)} clips.", f"<ul>{lines}</ul>"))
    lead = (
        f"{model.parts.training.detector} on {len(seen)} clips. It calls a clip fake from a probability of "
        f"{100 * threshold:.0f} % on: {len(made.missed)} fakes were called real, {len(made.alarms)} real clips fake."
    )
    report.write(made.page, "What the detector looks at", lead, sections, "Made with selfsame.")


def successes(seen: Sequence[Seen], maker: str, threshold: float) -> list[Seen]:
    """The clips of a maker that were called right with the most confidence."""
    right = [s for s in seen if s.clip.maker == maker and (s.probability >= threshold) == s.fake]
    return sorted(right, key=lambda s: -s.probability if s.fake else s.probability)[:SUCCESSES]


@dataclass(frozen=True)
class _Cases:
    """How clips are shown: by which model, from which crops, on which scale."""

    model: Model
    crops_of: Crops
    top: float

    def pictures(self, seen: Sequence[Seen]) -> str:
        return "".join(self._one(s) for s in seen)

    def legend(self, seen: Seen) -> Section:
        """How pictures are to be read, with the regions on one of them."""
        words = (
            f"Each clip below is shown by {FRAMES} frames; right of each the evidence for fake in it, then that "
            "for real. One scale for the whole page, so that pictures compare: from nothing (the grey frame) to "
            f"{self.top:.2g} a place of the map, in the logit's unit. {100 * heat.COMMON:.0f} % of all evidence lies "
            "below; more has the same colour. Outlined: the face and the ring about it, the same in all crops."
        )
        frame = detector.images(self.crops_of(seen.clip).pixels[0, :1].numpy())
        outlined = heat.regions(image.resize(frame, LEGEND_PX), self.model.parts.training.crop.shown)
        bar = report.picture(heat.bar(), "from none to the most", wide=False)
        return Section("How to read the pictures", words, f"{bar}<br>{report.picture(outlined, 'regions', wide=False)}")

    def _one(self, seen: Seen) -> str:
        crops = self.crops_of(seen.clip)
        units = detector.evenly(len(detector.units_of(self.model.net, crops)), FRAMES)
        tiles = heat.strip(heat.of_units(self.model, crops, units), self.top, TILE_PX)
        truth = "real" if not seen.fake else f"fake by {seen.clip.maker}"
        words = (
            f"{truth}, identity {seen.clip.identity or 'unknown'}: probability of fake {100 * seen.probability:.1f} % "
            f"({seen.clip.path})"
        )
        picture = report.picture(image.grid(tiles, columns=len(tiles)), words)
        return f"<figure>{picture}<figcaption>{html.escape(words)}</figcaption></figure>"


def _shares(made: Explained, seen: Sequence[Seen]) -> Section:
    count: Callable[[str], int] = lambda maker: sum(s.clip.maker == maker for s in seen)  # noqa: E731
    rows = [["the region's share of the picture", "", "", *(f"{share:.2f}" for share in made.areas), ""]]
    for maker, without in made.without.items():
        found = made.shares.get(maker)
        people = str(found[0].n) if found else "0"
        cells = [_share(m, a) for m, a in zip(found, made.areas, strict=True)] if found else ["-"] * len(REGIONS)
        rows.append([html.escape(maker), str(count(maker)), people, *cells, str(without)])
    words = (
        "Of the evidence for fake (Grad-CAM's positive part), the share that lies in the face, in the ring about it "
        "(hair and neck) and in the background: means over clips, 95 % intervals over people. Below each, how many "
        "times the share that evidence spread evenly would have. Real clips too: what makes them more suspect. "
        "Clips without any such evidence have no shares and stand in the last column."
    )
    return Section(
        "Where the evidence lies", words, report.table(("clips of", "clips", "people", *REGIONS, "without"), rows)
    )


def _share(found: Measured, area: float) -> str:
    interval = f" [{found.low:.2f}, {found.high:.2f}]" if found.n > 1 else ""
    times = f"<br><small>{found.mean / area:.1f} x even</small>" if area else ""
    return f"{found.mean:.2f}{interval}{times}"
