"""Training and judging detectors: learns, resumes to the same bits, calibrates, and remembers what it knows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from detect_toys import CROP, STILL, Made, config, examples

from selfsame.core import rng
from selfsame.core.errors import BadInput, SelfsameError, WrongUse
from selfsame.detectors import cnn, table
from selfsame.detectors.detector import Detector, Lesson, Sight, cross_entropy
from selfsame.metrics import detection
from selfsame.tasks import clip_augment, detect, detector
from selfsame.tasks.clip_augment import AugmentConfig
from selfsame.tasks.detect import Example
from selfsame.tasks.detector import Calibration
from selfsame.train import loop

LEARN, SELECT = examples(0, 24), examples(100, 12)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detector")
    detect.train(folder, LEARN, SELECT, config(steps=30, select_every=10))
    return folder


def test_a_detector_learns_what_it_has_not_seen(learned: Path) -> None:
    model = detector.load(learned)
    asked = examples(300, 16)
    score = np.array([model.judge(e.crops()).mean() for e in asked])
    fake = np.array([e.fake for e in asked])
    assert detection.auc(score, fake) > 0.95
    assert ((score > model.parts.calibration.threshold) == fake).mean() >= 0.85


def test_the_card_names_every_clip_that_was_learned_or_chosen_on(learned: Path) -> None:
    model = detector.load(learned)
    assert model.parts.trained_on == tuple(sorted(e.digest for e in LEARN))
    assert model.parts.chosen_on == tuple(sorted(e.digest for e in SELECT))
    assert model.parts.generators == ("one", "two") and model.parts.sources == ("world",)
    assert model.card.measured[0].name == "AUC where it was chosen"


def test_the_best_checkpoint_is_kept_and_not_the_last(learned: Path) -> None:
    found = loop.history(learned)["select AUC"]
    reached = {int(step) + 1: auc for step, auc in enumerate(found) if not np.isnan(auc)}
    best = max(reached, key=lambda step: (reached[step], -step))
    assert detector.load(learned).parts.step == best


@pytest.mark.parametrize("name", ["cnn-small", "tall-small"])
def test_a_killed_training_goes_on_to_the_same_bits(name: str, tmp_path: Path) -> None:
    asked = config(name, steps=4, batch=4, select_every=2)

    class Killed(Exception):
        pass

    def kill(done: int, losses: dict[str, float]) -> None:
        if done == 3:
            raise Killed

    with pytest.raises(Killed):
        detect.train(tmp_path / "a", LEARN, SELECT, asked, on_step=kill)
    a = detect.train(tmp_path / "a", LEARN, SELECT, asked)
    b = detect.train(tmp_path / "b", LEARN, SELECT, asked)
    assert a.card.digest == b.card.digest and a.parts == b.parts


def test_a_batch_is_half_real_and_follows_from_seed_and_step() -> None:
    clips, fake = detect.batch(LEARN, config(), 1, 5)
    again, _ = detect.batch(LEARN, config(), 1, 5)
    other, _ = detect.batch(LEARN, config(), 1, 6)
    assert clips.shape == (8, 1, 3, CROP.px, CROP.px) and fake.tolist() == [0, 1] * 4
    assert torch.equal(clips, again) and not torch.equal(clips, other)


def test_generators_are_drawn_alike_however_many_clips_they_have() -> None:
    few = [e for e in LEARN if e.maker == "one"][:1]
    uneven = [e for e in LEARN if e.maker != "one"] + few
    asked = config(batch=8)
    seen = [detect.batch(uneven, asked, 1, step)[0] for step in range(40)]
    target = detect.images(few[0].crops().pixels.flatten(0, 1).numpy())
    drawn = sum(bool((clip == target).all((1, 2, 3)).any()) for clips in seen for clip in clips[1::2, 0])
    assert 50 < drawn < 110  # half of 160 fakes


def test_sides_that_share_a_clip_or_lack_a_label_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="learned from and chosen on"):
        detect.train(tmp_path, LEARN, [*SELECT, LEARN[0]], config())
    with pytest.raises(BadInput, match="no real or no fake clips to choose on"):
        detect.train(tmp_path, LEARN, [e for e in SELECT if e.fake], config())


def test_runs_too_short_and_a_probe_without_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="sees 4 frames at once, and runs have 2"):
        detect.train(tmp_path, LEARN, SELECT, config("tall-small", crop=replace(CROP, length=2)))


def test_units_are_frames_or_runs_with_their_places() -> None:
    crops = Made(1, True)()
    for name, count in (("cnn-small", 8), ("tall-small", 2)):
        torch.manual_seed(0)
        net = detector.table.build(name).eval()
        places = list(detector.unit_frames(net, crops))
        found = detector.logits(net, crops, torch.device("cpu"))
        assert len(found) == len(places) == count
        assert places[1][0] == (1 if count == 8 else 4) and places[1][1] == pytest.approx(places[1][0] / 25)
        few = detector.logits(net, crops, torch.device("cpu"), 2)
        np.testing.assert_allclose(few, found[[0, -1]], atol=1e-5)


def test_calibration_finds_the_truth_and_never_says_that_it_is_certain() -> None:
    random = np.random.default_rng(0)
    fake = random.random(4000) < 0.5
    logit = random.normal(np.where(fake, 1.0, -1.0), 1.0)  # its posterior is sigmoid(2 x)
    units = [np.array([x]) for x in logit / 4 + 3]
    found = detector.calibrate(units, fake.tolist())
    assert found.slope == pytest.approx(8, rel=0.1) and found.offset == pytest.approx(-24, rel=0.1)
    assert found.threshold == pytest.approx(0.5, abs=0.1)
    sure = detector.calibrate([np.array([-9.0])] * 4 + [np.array([9.0])] * 4, [False] * 4 + [True] * 4)
    assert detector.sigmoid(np.array([sure.slope * 9 + sure.offset]))[0] == pytest.approx(5 / 6, abs=0.01)
    assert isinstance(sure, Calibration)


def test_calibration_leaves_the_order_alone_and_weighs_classes_alike() -> None:
    units = [np.array([x]) for x in (-1.0, 0.0, 0.5, 2.0)] + [np.array([1.0])] * 40
    found = detector.calibrate(units, [False, True, False, True] + [True] * 40)
    assert found.slope > 0
    score = [detector.sigmoid(found.slope * u + found.offset).mean() for u in units[:4]]
    assert score == sorted(score)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SelfsameError, match="does not exist"):
        detector.load(tmp_path)


def test_augmentation_is_drawn_once_for_a_run_and_from_its_generator_alone() -> None:
    frames = np.repeat(np.random.default_rng(0).integers(0, 255, (1, 24, 24, 3), dtype=np.uint8), 3, 0)

    def made(seed: int, asked: AugmentConfig) -> np.ndarray:
        return clip_augment.augment(frames, asked, torch.Generator().manual_seed(seed))

    usual = AugmentConfig(blur=1.0, jpeg=1.0)
    one = made(1, usual)
    assert one.shape == frames.shape and one.dtype == np.uint8
    assert all(np.array_equal(one[0], frame) for frame in one)  # equal frames stay equal
    assert np.array_equal(one, made(1, usual)) and not np.array_equal(one, made(2, usual))
    assert np.array_equal(made(1, STILL), frames)
    assert np.array_equal(made(1, replace(STILL, flip=1.0)), frames[:, :, ::-1])


def test_what_a_detector_hears_is_a_picture_that_training_never_turns(tmp_path: Path) -> None:
    class Listens(Detector):
        def __init__(self) -> None:
            small = table.build("cnn-small")
            arrange = lambda clips: clips[:, :2].mean(1) + clips[:, 2]  # noqa: E731
            super().__init__(small.body, Sight(CROP.px, 2, sound=True), "layer4", arrange=arrange)

    def with_sound(example: Example) -> Example:
        crops = example.crops()
        sound = torch.arange(CROP.px, dtype=torch.uint8)[None, None, :, None, None].expand(1, 1, -1, CROP.px, 3)
        shown = torch.cat([crops.pixels[:, :2], sound.expand(len(crops.pixels), -1, -1, -1, -1)], 1)
        return replace(
            example,
            crops=lambda: replace(crops, pixels=shown, numbers=crops.numbers[:, :2], times_s=crops.times_s[:, :2]),
        )

    net, heard = Listens(), [with_sound(e) for e in LEARN]
    units = detector.units_of(net, heard[0].crops())
    assert units.shape[1] == 3 and net(next(iter(detector.batches(units)))).shape == (len(units),)
    asked = config(crop=replace(CROP, length=2, sound=True), augment=AugmentConfig())
    clips, _ = detect.batch(heard, asked, 2, 0)
    rows = (clips[:, 2, 0, :, 0] + 1) * 127.5
    assert torch.allclose(rows, torch.arange(float(CROP.px)).expand_as(rows), atol=0.01)
    detect.check(asked, net)
    for wrong in (replace(asked.crop, sound=False), replace(asked.crop, length=3)):
        with pytest.raises(WrongUse, match="hears"):
            detect.check(replace(asked, crop=wrong), net)


def test_a_lesson_has_its_own_loss_and_changes_what_is_trained_by_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []

    def before(net: Detector, step: int) -> None:
        steps.append(step)
        net.head.requires_grad_(step % 2 == 1)

    def loss(net: Detector, clips: torch.Tensor, fake: torch.Tensor, g: torch.Generator) -> torch.Tensor:
        return cross_entropy(net, clips, fake, g) + torch.rand((), generator=g)

    def made() -> Detector:
        small = cnn.small()
        small.lesson = Lesson(loss, before)
        return small

    monkeypatch.setattr(table, "DETECTORS", {"cnn-small": made})
    heads = []
    for count in (1, 2):
        asked = config(steps=count, batch=4, select_every=count, optimizer="sgd")
        detect.train(tmp_path / str(count), LEARN, SELECT, asked)
        heads.append(detector.load(tmp_path / str(count)).net.head.weight)
    torch.manual_seed(rng.key(config().seed, "detector"))
    assert torch.equal(heads[0], made().head.weight) and not torch.equal(heads[1], heads[0])
    assert steps == [0, 0, 1] and not np.isnan(loop.history(tmp_path / "2")["loss"]).any()


def test_the_weights_of_another_detector_are_refused() -> None:
    with pytest.raises(BadInput, match="another detector"):
        detector.restore(table.build("cnn-small"), table.build("vit-small").learned())
