"""Training and judging by protocol on real files: who may be judged, what is kept, perturbed copies, the curves."""

from dataclasses import replace
from pathlib import Path

import bench_toys
import pytest
import torch
from detect_toys import STILL

from selfsame.clips.index import Index
from selfsame.core.errors import BadInput, WrongUse
from selfsame.jobs import (
    bench_board,
    bench_copies,
    bench_index,
    bench_models,
    bench_protocols,
    bench_robust,
    bench_run,
    bench_scores,
)  # fmt: skip
from selfsame.jobs.bench_scores import Treatment
from selfsame.tasks import detector
from selfsame.tasks.clip_crops import CropConfig
from selfsame.tasks.detect_config import DetectConfig, preset
from selfsame.world import clip as world
from selfsame.world import truth

CONFIG = DetectConfig("cnn-small", CropConfig(px=32, segments=2, length=2), STILL, steps=2, batch=4, select_every=2)
JPEG = Treatment("jpeg", 5)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Index, Path]:
    """A set in which everybody has the same face, and the benchmark's folder with trained and judged models."""
    folder = tmp_path_factory.mktemp("set")
    filmed = truth.write_clip(world.talk(5, 0.2), folder, "talk", 128)
    out = folder / "bench"
    index = bench_index.make(bench_toys.lay_out(folder / "set", filmed.video), out)
    chosen = bench_protocols.tasks(index, "P1 one")
    bench_models.train(index, out, chosen, CONFIG)
    bench_run.run(index, out, chosen, CONFIG)
    return index, out


def test_every_test_clip_has_a_score_a_frame_and_is_judged_once(found: tuple[Index, Path]) -> None:
    index, out = found
    (task,) = bench_protocols.tasks(index, "P1 one")
    ((file,),) = bench_run.run(index, out, [task], CONFIG).values()
    rows = bench_scores.read(file)
    assert {r.path for r in rows} == {c.path for c in task.sets.test}
    assert len(rows) == 4 * len(task.sets.test) and all(0 <= r.score <= 1 for r in rows)
    assert (
        len((file.parent / bench_scores.RUNS_FILE).read_text().splitlines()) == 1
    )  # the second call had nothing to do


def test_a_model_is_never_judged_on_what_it_knows(found: tuple[Index, Path]) -> None:
    index, out = found
    (task,) = bench_protocols.tasks(index, "P1 one")
    model = bench_models.load(out, task, CONFIG)
    read = bench_models.crops(index, CONFIG.crop, out)
    for side, what in ((task.sets.train, "model was trained"), (task.sets.select, "checkpoint was chosen")):
        cheat = replace(task, sets=replace(task.sets, test=(*task.sets.test, side[0])))
        with pytest.raises(WrongUse, match=f"The {what} on 1 of the clips"):
            bench_scores.judge(out, "cheat", model, [cheat], cheat.sets.test, read)
    assert not bench_scores.path(out, "cheat").exists()


def test_what_was_not_trained_or_perturbed_is_named_with_the_command(found: tuple[Index, Path]) -> None:
    index, out = found
    chosen = bench_protocols.tasks(index, "P1 one")
    with pytest.raises(BadInput, match=r"has not been trained for P1 one.*bench train cnn-small"):
        bench_run.run(index, out, chosen, replace(CONFIG, seed=7))
    with pytest.raises(BadInput, match=r"not been perturbed by blur at level 2.*bench perturb blur 2"):
        bench_run.run(index, out, chosen, CONFIG, treatments=[Treatment("blur", 2)])


def test_perturbed_copies_are_cut_where_the_clean_clip_was_and_drawn_as_curves(found: tuple[Index, Path]) -> None:
    index, out = found
    chosen = bench_protocols.tasks(index, "P1 one")
    some = Index(index.root, tuple(bench_protocols.clips_of(chosen, ("test",))))
    copies = bench_copies.perturbed(some, out, "jpeg", 5)
    bench_run.run(index, out, chosen, CONFIG, treatments=[JPEG])
    (copy,) = bench_models.copies(copies, some.clips[:1])
    worse = bench_models.crops(copies, CONFIG.crop, out, index)(copy)
    clean = bench_models.crops(index, CONFIG.crop, out)(some.clips[0])
    assert torch.equal(worse.boxes, clean.boxes) and not torch.equal(worse.pixels, clean.pixels)
    points = bench_robust.points(index, out)
    assert [(p.perturbation, p.level, p.clips) for p in points] == [("jpeg", 0, 4), ("jpeg", 5, 4)]
    assert bench_robust.treatments(out) == [JPEG]
    sections = bench_robust.section(points, out)
    assert "data:image/png" in sections[0].body and (out / "robustness.csv").read_text().count("jpeg") == 2
    assert "| cnn-small | jpeg |" in bench_robust.markdown(points)


def test_a_clip_without_a_face_is_left_out_and_not_looked_at_again(
    found: tuple[Index, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, _ = found
    looked: list[str] = []

    def blind(path: Path, digest: str, *rest: object) -> None:
        looked.append(digest)
        raise BadInput(f"No face was found in {path.name}.")

    monkeypatch.setattr(bench_models.clip_crops, "cached", blind)
    for _ in range(2):
        assert bench_models.cut(index, index.usable[:2], CONFIG.crop, tmp_path) == []
    assert len(looked) == 2
    assert (
        bench_models.why_left_out(tmp_path, index.usable[0])
        == f"No face was found in {Path(index.usable[0].path).name}."
    )


def test_the_shelf_forgets_what_was_read_longest_ago(found: tuple[Index, Path]) -> None:
    index, out = found
    one = bench_models.crops(index, CONFIG.crop, out)(index.usable[0])
    read = bench_models.crops(index, CONFIG.crop, out, shelf_bytes=2 * one.pixels.nbytes)
    first = read(index.usable[0])
    read(index.usable[1])
    assert read(index.usable[0]) is first
    read(index.usable[2])
    assert read(index.usable[0]) is first
    read(index.usable[1])
    read(index.usable[2])
    assert read(index.usable[0]) is not first


def test_the_board_has_the_containers_and_the_detector(found: tuple[Index, Path]) -> None:
    index, out = found
    bench_scores.judge_containers(out, bench_protocols.tasks(index, "P1 one"))
    cells = bench_board.cells(index, out)
    assert {cell.detector for cell in cells} == {"cnn-small", "containers"}
    assert isinstance(detector.load(out / "models" / bench_protocols.name_of(*_asked(index))).parts.step, int)


def _asked(index: Index) -> tuple[bench_protocols.Task, DetectConfig]:
    return bench_protocols.tasks(index, "P1 one")[0], CONFIG


def test_a_detector_of_ones_own_goes_the_same_way(found: tuple[Index, Path]) -> None:
    index, out = found
    example = Path(__file__).parents[2] / "docs" / "own_detector.py"
    crop = CropConfig(px=32, segments=2, length=4)
    config = replace(preset(str(example)), crop=crop, augment=STILL, steps=1, batch=4, select_every=1)
    tasks = bench_protocols.tasks(index, "P1 one")
    (folder,) = bench_models.train(index, out, tasks, config).values()
    assert folder.name.startswith("own_detector-")
    ((file,),) = bench_run.run(index, out, tasks, config).values()
    assert {r.path for r in bench_scores.read(file)} == {c.path for c in tasks[0].sets.test}
