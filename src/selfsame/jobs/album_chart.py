"""The chart of an album's coverage: bars over ages, turns and tilts of the head, as one inline SVG."""

import html
from collections.abc import Sequence

from selfsame.faces.coverage import Bin, Coverage

WIDTH, HEIGHT = 760, 238
TOP, BASE = 46, 178  # where the highest bar ends and where all stand
GAP = 22  # px between the three panels
PANELS = (0.52, 0.30, 0.18)  # shares of the width: ages, yaw, pitch
LABEL_PX = 6.2  # mean width of a letter at the size of the labels
COUNT_PX, DIGIT = 12, 0.68  # size of the counts, and how wide a digit with its share of a gap is in sizes

# Scoped by the class, as a style inside an inline SVG holds for the whole page; its own ground, so that it is legible
# on a page of any colour, and in the reader's light or dark.
STYLE = """
.coverage { font: 12px system-ui, sans-serif; --paper: #fcfcfd; --ink: #1d2430; --soft: #5b6472; --line: #d5d9e0;
  --bar: #2f5d8a; --guess: #9dbad6; --none: #b54708; }
@media (prefers-color-scheme: dark) { .coverage { --paper: #12161d; --ink: #e8eaed; --soft: #a3adba; --line: #39424f;
  --bar: #8ab6e0; --guess: #41627f; --none: #f0a35e; } }
.coverage .paper { fill: var(--paper); } .coverage .bar { fill: var(--bar); } .coverage .guess { fill: var(--guess); }
.coverage text { fill: var(--ink); text-anchor: middle; } .coverage .title { font-weight: 600; text-anchor: start; }
.coverage .label { fill: var(--soft); font-size: 11px; } .coverage .start { text-anchor: start; }
.coverage .none { fill: var(--none); font-weight: 600; } .coverage line { stroke: var(--line); }
""".strip()


def chart(found: Coverage) -> str:
    """An SVG of 760 x 238 (it scales) to stand inside an HTML page; it needs no other file.

    The estimated ages are a bar's upper part; a 0 in orange stands where nothing is.
    """
    room = WIDTH - 2 * GAP - 2 * (len(PANELS) - 1) * GAP / 2 - GAP
    widths = [share * room for share in PANELS]
    lefts = [GAP + sum(widths[:i]) + 1.5 * GAP * i for i in range(len(PANELS))]
    titles = ("Age (years)", "Side of the face that is seen", "Tilt")
    bodies = [
        _panel(title, bins, left, width)
        for title, bins, left, width in zip(titles, (found.ages, found.yaws, found.pitches), lefts, widths, strict=True)
    ]
    foot = _foot(found, lefts)
    words = html.escape(f"Photos by age, turn and tilt of the head: {found.photos} in all.")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="coverage" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'role="img" aria-label="{words}" style="background: none"><style>{STYLE}</style>'
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="8"/>{"".join(bodies)}{foot}</svg>'
    )


def _panel(title: str, bins: Sequence[Bin], left: float, width: float) -> str:
    parts = [
        _text(left, 22, title, "title"),
        f'<line x1="{left:.1f}" x2="{left + width:.1f}" y1="{BASE}" y2="{BASE}"/>',
    ]
    if not bins:
        return "".join([*parts, _text(left, BASE - 8, "not known of any photo", "label start")])
    slot = width / len(bins)
    scale = (BASE - TOP) / max(1, *(one.count for one in bins))
    longest = max(len(word) for one in bins for word in _lines(one.label))
    every = max(1, -(-int(longest * LABEL_PX + 4) // max(1, int(slot))))  # labels that would touch are passed over
    digits = max(len(str(one.count)) for one in bins)
    small = f' style="font-size: {slot / digits / DIGIT:.1f}px"' if slot < digits * DIGIT * COUNT_PX else ""
    for number, one in enumerate(bins):
        middle, bar = left + (number + 0.5) * slot, min(0.8 * slot, 46)
        sure = (one.count - one.estimated) * scale
        tall = one.count * scale
        parts.append(_bar(middle, bar, BASE - sure, sure, "bar"))
        parts.append(_bar(middle, bar, BASE - tall, tall - sure, "guess"))
        parts.append(_text(middle, BASE - tall - 5, str(one.count), "count" if one.count else "none", small))
        if number % every == 0:
            parts += [_text(middle, BASE + 15 + 13 * i, word, "label") for i, word in enumerate(_lines(one.label))]
    return "".join(parts)


def _foot(found: Coverage, lefts: Sequence[float]) -> str:
    ages = f"{found.without_age} without an age" + (
        f", {found.estimated} estimated (upper part)" if found.estimated else ""
    )
    views = f"{found.without_view} of unknown view" if found.without_view else "the person's own left and right"
    return _text(lefts[0], HEIGHT - 11, ages, "label start") + _text(lefts[1], HEIGHT - 11, views, "label start")


def _lines(label: str) -> list[str]:
    """Labels of views are broken at their blank, those of ages are named by their first year."""
    first, *rest = label.split(" ")
    return [first] if rest[:1] == ["to"] else [first, *rest]


def _bar(middle: float, width: float, top: float, height: float, kind: str) -> str:
    if height <= 0:
        return ""
    return (
        f'<rect class="{kind}" x="{middle - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
    )


def _text(x: float, y: float, words: str, kind: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}"{more}>{html.escape(words)}</text>'
