"""The review page of an album: every photo once, hostile names as text, nothing from a network, usable in a browser."""

import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import NO_PHOTO
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from selfsame.core import camera
from selfsame.core.errors import BadInput
from selfsame.faces.adding import ANOTHER_PERSON
from selfsame.faces.album import Album
from selfsame.faces.quality import Quality
from selfsame.faces.records import PhotoRecord
from selfsame.jobs import album_cards, album_page, album_similarity, album_thumbs

SCRIPT = "<script>window.bad = 1</script>.jpg"
QUOTES = "\"' onerror=window.bad=1 x='.jpg"
MARKUP = "<img src=x onerror='window.bad=1'>&amp;{{ 7*7 }}\u202egpj.jpg"
LONG = "n" * 230 + ".jpg"
GOOD = Quality(100.0, 0.5, 90.0, 12.0, -3.0, 0.01, 0.0, "0" * 16, 0.3, 0.004, 0.01)


def photo(number: int, file: str, **changes: Any) -> PhotoRecord:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    view = camera.facing(torch.tensor([0.1 * (number % 5 - 2)]), torch.zeros(1))
    blank = replace(
        NO_PHOTO, id=digest[:12], digest=digest, file=file, folder="holiday", quality=GOOD, size_px=64,
        camera=tuple(view.pack()[0].tolist()),
        landmarks=((0.37, 0.38), (0.63, 0.38), (0.5, 0.5), (0.4, 0.65), (0.6, 0.65)),
    )  # fmt: skip
    return replace(blank, **changes)


def photos() -> tuple[PhotoRecord, ...]:
    day = datetime(2014, 5, 12, 9, 30)
    aged = {"taken": day, "age_years": 34.0, "age_source": "birth date"}
    none = {"quality": None, "camera": None, "landmarks": None, "size_px": None}
    return (
        photo(0, SCRIPT, **aged, similarity=0.9),
        photo(
            1, QUOTES, taken=day.replace(year=2010, tzinfo=UTC), age_years=30.2, age_source="estimated", similarity=0.8
        ),
        photo(2, MARKUP, session=1, similarity=1.0000001, age_conflict="The name says <b>31</b>.", age_years=31.0),
        photo(3, LONG, quality=replace(GOOD, sharpness=9.4, yaw_degrees=-40.0), by_hand=True, folder="f" * 200),
        photo(4, "clip.mp4", time_s=12.34, taken=day.replace(year=2012), session=1, similarity=0.85),
        photo(5, "plain.jpg", quality=replace(GOOD, sharpness=50.0), age_years=60.0, age_source="told"),
        photo(6, "meadow.jpg", **none, rule="no face", why_left_out="No face was found."),
        photo(7, "<b>broken.jpg", **none, rule="unreadable", why_left_out="<b>broken.jpg is damaged."),
        photo(8, "other.jpg", similarity=0.12, rule="another person", why_left_out=ANOTHER_PERSON),
        photo(
            9, "dim.jpg", quality=replace(GOOD, exposure=0.03), rule="exposure", why_left_out="The face is too dark."
        ),
        photo(10, "dropped.jpg", by_hand=True, why_left_out="Left out by hand."),
        photo(11, "old.jpg", why_left_out="The photo is a copy of plain.jpg."),
    )


WITH_CROP = (0, 1, 2, 3, 4, 5, 9, 10)


def album_at(path: Path) -> Album:
    album = Album.create(path, consent="Ada <script>, 1 May 2026", birth_date=date(1980, 1, 1))
    album.record = replace(album.record, photos=photos(), judge="starter judge <i>", reference=photos()[4].digest)
    for number in WITH_CROP:
        cut(album, number)
    return album


def cut(album: Album, number: int, seed: int = 0) -> None:
    pixels = np.random.default_rng(100 * seed + number).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    crop = album.face(album.record.photos[number])
    crop.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(crop)


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return album_at(tmp_path / "people of 100 %" / "ada")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    album = album_at(tmp_path_factory.mktemp("page") / "people #1 100%?" / "ada")
    out = album.path / "album.html"
    album_page.write(
        album, out, chart_svg='<svg id="chart"></svg>', advice=["Nothing <between> 36 and 44."], threshold=0.4
    )
    return out


class Cards(HTMLParser):
    """The photos of each group, the tags met, and every attribute."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.groups: list[list[str]] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in found.items()]
        if "group" in found.get("class", "").split():
            self.groups.append([])
        if tag == "article":
            self.groups[-1].append(found["id"])

    def handle_data(self, data: str) -> None:
        self.words += data


def test_every_photo_has_one_card_in_the_group_of_its_fate(written: Path) -> None:
    made = Cards(written.read_text())
    assert sorted(card for group in made.groups for card in group) == sorted(f"p-{p.id}" for p in photos())
    by_rule = Counter(album_cards.rule_of(p) for p in photos())
    assert by_rule == {
        None: 6, "no face": 1, "unreadable": 1, "another person": 1, "exposure": 1, "by hand": 1, "no rule named": 1,
    }  # fmt: skip
    assert [len(group) for group in made.groups] == [6, 1, 1, 1, 1, 1, 1]
    assert made.tags["img"] == len(WITH_CROP)
    assert "6 of 12 photos are kept." in made.words
    for sentence in (
        "No face was found.",
        "<b>broken.jpg is damaged.",
        "The name says <b>31</b>.",
        "starter judge <i>",
    ):
        assert sentence in made.words
    assert "Ada <script>, 1 May 2026" in made.words and "Nothing <between> 36 and 44." in made.words


def test_names_never_become_markup(written: Path) -> None:
    made = Cards(written.read_text())
    assert made.tags["script"] == 1 and not made.tags["i"]
    assert not [name for _, name, _ in made.attributes if name.startswith("on")]
    assert "\u202e" not in written.read_text()


def test_nothing_is_loaded_but_pictures_beside_the_page(written: Path) -> None:
    made = Cards(written.read_text())
    fetching = {"src", "srcset", "poster", "data", "action"}
    loaded = [value for _, name, value in made.attributes if name in fetching]
    assert sorted(loaded) == sorted(f"album_files/{photos()[i].id}.webp" for i in WITH_CROP)
    assert all(value.startswith("#") for _, name, value in made.attributes if name == "href")
    assert "url(" not in written.read_text() and "@import" not in written.read_text()


def test_an_album_without_photos_has_a_page(tmp_path: Path) -> None:
    album = Album.create(tmp_path / "ada", consent="Ada")
    album_page.write(album, tmp_path / "page.html")
    made = Cards((tmp_path / "page.html").read_text())
    assert made.groups == [] and "0 of 0 photos are kept." in made.words and "The album is empty." in made.words


def test_photos_stand_in_the_order_of_the_camera_s_clock() -> None:
    """Dates with and without a time zone stand side by side; those without any come last."""
    names = [p.file for p in album_page.in_order(photos())]
    undated = sorted(p.file for p in photos() if p.taken is None and p.folder == "holiday")
    assert names == [QUOTES, "clip.mp4", SCRIPT, LONG, *undated]


def test_a_card_marks_what_is_beyond_its_bound_and_no_more(tmp_path: Path) -> None:
    def marked(number: int, threshold: float | None = 0.4) -> dict[str, str]:
        made = album_cards.card(photos()[number], "x", tmp_path / "ada", threshold)
        return {n.name: f"{n.value} {n.beyond}" for n in made.numbers if n.beyond}

    assert marked(0) == {} and marked(5) == {}
    assert marked(3) == {"sharp": "9 < 20"}
    assert marked(9) == {"light": "3 % < 6 %"}
    assert marked(8) == {"alike": "0.12 < 0.40"} and marked(8, None) == {}
    names = [n.name for n in album_cards.card(photos()[0], None, tmp_path).numbers]
    assert names == ["yaw", "pitch", *(m.name for m in album_cards.MEASURES), "alike"]


@pytest.mark.parametrize(("value", "told"), [(12.4, "+12°"), (-0.4, "0°"), (0.3, "0°"), (-7.6, "−8°"), (-10.0, "−10°")])
def test_an_angle_that_rounds_to_nothing_has_no_sign(value: float, told: str) -> None:
    assert album_cards.degrees(value) == told


def test_the_command_turns_the_decision_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, left = photos()[0], photos()[6]
    monkeypatch.chdir(tmp_path)
    for person in (Path("people/ada"), tmp_path / "people" / "ada"):
        assert album_cards.command(kept, person) == f"selfsame album drop ada {kept.id}"
        assert album_cards.command(left, person) == f"selfsame album keep ada {left.id}"
    told = album_cards.command(left, tmp_path / "my faces" / "ada")
    assert told == f"selfsame album keep ada {left.id} --people '{tmp_path}/my faces'"


def files(album: Album) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in (album.path / "album_files").iterdir()}


def test_only_new_thumbnails_are_made_and_those_of_lost_crops_go(album: Album) -> None:
    out = album.path / "album.html"
    album_page.write(album, out)
    first, page = files(album), out.read_text()
    assert len(first) == len(WITH_CROP)
    with Image.open(album.path / "album_files" / f"{photos()[0].id}.webp") as small:
        assert small.size == (album_thumbs.THUMB_PX,) * 2
    album_page.write(album, out)
    assert files(album) == first and out.read_text() == page

    name = {i: f"{photos()[i].id}.webp" for i in range(12)}
    album.face(photos()[9]).unlink()  # another person's crop is deleted
    cut(album, 0, seed=1)  # cut anew
    cut(album, 11)  # put back
    album.record = replace(album.record, photos=tuple(p for i, p in enumerate(photos()) if i != 10))
    (album.path / "album_files" / "mine.txt").write_text("a note of the user's")
    (album.path / "album_files" / f"{name[1]}.part").write_bytes(b"of a killed run")
    album_page.write(album, out)
    second = files(album)
    assert set(second) == {*(name[i] for i in (0, 1, 2, 3, 4, 5, 11)), "mine.txt"}
    assert {i for i in (0, 1, 2, 3, 4, 5) if second[name[i]] != first[name[i]]} == {0}


def test_a_damaged_crop_is_said_and_the_rest_is_shown(album: Album) -> None:
    album.face(photos()[0]).write_bytes(b"\x89PNG\r\n\x1a\n no picture")
    album.face(photos()[1]).write_bytes(album.face(photos()[1]).read_bytes()[:700])
    album_page.write(album, album.path / "album.html")
    made = Cards((album.path / "album.html").read_text())
    assert made.words.count("The crop is missing or damaged.") == 2 and made.tags["img"] == len(WITH_CROP) - 2


def test_an_id_leads_nowhere_else(album: Album, tmp_path: Path) -> None:
    album.record = replace(album.record, photos=(replace(photos()[0], id="../../evil #%"),))
    album.face(album.record.photos[0]).parent.mkdir(exist_ok=True)
    cut(album, 0)
    album_page.write(album, album.path / "album.html")
    assert list(files(album)) == ["..%2F..%2Fevil%20%23%25.webp"]
    assert 'src="album_files/..%252F..%252Fevil%2520%2523%2525.webp"' in (album.path / "album.html").read_text()


def test_a_disk_that_refuses_leaves_the_page_before(album: Album) -> None:
    out = album.path / "album.html"
    album_page.write(album, out)
    before = out.read_text()
    shutil.rmtree(album.path / "album_files")
    (album.path / "album_files").write_text("in the way")
    with pytest.raises(BadInput, match="cannot be written"):
        album_page.write(album, out)
    assert out.read_text() == before


def test_the_bars_are_as_high_as_there_are_photos() -> None:
    kept, others = [0.8, 0.81, 0.849, 0.9, 1.0000001], [-0.1, 0.4]
    drawn = album_similarity.histogram(kept, others, 0.4)
    bars = re.findall(r'class="(kept|other)" x="(\d+)" y="[\d.]+" width="18" height="([\d.]+)"', drawn)
    at = {(name, round((int(x) - 13) / 20 * 0.05 - 0.1, 2)): float(high) for name, x, high in bars}
    row = album_similarity.ROW
    third = pytest.approx(row / 3, abs=0.1)
    assert at == {
        ("kept", 0.8): row, ("kept", 0.9): third, ("kept", 0.95): third, ("other", -0.1): row, ("other", 0.4): row,
    }  # fmt: skip
    assert "kept, 5; highest bar 3" in drawn and "another person, 2; highest bar 1" in drawn
    assert "M212.0 26v64" in drawn  # 0.4 is ten bins from -0.1
    assert album_similarity.histogram([], [], 0.4) == ""


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_stand_out_from_their_ground(scheme: int) -> None:
    """Contrast of 4.5 to 1 and more [WCAG 2.2, 1.4.3]."""
    style = (album_page.HERE / "album_page.css").read_text()
    root = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]
    colours = {
        k: v if len(v) == 7 else "#" + "".join(2 * c for c in v[1:]) for k, v in re.findall(r"--(\w+): (#\w+)", root)
    }
    for ink in ("ink", "soft", "accent", "beyond"):
        for ground in ("paper", "card"):
            high, low = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "The browser tests need the system's Chromium (the package `chromium`)."
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1300, "height": 4000}, offline=True)
    yield made
    made.close()


def visible(page: Page) -> list[str]:
    return list(page.locator(".card:visible").evaluate_all("cards => cards.map(c => c.id)"))


def ids(*numbers: int) -> list[str]:
    return [f"p-{photos()[i].id}" for i in numbers]


def test_the_page_works_offline_and_asks_for_nothing_else(context: BrowserContext, written: Path) -> None:
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(written.as_uri())
    page.wait_for_function("[...document.images].every(i => i.complete && i.naturalWidth === 160)")
    folder = written.parent.as_uri()
    assert set(asked) == {written.as_uri(), *(f"{folder}/album_files/{photos()[i].id}.webp" for i in WITH_CROP)}
    assert said == []
    assert page.evaluate("window.bad") is None
    names = page.locator(".card h4").all_inner_texts()
    assert f"holiday/{SCRIPT}" in names and f"holiday/{QUOTES}" in names and f"holiday/{MARKUP[:-8]}?gpj.jpg" in names
    # The policy refuses what a hole in the escaping would let in.
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.bad=1\">')")
    page.evaluate("fetch('https://example.org').catch(() => 0)")
    page.wait_for_timeout(100)
    assert page.evaluate("window.bad") is None and not [url for url in asked if url.startswith("http")]


def test_filters_hide_cards_and_sorting_moves_them(context: BrowserContext, written: Path) -> None:
    page = context.new_page()
    page.goto(written.as_uri())
    assert len(visible(page)) == 12 and page.locator("#count").inner_text() == "12"
    page.locator("#show-left").check()
    assert sorted(visible(page)) == sorted(ids(6, 7, 8, 9, 10, 11)) and page.locator("#count").inner_text() == "6 of 12"
    page.locator("#rule").select_option("no face")
    assert visible(page) == ids(6)
    page.locator("#show-kept").check()
    assert visible(page) == [] and page.locator("#nothing").is_visible()
    page.locator("#rule").select_option("any")
    page.locator("#session").select_option("1")
    assert sorted(visible(page)) == sorted(ids(2, 4))
    page.locator("#session").select_option("any")
    page.locator("#youngest").fill("30.5")
    assert sorted(visible(page)) == sorted(ids(0, 2, 5))
    page.locator("#oldest").fill("34")
    assert sorted(visible(page)) == sorted(ids(0, 2))
    page.locator("#youngest").fill("")
    assert sorted(visible(page)) == sorted(ids(0, 1, 2))
    page.locator("#oldest").fill("")
    page.locator("#sort").select_option("sharpness, blurred first")
    assert visible(page)[:2] == ids(3, 5)
    page.locator("#sort").select_option("likeness, least alike first")
    assert visible(page)[:4] == ids(1, 4, 0, 2)
    page.locator("#sort").select_option("date, newest first")
    assert visible(page)[:3] == ids(0, 4, 1)
    page.locator("#sort").select_option("age, oldest first")
    assert visible(page)[:4] == ids(5, 0, 2, 1)


def test_the_drawing_lies_on_the_landmarks_and_can_be_switched_off(context: BrowserContext, written: Path) -> None:
    page = context.new_page()
    page.goto(written.as_uri())
    face = page.locator(f"#p-{photos()[0].id} .face")
    box, dot = face.bounding_box(), face.locator("circle").nth(2).bounding_box()
    assert box and dot
    centre = (
        (dot["x"] + dot["width"] / 2 - box["x"]) / box["width"],
        (dot["y"] + dot["height"] / 2 - box["y"]) / box["height"],
    )
    assert centre == pytest.approx((0.5, 0.5), abs=0.01)
    assert face.locator("path.z").evaluate("p => getComputedStyle(p).stroke") == "rgb(0, 191, 255)"
    page.locator("#show-drawing").uncheck()
    assert page.locator(".face svg:visible").count() == 0 and page.locator(".face img:visible").count() == len(
        WITH_CROP
    )


def test_a_click_copies_the_command(context: BrowserContext, written: Path) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(written.as_uri())
    card = page.locator(f"#p-{photos()[6].id}")
    card.get_by_role("button").click()
    card.get_by_text("copied").wait_for()
    told = page.evaluate("navigator.clipboard.readText()")
    assert told == album_cards.command(photos()[6], written.parent) and " keep ada " in told


def test_without_scripts_everything_but_sorting_works(browser: Browser, written: Path) -> None:
    context = browser.new_context(viewport={"width": 1300, "height": 4000}, offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(written.as_uri())
    assert page.locator(".card:visible").count() == 12
    assert page.locator("select:visible, button:visible, input[type=number]:visible").count() == 0
    page.locator("#show-kept").check()
    assert page.locator(".card:visible").count() == 6
    page.locator("#show-drawing").uncheck()
    assert page.locator(".face svg:visible").count() == 0
    assert page.locator(".command code:visible").count() == 6
    context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_phone_needs_no_sideways_scrolling(browser: Browser, written: Path, scripts: bool) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 9000}, offline=True, java_script_enabled=scripts)
    page = context.new_page()
    page.goto(written.as_uri())
    page.locator(".legend summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for card in page.locator(".card").all():  # content that cards would cut off
        assert card.evaluate("c => c.scrollWidth <= c.clientWidth")
    context.close()


def test_those_who_do_not_see_it_can_use_it(context: BrowserContext, written: Path) -> None:
    page = context.new_page()
    page.goto(written.as_uri())
    assert all(page.locator(".face img").evaluate_all("images => images.map(i => i.alt.length > 10)"))
    levels = [int(tag[1]) for tag in page.locator("h1, h2, h3, h4").evaluate_all("all => all.map(h => h.tagName)")]
    assert levels[0] == 1 and levels.count(1) == 1 and all(b <= a + 1 for a, b in pairwise(levels))
    labelled = page.locator("input, select").evaluate_all("all => all.map(e => e.labels.length)")
    assert all(labelled)
    names = page.locator(".command button").evaluate_all("all => all.map(b => b.ariaLabel)")
    assert len(set(names)) == len(names) == 12
    page.locator("#show-all").focus()
    page.keyboard.press("ArrowRight")
    assert len(visible(page)) == 6
