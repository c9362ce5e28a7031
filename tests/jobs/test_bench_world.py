"""The synthetic benchmark: who is in it, that nothing crosses splits or tells fakes by its file, and resuming."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from selfsame.clips import audit, index
from selfsame.core import config
from selfsame.core.errors import BadInput, WrongUse
from selfsame.jobs import bench_world, bench_world_plan
from selfsame.jobs.bench_world_plan import SetConfig
from selfsame.tasks import fakes

SMALL = SetConfig(first=980_500, people=(3, 2, 2), takes=1, seconds=0.12, size_px=64)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only makers that need no network."""
    main, emerging = (
        {name: fakes.GENERATORS[name] for name in names} for names in (("warp", "interpolate"), ("photo",))
    )
    monkeypatch.setattr(fakes, "MAIN", main)
    monkeypatch.setattr(fakes, "GENERATORS", main | emerging)


def test_the_default_set_has_who_it_should() -> None:
    real, wanted = bench_world_plan.takes(SetConfig()), bench_world_plan.planned(SetConfig())
    assert Counter(take.split for take in real) == {"train": 120, "val": 36, "test": 102}
    made = Counter(fake.generator for fake in wanted)
    assert made == dict.fromkeys(fakes.MAIN, 86) | dict.fromkeys(fakes.EMERGING, 34)
    assert {fake.portrait.split for fake in wanted if fake.generator in fakes.EMERGING} == {"test"}
    assert len({take.seed for take in real}) == 86 and len({f.path for f in wanted}) == len(wanted) == 584
    assert set(real) >= {take for fake in wanted for take in (fake.portrait, fake.driver)}


def test_drivers_stay_in_their_split_and_drive_equally() -> None:
    wanted = bench_world_plan.planned(SetConfig())
    for fake in wanted:
        assert fake.driver.split == fake.portrait.split
        assert (fake.driver.seed == fake.portrait.seed) != fakes.GENERATORS[fake.generator].driven
    driven = Counter((fake.generator, fake.driver.seed) for fake in wanted)
    assert set(driven.values()) == {1}


@pytest.mark.usefixtures("quick")
def test_a_set_is_read_as_it_was_made_and_files_tell_nothing(tmp_path: Path) -> None:
    file = bench_world.make(tmp_path / "set", SMALL)
    found = index.from_csv(file)
    assert index.counts(found) == {"real": 7, "warp": 7, "interpolate": 7, "photo": 2}
    assert not audit.leaks(found.clips) and not audit.repeated(found.clips)
    media = [clip.media for clip in found.clips if clip.media]
    assert len(media) == 23
    assert {(m.width, m.height, m.fps, m.frames, m.codec, m.audio_codec) for m in media} == {
        (64, 64, 25, 3, "h264", "")
    }
    fake = next(clip for clip in found.clips if clip.maker == "warp")
    assert fake.identity != (fake.driver or "").rsplit("-", 1)[0] and fake.source == "world"
    assert not (tmp_path / "set" / bench_world.FRAMES).exists()


@pytest.mark.usefixtures("quick")
def test_the_same_call_goes_on_and_leaves_files_alone(tmp_path: Path) -> None:
    file = bench_world.make(tmp_path, SMALL)
    clips = sorted(tmp_path.rglob("*.mp4"))
    before = {clip: (clip.stat().st_mtime_ns, clip.read_bytes()) for clip in clips}
    text = file.read_text()
    lost = [next(c for c in clips if "warp" in str(c)), next(c for c in clips if "real" in str(c))]
    for clip in (*lost, file):
        clip.unlink()
    bench_world.make(tmp_path, SMALL)
    assert file.read_text() == text
    for clip, (stamp, data) in before.items():
        assert clip.read_bytes() == data and (clip in lost) == (clip.stat().st_mtime_ns != stamp)


def test_a_folder_holds_one_set(tmp_path: Path) -> None:
    config.claim(tmp_path / bench_world.CONFIG_FILE, SMALL, "a set of other settings")
    with pytest.raises(BadInput, match="other settings"):
        bench_world.make(tmp_path, replace(SMALL, takes=2))


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"people": (40, 1, 34)}, "nobody to drive"),
        ({"takes": 0}, "0 takes"),
        ({"size_px": 63}, "63 px"),
        ({"seconds": 0.001}, "no frame"),
        ({"years": (1.0, 20.0)}, "1.0 years old"),
    ],
)
def test_sets_that_cannot_be(change: dict[str, object], answer: str) -> None:
    with pytest.raises(WrongUse, match=answer):
        replace(SMALL, **change)  # type: ignore[arg-type]
