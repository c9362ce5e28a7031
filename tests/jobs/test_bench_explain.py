"""Explaining a detector: its shares by generator, its errors in order, raw maps on disk, and a page of all that."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from clip_toys import clip
from detect_toys import Made, config, examples
from safetensors.torch import load_file

from selfsame.clips.index import Clip
from selfsame.core.errors import BadInput
from selfsame.detectors import explain as cams
from selfsame.jobs import bench_explain, evidence, heat
from selfsame.tasks import detect
from selfsame.tasks.clip_crops import ClipCrops
from selfsame.tasks.detector import Calibration, Model

CLIPS = [clip(n, "test", fake=n % 2 == 1, generator=(None, "one", None, "two")[n % 4]) for n in range(20, 32)]


def crops_of(one: Clip) -> ClipCrops:
    return Made(int(one.identity or 0), one.label == "fake")()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return detect.train(
        tmp_path_factory.mktemp("model"), examples(0, 4), examples(4, 4), config(steps=2, select_every=2)
    )


def with_threshold(model: Model, threshold: float) -> Model:
    return replace(model, parts=replace(model.parts, calibration=Calibration(threshold=threshold)))


def test_errors_stand_in_order_and_shares_by_generator(model: Model, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    made = bench_explain.explain(
        with_threshold(model, 1.0), CLIPS, crops_of, tmp_path, shown=2, progress=lambda _, *n: told.append(n)
    )
    assert told[0] == (0, 12) and told[-1] == (12, 12)
    assert len(made.missed) == 6 and not made.alarms and not made.left_out
    found = [s.probability for s in made.missed]
    assert found == sorted(found)
    page = made.page.read_text()
    assert "6 clips, the least suspected first; the first 2 are shown." in page
    first, second, third = (s.clip.path for s in made.missed[:3])
    assert page.index(f"({first})") < page.index(f"({second})") and f"({third})" not in page
    assert 'src="http' not in page and "Right: real" in page and "Right: one" not in page
    assert list(made.without) == ["real", "one", "two"]
    for maker, measured in made.shares.items():
        assert sum(m.mean for m in measured) == pytest.approx(1, abs=1e-5)
        assert measured[0].name == f"{maker}, face" and measured[0].better == "high"
        assert measured[0].n + made.without[maker] == sum(c.maker == maker for c in CLIPS)
    assert sum(made.areas) == pytest.approx(1, abs=1e-5)


def test_false_alarms_begin_with_the_most_suspected(model: Model, tmp_path: Path) -> None:
    made = bench_explain.explain(with_threshold(model, 0.0), CLIPS, crops_of, tmp_path, shown=1)
    found = [s.probability for s in made.alarms]
    assert len(found) == 6 and found == sorted(found, reverse=True) and not made.missed


def test_raw_maps_are_kept_as_they_are(model: Model, tmp_path: Path) -> None:
    made = bench_explain.explain(model, CLIPS[:2], crops_of, tmp_path)
    kept = load_file(made.maps)
    crops = crops_of(CLIPS[1])
    assert kept[f"{CLIPS[1].digest} frames"].tolist() == crops.numbers.flatten().tolist()
    pixels = torch.from_numpy(crops.pixels.flatten(0, 1).numpy()).permute(0, 3, 1, 2) / 127.5 - 1
    expected = cams.grad_cam(model.net, pixels[:, None], "both")
    torch.testing.assert_close(kept[CLIPS[1].digest], expected, atol=1e-6, rtol=1e-4)
    assert float(kept[CLIPS[1].digest].min()) < 0  # both sides are kept, and not cut off at nothing


def test_clips_of_one_person_count_once_and_clips_without_evidence_not_at_all() -> None:
    def seen(number: int, shares: list[float], identity: str) -> evidence.Seen:
        one = clip(number, "test", generator="one", identity=identity)
        return evidence.Seen(one, 0.5, torch.zeros(1, 1, 2, 2), (0,), torch.tensor(shares, dtype=torch.float32))

    nothing = [math.nan] * 3
    some = [seen(1, [1, 0, 0], "a"), seen(2, [0, 0, 1], "b"), seen(3, [0, 0, 1], "b"), seen(4, nothing, "c")]
    face, ring, background = evidence.by_maker(some)["one"]
    assert (face.mean, ring.mean, background.mean, face.n) == (0.5, 0, 0.5, 2)
    assert evidence.without(some) == {"one": 1}
    assert evidence.by_maker(some[3:]) == {}


def test_what_cannot_be_used_is_told_and_all_of_it_is_an_error(model: Model, tmp_path: Path) -> None:
    def some(one: Clip) -> ClipCrops:
        if one.label == "real":
            raise BadInput("No <face> was found.")
        return crops_of(one)

    made = bench_explain.explain(model, CLIPS[:2], some, tmp_path)
    assert made.left_out == {"20.mp4": "No <face> was found."} and "No &lt;face&gt;" in made.page.read_text()
    with pytest.raises(BadInput, match=r"no clip to explain\. No <face>"):
        bench_explain.explain(model, CLIPS[:1], some, tmp_path)


def test_colours_compare_over_pictures() -> None:
    frames = torch.zeros(2, 3, 8, 8)
    maps = torch.stack([torch.full((2, 2), 0.5), torch.full((2, 2), 1.0)])
    both, alone = heat.overlay(frames, maps, 2.0), heat.overlay(frames[:1], maps[:1], 2.0)
    torch.testing.assert_close(both[:1], alone)
    assert not torch.allclose(both[0], both[1])
    torch.testing.assert_close(heat.overlay(frames, 9 * maps, 2.0)[0], heat.overlay(frames, 4 * maps, 2.0)[0])
    torch.testing.assert_close(heat.overlay(frames, 0 * maps, 0.0), frames)
