"""Scores and the leaderboard: what is stored, what is computed from it, what is refused."""

import csv
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from clip_toys import clip

from selfsame.clips import index
from selfsame.clips.index import Clip, Index
from selfsame.clips.layout import Split
from selfsame.core.config import to_json, write_atomic
from selfsame.core.errors import BadInput, WrongUse
from selfsame.jobs import bench_board, bench_index, bench_protocols, bench_robust, bench_scores, bench_tables
from selfsame.jobs.bench_scores import Row, Treatment
from selfsame.metrics import detection
from selfsame.tasks.detect_config import PRESETS
from selfsame.train.loop import CONFIG_FILE

CONFIG = PRESETS["cnn-small"]
SPLITS: dict[Split, int] = {"train": 6, "val": 4, "test": 6}


def people() -> list[Clip]:
    """Everybody is real and faked by two generators; a third fakes those of the test."""
    made, number = [], 0
    for split, count in SPLITS.items():
        for person in range(count):
            who = f"{split} {person}"
            for maker in (None, "A", "B", *(("C",) if split == "test" else ())):
                facts = {"identity": who, "path": f"{who}-{maker}.mp4", "generator": maker, "driver": None}
                made.append(clip(number, split, maker is not None, youtube=None, **facts))
                number += 1
    return made


FOUND = Index(Path("clips"), tuple(people()))


def rows(clips: list[Clip], score: dict[str, float]) -> list[Row]:
    """Two frames a clip, 0.1 apart, about a score by maker with a little of the clip's own."""
    made = []
    for c in clips:
        own = score[c.maker] + 0.01 * (int(c.digest) % 5)
        for unit, value in enumerate((own - 0.05, own + 0.05)):
            made.append(Row(c.path, c.digest, c.label, c.generator or "", c.identity or "", "", unit, unit, 0.0, value))
    return made


@pytest.fixture()
def out(tmp_path: Path) -> Path:
    """Detectors that know A and B when they are trained on, and have no idea of what was held out."""
    for task in bench_protocols.tasks(FOUND):
        name = bench_protocols.name_of(task, CONFIG)
        write_atomic(tmp_path / "models" / name / CONFIG_FILE, to_json(CONFIG))
        known = {maker: 0.8 if maker in task.protocol.train else 0.4 for maker in "ABC"} | {"real": 0.4}
        file = bench_scores.path(tmp_path, name)
        before = bench_scores.read(file) if file.exists() else []
        more = rows([c for c in task.sets.test if c.path not in {r.path for r in before}], known)
        bench_scores.write(file, [*before, *more])
    return tmp_path


def test_protocols_follow_from_who_is_in_training() -> None:
    names = {task.protocol.name for task in bench_protocols.tasks(FOUND)}
    assert {"P1 A", "P1 B alone", "P2 A", "P3 B", "P2 A to B", "emerging C"} <= names and "P1 C" not in names
    assert len(bench_protocols.tasks(FOUND, "P3 *")) == 4
    with pytest.raises(WrongUse, match="No protocol is called Q"):
        bench_protocols.tasks(FOUND, "Q*")
    with pytest.raises(BadInput, match="has no real clips"):
        bench_protocols.tasks(Index(Path("x"), tuple(c for c in FOUND.clips if c.label == "fake")), "P1 *")


def test_protocols_that_learn_from_the_same_clips_share_a_training() -> None:
    tasks = {task.protocol.name: bench_protocols.name_of(task, CONFIG) for task in bench_protocols.tasks(FOUND)}
    assert tasks["P1 A"] == tasks["P1 B"] == tasks["emerging C"]
    assert tasks["P2 A"] == tasks["P3 A"] == tasks["P3 B to A"] == tasks["P1 B alone"]  # of two generators one is left
    assert len({tasks["P1 A"], tasks["P3 A"], tasks["P3 B"]}) == 3


def test_scores_come_back_as_they_were_stored(tmp_path: Path) -> None:
    made = rows(people(), {"real": 0.2, "A": 0.5, "B": 0.6, "C": 0.7})
    bench_scores.write(tmp_path / "x.parquet", made)
    assert sorted(bench_scores.read(tmp_path / "x.parquet"), key=lambda r: (r.path, r.unit)) == sorted(
        made, key=lambda r: (r.path, r.unit)
    )
    one = made[0].path
    found = {how: bench_scores.scores_of(tmp_path / "x.parquet", "clip", how)[one][0] for how in bench_scores.POOLED}
    assert found["max"] == pytest.approx(found["mean"] + 0.05) and found["median"] == pytest.approx(found["mean"])
    assert len(bench_scores.scores_of(tmp_path / "x.parquet", "frame")[one]) == 2
    (tmp_path / "x.parquet").write_bytes(b"no")
    with pytest.raises(BadInput, match="cannot be read"):
        bench_scores.read(tmp_path / "x.parquet")


def test_the_board_computes_what_the_scores_say(out: Path) -> None:
    cells = {c.protocol.name: c for c in bench_board.cells(FOUND, out)}
    assert detection.auc(cells["P1 A"].scored.score, cells["P1 A"].scored.fake) == 1.0
    held = cells["P3 A"]
    assert held.reals == 6 and held.fakes == 6 and held.missing == 0
    assert 0.2 < detection.auc(held.scored.score, held.scored.fake) < 0.8
    frames = {c.protocol.name: c for c in bench_board.cells(FOUND, out, by="frame")}
    assert frames["P3 A"].reals == 12
    tables = bench_board.tables(list(cells.values()))
    lost = bench_board.drop(
        "AUC",
        list(tables["P1", "pooled"]["cnn-small"].values()),
        list(tables["P3", "leave-one-out"]["cnn-small"].values()),
    )
    single = [detection.auc(cells[n].scored.score, cells[n].scored.fake) for n in ("P3 A", "P3 B")]
    assert lost.mean == pytest.approx(1 - np.mean(single)) and lost.low > 0


def test_few_reals_are_said_and_not_guessed(out: Path) -> None:
    cells = bench_board.cells(FOUND, out)
    assert not any(cell.told("TPR at 1 % FPR") for cell in cells)
    assert "TPR at 1 % FPR" not in {m.name for m in bench_board.figures(cells[0])}
    text = bench_tables.markdown(bench_tables.tables(cells))
    assert "TPR at 1 % FPR is not told: it needs 100 real items." in text
    assert "1.00 / – / –" in text


def test_a_missing_score_is_counted(out: Path) -> None:
    (task,) = bench_protocols.tasks(FOUND, "P3 A")
    file = bench_scores.path(out, bench_protocols.name_of(task, CONFIG))
    kept = [r for r in bench_scores.read(file) if r.path != task.sets.test[0].path]
    bench_scores.write(file, kept)
    cells = {c.protocol.name: c for c in bench_board.cells(FOUND, out)}
    assert cells["P3 A"].missing == 1
    assert "1 scores are missing" in bench_tables.markdown(bench_tables.tables([cells["P3 A"]]))


def test_all_three_forms_hold_the_published_table_marked_as_such(out: Path) -> None:
    files = bench_tables.write(out, bench_board.cells(FOUND, out), "Some clips.")
    lines = list(csv.DictReader(files["csv"].open()))
    ours = [x for x in lines if x["from"] == "here" and x["protocol"] == "P1 A" and x["figure"] == "AUC"]
    assert [float(x["value"]) for x in ours] == [1.0]
    theirs = [x for x in lines if x["from"] == "published"]
    assert len(theirs) == 3 * 7 * 6 * 4
    cell = [x["value"] for x in theirs if (x["detector"], x["shift"], x["column"]) == ("TALL", "P3", "EMOPortraits")]
    assert cell == ["0.97", "0.48", "0.48", "0.15"]
    page = files["html"].read_text()
    assert "As published" in page and "#e57373" in page and "http" not in page.replace("http-equiv", "")
    assert "| P1 CADDM | 0.90 / 0.55 / 0.25 / 0.17 |" in files["md"].read_text()


def test_the_colours_are_the_papers_with_their_lower_edges() -> None:
    edges = {0.99: "#2e8b57", 0.95: "#a8d8a8", 0.85: "#fff3a0", 0.75: "#f8c8d0", 0.7499: "#e57373"}
    assert {value: bench_tables.band(value) for value in edges} == edges


def test_a_detector_from_elsewhere_joins_by_its_scores(tmp_path: Path) -> None:
    test = [c for c in FOUND.clips if c.split == "test"]
    lines = ["path,score", *(f"{c.path},{0.9 if c.label == 'fake' else 0.1}" for c in test)]
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    bench_scores.take_in(tmp_path, "mine", tmp_path / "mine.csv", FOUND.usable)
    cells = {c.protocol.name: c for c in bench_board.cells(FOUND, tmp_path)}
    assert cells["P3 A"].detector == "mine" and cells["P3 A"].reals == 6
    assert detection.auc(cells["P3 A"].scored.score, cells["P3 A"].scored.fake) == 1.0
    assert "P2 A" not in cells  # it did not judge the faces of training


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("path,value\na,1", "lacks the column path or score"),
        ("path,score\nnobody.mp4,0.5", "line 2: the index has no clip nobody.mp4"),
        ("path,score\ntest 0-A.mp4,1.5", "line 2: the score is 1.5"),
        ("path,score\ntest 0-A.mp4,high", "is no number"),
        ("path,score\n", "has no scores"),
    ],
)
def test_wrong_score_files_are_refused_with_the_line(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(BadInput, match=why):
        bench_scores.take_in(tmp_path, "mine", tmp_path / "mine.csv", FOUND.usable)


def test_scores_in_parquet_are_taken_in_with_frames(tmp_path: Path) -> None:
    import duckdb

    asked = {"path": np.array(["test 0-A.mp4"] * 2), "frame": np.array([3, 9]), "score": np.array([0.2, 0.4])}
    with duckdb.connect() as store:
        store.register("asked", asked)
        store.execute(f"COPY (SELECT * FROM asked) TO '{tmp_path / 'mine.parquet'}' (FORMAT parquet)")
    file = bench_scores.take_in(tmp_path, "mine", tmp_path / "mine.parquet", FOUND.usable)
    assert [(r.frame, r.score) for r in bench_scores.read(file)] == [(3, 0.2), (9, 0.4)]


def test_the_first_frame_is_a_frame(tmp_path: Path) -> None:
    import duckdb

    with duckdb.connect() as store:
        store.register("asked", {"path": np.array(["test 0-A.mp4"]), "frame": np.array([0]), "score": np.array([0.2])})
        store.execute(f"COPY (SELECT * FROM asked) TO '{tmp_path / 'mine.parquet'}' (FORMAT parquet)")
    file = bench_scores.take_in(tmp_path, "mine", tmp_path / "mine.parquet", FOUND.usable)
    assert [r.frame for r in bench_scores.read(file)] == [0]


def test_a_detector_judged_on_worse_clips_alone_has_no_clean_point(out: Path) -> None:
    (task,) = bench_protocols.tasks(FOUND, "P1 A")
    name = bench_protocols.name_of(task, CONFIG)
    bench_scores.write(
        bench_scores.path(out, name, Treatment("jpeg", 3)), bench_scores.read(bench_scores.path(out, name))
    )
    assert [p.level for p in bench_robust.points(FOUND, out)] == [0, 3]
    bench_scores.path(out, name).unlink()
    assert [p.level for p in bench_robust.points(FOUND, out)] == [3]


def test_containers_are_judged_by_those_of_training(tmp_path: Path) -> None:
    (task,) = bench_protocols.tasks(FOUND, "P1 A")
    (file,) = bench_scores.judge_containers(tmp_path, [task]).values()
    found = bench_scores.scores_of(file)
    assert set(found) == {c.path for c in task.sets.test}
    assert all(score == [pytest.approx(found[task.sets.test[0].path][0])] for score in found.values())  # all are alike


def test_an_interval_of_one_face_is_none() -> None:
    scored = detection.Scored(np.array([0.1, 0.9, 0.8]), np.array([False, True, True]), ["a", "b", "c"])
    measured = detection.measure("AUC", scored, detection.auc, "high")
    assert measured.mean == 1.0 and math.isnan(measured.low)


def test_no_scores_are_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no scores"):
        bench_board.cells(FOUND, tmp_path)


def test_an_index_written_and_read_names_the_same_trainings(tmp_path: Path) -> None:
    index.write(tmp_path / "index.jsonl", FOUND)
    again = index.read(tmp_path / "index.jsonl")
    names = [[bench_protocols.name_of(t, CONFIG) for t in bench_protocols.tasks(found)] for found in (FOUND, again)]
    assert names[0] == names[1] and json.loads((tmp_path / "index.jsonl").read_text().splitlines()[1])


def test_published_counts_stand_beside_the_benchmarks_own_generators_alone() -> None:
    theirs = bench_index.published(Counter({"Hallo": 3, "mine": 2, "real": 4}))
    assert theirs["Hallo"] == (3, 420) and theirs["MAGI-1"] == (0, 66) and theirs["mine"] == (2, None)
    assert bench_index.published(Counter({"mine": 2, "real": 4})) == {"mine": (2, None), "real": (4, None)}
