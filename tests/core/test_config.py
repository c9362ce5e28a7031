import errno
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsame.core.config import from_json, to_json, write_atomic, writing
from selfsame.core.errors import BadInput


@dataclass(frozen=True)
class Inner:
    sizes: tuple[int, ...] = (1, 2)
    name: str = "x"


@dataclass(frozen=True)
class Outer:
    lr: float
    inner: Inner = field(default_factory=Inner)
    note: str | None = None


@given(
    st.builds(
        Outer,
        lr=st.floats(allow_nan=False, allow_infinity=False),
        inner=st.builds(Inner, sizes=st.lists(st.integers(-9, 9)).map(tuple), name=st.text()),
        note=st.none() | st.text(),
    )
)
def test_a_config_comes_back_from_its_json(config: Outer) -> None:
    assert from_json(Outer, to_json(config)) == config


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"lr": 1, "inner": {"sizes": [], "name": ""}, "note": null, "extra": 0}', "unknown key extra"),
        ('{"lr": 1, "inner": {"sizes": [], "name": ""}}', "missing key note"),
        ('{"lr": 1, "inner": {"sizes": []}, "note": null}', r"missing key inner\.name"),
        ('{"lr": "fast", "inner": {"sizes": [], "name": ""}, "note": null}', "lr: .*number"),
        ("[1]", "must be an object"),
        ("{", "this file is not valid"),
    ],
)
def test_unknown_missing_and_wrong_values_are_named(text: str, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        from_json(Outer, text, "this file")


def test_an_atomic_write_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    write_atomic(path, "old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in path.parent.iterdir()] == ["file.json"]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("call", ["tempfile.mkstemp", "os.fsync", "pathlib.Path.replace", "pathlib.Path.mkdir"])
def test_a_full_disk_is_one_sentence_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "file.json"
    write_atomic(path, "old")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(call, full)
    with pytest.raises(BadInput, match=r"file\.json cannot be written \(No space left on device\)"):
        write_atomic(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.json"]


def test_other_errors_pass_through() -> None:
    with pytest.raises(KeyError), writing(Path("x")):
        raise KeyError("y")
