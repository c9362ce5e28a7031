"""The index: the benchmark's layout and users' own, lists and CSV, damaged files, and what a second run reads again."""

import json
import os
from pathlib import Path

import pytest
import torch

from selfsame.clips import index, layout, names
from selfsame.clips.index import Clip
from selfsame.core import video
from selfsame.core.errors import BadInput

FILES = (
    "fake/Hallo/train/00023--7lHr2ZNlULA_4--Hallo.mp4",
    "fake/EmoPortrait/test/69374__W4Em_fHubY_23_EmoPortraits.mp4",
    "fake/additional_dataset/MAGI-1/12.mp4",
    "fake/mine/val/bob.mp4",
    "real/RmxqK1np7rY_2.mp4",
    "real/5be_UPkLRw_4.mp4",
    "real/001.mp4",
)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video of three frames."""
    path = tmp_path_factory.mktemp("film") / "a.mp4"
    video.write(path, torch.rand(3, 3, 32, 32) * 2 - 1, 25)
    return path.read_bytes()


@pytest.fixture
def root(film: bytes, tmp_path: Path) -> Path:
    """A folder as the benchmark's, with a list of real clips and a generator that it does not have."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(film)
    real = {
        "Train": {"FaceForensics++": ["001.mp4"], "CelebV-HQ": ["RmxqK1np7rY_2.mp4"]},
        "Val": {"FaceForensics++": [], "CelebV-HQ": []},
        "Test": {"FaceForensics++": [], "CelebV-HQ": ["-5be_UPkLRw_4.mp4"]},
    }
    (tmp_path / "real" / layout.LISTS[0]).write_text(json.dumps(real))
    return tmp_path


def by_path(found: index.Index) -> dict[str, Clip]:
    return {clip.path: clip for clip in found.clips}


def test_every_clip_is_known_by_its_place_its_name_and_the_lists(root: Path) -> None:
    found = by_path(index.scan(root))
    assert set(found) == set(FILES)
    facts = {path: (c.label, c.generator, c.identity, c.driver, c.split, c.source) for path, c in found.items()}
    assert facts == {
        FILES[0]: ("fake", "Hallo", "00023", "7lHr2ZNlULA_4", "train", "CelebV-HQ"),
        FILES[1]: ("fake", "EMOPortraits", "69374", "_W4Em_fHubY_23", "test", "CelebV-HQ"),
        FILES[2]: ("fake", "MAGI-1", "00012", None, None, None),
        FILES[3]: ("fake", "mine", None, None, "val", None),
        FILES[4]: ("real", None, "RmxqK1np7rY", "RmxqK1np7rY_2", "train", "CelebV-HQ"),
        FILES[5]: ("real", None, "-5be_UPkLRw", "-5be_UPkLRw_4", "test", "CelebV-HQ"),
        FILES[6]: ("real", None, "001", "001", "train", "FaceForensics++"),
    }
    media = found[FILES[0]].media
    assert media and (media.width, media.height, media.fps, media.frames) == (32, 32, 25.0, 3)
    assert (media.codec, media.audio_codec, media.audio_hz) == ("h264", "", 0) and media.bit_rate > 0
    assert len({clip.digest for clip in found.values()}) == 1


def test_an_index_is_read_back_and_only_what_changed_is_read_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = index.scan(root)
    index.write(tmp_path / "index.jsonl", first)
    back = index.read(tmp_path / "index.jsonl")
    assert back.clips == first.clips
    changed = root / FILES[0]
    changed.write_bytes(changed.read_bytes() + b"tail")
    (root / FILES[1]).unlink()
    probed: list[Path] = []
    probe = index.media.probe
    monkeypatch.setattr(index.media, "probe", lambda path: probed.append(path) or probe(path))
    again = by_path(index.scan(root, back.clips))
    assert probed == [changed] and FILES[1] not in again
    assert again[FILES[0]].digest != by_path(first)[FILES[0]].digest


def test_a_killed_run_keeps_what_was_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "SAVED_EVERY", 3)
    kept: list[index.Index] = []
    index.scan(root, keep=kept.append)
    assert [len(part.clips) for part in kept] == [3, 6]


def test_damaged_files_are_listed_with_a_sentence(root: Path, film: bytes) -> None:
    (root / FILES[0]).write_bytes(film[:100])
    (root / FILES[1]).write_bytes(b"")
    found = index.scan(root)
    left_out = {clip.path: clip.why_left_out for clip in found.clips if clip.why_left_out}
    assert set(left_out) == set(FILES[:2]) and all("cannot be read" in str(why) for why in left_out.values())
    assert index.counts(found) == {"real": 3, "MAGI-1": 1, "mine": 1}
    assert len(found.usable) == 5


def test_counts_of_the_published_set() -> None:
    fakes = {name: count for name, count in index.PUBLISHED.items() if name != "real"}
    assert sum(fakes.values()) == 2994 and set(fakes) == set(names.GENERATORS)


def test_a_csv_says_what_paths_do_not(root: Path) -> None:
    table = root / "clips.csv"
    table.write_text(
        f"path,label,generator,identity,split\n{FILES[3]},fake,LivePortriat,bob,test\n{FILES[4]},real,,ann,\n"
    )
    one, other = index.from_csv(table).clips
    assert (one.generator, one.identity, one.split, one.label) == ("LivePortrait", "bob", "test", "fake")
    assert (other.generator, other.identity, other.split, other.maker) == (None, "ann", None, "real")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("file,label\na.mp4,real\n", "other columns"),
        ("path,label\nnone.mp4,real\n", "line 2: there is no file"),
        (f"path,label\n{FILES[4]},true\n", "line 2: the label is true"),
        (f"path,label,split\n{FILES[4]},real,dev\n", "no split dev"),
    ],
)
def test_a_csv_that_is_wrong_gets_one_sentence(root: Path, text: str, answer: str) -> None:
    (root / "clips.csv").write_text(text)
    with pytest.raises(BadInput, match=answer):
        index.from_csv(root / "clips.csv")


def test_a_folder_that_says_nothing_and_a_broken_list_are_refused(root: Path, film: bytes, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "a.mp4").write_bytes(film)
    with pytest.raises(BadInput, match="told real or fake"):
        index.scan(bare)
    (root / "real" / layout.LISTS[0]).write_text('{"Train": ["001.mp4"]}')
    with pytest.raises(BadInput, match="not a list of real clips"):
        index.scan(root)
    with pytest.raises(BadInput, match="bench index"):
        index.read(tmp_path / "none.jsonl")


def test_times_of_files_decide_and_not_only_sizes(root: Path) -> None:
    first = index.scan(root)
    file = root / FILES[0]
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(1, 1))
    assert by_path(index.scan(root, first.clips))[FILES[0]].digest != first.clips[0].digest
