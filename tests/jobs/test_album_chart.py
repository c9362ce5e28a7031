"""The coverage chart: valid SVG that needs nothing else, with a bar for each bin and room for every label."""

import re
from dataclasses import replace
from functools import cache
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from helpers import NO_PHOTO

from selfsame.faces.coverage import Coverage, coverage
from selfsame.faces.quality import Quality
from selfsame.faces.records import AgeSource, PhotoRecord
from selfsame.jobs.album_chart import BASE, HEIGHT, TOP, WIDTH, chart

SVG = "{http://www.w3.org/2000/svg}"
SEEN = Quality(200, 0.5, 90, 0, 0, 0.01, 0, "0", None, None, None)


@cache
def photo(age: float | None, source: AgeSource) -> PhotoRecord:
    return replace(NO_PHOTO, age_years=age, age_source=source, quality=SEEN)


def covered(ages: list[float | None], estimated: int = 0) -> Coverage:
    return coverage([photo(age, "estimated" if i < estimated else "told") for i, age in enumerate(ages)])


def drawn(found: Coverage) -> ElementTree.Element:
    return ElementTree.fromstring(chart(found))


def test_bars_are_as_high_as_their_counts_and_estimates_lie_on_top() -> None:
    root = drawn(covered([20, 21, 22, 23, 40, 41, None], estimated=1))
    sure, guessed = ([r for r in root.iter(f"{SVG}rect") if r.get("class") == kind] for kind in ("bar", "guess"))
    heights = [float(r.attrib["height"]) for r in sure]
    full = BASE - TOP
    assert heights == pytest.approx([full * 3 / 4, full * 2 / 4, full, full], abs=0.1)  # ages; all frontal, all level
    (guess,) = guessed
    assert float(guess.attrib["height"]) == pytest.approx(full / 4, abs=0.1)
    assert float(guess.attrib["y"]) + float(guess.attrib["height"]) == pytest.approx(
        float(sure[0].attrib["y"]), abs=0.1
    )
    words = [t.text for t in root.iter(f"{SVG}text")]
    assert "1 without an age, 1 estimated (upper part)" in words
    assert [t.text for t in root.iter(f"{SVG}text") if t.get("class") == "none"] == ["0"] * (3 + 4 + 2)


@pytest.mark.parametrize(
    "ages", [[], [None], [30.0], [*range(101)] * 30, [float(20 + i) for i in range(15)], [0.5, 119.5]]
)
def test_it_stands_alone_and_inside_its_frame(ages: list[float | None]) -> None:
    text = chart(covered(ages))
    root = ElementTree.fromstring(text)
    assert not re.search(r"(src|href|url|import|script)\b", text) and text.count("http") == 1  # the name of SVG itself
    style = "".join(one.text or "" for one in root.iter(f"{SVG}style"))
    selectors = [words.strip() for words in re.findall(r"([^{}]+){", style)]
    assert selectors and all(words.startswith((".coverage", "@media (prefers")) for words in selectors)
    for one in root.iter(f"{SVG}rect"):
        x, y = float(one.get("x", 0)), float(one.get("y", 0))
        assert x >= 0 and y >= 0
        assert x + float(one.attrib["width"]) <= WIDTH and y + float(one.attrib["height"]) <= HEIGHT
    labels = [t for t in root.iter(f"{SVG}text") if t.get("class") == "label" and (t.text or "").isdigit()]
    places = [(float(t.attrib["x"]), len(t.text or "")) for t in labels]
    for (x, length), (after, more) in pairwise(places):
        assert after - x > 6 * (length + more) / 2


def test_ages_of_no_photo_are_said() -> None:
    assert "not known of any photo" in chart(covered([None, None]))
