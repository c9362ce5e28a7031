"""Estimated ages: only where none is known, a batch at a time, in the crop that the judge learned from."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from encoder_toys import tiny_age_judge
from helpers import tiny_album, tiny_prior
from torch import Tensor

from selfsame.faces.album import Album
from selfsame.jobs import album_ages
from selfsame.nets.age import AgeJudge, DexVgg


@pytest.fixture
def album(tmp_path: Path) -> Album:
    """Eight photos: two with an age, one left out."""
    made = tiny_album(tmp_path / "toy", tiny_prior())
    photos = list(made.record.photos)
    photos[1] = replace(photos[1], age_years=30.0, age_source="table", age_conflict="Said otherwise.")
    photos[4] = replace(photos[4], age_years=100.0, age_source="told")
    photos[2] = replace(photos[2], why_left_out="Blurred.")
    photos[5] = replace(photos[5], age_conflict="By its date the photo was taken 3.0 years before the birth.")
    made.rewrite(replace(made.record, photos=tuple(photos)))
    return Album.open(made.path)


def test_rewriting_an_album_is_on_disk_at_once(album: Album) -> None:
    album.rewrite(replace(album.record, judge="another"))
    assert Album.open(album.path).record == album.record and album.record.judge == "another"


def test_photos_without_an_age_get_the_judges_and_no_other_changes(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(album_ages, "BATCH", 2)
    before, judge = album.record.photos, tiny_age_judge()
    told: list[tuple[int, int]] = []
    album_ages.estimate(album, judge, lambda _, done, total: told.append((done, total)))
    assert told == [(2, 5), (4, 5), (5, 5)]
    assert Album.open(album.path).record == album.record
    with torch.no_grad():
        years = dict(zip([p.id for p in album.kept], judge(album.images(album_ages.STARTER_PX)).tolist(), strict=True))
    for old, new in zip(before, album.record.photos, strict=True):
        if old.age_years is not None or old.why_left_out:
            assert new == old
        else:
            assert new.age_years == pytest.approx(years[old.id], abs=0.06)
            assert replace(new, age_years=None, age_source=None) == old and new.age_source == "estimated"
    made = album.record
    album_ages.estimate(album, judge)
    assert album.record == made


def test_a_call_that_was_cut_short_goes_on(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(album_ages, "BATCH", 2)

    def stop(stage: str, done: int, total: int) -> None:
        raise InterruptedError(stage)

    with pytest.raises(InterruptedError):
        album_ages.estimate(album, tiny_age_judge(), stop)
    again = Album.open(album.path)
    assert sum(p.age_source == "estimated" for p in again.kept) == 2
    rest: list[int] = []
    album_ages.estimate(again, tiny_age_judge(), lambda _, done, total: rest.append(total))
    assert rest == [3, 3] and all(p.age_years is not None for p in again.kept)


def test_a_doubt_is_told_where_the_judge_is_far_from_what_was_said(album: Album) -> None:
    judge, before = tiny_age_judge(), album.record
    with torch.no_grad():
        years = judge(album.images(album_ages.STARTER_PX, which=[3])).item()
    assert years < 84  # of the photo that was said to be 100
    assert album_ages.doubts(album, judge) == {
        album.kept[i].id: f"The age judge estimates {y:.0f} years, far from the {said:.1f} that {source} gave."
        for i, said, source in ((1, 30.0, "the table"), (3, 100.0, "--age"))
        if abs((y := judge(album.images(album_ages.STARTER_PX, which=[i])).item()) - said) > 15
    }
    assert album.record == before


class Seen(AgeJudge):
    """A judge that remembers how it was asked."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.full((len(images),), 41.26)


def test_dex_is_shown_ffhq_crops_and_the_starter_judge_eg3d_ones(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int | None, str]] = []
    plain = Album.images

    def images(self: Album, size_px: int | None, alignment: str, which: Iterable[int]) -> Tensor:
        asked.append((size_px, alignment))
        return plain(self, size_px, "eg3d", which)

    monkeypatch.setattr(Album, "images", images)
    album_ages.doubts(album, tiny_age_judge())
    with torch.device("meta"):
        dex = DexVgg()
    judge = Seen(dex)
    monkeypatch.setattr(judge, "parameters", lambda: iter([torch.zeros(1)]))
    album_ages.estimate(album, judge)
    assert asked == [(128, "eg3d"), (224, "ffhq")]
    assert [p.age_years for p in album.kept if p.age_source == "estimated"] == [41.3] * 5
