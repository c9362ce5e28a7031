"""Folders of images as training data: what is in, what is left out and why, and that nothing is decoded twice."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import poses, tiny_album, tiny_prior
from PIL import Image

from selfsame.core.errors import BadInput
from selfsame.jobs import picture_data
from selfsame.jobs.picture_data import Data, read, split

PX = 16


def folder_of(path: Path, count: int = 20, px: int = PX) -> Path:
    """Squares of noise in two folders, without loss."""
    random = np.random.default_rng(0)
    for i in range(count):
        file = path / ("a" if i % 2 else "b") / f"{i:03d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (px, px, 3), dtype=np.uint8)).save(file)
    return path


def everything(data: Data) -> torch.Tensor:
    return data.images(torch.arange(len(data)))


def test_images_come_as_they_are_from_all_folders(tmp_path: Path) -> None:
    data = read(folder_of(tmp_path / "in"), tmp_path / "cache", "2d", PX)
    assert len(data) == 20 and data.labels(torch.tensor([0])) is None
    first = data.index.pictures[0].file
    assert first == "a/001.png"
    expected = torch.from_numpy(np.array(Image.open(tmp_path / "in" / first))).permute(2, 0, 1) / 127.5 - 1
    torch.testing.assert_close(data.images(torch.tensor([0]))[0], expected)
    assert (data.index.resized, data.index.cropped, data.index.left_out) == (0, 0, {})


def test_what_cannot_be_used_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in")
    whole = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 40, 3)))
    whole.save(folder / "tall.jpg")
    (folder / "broken.webp").write_bytes(b"no picture")
    (folder / "half.png").write_bytes((folder / "a" / "001.png").read_bytes()[:200])
    (folder / "copy.png").write_bytes((folder / "b" / "000.png").read_bytes())
    (folder / "notes.txt").write_text("no image, not tried")
    data = read(folder, tmp_path / "cache", "2d", PX)
    assert set(data.index.left_out) == {"broken.webp", "half.png", "copy.png"}
    assert data.index.left_out["copy.png"] == "It is a copy of b/000.png."
    assert (len(data), data.index.resized, data.index.cropped) == (21, 1, 1)
    middle = data.images(torch.tensor([[p.file for p in data.index.pictures].index("tall.jpg")]))
    assert abs(float(middle.mean())) < 0.02, "the middle of a tall picture is kept"


def test_nothing_is_decoded_twice_unless_the_folder_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path / "in")
    one = read(folder, tmp_path / "cache", "2d", PX)
    with monkeypatch.context() as patch:
        patch.setattr(picture_data.photo, "read", None)
        two = read(folder, tmp_path / "cache", "2d", PX)
    assert one.index == two.index and torch.equal(everything(one), everything(two))
    Image.new("RGB", (PX, PX), "red").save(folder / "new.png")
    three = read(folder, tmp_path / "cache", "2d", PX)
    assert len(three) == 21 and three.index.digest != one.index.digest


def test_a_kill_while_decoding_leaves_nothing_that_is_taken_for_whole(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in")

    def stop(stage: str, done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    read(folder, tmp_path / "cache", "2d", 8)
    with pytest.raises(KeyboardInterrupt):
        read(folder, tmp_path / "cache", "2d", PX, stop)
    assert not (tmp_path / "cache" / "data.json").exists()
    assert len(read(folder, tmp_path / "cache", "2d", PX)) == 20


def test_sides_do_not_meet_and_do_not_change(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", 60)
    train, held_back = split(read(folder, tmp_path / "cache", "2d", PX))
    assert len(train) + len(held_back) == 60 and not set(train.chosen.tolist()) & set(held_back.chosen.tolist())
    assert len(held_back) >= 2
    before = {train.index.pictures[int(i)].digest for i in held_back.chosen}
    for file in sorted(folder.rglob("*.png"))[:10]:
        file.rename(folder / f"moved-{file.name}")
    Image.new("RGB", (PX, PX), "red").save(folder / "new.png")
    train, held_back = split(read(folder, tmp_path / "cache", "2d", PX))
    after = {train.index.pictures[int(i)].digest for i in held_back.chosen}
    assert before <= after and len(after) <= len(before) + 1
    few = split(read(folder_of(tmp_path / "few", 16), tmp_path / "c2", "2d", PX), held_back=0.0)
    assert len(few[1]) == 2


def test_three_dimensions_need_a_camera_for_each(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", 18)
    with pytest.raises(BadInput, match=r"has no dataset\.json and no album\.json"):
        read(folder, tmp_path / "cache", "3d", PX)
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.png"))
    labels = [[name, row.tolist()] for name, row in zip(names, poses(18).pack(), strict=True)][:17]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    Image.new("RGB", (PX, 2 * PX)).save(folder / names[0])
    data = read(folder, tmp_path / "cache", "3d", PX)
    assert len(data) == 16 and "must be square" in data.index.left_out[names[0]]
    assert data.index.left_out[names[17]] == "It has no camera in dataset.json."
    found = data.labels(torch.tensor([0, 15]))
    assert found is not None
    torch.testing.assert_close(found, poses(18).pack()[[1, 16]])


@pytest.mark.parametrize("text", ["no json", '{"labels": [["a", [1, 2]]]}', '{"labels": 3}', "[]"])
def test_cameras_that_are_not_25_numbers_are_refused(text: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", 2)
    (folder / "dataset.json").write_text(text)
    with pytest.raises(BadInput, match=r"dataset\.json"):
        read(folder, tmp_path / "cache", "3d", PX)


def test_an_album_brings_its_cameras(tmp_path: Path) -> None:
    album = tiny_album(tmp_path / "ada", tiny_prior(), count=18)
    data = read(album.path, tmp_path / "cache", "3d", PX)
    found = data.labels(torch.arange(18))
    assert found is not None
    torch.testing.assert_close(found, poses(18).pack())
    torch.testing.assert_close(everything(data), album.images())


def test_too_few_images_are_refused_with_a_reason(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", 3)
    (folder / "broken.png").write_bytes(b"")
    with pytest.raises(BadInput, match=r"has 3 usable images \(broken\.png: .*\)\. A prior needs at least 16"):
        read(folder, tmp_path / "cache", "2d", PX)
    with pytest.raises(BadInput, match="is not a folder"):
        read(tmp_path / "nowhere", tmp_path / "cache", "2d", PX)
