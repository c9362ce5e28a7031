"""How alike the photos of an album are by the identity judge, as two rows of bars in inline SVG."""

import math
from collections.abc import Sequence

BIN = 0.05  # of the cosine
LEFT, STEP, ROW, GAP = 12, 20, 64, 26  # px: the margin, a bin's width, the height of a row, the room between rows
FAINTEST_PX = 2.0  # one photo among thousands is still seen


def histogram(kept: Sequence[float], others: Sequence[float], threshold: float | None = None) -> str:
    """Bars of the cosine similarities of photos kept above those left out as another person's; "" where none is known.

    Both rows share the axis; each has its own height, which is told. Colours come from the page's classes.
    """
    kept, others = ([min(value, 1.0) for value in values] for values in (kept, others))  # a cosine may round up
    known = [*kept, *others, *([] if threshold is None else [threshold])]
    if not kept and not others:
        return ""
    first = min(math.floor(min(known) / BIN + 1e-9), math.ceil(1 / BIN) - 8)
    last = max(math.ceil(max(known) / BIN - 1e-9), round(1 / BIN))
    width, height = 2 * LEFT + (last - first) * STEP, 2 * (ROW + GAP) + 22
    parts = [
        _row(_counts(values, first, last), GAP + i * (ROW + GAP), name, words)
        for i, (values, name, words) in enumerate(((kept, "kept", "kept"), (others, "other", "another person")))
    ]
    base = 2 * (ROW + GAP)
    if threshold is not None:
        x = LEFT + (threshold / BIN - first) * STEP
        parts.append(f'<path class="limit" d="M{x:.1f} {GAP}v{ROW}m0 {GAP}v{ROW}"/>')
    ticks = range(first + first % 2, last + 1, 2)
    parts += [
        f'<text x="{LEFT + (tick - first) * STEP}" y="{base + 16}" text-anchor="middle">{tick * BIN:.1f}</text>'
        for tick in ticks
    ]
    words = f"Similarity of {len(kept)} photos kept and {len(others)} left out as another person's"
    told = "" if threshold is None else f"; the threshold is {threshold:.2f}"
    return (
        f'<svg class="bars" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{words}{told}">{"".join(parts)}</svg>'
    )


def _counts(values: Sequence[float], first: int, last: int) -> list[int]:
    """How many values lie in each bin; a value on an edge belongs to the bin above, the highest to the last."""
    counts = [0] * (last - first)
    for value in values:
        counts[min(math.floor(value / BIN + 1e-9), last - 1) - first] += 1
    return counts


def _row(counts: Sequence[int], top: int, name: str, words: str) -> str:
    most, base = max(counts), top + ROW
    bars = [
        f'<rect class="{name}" x="{LEFT + i * STEP + 1}" y="{base - high:.1f}" width="{STEP - 2}" height="{high:.1f}"/>'
        for i, count in enumerate(counts)
        if count
        for high in [max(FAINTEST_PX, ROW * count / most)]
    ]
    end = LEFT + len(counts) * STEP
    told = f"{words}, {sum(counts)}" + (f"; highest bar {most}" if most else "")
    return f'<text x="{LEFT}" y="{top - 8}">{told}</text>{"".join(bars)}<path class="base" d="M{LEFT} {base}H{end}"/>'
