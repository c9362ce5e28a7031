"""A video judged: the verdict and its band, moments without a face, what the card limits, and what is refused."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from detect_toys import config, examples

from selfsame.clips.media import Media
from selfsame.core import image, video
from selfsame.core.errors import BadInput
from selfsame.core.store import STARTER_FOLDER
from selfsame.faces import detect as faces
from selfsame.faces.detect import Face
from selfsame.jobs import detect_page, detect_video, detect_words
from selfsame.tasks import detect
from selfsame.tasks.clip_crops import ClipCrops, CropConfig
from selfsame.tasks.detector import Calibration, Model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("model")
    detect.train(where, examples(0, 4), examples(4, 4), config(steps=2, select_every=2))
    return where


@pytest.fixture
def model(folder: Path) -> Model:
    return detect_video.load(folder)


@pytest.fixture(autouse=True)
def white(monkeypatch: pytest.MonkeyPatch) -> None:
    """The face is what is white."""

    def found(pixels: np.ndarray) -> list[Face]:
        rows, columns = np.nonzero(pixels[..., 1] > 230)
        if len(rows) < 100:
            return []
        box = np.array([columns.min(), rows.min(), columns.max(), rows.max()], float)
        return [Face(box, 1.0, np.zeros((5, 2)))]

    monkeypatch.setattr(faces, "detect", found)
    monkeypatch.setattr(faces, "again", lambda pixels, like: faces.detect(pixels))


def film(path: Path, seconds: int, without: Sequence[int] = (), moves: bool = True) -> Path:
    """Ten frames a second of grey with a white square, which some seconds lack."""
    frames = torch.full((10 * seconds, 3, 64, 96), -0.5)
    for t in range(len(frames)):
        if t // 10 not in without:
            left = 10 + t % 40 * moves
            frames[t, :, 20:44, left : left + 24] = 1.0
    video.write(path, frames, 10, crf=1)
    return path


def test_a_video_gets_a_verdict_a_page_and_pictures(model: Model, tmp_path: Path) -> None:
    clip = film(tmp_path / "<b>clip.mp4", 5)
    told: list[tuple[str, int, int]] = []
    made = detect_video.judge(clip, model, tmp_path / "out", progress=lambda *step: told.append(step))
    assert told[-1][1:] == (3, 3)
    assert len(made.units) == 5 * 4 and made.probability == pytest.approx(made.units.mean())
    assert made.verdict == detect_words.verdict(made.probability, model.parts.calibration.threshold)
    assert "20 frames were judged." in made.basis and not made.unseen_s
    assert (np.diff(made.times_s) > 0).all() and made.times_s[-1] < 5
    page = made.page.read_text()
    assert "&lt;b&gt;clip.mp4" in page and "<b>clip" not in page and 'src="http' not in page
    assert "seen no real person" in page and page.count("<img") == 2
    assert image.load(made.page.with_name("timeline.png")).shape[-1] > 800
    sheet = image.load(made.page.with_name("heat.png"))
    assert sheet.shape[-2:] == (3 * (192 + 2) - 2, 5 * (192 + 2) - 2)
    again = detect_video.judge(clip, model, tmp_path / "again")
    assert np.array_equal(again.units, made.units)


def test_moments_without_a_face_do_not_count_and_are_told(model: Model, tmp_path: Path) -> None:
    whole = detect_video.judge(film(tmp_path / "whole.mp4", 6), model, tmp_path / "w")
    made = detect_video.judge(film(tmp_path / "part.mp4", 6, without=(0, 3)), model, tmp_path / "p")
    assert [int(s) for s in made.unseen_s] == [0, 3]
    assert len(whole.units) == 24 and len(made.units) == 16 and not ({0, 3} & set(made.times_s.astype(int)))
    assert "No face was seen at 0.4 s, 3.3 s: what happens there was not judged." in made.basis


def test_a_still_picture_is_seen_all_the_time(model: Model, tmp_path: Path) -> None:
    made = detect_video.judge(film(tmp_path / "still.mp4", 3, moves=False), model, tmp_path / "s")
    assert not made.unseen_s


def test_where_a_second_look_finds_no_face_at_all_every_run_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = torch.tensor([[0.0, 0, 9, 9]] * 3 + [[1.0, 0, 9, 9]], dtype=torch.float64)
    pixels = torch.zeros(4, 1, 8, 8, 3, dtype=torch.uint8)
    crops = ClipCrops(pixels, torch.zeros(4, 1).long(), torch.zeros(4, 1).double(), boxes)
    monkeypatch.setattr(faces, "detect", lambda _: [])
    assert detect_video.visible(crops).tolist() == [True] * 4
    pixels[1] = 255
    monkeypatch.setattr(faces, "detect", lambda seen: [1] if seen.max() else [])
    assert detect_video.visible(crops).tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    ("probability", "threshold", "expected"),
    [(0.9, 0.5, "generated"), (0.1, 0.5, "real"), (0.41, 0.5, "not sure"), (0.59, 0.5, "not sure"),
     (0.39, 0.5, "real"), (0.61, 0.5, "generated"), (0.01, 0.05, "real"), (0.2, 0.05, "not sure"),
     (0.9, 0.9, "not sure"), (0.71, 0.9, "real"), (0.93, 0.9, "generated")],
)  # fmt: skip
def test_the_band_without_a_verdict(probability: float, threshold: float, expected: str) -> None:
    assert detect_words.verdict(probability, threshold) == expected
    told = detect_words.sentence("clip.mp4", probability, threshold)
    assert told.startswith("Not sure about clip.mp4" if expected == "not sure" else f"clip.mp4 is judged {expected}:")
    assert told.endswith(".") and f"{100 * probability:.0f} %" in told


def test_nothing_is_certain() -> None:
    assert [detect_words.percent(p) for p in (0, 0.01, 0.5, 0.99, 1)] == [
        "under 1 %",
        "1 %",
        "50 %",
        "99 %",
        "over 99 %",
    ]


def test_limits_come_from_the_card(model: Model, tmp_path: Path) -> None:
    people, learned, chosen, *_ = detect_words.limits(model, "")
    assert "no real person" in people
    assert "4 clips: real ones, and fakes by one and two" in learned
    assert f"4 clips. AUC where it was chosen: {model.card.measured[0].mean:.3f}" in chosen and "too good" in chosen
    of = [replace(model, parts=replace(model.parts, sources=s)) for s in (("FFHQ", "world"), ("FFHQ",), ())]
    found = [detect_words.limits(one, "")[0] for one in of]
    assert "FFHQ and world" in found[0] and "from FFHQ;" in found[1] and "does not say" in found[2]
    assert not any("no real person" in words for words in found)
    clip = film(tmp_path / "known.mp4", 2)
    digest = hashlib.sha256(clip.read_bytes()).hexdigest()
    knows = replace(model, parts=replace(model.parts, chosen_on=(digest,)))
    assert detect_video.judge(clip, knows, tmp_path / "k").limits[0] == detect_words.KNOWN


def test_runs_are_one_a_second_within_bounds() -> None:
    about, config = Media(640, 360, 25.0, 250, 10.0, "h264", 1.0, "", 0), CropConfig(segments=4, length=4)
    assert detect_video.runs(about, config) == 10
    assert detect_video.runs(replace(about, seconds=1.0), config) == 4
    assert detect_video.runs(replace(about, seconds=4e3), config) == detect_video.MOST_RUNS
    large = detect_video.runs(replace(about, width=3840, height=2160, seconds=4e3), config)
    assert 0 < large * 4 * 3840 * 2160 * 3 <= detect_video.MOST_BYTES


def test_the_timeline_shows_what_is_told() -> None:
    times = np.array([0.5, 2.5, 1.5])
    low = detect_page.timeline(np.array([0.1, 0.3, 0.2]), times, (), 0.5, 3.0)
    assert torch.equal(low, detect_page.timeline(np.array([0.1, 0.2, 0.3]), np.sort(times), (), 0.5, 3.0))
    assert not torch.equal(low, detect_page.timeline(np.array([0.1, 0.3, 0.2]), times, (2.0,), 0.5, 3.0))


def test_what_cannot_be_judged_is_refused_in_a_sentence(model: Model, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no video")
    for name in ("notes.mp4", "nowhere.mp4"):
        with pytest.raises(BadInput, match=f"{name} cannot be read as a video"):
            detect_video.judge(tmp_path / name, model, tmp_path / "out")
    with pytest.raises(BadInput, match=r"No face was found in empty\.mp4"):
        detect_video.judge(film(tmp_path / "empty.mp4", 1, without=(0,)), model, tmp_path / "out")
    with pytest.raises(BadInput, match="not a detector"):
        detect_video.load(STARTER_FOLDER / "judge")
    with pytest.raises(BadInput, match="does not exist"):
        detect_video.load(tmp_path / "nothing")
    assert not (tmp_path / "out").exists()


def test_a_model_that_sees_runs_has_a_moment_for_each(tmp_path: Path) -> None:
    detect.train(tmp_path / "tall", examples(0, 8), examples(8, 8), config("tall-small", steps=1, select_every=1))
    model = detect_video.load(tmp_path / "tall")
    model = replace(model, parts=replace(model.parts, calibration=Calibration()))
    made = detect_video.judge(film(tmp_path / "clip.mp4", 3), model, tmp_path / "out")
    assert len(made.units) == 3 and "3 runs of 4 frames were judged." in made.basis
    assert "4 frames at a time" in made.limits[-1]


def test_figures_of_clips_that_nothing_had_seen_are_told_as_such(model: Model) -> None:
    assert "too good, since it was chosen there" in " ".join(detect_words.limits(model, "0"))
    starter = " ".join(detect_words.limits(detect_video.load(None), "0"))
    assert "that nothing had seen" in starter and "too good" not in starter
    assert "generators of training: 0.8" in starter and "mouth: " not in starter
