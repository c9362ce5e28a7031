"""The evaluation of personal aging: cells, albums, scores against the truth, and tables by hand-made scores."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from selfsame.jobs import mytm_cases, mytm_methods, mytm_scores, mytm_table, parts
from selfsame.jobs.mytm_cases import PROGRESSION, REGRESSION_40, Sitting
from selfsame.jobs.mytm_methods import METHODS, LatentOffset, Parts
from selfsame.jobs.mytm_scores import Cell, Score
from selfsame.train.devices import ALONE
from selfsame.world import life


def a_score(**changes: object) -> Score:
    usual = Score(
        person=1, case="regression 30-70", method="SAM", photos=50, test=0, target=50, trained_on=True, judged=55.0,
        true_judged=52.0, identity=0.5, true_identity=0.6, psnr=20.0, hair=-4.0,
    )  # fmt: skip
    return replace(usual, **changes)  # type: ignore[arg-type]


def test_the_cells_are_the_published_comparison_and_more() -> None:
    cells = [cell for stage in mytm_scores.stages() for cell in stage]
    assert all(len({cell.case for cell in stage}) == 1 for stage in mytm_scores.stages())
    assert len(set(cells)) == len({c.name for c in cells}) == len(cells)
    assert {c.method for c in cells if c.case == REGRESSION_40} == set(METHODS)
    assert {c.photos for c in cells if c.method == mytm_table.ours()} == {10, 25, 50, 100}
    assert {c.case.name for c in cells} == {"regression 30-70", "regression 50-70", "progression 20-40"}


def test_albums_are_nested_and_reach_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mytm_cases, "SIZES", (3, 5))
    few, more = (mytm_cases.album(3, PROGRESSION, count) for count in (3, 5))
    assert torch.equal(few.images, more.images[:3]) and torch.equal(few.years, more.years[:3])
    assert few.span == (20, 40) and len(more.images) == 5


def test_ablations_lack_what_their_names_say() -> None:
    ours = mytm_methods.OURS
    without = {name: method.config for name, method in METHODS.items() if name.startswith("without")}
    lacks = {"personal aging": "personal", "extrapolation": "outside", "w-norm": "w_norm"}
    assert without == {f"without {name}": replace(ours, **{field: 0.0}) for name, field in lacks.items()}


def test_an_offset_moves_every_photo_alike() -> None:
    offset = LatentOffset(4, 8)
    torch.nn.init.normal_(offset.offset)
    w_plus = torch.randn(3, 4, 8)
    moved = offset(w_plus, torch.tensor([20.0, 50.0, 80.0])) - w_plus
    assert torch.allclose(moved, offset.offset.expand(3, -1, -1), atol=1e-6)


def test_the_true_picture_scores_as_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a method shows exactly what is true, everything that compares with the truth is nothing or one."""
    case = replace(PROGRESSION, targets=(40, 60))
    test = life.portraits(3, torch.tensor([40.0]), "test")
    sat = Sitting(test, {age: test.at(age) for age in case.targets}, {age: test.at(age) for age in case.targets})
    loaded = Parts(parts.load_sam(), parts.load_judge(), parts.load_age_judge(), ALONE)
    truth = iter([sat.truths[age].images for age in case.targets])
    monkeypatch.setattr("selfsame.tasks.time_machine.TimeMachine.decode", lambda self, codes: next(truth))
    scores, shown = mytm_scores.score(Cell(case, "SAM", 50), 3, loaded.sam.encode, loaded, sat)
    assert [s.target for s in scores] == [40, 60] and [s.trained_on for s in scores] == [True, False]
    for s in scores:
        assert s.judged == pytest.approx(s.true_judged) and s.hair == pytest.approx(0)
        assert s.true_identity == pytest.approx(1, abs=1e-4) and s.identity == pytest.approx(1, abs=1e-4)
    assert shown.shape[0] == 1 and shown.shape[-1] > 2 * shown.shape[-2]


def test_the_published_averaging_lets_errors_cancel() -> None:
    pair = [a_score(judged=40.0), a_score(test=1, judged=62.0)]
    assert mytm_table.averaged_first(pair) == 1.0
    assert sum(abs(s.judged - s.target) for s in pair) / 2 == 11.0


def test_the_tables_hold_hand_computed_figures() -> None:
    ours = mytm_table.ours()
    scores = [
        a_score(person=p, method=name, test=t, judged=50 + e, target=50)
        for name, errors in (("SAM", (10, 20)), (ours, (4, 6)))
        for p in (1, 2, 3)
        for t, e in enumerate(errors)
    ]
    scores += [a_score(person=p, method=ours, photos=10, judged=57.0) for p in (1, 2, 3)]
    text = mytm_table.markdown(scores)
    assert "| SAM | 3 | 15.0 | 15.0 [15.0, 15.0] |" in text
    assert f"| {ours} | 3 | 5.0 | 5.0 [5.0, 5.0] |" in text
    assert "| SAM | -10.00 [-10.00, -10.00], p = 0.250 |" in text
    assert "| 10 photos | 3 | 7.0 | 7.0 [7.0, 7.0] |" in text
    assert "| MyTM, 30-70 | 7.8 | .67 |" in text


def test_a_run_cut_short_compares_what_is_there() -> None:
    ours = mytm_table.ours()
    scores = [a_score(person=p, judged=60.0) for p in (1, 2, 3)]
    scores += [a_score(person=p, method=ours, judged=54.0) for p in (1, 2)]
    text = mytm_table.markdown(scores)
    assert "| SAM | 3 | 10.0 |" in text and f"| {ours} | 2 | 4.0 |" in text
    assert "| SAM | -6.00 [-6.00, -6.00], p = 0.500 |" in text
    assert mytm_table.markdown(scores[:3]).count("| SAM | 3 |") == 2


def test_cells_that_are_there_are_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell(PROGRESSION, "SAM", 50)
    monkeypatch.setattr(mytm_scores, "stages", lambda: [[cell]])
    monkeypatch.setattr(mytm_cases, "sitting", lambda *_: pytest.fail("rendered again"))
    for seed in (mytm_cases.FIRST, mytm_cases.FIRST + 1):
        path = tmp_path / str(seed) / f"{cell.name}.json"
        path.parent.mkdir()
        path.write_text(json.dumps([asdict(a_score(person=seed))]))
    mytm_scores.run(tmp_path, people=2, jobs=1, steps=None)
    assert [s.person for s in mytm_scores.read(tmp_path)] == [mytm_cases.FIRST, mytm_cases.FIRST + 1]
