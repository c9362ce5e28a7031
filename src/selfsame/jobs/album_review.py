"""The page by which a person looks at an album after whatever changed it."""

from functools import partial
from pathlib import Path

from selfsame.faces import coverage
from selfsame.faces.album import Album
from selfsame.jobs import album_chart, album_page, parts
from selfsame.jobs.progress import Progress, silent

FILE = "album.html"


def write(album: Album, progress: Progress = silent) -> Path:
    """Write the review page of an album into its folder, with what its photos cover and what is missing."""
    found = coverage.coverage(album.kept)
    page = album.path / FILE
    album_page.write(
        album, page, chart_svg=album_chart.chart(found), advice=coverage.advice(found),
        threshold=parts.SAME_PERSON if album.record.judge == parts.STARTER_JUDGE else parts.SAME_BY_ARCFACE,
        progress=partial(progress, "making thumbnails"),
    )  # fmt: skip
    return page
