"""Forgetting: all of a person goes and nothing else, whatever was killed, linked, locked or left elsewhere."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from helpers import tiny_album, tiny_prior
from person_toys import contents, modelled

from selfsame.cli import app
from selfsame.core import lock, weights
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.weights import Card
from selfsame.faces.album import Album
from selfsame.jobs import album_export, forget

NOT_THEIRS = Card("triplane-prior", {}, 0, "Free.", data_digest="d" * 64, command="selfsame train prior")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, made once: tests take copies."""
    folder = tmp_path_factory.mktemp("made")
    modelled(tiny_album(folder / "ada", tiny_prior(), count=3))
    modelled(tiny_album(folder / "bo", tiny_prior(), count=2, seed=9), value=7.0)
    return folder


@pytest.fixture
def ada(people: Path, made: Path) -> Album:
    return Album.open(shutil.copytree(made / "ada", people / "ada"))


@pytest.fixture
def bo(people: Path, made: Path) -> Album:
    return Album.open(shutil.copytree(made / "bo", people / "bo"))


def places(found: Iterator[object] | tuple[object, ...]) -> dict[str, str]:
    return {trace.place.name: trace.why for trace in found}  # type: ignore[attr-defined]


def test_all_of_a_person_goes_by_kind_and_others_stay(people: Path, ada: Album, bo: Album) -> None:
    before = contents(bo.path)
    sizes = {path: len(data) for path, data in contents(ada.path).items()}
    plan = forget.plan(ada.path)
    assert (ada.path / "album.json").exists()  # a plan does nothing
    assert {t.kind: t.files for t in plan.totals} == {
        "album": 1, "crops": 3, "models": 4, "latents": 1, "buffers": 3, "reports": 1,
    }  # fmt: skip
    assert {item.path: item.bytes for item in plan.items} == sizes
    assert sum(t.bytes for t in plan.totals) == sum(sizes.values())
    done = forget.carry_out(plan)
    assert done.totals == plan.totals and [p.name for p in people.iterdir()] == ["bo"]
    assert contents(bo.path) == before
    with pytest.raises(BadInput, match="Nobody called ada is in"):
        forget.plan(ada.path)


def test_links_go_and_what_they_lead_to_stays(people: Path, ada: Album, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.txt").write_text("mine")
    (ada.path / "faces" / "folder").symlink_to(outside)
    (ada.path / "models" / "file").symlink_to(outside / "precious.txt")
    (ada.path / "loop").symlink_to(ada.path)
    plan = forget.plan(ada.path)
    assert {item.path: item.link for item in plan.links} == {
        "faces/folder": str(outside), "models/file": str(outside / "precious.txt"), "loop": str(ada.path),
    }  # fmt: skip
    forget.carry_out(plan)
    assert list(people.iterdir()) == [] and (outside / "precious.txt").read_text() == "mine"


def test_a_person_who_is_a_link_or_a_file_or_nobody(people: Path, ada: Album) -> None:
    (people / "also").symlink_to(ada.path)
    (people / "file").write_text("")
    for name, answer in (("also", "is a link to"), ("file", "is a file"), ("nobody", "Nobody called nobody is in")):
        with pytest.raises(BadInput, match=answer):
            forget.plan(people / name)
    with pytest.raises(BadInput, match="to look through"):
        forget.plan(ada.path, [people / "nowhere"])
    for name in ("../ada", ".", "ada/models", ""):
        with pytest.raises(WrongUse, match="cannot be a name"):
            app(["forget", name, "--people", str(people), "--yes"], result_action="return_value")
    assert len(contents(ada.path)) == 13


def test_a_folder_that_another_run_holds_is_left_alone(people: Path, ada: Album) -> None:
    code = (
        "import sys, time; from pathlib import Path; from selfsame.core.lock import holding\n"
        "with holding(Path(sys.argv[1]), 'adding photos to ada'): print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(ada.path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    before = contents(ada.path)
    with pytest.raises(BadInput, match=rf"Another run is adding photos to ada \(process {other.pid}\)"):
        forget.carry_out(forget.plan(ada.path))
    assert contents(ada.path) == before
    other.kill()
    other.wait()
    forget.carry_out(forget.plan(ada.path))
    assert list(people.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from selfsame.jobs import forget
left = int(sys.argv[2])
honest = forget._delete
def die(path):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    honest(path)
forget._delete = die
forget.carry_out(forget.plan(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("who", ["ada", "bo"])
def test_what_a_killed_run_left_is_hidden_and_finished(
    people: Path, ada: Album, bo: Album, after: int, who: str
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(ada.path), str(after)], check=False)
    assert done.returncode == -signal.SIGKILL
    (hidden,) = people.glob(".forgetting-ada-*")
    assert not ada.path.exists() and len(contents(hidden)) > 1
    plan = forget.plan(people / who)
    assert plan.leftovers == ((hidden,) if who == "ada" else ())
    finished = forget.carry_out(plan)
    assert sum(total.files for total in finished.totals) > 0
    assert [p.name for p in people.iterdir()] == (["bo"] if who == "ada" else [])


def test_a_new_album_of_the_same_name_and_an_old_leftover_both_go(people: Path, ada: Album) -> None:
    ada.path.rename(people / f".forgetting-ada-{os.getpid()}")  # whose number this very run would take
    tiny_album(people / "ada", tiny_prior(), count=2)
    plan = forget.plan(people / "ada")
    assert {t.kind: t.files for t in plan.totals}["crops"] == 5
    forget.carry_out(plan)
    assert list(people.iterdir()) == []


def test_what_cannot_be_removed_is_said_and_goes_on_later(
    people: Path, ada: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", full)
        with pytest.raises(BadInput, match=r"cannot be removed \(Permission denied\)"):
            forget.carry_out(forget.plan(ada.path))
    assert not ada.path.exists()
    forget.carry_out(forget.plan(ada.path))
    assert list(people.iterdir()) == []


def test_who_writes_meanwhile_is_noticed(people: Path, ada: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = forget._erase

    def written(place: Path) -> None:
        honest(place)
        (ada.path / "models").mkdir(parents=True)

    monkeypatch.setattr(forget, "_erase", written)
    with pytest.raises(BadInput, match="Another run wrote into"):
        forget.carry_out(forget.plan(ada.path))


@pytest.fixture
def elsewhere(ada: Album, bo: Album, tmp_path: Path) -> Path:
    """Models, exports and pictures of ada and of others in a folder that is nobody's."""
    out = tmp_path / "elsewhere"
    model, own = ada.path / "models" / "main", weights.card_of(ada.path / "models" / "main")
    shutil.copytree(model, out / "copy")
    (out / "copy" / "letter.txt").write_text("not ours")
    numbers = count()

    def x() -> dict[str, torch.Tensor]:  # the digest of weights is that of their numbers
        return {"x": torch.full((3,), float(next(numbers)))}

    merged = weights.save(out / "merged", x(), replace(NOT_THEIRS, data_digest=own.digest))
    weights.save(out / "on-merged", x(), replace(NOT_THEIRS, prior_digest=merged.digest))
    found = Card("found-photo", {}, 0, "", own.digest, "e" * 64, command="selfsame invert ada x")
    weights.save(out / "found", x(), found)
    weights.save(out / "by-command", x(), replace(NOT_THEIRS, kind="personal-3d", command="selfsame age fit ada"))
    (out / "adapter").mkdir()
    (out / "adapter" / "adapter_config.json").write_text(json.dumps({"selfsame": json.loads(weights.to_json(own))}))
    torch.save({"x": torch.ones(2), "selfsame": weights.to_json(own)}, out / "ada.pt")
    torch.save({"x": torch.ones(2), "selfsame": weights.to_json(NOT_THEIRS)}, out / "other.pt")
    album_export.export(ada.path, out / "given.zip")
    album_export.export(bo.path, out / "bo.zip")
    with zipfile.ZipFile(out / "plain.zip", "w") as archive:
        archive.writestr("about.json", '{"person": "ada"}')
    shutil.copytree(ada.path, out / "old" / "ada")
    shutil.copytree(bo.path / "models" / "main", out / "bos")
    weights.save(out / "prior", x(), NOT_THEIRS)
    (out / "unknown").mkdir()
    weights.save(out / "unknown", x(), Card("personal-2d", {}, 0, "", "p" * 64))
    for name in ("ada-orbit.mp4", "adage.png", "sunset.png"):
        (out / name).write_bytes(b"x")
    return out


THEIRS = {"copy", "merged", "on-merged", "found", "by-command", "adapter", "ada.pt", "given.zip", "ada"}


def test_what_lies_elsewhere_is_found_by_digest_or_name(elsewhere: Path, ada: Album) -> None:
    plan = forget.plan(ada.path, [elsewhere])
    assert places(plan.to_remove).keys() == THEIRS
    assert places(plan.untouched).keys() == {"ada-orbit.mp4", "unknown"}
    why = places(plan.to_remove)
    assert "by digest" in why["merged"] and "by digest" in why["on-merged"] and "by digest" in why["found"]
    assert "command" in why["by-command"] and "names this person" in why["given.zip"]


def test_what_lies_elsewhere_goes_only_where_asked(elsewhere: Path, ada: Album, people: Path) -> None:
    before = contents(elsewhere)
    plan = forget.plan(ada.path, store=elsewhere)
    assert plan.to_remove == () and places(plan.untouched).keys() == THEIRS | {"ada-orbit.mp4", "unknown"}
    forget.carry_out(plan)
    assert contents(elsewhere) == before
    again = forget.plan(ada.path, [elsewhere])  # a copy's command names ada, and its digest leads to the rest
    assert places(again.to_remove).keys() == THEIRS
    for copied in ("copy", "adapter", "old"):
        shutil.rmtree(elsewhere / copied)
    again = forget.plan(ada.path, [elsewhere])  # now names alone can tell
    assert places(again.to_remove).keys() == {"found", "by-command", "given.zip"}


def test_what_is_removed_elsewhere_is_ours_alone(elsewhere: Path, ada: Album, bo: Album) -> None:
    plan = forget.plan(ada.path, [elsewhere])
    forget.carry_out(plan)
    assert {p.name for p in elsewhere.iterdir()} == {
        "copy", "other.pt", "bo.zip", "plain.zip", "old", "bos", "prior", "unknown", "ada-orbit.mp4", "adage.png",
        "sunset.png",
    }  # fmt: skip
    assert contents(elsewhere / "copy") == {"letter.txt": b"not ours"} and not any((elsewhere / "old").iterdir())
    assert forget.plan(ada.path, [elsewhere]).to_remove == ()


def test_what_lies_in_another_persons_folder_is_listed_and_never_removed(people: Path, ada: Album, bo: Album) -> None:
    own = weights.card_of(ada.path / "models" / "main")
    made = bo.path / "models" / "mixed"
    weights.save(made, {"x": torch.ones(3)}, Card("personal-3d", {}, 0, "", own.digest, "b" * 64))
    before = contents(bo.path)
    plan = forget.plan(ada.path, [people, bo.path / "models"])
    assert plan.to_remove == () and places(plan.untouched).keys() == {"mixed"}
    assert plan.untouched[0].why.endswith("it lies in the folder of bo")
    forget.carry_out(plan)
    assert contents(bo.path) == before


def test_a_photo_that_two_people_share_makes_neither_the_others(people: Path, ada: Album, bo: Album) -> None:
    record = json.loads((bo.path / "album.json").read_text())
    record["photos"].append(record["photos"][0] | {"digest": ada.kept[0].digest, "id": ada.kept[0].id})
    (bo.path / "album.json").write_text(json.dumps(record))
    assert forget.plan(ada.path).traces == ()


def test_a_published_network_in_a_persons_folder_gives_no_marks(ada: Album, tmp_path: Path) -> None:
    weights.save(ada.path / "models" / "age" / "sam", {"x": torch.ones(3)}, replace(NOT_THEIRS, kind="sam"))
    shutil.copytree(ada.path / "models" / "age" / "sam", tmp_path / "store" / "sam")
    assert forget.plan(ada.path, store=tmp_path / "store").traces == ()


def test_links_below_a_searched_folder_are_not_followed(ada: Album, tmp_path: Path) -> None:
    shutil.copytree(ada.path / "models" / "main", tmp_path / "aside" / "main")
    (tmp_path / "searched").mkdir()
    (tmp_path / "searched" / "link").symlink_to(tmp_path / "aside")
    (tmp_path / "searched" / "card.json").symlink_to(tmp_path / "aside" / "main" / "card.json")
    assert forget.plan(ada.path, [tmp_path / "searched"]).traces == ()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 40, b"[" * 10000, b"[]", b'{"photos": 3, "kept": [1]}'])
def test_damaged_records_elsewhere_stop_nothing(ada: Album, tmp_path: Path, content: bytes) -> None:
    where = tmp_path / "damaged"
    where.mkdir()
    for name in ("album.json", "card.json", "weights.safetensors", "adapter_config.json", "buffer.json", "plan.json",
                 "anchors.safetensors", "x.zip", "x.pt"):  # fmt: skip
        (where / name).write_bytes(content)
    assert forget.plan(ada.path, [where]).traces == ()
    (ada.path / "album.json").write_bytes(content)
    forget.carry_out(forget.plan(ada.path))
    assert not ada.path.exists()


def test_the_command_lists_asks_and_removes(
    people: Path, ada: Album, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*more: str) -> str:
        app(["forget", "ada", "--people", str(people), *more], result_action="return_value")
        return capsys.readouterr().out

    out = run("--dry-run")
    assert "13 files of ada" in out and "would be removed" in out and "aligned crops" in out
    answer = json.loads(run("--dry-run", "--json"))
    assert answer["removed"] is False and answer["kinds"]["crops"]["files"] == 3
    with pytest.raises(WrongUse, match="nobody can be asked"):
        run()
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda words: "yes")
    with pytest.raises(WrongUse, match="Nothing was removed"):
        run()
    assert ada.path.exists() and "aligned crops" in capsys.readouterr().out
    monkeypatch.setattr("builtins.input", lambda words: "ada")
    assert "are removed" in run()
    assert list(people.iterdir()) == []


def test_a_held_lock_is_no_part_of_a_person(ada: Album) -> None:
    with lock.holding(ada.path, "x"):
        assert all(lock.LOCK_FILE not in item.path for item in forget.plan(ada.path).items)
