"""The report: one file that needs no network, whose figures carry their intervals."""

import base64
import io
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from PIL import Image

from selfsame.core.results import Measured
from selfsame.jobs import report
from selfsame.jobs.report import Section

VOID = {"meta", "img", "br", "link", "hr", "input", "col", "source"}
FIGURES = [
    Measured("PSNR (dB)", 24.1234, 23.5, 24.75, 12, "high"),
    Measured("LPIPS <small>", 0.2, 0.15, 0.251, 9, "low"),
]


class Page(HTMLParser):
    """Every tag's attributes and all text; `open_` holds what was never closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open_: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open_.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open_ and self.open_[-1] == tag, f"</{tag}> closes {self.open_[-1:]}"
        self.open_.pop()

    def handle_data(self, data: str) -> None:
        self.words += data

    def value(self, tag: str, name: str) -> list[str]:
        return [v for t, n, v in self.attributes if (t, n) == (tag, name)]


def outside(page: Page) -> list[tuple[str, str, str]]:
    """Everything that a browser would fetch."""
    fetching = {"src", "href", "srcset", "poster", "xlink:href", "data", "action"}
    return [(t, n, v) for t, n, v in page.attributes if n in fetching and not v.startswith(("data:", "#"))]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    sections = [
        Section(
            "Pictures", "Two & more.", report.labelled({"a": torch.zeros(2, 3, 8, 8), "b<c": torch.ones(2, 3, 8, 8)})
        ),
        Section("Film", "", report.film(torch.rand(3, 3, 16, 16) * 2 - 1, "orbit")),
        Section("Figures", "", report.figures(FIGURES)),
        Section(
            "Curves", "", report.curves({"step": [0, 1, 2], "loss": [1.0, 0.5, 0.2], "sym": [float("nan"), 0.1, 0.2]})
        ),
    ]
    path = report.write(tmp_path_factory.mktemp("r") / "report.html", "Ada <3", "A lead.", sections, "A foot.")
    return Page(path.read_text())


def test_the_page_is_well_formed_and_whole(page: Page) -> None:
    assert page.open_ == []
    for words in ("Ada <3", "A lead.", "Two & more.", "Pictures", "Figures", "A foot.", "b<c"):
        assert words in page.words


def test_nothing_is_fetched(page: Page) -> None:
    assert outside(page) == []
    assert not page.value("script", "src")
    assert len(page.value("img", "src")) == 2
    assert len(page.value("video", "src")) == 1
    styles = page.words + " ".join(v for _, n, v in page.attributes if n == "style")
    assert "@import" not in styles
    assert "url(http" not in styles


def test_figures_show_intervals_and_sample_sizes(page: Page) -> None:
    for words in ("24.123", "23.500 to 24.750", "0.150 to 0.251", "12", "higher", "lower", "LPIPS <small>"):
        assert words in page.words


def test_a_picture_survives_inside_the_page() -> None:
    shown = Page(report.picture(torch.full((1, 3, 4, 6), 1.0), 'so "white"'))
    (source,) = shown.value("img", "src")
    assert shown.value("img", "alt") == ['so "white"']
    picture = Image.open(io.BytesIO(base64.b64decode(source.removeprefix("data:image/png;base64,"))))
    assert picture.size == (6, 4)
    assert picture.getpixel((3, 2)) == (255, 255, 255)


def test_a_film_is_a_video(page: Page) -> None:
    (source,) = page.value("video", "src")
    assert base64.b64decode(source.removeprefix("data:video/mp4;base64,"))[4:8] == b"ftyp"


def test_curves_leave_out_steps_without_a_loss() -> None:
    assert report.curves({"step": [0.0, 1.0], "loss": [1.0, 0.5], "never": [float("nan")] * 2}).startswith("<svg")


def test_nearer_is_brighter_and_nothing_is_white() -> None:
    depth = torch.linspace(2.4, 3.0, 64).reshape(1, 1, 8, 8)
    alpha = torch.ones(1, 1, 8, 8)
    alpha[..., 0] = 0
    shown = report.depth_colours(depth, alpha, 8)
    light = shown.mean(1)[0]
    assert float(light[0, 4]) > float(light[7, 4])
    torch.testing.assert_close(shown[..., 0], torch.ones(1, 3, 8))
    assert report.depth_colours(depth, alpha, 16).shape == (1, 3, 16, 16)


def test_depth_of_nothing_is_white() -> None:
    shown = report.depth_colours(torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), 4)
    torch.testing.assert_close(shown, torch.ones(1, 3, 4, 4))
    assert report.depth_colours(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4), 4).isfinite().all()


def test_writing_replaces_a_page_at_once(tmp_path: Path) -> None:
    for title in ("One", "Two"):
        report.write(tmp_path / "r.html", title, "", [], "")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    assert "Two" in (tmp_path / "r.html").read_text()
