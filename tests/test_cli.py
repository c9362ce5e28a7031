"""Every command as a user types it: two steps of each, and what each kind of bad input gets."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import bench_toys
import numpy as np
import pytest
import torch
from detect_toys import config, examples
from helpers import short_sessions
from PIL import Image

import selfsame
from selfsame.cli import app
from selfsame.clips import audit
from selfsame.core import image
from selfsame.core.camera import facing
from selfsame.core.errors import BadInput, SelfsameError, WrongUse
from selfsame.faces.album import Album
from selfsame.jobs import (
    bench_proof,
    continual_cells,
    my3dgen_people,
    my3dgen_scores,
    my3dgen_tasks,
    mytm_cases,
    mytm_scores,
    mytm_table,
)
from selfsame.jobs.bench_world_plan import SetConfig
from selfsame.jobs.my3dgen_methods import OURS
from selfsame.jobs.mytm_cases import REGRESSION_40
from selfsame.jobs.mytm_scores import USUAL_PHOTOS, Cell
from selfsame.tasks import detect
from selfsame.world import album as world

TWO_STEPS = ["--steps", "2"]
BENCH = ["--out", "board", "--protocol", "P1 one"]


def run(*words: str | Path) -> None:
    app([str(word) for word in words], result_action="return_value")


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """The one JSON object that a command printed; NaN, which JSON does not know, is refused."""
    found: dict[str, object] = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    return found


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which ada, a synthetic person, has an album and a model, and pictures lie."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "pictures").mkdir()
    for i in range(18):  # what a prior is trained on
        image.save(torch.linspace(-1, i / 9 - 1, 3 * 24**2).reshape(1, 3, 24, 24), folder / "pictures" / f"{i}.png")
    before = Path.cwd()
    os.chdir(folder)
    try:
        run("world", "album", "ada", "--seed", "3", "--photos", "7", "--json")
        run("fit", "ada", *TWO_STEPS, "--json")
        run("world", "album", "lea", "--seed", "4", "--photos", "4", "--json")
        run("fit", "lea", *TWO_STEPS, "--json")
        for session, photos in (("1", "3"), ("2", "4")):
            run("world", "album", "lea", "--seed", "4", "--photos", photos, "--session", session, "--json")
        run("update", "lea", "photos/lea-1", *TWO_STEPS, "--json")
        run("weights", "export", "starter-2d", "generator.pt", "--json")
        run("world", "clip", "cy", "--seed", "5", "--seconds", "0.2", "--size", "128", "--json")
        run("world", "album", "cy", "--seed", "5", "--photos", "6", "--years", "30", "60", "--json")
        for name in ("real/RmxqK1np7rY_2.mp4", "fake/Hallo/test/00023--7lHr2ZNlULA_4--Hallo.mp4"):
            (folder / "talks" / name).parent.mkdir(parents=True)
            shutil.copy(folder / "clips" / "cy.mp4", folder / "talks" / name)
        run("bench", "index", "talks", "--json")
        csv = bench_toys.lay_out(folder / "toys", folder / "clips" / "cy.mp4")
        run("bench", "index", csv, "--out", "board", "--json")
        run("bench", "train", "cnn-small", *BENCH, *TWO_STEPS, "--batch", "4", "--json")
        run("bench", "run", "cnn-small", *BENCH, *TWO_STEPS, "--batch", "4", "--json")
        Album.create("people/mo", consent="Nobody: a toy.")  # to be forgotten
        detect.train(folder / "detector", examples(0, 8), examples(8, 8), config(steps=2, select_every=2))
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def inside(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(home)
    return home


COMMANDS: dict[str, list[str]] = {
    "demo": ["demo", "--seed", "3", "--photos", "7", *TWO_STEPS, "--json"],
    "fit": ["fit", "ada", *TWO_STEPS, "--json"],
    "show": ["show", "ada", "--sample", "2", "--json"],
    "together": ["together", "ada", "lea", "--frames", "2", "--json"],
    "people": ["people", "--json"],
    "invert": ["invert", "ada", "photos/ada/photo_000.jpg", "--tune", *TWO_STEPS, "--json"],
    "repair": ["repair", "ada", "photos/ada/photo_000.jpg", "--old", *TWO_STEPS, "--json"],
    "edit": ["edit", "ada", "--direction", "smile", "--by", "-2:2:3", "--samples", "30", "--json"],
    "train prior": [
        "train",
        "prior",
        "--data",
        "pictures",
        "--out",
        "mine",
        "--size",
        "16",
        "--batch",
        "4",
        "--looked-at",
        "8",
        *TWO_STEPS,
        "--json",
    ],
    "age fit": ["age", "fit", "cy", *TWO_STEPS, "--json"],
    "age render": ["age", "render", "cy", "photos/cy/photo_000.jpg", "--to", "20:60:40", "--json"],
    "age video": ["age", "video", "cy", "clips/cy.mp4", "--to", "60", "--json"],
    "detect": ["detect", "clips/cy.mp4", "--model", "detector", "--json"],
    "reproduce continual": ["reproduce", "continual", "--subjects", "1", "--jobs", "1", "--json"],
    "reproduce my3dgen": ["reproduce", "my3dgen", "--subjects", "1", "--jobs", "1", *TWO_STEPS, "--json"],
    "reproduce mytm": ["reproduce", "mytm", "--subjects", "1", "--jobs", "1", *TWO_STEPS, "--json"],
    "album add": ["album", "add", "ada", "photos/ada", "--json"],
    "update": ["update", "lea", "photos/lea-2", *TWO_STEPS, "--json"],
    "history": ["history", "lea", "--json"],
    "rollback": ["rollback", "lea", "--to", "0", "--json"],
    "bench index": ["bench", "index", "talks", "--json"],
    "bench perturb": ["bench", "perturb", "jpeg", "3", "--json"],
    "bench normalize": ["bench", "normalize", "--px", "64", "--seconds", "0.1", "--json"],
    "bench audit": ["bench", "audit", "--json"],
    "bench train": ["bench", "train", "tall-small", *BENCH, *TWO_STEPS, "--batch", "4", "--json"],
    "bench run": ["bench", "run", "containers", *BENCH, "--json"],
    "bench board": ["bench", "board", "--out", "board", "--json"],
    "bench explain": ["bench", "explain", "cnn-small", *BENCH, *TWO_STEPS, "--batch", "4", "--json"],
    "reproduce talkingheadbench": [
        "reproduce", "talkingheadbench", "--people", "2", "2", "2", "--jobs", "1", *TWO_STEPS, "--json",
    ],
    "weights export": ["weights", "export", "starter-2d", "exported.pt", "--layout", "rosinality", "--json"],
    "weights import": ["weights", "import", "generator.pt", "--name", "mine", "--json"],
    "weights list": ["weights", "list", "--json"],
    "weights show": ["weights", "show", "starter-2d", "--json"],
    "weights verify": ["weights", "verify", "starter-sam", "--json"],
    "weights where": ["weights", "where", "--json"],
    "album export": ["album", "export", "lea", "--out", "lea.zip", "--json"],
    "forget": ["forget", "mo", "--yes", "--json"],
    "album show": ["album", "show", "ada", "--json"],
    "album drop": ["album", "drop", "lea", "lea/photo_000.jpg", "--because", "Two steps.", "--json"],
    "album refine": ["album", "refine", "lea", "--json"],
    "album keep": ["album", "keep", "lea", "lea/photo_000.jpg", "--json"],
    "album sessions": ["album", "sessions", "ada", "--by", "folders", "--json"],
    "world album": ["world", "album", "bo", "--seed", "4", "--photos", "2", "--json"],
    "world clip": ["world", "clip", "bo", "--seed", "4", "--seconds", "0.2", "--size", "64", "--json"],
    "world benchmark": [
        "world", "benchmark", "--out", "fakes", "--people", "2", "2", "2", "--takes", "1", "--seconds", "0.08",
        "--size", "64", "--json",
    ],
}  # fmt: skip


def command_names(parent: object = app, before: str = "") -> set[str]:
    found: set[str] = set()
    for name in parent:  # type: ignore[attr-defined]
        if name.startswith("-"):
            continue
        child = parent[name]  # type: ignore[index]
        deeper = command_names(child, f"{before}{name} ")
        found |= deeper or {before + name}
    return found


def test_the_table_has_every_command() -> None:
    assert command_names() == set(COMMANDS)


@pytest.fixture
def three_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation of minutes and not of hours."""
    names = ("SAM", "SAM fine-tuned", mytm_table.ours())
    cells = [Cell(REGRESSION_40, name, USUAL_PHOTOS) for name in names]
    monkeypatch.setattr(mytm_scores, "stages", lambda: [cells])
    monkeypatch.setattr(mytm_cases, "TEST_PHOTOS", 1)
    monkeypatch.setattr(mytm_cases, "NEAR_YEARS", (0,))
    ways = [continual_cells.Cell("2d", method, size, 0) for method, size in (("none", 0), ("hull", 3), ("random", 3))]
    monkeypatch.setattr(continual_cells, "stages", lambda more_seeds: [ways])
    short_sessions(monkeypatch)
    monkeypatch.setattr(my3dgen_scores, "STAGES", ((OURS,),))
    monkeypatch.setattr(my3dgen_scores, "LONGER", ())
    for name, value in {"INVERTED": 1, "SAMPLES": 2, "PAIRS": 1}.items():
        monkeypatch.setattr(my3dgen_tasks, name, value)
    monkeypatch.setattr(my3dgen_people, "SIZES", (2,))
    monkeypatch.setattr(my3dgen_people, "HELD_BACK", 2)
    monkeypatch.setattr(audit, "TREES", 10)
    monkeypatch.setattr(bench_proof, "SET", SetConfig(seconds=0.16, size_px=96, takes=1))
    monkeypatch.setattr(bench_proof, "DETECTORS", ("cnn-small",))
    monkeypatch.setattr(bench_proof, "MATRIX", "")
    monkeypatch.setattr(bench_proof, "AS_NAMED", ("jpeg",))
    monkeypatch.setattr(bench_proof, "PERTURBED_LEVELS", (3,))


@pytest.mark.usefixtures("three_cells")
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_runs_and_answers_in_json(name: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(*COMMANDS[name])
    assert said(capsys)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app([*name.split(), "--help"])
    assert f"Example: selfsame {name}" in " ".join(capsys.readouterr().out.split())


def test_fit_leaves_a_model_and_a_report(inside: Path) -> None:
    folder = inside / "people" / "ada" / "models" / "main"
    assert {"weights.safetensors", "card.json", "anchors.safetensors", "report.html"} <= {
        p.name for p in folder.iterdir()
    }
    page = (folder / "report.html").read_text()
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?http""", page)


def test_a_dry_run_of_a_clip_films_nothing(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("world", "clip", "dry", "--seconds", "2", "--fps", "30", "--out", "dry", "--dry-run", "--json")
    assert said(capsys)["frames"] == 60
    assert not (inside / "dry").exists()


@pytest.mark.parametrize("command", ["demo", "fit", "train"])
def test_dry_run_shows_settings_and_does_nothing(
    command: str, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {
        "demo": ["demo", "--out", "dry"],
        "fit": ["fit", "ada", "--run", "dry"],
        "train": ["train", "prior", "--data", "pictures", "--out", "dry"],
    }
    run(*words[command], "--dry-run")
    assert ('"r1_gamma"' if command == "train" else '"depth_samples"') in capsys.readouterr().out
    assert not (inside / "dry").exists() and not (inside / "people" / "ada" / "models" / "dry").exists()


def test_a_trained_prior_has_a_report_and_loads(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(*COMMANDS["train prior"])
    answer = said(capsys)
    assert (answer["images"], answer["resized"], answer["cropped"]) == (18, 18, 0)
    assert answer["digest"] == selfsame.load(inside / "mine").digest
    page = (inside / "mine" / "report.html").read_text()
    assert "judge" in page and not re.search(r"""(src|href|url)\s*[=(]\s*["']?http""", page)


def test_an_edit_writes_a_strip_and_a_film_and_lists_its_directions(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--samples", "30", "--json"]
    run("edit", "ada", "--direction", "age", "--by", "2", "--policy", "stop", "--orbit", "--frames", "2", *few)
    made = said(capsys)
    assert [step["asked"] for step in made["steps"]] == [0, 2]  # type: ignore[attr-defined]
    assert (inside / "ada-age.png").exists() and (inside / "ada-age.mp4").exists()
    run("edit", "ada", "--list", *few)
    listed = said(capsys)["directions"]
    assert {"smile", "age", "glasses", "light"} <= {d["name"] for d in listed}  # type: ignore[attr-defined]
    for words in (["--by", "x"], [], ["--list", "--direction", "age"], ["--direction", "nose", *few]):
        with pytest.raises(WrongUse):
            run("edit", "ada", *(["--direction", "age"] if words[:1] == ["--by"] else []), *words)
    with pytest.raises(BadInput, match="no model called"):
        run("edit", "nobody", "--list")


def test_show_writes_each_kind(inside: Path) -> None:
    run("show", "ada", "--orbit", "--frames", "3", "--out", "o.mp4")
    run("show", "ada", "--interpolate", "0", "1", "--frames", "3", "--out", "i.mp4")
    assert (inside / "o.mp4").stat().st_size > 500 and (inside / "i.mp4").stat().st_size > 500


def test_a_found_photo_is_shown_like_any_other_look(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("invert", "ada", "people/ada/faces/" + next((inside / "people/ada/faces").glob("*.png")).name, "--aligned",
        "--space", "hull", "--tune", *TWO_STEPS, "--out", "found")  # fmt: skip
    assert re.search(r"after tuning: PSNR \d+\.\d dB, SSIM .*, identity", capsys.readouterr().out)
    assert image.load(inside / "found" / "found.png").shape[-1] > 5 * 256
    run("show", "ada", "--interpolate", "found", "1", "--pose", "--frames", "3", "--out", "there.mp4")
    capsys.readouterr()
    run("show", "ada", "--turntable", "--look", "found", "--frames", "2", "--out", "turn.mp4", "--json")
    assert said(capsys) == {"file": "turn.mp4", "meshes": ["turn.glb", "turn.ply"]}
    assert all((inside / name).stat().st_size > 500 for name in ("there.mp4", "turn.mp4", "turn.glb", "turn.ply"))
    labels = facing(torch.tensor([0.0, 0.3]), torch.zeros(2)).pack().tolist()
    (inside / "cameras.json").write_text(json.dumps({"labels": [["a/one.png", labels[0]], ["two.png", labels[1]]]}))
    run("show", "ada", "--cameras", "cameras.json", "--look", "found", "--out", "views")
    assert {p.name for p in (inside / "views").iterdir()} == {"a-one.png", "two.png"}
    with pytest.raises(BadInput, match="found in another model"):
        run("show", "lea", "--orbit", "--look", "found")
    with pytest.raises(BadInput, match="There is no look nowhere"):
        run("show", "ada", "--orbit", "--look", "nowhere")


def test_repair_fills_the_mask_alone(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = inside / "photos" / "ada" / "photo_000.jpg"
    pixels = np.asarray(Image.open(photo).convert("RGB"))
    hole = np.zeros(pixels.shape[:2], np.uint8)
    middle = tuple(side // 2 for side in hole.shape)
    hole[middle[0] - 20 : middle[0] + 20, middle[1] - 25 : middle[1] + 25] = 255
    Image.fromarray(hole).save(inside / "mask.png")
    run("repair", "ada", photo, "--mask", "mask.png", *TWO_STEPS, "--out", "filled.png")
    assert re.search(r"Invented, not restored: everything inside the mask, \d+% of the crop\.", capsys.readouterr().out)
    after = np.asarray(Image.open(inside / "filled.png"))
    changed = (after != pixels).any(-1)
    rows, columns = np.nonzero(changed)
    assert changed[middle] and after.shape == pixels.shape
    assert rows.min() > middle[0] - 40 and rows.max() < middle[0] + 40
    assert columns.min() > middle[1] - 45 and columns.max() < middle[1] + 45
    assert {"filled-crop.png", "filled-strip.png"} <= {p.name for p in inside.iterdir()}
    for words, answer in (
        ((), "Say what ails"),
        (("--factor", "8", "--old"), "Say what ails"),
        (("--old", "--out", "x.tif"), "does not end in"),
        (("--factor", "100"), "cannot be enlarged 100 times"),
    ):
        with pytest.raises(WrongUse, match=answer):
            run("repair", "ada", photo, *words)
    Image.fromarray(hole[:-2]).save(inside / "short.png")
    Image.fromarray(0 * hole).save(inside / "black.png")
    for mask, answer in (("short.png", "is no mask of this photo"), ("black.png", "marks nothing")):
        with pytest.raises(BadInput, match=answer):
            run("repair", "ada", photo, "--mask", mask)


def test_a_2d_model_is_fitted_updated_and_shown(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("fit", "lea", "--prior", "starter-2d", "--run", "flat", *TWO_STEPS, "--json")
    run("update", "lea", "photos/lea-1", "--run", "flat", "--dry-run", "--json")
    capsys.readouterr()
    with pytest.raises(BadInput, match="learned these photos already"):
        run("update", "lea", "photos/lea-1", "--run", "flat", *TWO_STEPS)
    run("show", "lea", "--run", "flat", "--sample", "2", "--out", "flat.png")
    assert image.load(inside / "flat.png").shape[-1] > 128
    for words, answer in (
        (["show", "lea", "--run", "flat", "--orbit"], "cannot turn heads"),
        (["fit", "lea", "--prior", "starter-2d", "--rank", "2"], "In 2D"),
        (["fit", "lea", "--prior", "starter-2d", "--preset", "paper-v4"], "quick or paper-2d"),
        (["fit", "lea", "--run", "odd", "--batch", "4", "--accumulate", "3"], "in 3 equal parts"),
        (["fit", "lea", "--prior", "starter-2d", "--run", "odd", "--accumulate", "3"], "in 3 equal parts"),
    ):
        with pytest.raises(WrongUse, match=answer):
            run(*words)


def test_a_time_machine_learns_new_years_and_is_no_model_to_show(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("age", "fit", "cy", "--run", "years", *TWO_STEPS, "--json")
    run("world", "album", "cy", "--seed", "5", "--photos", "3", "--years", "70", "72", "--session", "1", "--json")
    capsys.readouterr()
    run("update", "cy", "photos/cy-1", "--run", "years", *TWO_STEPS, "--json")
    answer = said(capsys)
    assert answer["state"] == 1 and answer["replayed"] == 3
    run("age", "render", "cy", "photos/cy/photo_000.jpg", "--to", "40", "--run", "years")
    assert re.search(r"to 7\d years", capsys.readouterr().out)
    with pytest.raises(BadInput, match="age render"):
        run("show", "cy", "--run", "years", "--sample", "2")


def code(home: Path, *words: str) -> tuple[int, str]:
    """Exit code and standard error of the command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "selfsame", *words], cwd=home, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_wrong_use_is_2_and_failed_work_is_1_with_one_line(home: Path) -> None:
    assert code(home, "nonsense")[0] == 2
    status, words = code(home, "fit", "../ada")
    assert (status, words.count("\n")) == (2, 1)
    status, words = code(home, "fit", "nobody")
    assert (status, words.count("\n")) == (1, 1) and "selfsame album add" in words


def test_an_album_needs_consent(inside: Path) -> None:
    with pytest.raises(SelfsameError, match="consent"):
        run("album", "add", "dan", "photos/ada")
    assert not (inside / "people" / "dan" / "album.json").exists()


def bad_files(folder: Path, good: Path) -> dict[str, str]:
    """Files that cannot be used, each with a word of its reason."""
    folder.mkdir()
    (folder / "unreadable.jpg").write_bytes(b"\xff\xd8 this is no picture")
    (folder / "truncated.jpg").write_bytes(good.read_bytes()[:3000])
    Image.fromarray(np.full((256, 256, 3), 128, np.uint8)).save(folder / "wall.png")
    with Image.open(good) as photo:
        small = Image.new("RGB", (640, 640), "gray")
        small.paste(photo.resize((40, 40)), (300, 300))
        small.save(folder / "tiny.png")
    (folder / "empty.mp4").write_bytes(b"")
    shutil.copy(good, folder / "good.jpg")
    return {"unreadable.jpg": "read", "truncated.jpg": "", "wall.png": "face", "tiny.png": "", "empty.mp4": "video"}


def test_bad_files_get_a_sentence_each_and_the_rest_goes_on(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = bad_files(inside / "bad", inside / "photos" / "ada" / "photo_000.jpg")
    run("album", "add", "dee", "bad", "--consent", "test", "--json")
    answer = said(capsys)
    left_out = answer["left_out"]
    assert isinstance(left_out, dict)
    assert set(left_out) == set(expected) and answer["kept"] == ["good.jpg"]
    for name, word in expected.items():
        assert word in left_out[name] and left_out[name].strip().endswith(".")


def test_a_folder_with_two_people_stops_with_one_sentence(inside: Path, tmp_path: Path) -> None:
    files = [*world.shoot(3, 4, tmp_path / "one").files, *world.shoot(11, 4, tmp_path / "two").files]
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for i, file in enumerate(files):
        shutil.copy(file, mixed / f"{i}.jpg")
    with pytest.raises(BadInput, match=r"[Tt]wo people"):
        run("album", "add", "eve", mixed, "--consent", "test", "--json")
    assert (inside / "people" / "eve" / "album.json").exists()


def test_a_video_is_judged_in_one_sentence(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("detect", "clips/cy.mp4", "--model", "detector", "--out", "judged")
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"(cy.mp4 is judged (generated|real): .*|Not sure about cy.mp4: .*)", lines[0])
    assert "frames were judged" in lines[1] and "no real person" in lines[2] and lines[-1].startswith("The page: ")
    assert {p.name for p in (inside / "judged").iterdir()} == {"report.html", "timeline.png", "heat.png"}
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?http""", (inside / "judged" / "report.html").read_text())
    with pytest.raises(BadInput, match="not a detector"):
        run("detect", "clips/cy.mp4", "--model", "people/ada/models/main")


def test_a_picture_is_written_whole(inside: Path) -> None:
    run("show", "ada", "--sample", "4", "--out", "sheet.png")
    assert image.load(inside / "sheet.png").shape[-1] > 128
