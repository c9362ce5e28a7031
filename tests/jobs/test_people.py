"""The listing of a folder of people, with folders that are no people among them."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from helpers import tiny_album, tiny_prior

from selfsame.core import weights
from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.faces.album import Album
from selfsame.jobs import history
from selfsame.jobs.people import Damaged, ModelSeen, PersonSeen, listing


def modelled(folder: Path, kind: str = "personal-3d") -> int:
    """A model's files in a folder; returns their bytes."""
    weights.save(folder, {"x": torch.zeros(10)}, Card(kind, {}, 0, "mine"))
    (folder / "training").mkdir()
    (folder / "training" / "checkpoint.safetensors").write_bytes(b"x" * 1000)
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_everybody_is_listed_by_name_with_what_is_theirs(people: Path) -> None:
    tiny_album(people / "bo", tiny_prior(), count=3)
    Album.create(people / "ada", consent="Ada, today")
    size = modelled(people / "bo" / "models" / "main")
    more = modelled(people / "bo" / "models" / "age", "personal-aging")
    past = history.read(people / "bo" / "models" / "main")
    history.write(people / "bo" / "models" / "main", history.added(past, "states/001", (), (), ()))
    size += (people / "bo" / "models" / "main" / "history.json").stat().st_size
    (people / "bo" / "models" / "begun").mkdir()
    (people / "bo" / "models" / "begun" / "fit.json").write_text("{}")
    late = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    os.utime(people / "bo" / "models" / "main" / "training" / "checkpoint.safetensors", (0, late.timestamp()))
    ada, bo = listing(people)
    assert isinstance(ada, PersonSeen) and isinstance(bo, PersonSeen)
    assert (ada.name, ada.photos, ada.models, ada.bytes) == ("ada", 0, (), 0)
    assert abs((datetime.now(UTC) - ada.changed).total_seconds()) < 3600
    assert bo.models == (
        ModelSeen("age", "personal-aging", 1, more), ModelSeen("begun", "unfinished", 0, 2),
        ModelSeen("main", "personal-3d", 2, size),
    )  # fmt: skip
    assert (bo.photos, bo.bytes, bo.changed) == (3, size + more + 2, late)


def test_photos_left_out_do_not_count(people: Path) -> None:
    album = tiny_album(people / "bo", tiny_prior(), count=3)
    record = json.loads((people / "bo" / "album.json").read_text())
    record["photos"][1]["why_left_out"] = "No face."
    (people / "bo" / "album.json").write_text(json.dumps(record))
    (seen,) = listing(people)
    assert isinstance(seen, PersonSeen)
    assert seen.photos == len(Album.open(album.path).kept) == 2


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("album.json", b"{"), ("album.json", b"\xff\xfe"), ("album.json", b"[]"), ("album.json", b"{}"),
        ("album.json", b'{"photos": 3}'), ("album.json", b'{"photos": [{}]}'), ("album.json", b'{"photos": [1]}'),
        ("album.json", b"[" * 10000), ("models/main/card.json", b'"kind"'), ("models/main/card.json", b""),
        ("models/main/history.json", b'{"states": 2}'), ("models/main/history.json", b"nonsense"),
    ],
)  # fmt: skip
def test_a_damaged_folder_has_a_line_and_the_others_are_listed(people: Path, file: str, content: bytes) -> None:
    for name in ("ada", "bo", "cy"):
        tiny_album(people / name, tiny_prior(), count=1)
        modelled(people / name / "models" / "main")
    (people / "bo" / file).write_bytes(content)
    ada, bo, cy = listing(people)
    assert isinstance(ada, PersonSeen) and isinstance(cy, PersonSeen)
    assert bo == Damaged("bo", f"{people / 'bo' / file} is damaged.")


def test_folders_that_are_nobodys_and_stray_files(people: Path) -> None:
    (people / "empty").mkdir()
    (people / ".hidden").mkdir()
    (people / "notes.txt").write_text("not a person")
    (people / "odd").mkdir()
    (people / "odd" / "album.json").mkdir()
    (people / "gone").mkdir()
    (people / "gone" / "album.json").symlink_to(people / "nowhere")
    whys = {seen.name: seen.why for seen in listing(people) if isinstance(seen, Damaged)}
    assert whys.keys() == {"empty", "gone", "odd"}
    assert whys["empty"].endswith("holds neither an album nor a model.")
    assert "cannot be read (Is a directory)" in whys["odd"]
    assert "cannot be read (No such file or directory)" in whys["gone"]
    with pytest.raises(BadInput, match="There is no folder"):
        listing(people / "nowhere")


def test_the_command_loads_no_torch(people: Path) -> None:
    tiny_album(people / "bo", tiny_prior(), count=1)
    modelled(people / "bo" / "models" / "main")
    code = (
        "import sys; from selfsame.cli import app\n"
        f"app(['people', '--people', {str(people)!r}], result_action='return_value')\n"
        "assert not {'torch', 'numpy', 'PIL', 'rich.table'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "main (personal-3d)" in done.stdout and "1 photos" in done.stdout
