"""The evaluation of personal 3D models: people, methods, figures against the truth, tables by hand-made scores."""

import json
import math
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest
import torch
from helpers import poses, tiny_album, tiny_judge, tiny_prior

from selfsame.core import image
from selfsame.core.errors import BadInput
from selfsame.jobs import (
    my3dgen_methods,
    my3dgen_people,
    my3dgen_scores,
    my3dgen_sheet,
    my3dgen_table,
    my3dgen_tasks,
)
from selfsame.jobs.my3dgen_methods import FULL, LONGER, METHODS, OURS, PACE, PRIOR, STAGES, STARTER, Method
from selfsame.jobs.my3dgen_people import Sitter
from selfsame.jobs.my3dgen_scores import Networks, Plan
from selfsame.jobs.my3dgen_tasks import Judges, Score, View
from selfsame.nets.lpips import Lpips, LpipsConfig
from selfsame.nets.triplane import Rendering
from selfsame.tasks.personal import Photos
from selfsame.world import person

QUICK = replace(
    STARTER,
    invert=replace(STARTER.invert, steps=1, rays=8, planes_px=0),
    personal=replace(STARTER.personal, steps=1, batch=1),
    pivot=replace(STARTER.pivot, steps=1),
)


def a_score(**changes: object) -> Score:
    usual = Score(person=1, method=OURS, task="inversion", item=0, numbers=10, psnr=20.0, ssim=0.5, identity=0.4)
    return replace(usual, **changes)  # type: ignore[arg-type]


@pytest.fixture
def networks() -> Networks:
    perceptual = Lpips(LpipsConfig("small"))
    return Networks(tiny_prior(), Judges(tiny_judge(), perceptual, None), QUICK)


def test_every_method_has_its_place_and_differs_from_ours_in_what_it_names() -> None:
    assert sorted(name for stage in (*STAGES, LONGER) for name in stage) == sorted(METHODS)
    ours = my3dgen_methods.training(METHODS[OURS], STARTER)
    assert ours is not None and ours.low_rank is not None
    assert my3dgen_methods.training(METHODS[PRIOR], STARTER) is None
    symmetry = my3dgen_methods.training(METHODS["rank 1, symmetry"], STARTER)
    assert symmetry == replace(ours, symmetry_every=STARTER.symmetry_every)
    assert my3dgen_methods.training(METHODS[FULL], STARTER) == replace(ours, low_rank=None, lr=STARTER.full_lr)
    eight = my3dgen_methods.training(METHODS["rank 8"], STARTER)
    assert eight == replace(ours, low_rank=replace(ours.low_rank, rank=8, alpha=8.0))
    assert my3dgen_methods.training(METHODS[LONGER[0]], STARTER) == replace(ours, steps=ours.steps * PACE)


def test_a_synthetic_person_comes_back_as_they_were_and_albums_are_nested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(my3dgen_people, "SIZES", (1, 2))
    monkeypatch.setattr(my3dgen_people, "HELD_BACK", 1)
    first, again = (my3dgen_people.synthetic(3, tmp_path) for _ in range(2))
    assert len(first.images) == 3 and first.held_back == slice(2, 3)
    assert torch.equal(first.images, again.images) and torch.equal(first.camera.cam2world, again.camera.cam2world)
    assert first.looks is not None
    years = person.decode(first.looks).age.years
    assert float(years.max() - years.min()) <= my3dgen_people.YEARS + 0.1
    seen, depth = first.truth(slice(2, 3), first.camera[2:3], 128, 128)
    assert float((seen - first.images[2:3]).abs().mean()) < 0.02  # eight bits, and expressions at the ends of a range
    assert 2.0 < float(depth[0, 0, 64, 64]) < 3.0 and float(depth[0, 0, 0, 0]) == 0.0


def test_unseen_views_come_back_as_they_were_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(my3dgen_people, "SIZES", (1,))
    monkeypatch.setattr(my3dgen_people, "HELD_BACK", 1)
    monkeypatch.setattr(my3dgen_tasks, "YAWS", {"new views": (-0.6, 0.6)})
    sitter, net = my3dgen_people.synthetic(3, tmp_path), tiny_prior().net
    drawn = my3dgen_tasks.unseen_views(sitter, net, tmp_path)
    monkeypatch.setattr(Sitter, "truth", lambda *_: pytest.fail("drawn again"))
    again = my3dgen_tasks.unseen_views(sitter, net, tmp_path)
    for one, other in zip(drawn, again, strict=True):
        assert torch.equal(one.image, other.image) and torch.equal(one.depth, other.depth)
    left, right = (view.depth[0, 0] > 0 for view in again)
    assert left.any() and not torch.equal(left, right)


def test_an_album_is_split_by_its_digests(tmp_path: Path) -> None:
    tiny_album(tmp_path / "ada", tiny_prior(), count=12)
    (path,) = my3dgen_people.albums(tmp_path)
    sitter = my3dgen_people.of_album(path, 16)
    assert len(sitter.images) == 12 and 0 < sitter.learned < 12 and sitter.looks is None
    assert my3dgen_tasks.unseen_views(sitter, tiny_prior().net, tmp_path) == []
    tiny_album(tmp_path / "bo", tiny_prior(), count=3)
    with pytest.raises(BadInput, match="3 usable photos; an evaluation needs at least"):
        my3dgen_people.of_album(tmp_path / "bo", 16)
    with pytest.raises(BadInput, match="nobody's album"):
        my3dgen_people.albums(tmp_path / "elsewhere")


def test_a_perfect_picture_scores_perfectly_and_depth_is_compared_where_both_see_somebody(networks: Networks) -> None:
    pictures = torch.rand(2, 3, 16, 16) * 2 - 1
    record = partial(Score, 1, OURS, "inversion", numbers=0)
    scores = my3dgen_tasks._compared(record, pictures, pictures, networks.judges)
    for s in scores:
        assert s.psnr == math.inf and s.ssim == pytest.approx(1) and s.identity == pytest.approx(1, abs=1e-5)
        assert s.perceptual == pytest.approx(0, abs=1e-6) and s.dists == pytest.approx(0, abs=1e-6)
        assert math.isnan(s.lpips) and math.isnan(s.depth)
    truth = torch.tensor([[2.5, 2.6], [0.0, 2.0]])[None, None]
    alpha = torch.tensor([[1.0, 0.9], [1.0, 0.1]])[None, None]
    made = Rendering(pictures[:1], torch.zeros(1, 3, 2, 2), torch.full((1, 1, 2, 2), 2.7), alpha)
    assert my3dgen_tasks._depth_error(made, truth).tolist() == pytest.approx([(0.2 + 0.1) / 2])


def sitter(networks: Networks) -> Sitter:
    with torch.no_grad():
        made = networks.prior.net(networks.prior.draw(5, 1, psi=1.0), poses(5)).image
    return Sitter("somebody", made, poses(5), 3)


@pytest.mark.parametrize("name", [PRIOR, OURS, f"{FULL} + tuning"])
def test_a_method_is_scored_on_every_task_it_has(
    networks: Networks, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(my3dgen_tasks, "SAMPLES", 4)
    scores, shown = my3dgen_scores.score(7, name, networks, sitter(networks), [], tmp_path)
    tasks = [s.task for s in scores]
    assert tasks.count("inversion") == 2 and {s.person for s in scores} == {7}
    whole = {"interpolation": 12, "synthesis": 4, "synthesis, all": 1}
    assert {t: tasks.count(t) for t in whole} == (dict.fromkeys(whole, 0) if "tuning" in name else whole)
    assert (scores[0].numbers > 0) == (name != PRIOR)
    assert shown.shape[0] == 1 and torch.isfinite(shown).all()
    assert all(-1 <= s.identity <= 1.001 for s in scores if not math.isnan(s.identity))
    assert (tmp_path / "anchors.safetensors").exists()


def test_tuning_gives_each_photo_a_network_of_its_own(networks: Networks) -> None:
    given = sitter(networks)
    w_plus = networks.prior.draw(2, 5)
    nets = [networks.prior.net, tiny_prior(1).net]
    made = my3dgen_tasks._drawn(nets, w_plus, given.camera[:2])
    for i, net in enumerate(nets):
        torch.testing.assert_close(made.image[i], net(w_plus[i : i + 1], given.camera[i : i + 1]).image[0])


def test_samples_are_compared_with_photos_that_nothing_was_learned_from(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(my3dgen_tasks, "SAMPLES", 4)
    given = sitter(networks)
    record = partial(Score, 1, OURS, numbers=0)
    held = given.images[given.held_back]
    monkeypatch.setattr("selfsame.jobs.measure.render", lambda net, w_plus, camera: held[torch.arange(4) % len(held)])
    photos = Photos(networks.prior.draw(3, 2), given.images[:3], given.camera[:3])
    *single, whole = my3dgen_tasks.sampled(record, networks.prior.net, photos, networks.judges, given)
    assert [s.identity for s in single] == pytest.approx([1.0] * 4, abs=1e-5)
    assert whole.fid < 1.0


def test_the_tables_hold_hand_computed_figures() -> None:
    scores = [
        a_score(person=p, method=name, item=i, psnr=base + step, numbers=numbers)
        for name, base, numbers in ((PRIOR, 20.0, 0), (OURS, 22.0, 67_659))
        for p in (1, 2, 3)
        for i, step in enumerate((0.0, 1.0))
    ]
    scores += [a_score(person=p, task="synthesis, all", psnr=math.nan, ssim=math.nan, fid=10.0 * p) for p in (1, 2)]
    text = my3dgen_table.markdown(scores)
    assert f"| {OURS} | 67,659 | 3 / 6 | 22.50 [22.50, 22.50] | 0.500 [0.500, 0.500] |" in text
    assert f"| {OURS} - {PRIOR} | +2.000 [+2.000, +2.000], p = 0.250 |" in text
    assert "| method | numbers | people / pictures | identity | FID |" in text and "| 15.0 [10.0, 20.0] |" in text
    assert "LPIPS" not in text


def test_a_run_goes_on_and_leaves_out_methods_that_need_more_photos(
    tmp_path: Path, networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(my3dgen_scores, "load", lambda *_: networks)
    monkeypatch.setattr(my3dgen_tasks, "SAMPLES", 2)
    monkeypatch.setattr(my3dgen_scores, "METHODS", {PRIOR: Method(0), OURS: Method(1, photos=50)})
    monkeypatch.setattr(my3dgen_scores, "STAGES", ((PRIOR, OURS),))
    monkeypatch.setattr(my3dgen_scores, "LONGER", ())
    tiny_album(tmp_path / "people" / "ada", networks.prior, count=12)
    plan = Plan(albums=tmp_path / "people", subjects=1)
    my3dgen_scores.run(tmp_path / "out", plan, 1, None)
    kept = my3dgen_scores.file_of(tmp_path / "out", 0, PRIOR)
    assert [p.name for p in sorted(kept.parent.glob("*.json"))] == [kept.name]
    kept.write_text(json.dumps([asdict(a_score(person=5))]))
    my3dgen_scores.run(tmp_path / "out", plan, 1, None)
    assert [s.person for s in my3dgen_scores.read(tmp_path / "out")] == [5]


def test_the_sheet_shows_the_truth_above_what_the_methods_made(
    networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, count = sitter(networks), 2
    side = given.images.shape[-1]
    views = [
        View("views", given.camera[:count], torch.full((count, 3, side, side), level), torch.zeros(count, 1, 8, 8))
        for level in (-1.0, -0.6, -0.2, 0.2)
    ]
    monkeypatch.setattr(my3dgen_people, "synthetic", lambda *_: given)
    monkeypatch.setattr(my3dgen_tasks, "unseen_views", lambda *_: views)
    monkeypatch.setattr(my3dgen_tasks, "INVERTED", count)
    levels = torch.linspace(-1, 1, 10)[:, None, None, None].expand(-1, 3, side, side)
    file = my3dgen_scores.file_of(tmp_path, 7, OURS).with_suffix(".png")
    file.parent.mkdir()
    image.save(image.grid(levels, columns=count), file)
    shown = my3dgen_sheet.sheet(tmp_path, [7], networks.prior.net)
    middle = [2 + i * (side + 2) for i in range(2 * count)]
    truth, made = (shown[0, 0, top, middle] for top in (side // 2, side + 2 + side // 2))
    assert shown.shape[-2:] == (2 * side + 2, 2 * count * (side + 2) - 2)
    assert truth[[1, 3]].tolist() == pytest.approx([-0.2, -0.2])
    wanted = [float(levels[row * count + column, 0, 0, 0]) for column in range(count) for row in (0, 3)]
    assert made.tolist() == pytest.approx(wanted, abs=0.01)
