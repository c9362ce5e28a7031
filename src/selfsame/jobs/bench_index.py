"""A benchmark's folder: the index of its clips, and the audit of what is wrong with them, as figures and a page."""

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfsame.clips import audit, index, looks
from selfsame.clips.audit import Leak
from selfsame.clips.index import Clip, Index
from selfsame.core.errors import BadInput
from selfsame.core.results import Measured
from selfsame.jobs import report
from selfsame.jobs.progress import Progress, silent
from selfsame.jobs.report import Section
from selfsame.metrics import detection
from selfsame.metrics.detection import Scored

INDEX_FILE, AUDIT_FILE, LOOKS_FILE = "index.jsonl", "audit.html", "looks.jsonl"
LISTED = 40  # leaks or unreadable clips that a page lists one by one


def make(source: Path, out: Path, progress: Progress = silent) -> Index:
    """Index a folder or a CSV file of clips into `out`; what an earlier call read and has not changed is kept.

    Raises BadInput as `index.scan` and `index.from_csv`, and where `out` holds the index of another folder.
    """
    file = out / INDEX_FILE
    root = source if source.is_dir() else source.parent
    known: Sequence[Clip] = ()
    if file.exists():
        before = index.read(file)
        if before.root.resolve() != root.resolve():
            raise BadInput(f"{file} is the index of {before.root}.", "Give another --out.")
        known = before.clips
    if not source.exists():
        raise BadInput(f"{source} does not exist.", "Give a folder of clips, or a CSV file.")
    read = index.scan if source.is_dir() else index.from_csv
    found = read(
        source, known,
        on_clip=lambda done, total: progress("reading clips", done, total), keep=lambda part: index.write(file, part),
    )  # fmt: skip
    index.write(file, found)
    return found


def published(found: Counter[str]) -> dict[str, tuple[int, int | None]]:
    """By generator (and "real") how many there are, and how many the benchmark has; None for one that it has not.

    Where there is no generator of the benchmark its counts say nothing, and are left out.
    """
    known = index.PUBLISHED if found.keys() & (index.PUBLISHED.keys() - {"real"}) else {}
    names = [*known, *(name for name in found if name not in known)]
    return {name: (found[name], known.get(name)) for name in names}


@dataclass(frozen=True)
class Audit:
    """Leaks, files or pictures that are there twice, and how well containers alone tell fakes: of all, by generator."""

    leaks: list[Leak]
    repeated: list[tuple[str, ...]]
    containers: list[Measured]
    page: Path


def look(found: Index, out: Path, progress: Progress = silent) -> Audit:
    """Audit an index and write the page; raises BadInput where no clip can be read.

    What clips look like is kept in `out`, so that each is decoded once.
    """
    clips = found.usable
    if not clips:
        raise BadInput("No clip of the index can be read.", "See why with `selfsame bench index`.")
    hashes, unseen = looks.known(found, out / LOOKS_FILE, lambda done, total: progress("looking at clips", done, total))
    alike = looks.groups(clips, hashes)
    leaks, twice, told = audit.leaks(clips, alike), audit.repeated(clips, alike), told_by_containers(clips)
    page = _page(found, leaks, twice, told, unseen, out / AUDIT_FILE)
    return Audit(leaks, twice, told, page)


def told_by_containers(clips: Sequence[Clip]) -> list[Measured]:
    """The AUC of a classifier that sees containers alone: all clips, then each generator against the real ones.

    Nothing is said where there are too few identities of a kind to keep one apart.
    """
    values = audit.containers(clips)[1]
    fake = np.array([clip.label == "fake" for clip in clips])
    units = [clip.identity or clip.path for clip in clips]
    makers = np.array([clip.maker for clip in clips])
    rows = {"all": np.arange(len(clips))}
    rows |= {m: np.nonzero((makers == m) | ~fake)[0] for m in sorted(set(makers[fake].tolist()))}
    made = []
    for name, rows_of in rows.items():
        group = [units[i] for i in rows_of]
        score = audit.by_containers(values[rows_of], fake[rows_of], group)
        if np.isfinite(score).all():
            scored = Scored(score, fake[rows_of], group)
            made.append(detection.measure(f"AUC by containers, {name}", scored, detection.auc, "low"))
    return made


def _page(
    found: Index, leaks: list[Leak], twice: list[tuple[str, ...]], told: list[Measured], unseen: dict[str, str],
    path: Path,
) -> Path:  # fmt: skip
    clips = found.usable
    counted = published(index.counts(found))
    rows = [(name, here, "-" if wanted is None else wanted) for name, (here, wanted) in counted.items()]
    kinds = Counter((leak.kind, leak.splits) for leak in leaks)
    left_out = [(clip.path, clip.why_left_out or "") for clip in found.clips if clip.why_left_out]
    sections = [
        Section(
            "Clips", "How many there are of each generator, and how many the benchmark has.",
            _table(("made by", "here", "published"), rows),
        ),
        Section("By split", "Where a split is known.", _by_split(clips)),
        Section(
            "Leaks between splits",
            _on_leaks(clips, leaks),
            _table(("what is shared", "between", "how many"), [(k, " and ".join(s), n) for (k, s), n in kinds.items()])
            + _table(("what", "which", "clips"), [(x.kind, x.value, ", ".join(x.clips)) for x in leaks[:LISTED]]),
        ),
        Section(
            "Containers",
            "How well a forest of trees tells fake from real that never sees a picture: size, frames, rate, codecs and "
            "bits, tested on identities it has not seen. 0.5 is chance; a detector on clips like these may have "
            "learned the file and not the face.",
            report.figures(told) + _table(*_media(clips)),
        ),
    ]  # fmt: skip
    if twice:
        sections.append(
            Section(
                "There twice",
                "The same bytes, or the same pictures in another size, rate or compression.",
                _table(("clips",), [(", ".join(t),) for t in twice[:LISTED]]),
            )
        )
    if unseen:
        rest = _table(("clip", "why"), list(unseen.items())[:LISTED])
        sections.append(Section("Not looked at", "Whether these look like others is not known.", rest))
    if left_out:
        sections.append(Section("Left out", f"{len(left_out)} clips.", _table(("clip", "why"), left_out[:LISTED])))
    lead = f"{len(clips)} clips below {found.root}, {len(left_out)} left out."
    return report.write(path, "Audit of clips", lead, sections, "Made with selfsame.")


def _on_leaks(clips: Sequence[Clip], leaks: Sequence[Leak]) -> str:
    if leaks:
        return "What two splits share: a detector can know it from training."
    known = sum(clip.split is not None for clip in clips)
    return f"Nothing crosses splits among the {known} clips whose split is known." if known else "No split is known."


def _by_split(clips: Sequence[Clip]) -> str:
    found = audit.balance(clips)
    makers = sorted({clip.maker for clip in clips})
    return _table(("split", *makers), [(split, *(row[m] for m in makers)) for split, row in sorted(found.items())])


def _media(clips: Sequence[Clip]) -> tuple[Sequence[str], list[tuple[object, ...]]]:
    """What containers of each generator are like: the values that occur, or the range of many."""
    rows: list[tuple[object, ...]] = []
    for maker in sorted({clip.maker for clip in clips}):
        media = [clip.media for clip in clips if clip.media and clip.maker == maker]
        columns = (
            {f"{m.width} x {m.height}" for m in media}, {m.fps for m in media}, {m.codec for m in media},
            {m.audio_codec or "none" for m in media},
        )  # fmt: skip
        rates, seconds = ([m.bit_rate / 1e6 for m in media], [m.seconds for m in media])
        rows.append((
            maker, len(media), *(_values(column) for column in columns), f"{min(rates):.2f} to {max(rates):.2f}",
            f"{min(seconds):.1f} to {max(seconds):.1f}",
        ))  # fmt: skip
    return ("made by", "clips", "size", "frames a second", "picture", "sound", "Mbit/s", "seconds"), rows


def _values(found: set[str] | set[float]) -> str:
    most = 4
    told = ", ".join(str(x) for x in sorted(found, key=str)[:most])
    return told if len(found) <= most else f"{told} and {len(found) - most} more"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return ""
    return report.table(head, [[html.escape(str(value)) for value in row] for row in rows])
