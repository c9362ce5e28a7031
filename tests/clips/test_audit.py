"""The audit: what two splits share is found, and containers that tell fakes are told from containers that do not."""

import numpy as np
import pytest
from clip_toys import clip

from selfsame.clips import audit
from selfsame.clips.media import Media
from selfsame.metrics import detection


def test_clips_that_share_nothing_do_not_leak() -> None:
    assert audit.leaks([clip(1, "train"), clip(2, "val"), clip(3, "test"), clip(4, None)]) == []


@pytest.mark.parametrize(
    ("field", "kind"),
    [("identity", "portrait or person"), ("driver", "driving clip"), ("youtube", "YouTube video"), ("digest", "bytes")],
)
def test_what_two_splits_share_is_named_with_its_clips(field: str, kind: str) -> None:
    clips = [clip(1, "train", **{field: "same"}), clip(2, "train"), clip(3, "test", **{field: "same"}), clip(4, "val")]
    (leak,) = audit.leaks(clips)
    assert (leak.kind, leak.value, leak.splits, leak.clips) == (kind, "same", ("test", "train"), ("1.mp4", "3.mp4"))
    inside = [
        clip(1, "train", **{field: "same"}),
        clip(2, "train", **{field: "same"}),
        clip(3, None, **{field: "same"}),
    ]
    assert audit.leaks(inside) == []


def test_the_driver_of_a_fake_that_is_also_a_real_clip_leaks() -> None:
    """Facts, section 2.6: SAK2kObsiMY_5 is a real clip and drives AniPortraitAudio."""
    real = clip(1, "train", fake=False, driver="SAK2kObsiMY_5", youtube="SAK2kObsiMY", identity="SAK2kObsiMY")
    fake = clip(2, "test", driver="SAK2kObsiMY_5", youtube="SAK2kObsiMY", identity="17487")
    assert {leak.kind for leak in audit.leaks([real, fake])} == {"driving clip", "YouTube video"}


def test_three_splits_leak_in_pairs_and_files_twice_are_found_within_one() -> None:
    clips = [clip(i, split, digest="d") for i, split in enumerate(("train", "val", "test", "test"))]  # type: ignore[arg-type]
    assert [leak.splits for leak in audit.leaks(clips)] == [("test", "train"), ("test", "val"), ("train", "val")]
    assert audit.repeated(clips) == [("0.mp4", "1.mp4", "2.mp4", "3.mp4")]
    assert audit.balance(clips) == {"train": {"Hallo": 1}, "val": {"Hallo": 1}, "test": {"Hallo": 2}}


def told(fps_of_fakes: float) -> float:
    """The AUC by containers of forty people whose clips differ by chance, and fakes by their frame rate."""
    random = np.random.default_rng(3)
    fake = np.arange(40) % 2 == 0
    clips = [
        clip(i, None, fake=bool(f), media=Media(
            512, 512, fps_of_fakes if f else 25.0, 250, float(random.uniform(9, 14)), "h264",
            float(random.uniform(3e5, 1e6)), "aac", 44_100,
        )) for i, f in enumerate(fake)
    ]  # fmt: skip
    names, values = audit.containers(clips)
    assert values.shape == (40, len(names)) and names[-2:] == ["picture h264", "sound aac"]
    return detection.auc(audit.by_containers(values, fake, range(40)), fake)


def test_a_frame_rate_of_its_own_gives_a_generator_away_and_chance_does_not() -> None:
    assert told(30.0) == 1
    assert 0.2 < told(25.0) < 0.8


def test_too_few_identities_say_nothing() -> None:
    _, values = audit.containers([clip(1, None), clip(2, None), clip(3, None, fake=False)])
    assert np.isnan(audit.by_containers(values, np.array([True, True, False]), [1, 2, 3])).all()
