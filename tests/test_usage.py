"""Words that can never work, answered at once: no traceback, no work begun, exit code 2; and a quick --help."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from selfsame.cli import app, main
from selfsame.commands import shared
from selfsame.core.errors import BadInput, WrongUse


@pytest.mark.parametrize(
    "words",
    [
        "fit ada --steps 0",
        "fit ada --rank 0",
        "fit ada --preset nonsense",
        "show ada --sample 0",
        "show ada --orbit --frames 0",
        "demo --photos 0",
        "world album ada --photos -1",
        "world clip ada --seconds 0",
        "world clip ada --fps -1",
        "world clip ada --size 0",
        "world benchmark",
        "world benchmark --out set --takes 0",
        "world benchmark --out set --jobs 0",
        "album add ada photos --size 0",
        "album add ada photos --frames 0",
        "fit",
        "detect",
        "detect clip.mp4 --threshold 0.5",
        "train prior --data photos",
        "train prior --data photos --out p --steps 0",
        "train prior --data photos --out p --looked-at 1",
        "train prior --data photos --out p --kind 4d",
        "train prior --data photos --out p --precision fp8",
    ],
)
def test_impossible_numbers_and_words_exit_2(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        app(words.split())
    assert stopped.value.code == 2
    assert "Error" in "".join(capsys.readouterr())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../ada", "a/b", ".", "", "-x y", "ada\n", "é"])
@pytest.mark.parametrize(
    "before", [["album", "show"], ["fit"], ["show", "--orbit"], ["world", "album"], ["world", "clip"]]
)
def test_a_name_cannot_lead_elsewhere(
    name: str, before: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WrongUse, match="cannot be a name"):
        app([*before, "--", name], result_action="return_value")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kinds", ["", "--orbit --mesh", "--sample 2 --interpolate 0 1"])
def test_show_wants_one_thing(kinds: str) -> None:
    with pytest.raises(WrongUse, match="one thing"):
        app(["show", "ada", *kinds.split()], result_action="return_value")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("--size 100", "power of two"),
        ("--precision fp16", "needs a GPU"),
        ("--start starter-3d --size 64", "128 pixels"),
    ],
)
def test_trainings_that_cannot_be(words: str, answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    kind = ["--kind", "3d"] if "3d" in words else []
    before = ["train", "prior", "--data", str(tmp_path), "--out", str(tmp_path / "p")]
    with pytest.raises(WrongUse, match=answer):
        app([*before, *kind, *words.split()], result_action="return_value")
    assert not list(tmp_path.iterdir())


def test_a_missing_model_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="selfsame fit ada --run late"):
        app(["show", "ada", "--orbit", "--run", "late", "--people", str(tmp_path)], result_action="return_value")


def test_a_dry_run_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    app(["demo", "--dry-run", "--json", "--steps", "3"], result_action="return_value")
    assert json.loads(capsys.readouterr().out)["config"]["personal"]["steps"] == 3


def test_help_brings_no_torch() -> None:
    code = (
        "import sys\nfrom selfsame.cli import app\ntry: app(['fit', '--help'])\nexcept SystemExit: pass\n"
        "print(*sorted({'torch', 'numpy', 'cv2', 'PIL'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--preset" in done.stdout and not done.stderr.split()


@pytest.mark.parametrize("words", [["fit", "ada"], ["album", "show", "ada"]])
def test_a_stopped_command_says_how_to_go_on(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shared, "person_folder", stopped)
    monkeypatch.setattr(sys, "argv", ["selfsame", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 130
    said = capsys.readouterr()
    assert not said.out and said.err == "selfsame: stopped; the same command goes on from here.\n"
