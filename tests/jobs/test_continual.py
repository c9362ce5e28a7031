"""The evaluation of memory: sessions of one look, chains of models, cells that resume, honest tables."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import short_sessions

from selfsame.jobs import continual_cells as cells
from selfsame.jobs import continual_maps, continual_people, continual_table
from selfsame.jobs.continual_cells import METRICS, Cell, Score

SEED = 960_077


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a few cells of one person, run in both systems."""
    folder = tmp_path_factory.mktemp("continual")
    with pytest.MonkeyPatch.context() as patch:
        short_sessions(patch)
        for system, methods in (("2d", ("none", "hull", "recall", "webp", "all")), ("3d", ("reservoir", "all"))):
            chosen = [Cell(system, method, 0 if method in ("none", "all") else 3, 0) for method in methods]  # type: ignore[arg-type]
            cells.run_person(folder, (SEED, chosen))
    return folder


def test_every_model_is_scored_on_every_session_so_far(done: Path) -> None:
    found = {(s.cell.system, s.cell.method): s for s in cells.read(done)}
    assert set(found) == {
        ("2d", "none"),
        ("2d", "hull"),
        ("2d", "recall"),
        ("2d", "webp"),
        ("2d", "all"),
        ("3d", "reservoir"),
        ("3d", "all"),
    }
    for (_, method), score in found.items():
        assert [len(row) for row in score.rows] == ([3] if method == "all" else [1, 2, 3])
        assert all(row.keys() == METRICS.keys() for rows in score.rows for row in rows)
        assert all(np.isfinite(list(row.values())).all() for rows in score.rows for row in rows)


def test_buffers_hold_what_they_may_and_cost_what_they_hold(done: Path) -> None:
    found = {(s.cell.system, s.cell.method): s for s in cells.read(done)}
    train = {i for session in range(2) for i in range(session * 7, session * 7 + 4)}
    for key in (("2d", "hull"), ("2d", "recall"), ("3d", "reservoir")):
        assert len(found[key].buffer) == 3 and set(found[key].buffer) <= train
    webp, hull = found["2d", "webp"], found["2d", "hull"]
    assert len(webp.buffer) > 3 and set(webp.buffer) <= train and webp.stored_bytes < 1.3 * hull.stored_bytes
    assert found["2d", "none"].buffer == [] and found["2d", "none"].stored_bytes == 0
    assert found["2d", "hull"].stored_bytes < found["2d", "recall"].stored_bytes


def test_methods_share_the_first_model_and_differ_after(done: Path) -> None:
    none, hull = (next(s for s in cells.read(done) if s.cell.method == m) for m in ("none", "hull"))
    assert none.rows[0] == hull.rows[0]
    assert none.rows[2] != hull.rows[2]


def test_a_cell_that_is_there_is_not_run_again_and_one_that_is_missing_is(
    done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_sessions(monkeypatch)
    kept, lost = (cells.file_of(done, SEED, Cell("2d", m, s, 0)) for m, s in (("none", 0), ("hull", 3)))
    before, stamp = json.loads(lost.read_text()), kept.stat().st_mtime_ns
    lost.unlink()
    cells.run_person(done, (SEED, [Cell("2d", "none", 0, 0), Cell("2d", "hull", 3, 0)]))
    again = json.loads(lost.read_text())
    assert kept.stat().st_mtime_ns == stamp
    assert again["rows"] == before["rows"] and again["buffer"] == before["buffer"]


def test_the_stages_hold_every_cell_once() -> None:
    few, all_cells = ([cell for stage in cells.stages(more) for cell in stage] for more in (False, True))
    assert len(all_cells) == len(set(all_cells)) and set(few) < set(all_cells)
    assert {c.seed for c in all_cells if c.system == "2d" and c.method in ("random", "hull")} == set(range(5))
    for system in ("2d", "3d"):
        for method in ("random", "hull"):
            assert {c.seed for c in all_cells if (c.system, c.method, c.size) == (system, method, 3)} == set(range(5))
            assert {c.size for c in all_cells if (c.system, c.method) == (system, method)} == {3, 5, 10}


def test_photos_of_a_session_are_told_apart_and_read_back_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_sessions(monkeypatch)
    first = continual_people.album(SEED, tmp_path)
    again = continual_people.album(SEED, tmp_path)
    assert torch.equal(first.images, again.images) and torch.equal(first.camera.pack(), again.camera.pack())
    train, test = (
        torch.cat([f(t) for t in range(3)]) for f in (continual_people.train_photos, continual_people.test_photos)
    )
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(len(first.images)))
    assert continual_people.session_of(train).tolist() == [0] * 4 + [1] * 4 + [2] * 4
    means = first.images.reshape(3, 7, -1)
    within = (means - means.mean(1, keepdim=True)).square().mean()
    between = (means.mean(1) - means.mean((0, 1))).square().mean()
    assert between > within


def fake(person: int, method: str, seed: int, last: float) -> Score:
    rows = [[dict.fromkeys(METRICS, 0.9)], [dict.fromkeys(METRICS, last), dict.fromkeys(METRICS, 0.8)]]
    return Score(person, Cell("2d", method, 3, seed), rows, [], 1000, 1.0)


def test_the_table_pairs_hull_and_random_by_person_and_averages_seeds_first() -> None:
    scores = [
        fake(person, method, seed, 0.5 + 0.1 * (method == "hull") + 0.02 * seed)
        for person in range(4) for method in ("hull", "random") for seed in range(2)
    ]  # fmt: skip
    text = continual_table.markdown(scores)
    identity = text.splitlines()[text.splitlines().index("Minus random, paired by person:") + 4].split(" | ")
    names = [f.name for f in continual_table.figures()]
    cell = identity[4 + names.index("forgetting, reconstruction: identity")]
    assert cell.startswith("-0.100 [-0.100, -0.100], p = 0.125")
    aip = identity[4 + names.index("AIP, reconstruction: identity")]
    assert aip.startswith("+0.025")
    assert "| hull | 3 | 4 | 2 | 1 |" in text and "As published" in text


def test_the_upper_bound_has_no_forgetting() -> None:
    bound = Score(1, Cell("2d", "all", 0, 0), [[dict.fromkeys(METRICS, 0.7), dict.fromkeys(METRICS, 0.9)]], [], 0, 1.0)
    assert continual_table.known(bound, "reconstruction: identity") == pytest.approx(0.8)
    assert np.isnan(continual_table.forgotten(bound, "reconstruction: identity"))
    assert bound == replace(Score(**{**asdict(bound), "cell": bound.cell}))


def test_heat_maps_are_drawn_for_every_way_but_the_upper_bound(done: Path, tmp_path: Path) -> None:
    path = continual_maps.heat_maps(list(cells.read(done)), "reconstruction: PSNR (dB)", tmp_path / "map.png")
    assert path.stat().st_size > 10_000


def test_the_folder_is_the_callers_wherever_the_work_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    seen: list[Path] = []
    monkeypatch.setattr(cells, "run_person", lambda folder, item: seen.append(folder))
    monkeypatch.setattr(cells, "spread", lambda work, items, *_, **__: [work(item) for item in items])
    cells.run(Path("runs"), 1, 1)
    assert set(seen) == {tmp_path / "runs"}
