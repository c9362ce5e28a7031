"""SAM's training: the published weights, what each pass aims at, what moves, and that a resumed run is the same run."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from encoder_toys import TinyPrior, pictures, sam_card, tiny_age_judge, tiny_image_prior, tiny_inversion
from torch import Tensor

from selfsame.losses.age import identity_weight
from selfsame.nets.encoder import GradualStyleEncoder
from selfsame.nets.judges import Judge
from selfsame.tasks import aging
from selfsame.tasks.aging import SAM_PAPER, AgingConfig, begin, target_years, train_sam
from selfsame.tasks.encoders import Batch, Inversion
from selfsame.tasks.reage import Sam
from selfsame.train import loop

pytestmark = pytest.mark.usefixtures("one_thread")

SHORT = AgingConfig(
    steps=5, optimizer="adam", lr=0.01, youngest=20, oldest=60, face_identity=False, flip=0.5, save_every=2
)
TERMS = ("pixel", "face_pixel", "perceptual", "face_perceptual", "identity", "w_norm", "aging")


@pytest.fixture(scope="module")
def stylegan() -> TinyPrior:
    return tiny_image_prior()


@pytest.fixture(scope="module")
def inversion(stylegan: TinyPrior) -> Inversion:
    return tiny_inversion(stylegan)


def train(
    inversion: Inversion, prior: TinyPrior, judge: Judge, folder: Path, config: AgingConfig = SHORT, stop: int = 0
) -> GradualStyleEncoder:
    """A run, stopped by an error after `stop` steps where that is given."""

    def told(done: int, _: loop.Losses) -> None:
        if done == stop:
            raise InterruptedError

    return train_sam(
        inversion, prior, lambda i: pictures(prior, i), judge, tiny_age_judge(), config, folder, on_step=told
    )


def test_published_weights() -> None:
    c = SAM_PAPER
    assert (c.identity, c.perceptual, c.face_perceptual, c.pixel, c.face_pixel) == (0.1, 0.1, 0.6, 0.25, 1.0)
    assert (c.w_norm, c.aging, c.cycle, c.stay) == (0.005, 5.0, 1.0, 1 / 3)
    assert (c.youngest, c.oldest, c.flip, c.optimizer, c.lr) == (0, 100, 0.5, "ranger", 1e-4)


def test_targets_are_whole_years_or_the_photos_own() -> None:
    source = torch.tensor([31.5, 42.25])
    drawn = [target_years(source, SHORT, torch.Generator().manual_seed(i)) for i in range(600)]
    stays = [torch.equal(t, source) for t in drawn]
    assert 160 < sum(stays) < 240
    others = torch.stack([t for t, same in zip(drawn, stays, strict=True) if not same])
    assert torch.equal(others, others.round())
    assert (others.min(), others.max()) == (20, 60)
    assert (others[:, 0] != others[:, 1]).any()


def test_the_total_is_the_weighted_sum(inversion: Inversion, stylegan: TinyPrior, judge: Judge, tmp_path: Path) -> None:
    config = replace(SHORT, steps=1, cycle=0.5)
    train(inversion, stylegan, judge, tmp_path, config)
    found = {name: values[0] for name, values in loop.history(tmp_path).items()}
    expected = sum(getattr(config, name) * (found[name] + 0.5 * found[f"cycle_{name}"]) for name in TERMS)
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert set(found) == {"step", "loss", *TERMS, *(f"cycle_{name}" for name in TERMS)}


def test_codes_that_are_known_pull_both_passes_but_for_mirrored_photos(
    inversion: Inversion, stylegan: TinyPrior, judge: Judge, tmp_path: Path
) -> None:
    asked: list[Tensor] = []

    def data(index: int) -> Batch:
        batch = pictures(stylegan, index)

        def aged(years: Tensor) -> Tensor:
            asked.append(years)
            return torch.zeros_like(batch.w_plus)  # type: ignore[arg-type]

        return replace(batch, aged=aged)

    def losses(name: str, **changed: float) -> dict[str, float]:
        config = replace(SHORT, steps=1, stay=0.0, code=0.7, cycle=0.5, **changed)
        train_sam(inversion, stylegan, data, judge, tiny_age_judge(), config, tmp_path / name)
        return {name: values[0] for name, values in loop.history(tmp_path / name).items()}

    found = losses("straight", flip=0.0)
    both = (*TERMS, "code")
    weights = {name: getattr(replace(SHORT, code=0.7), name) for name in both}
    expected = sum(weights[name] * (found[name] + 0.5 * found[f"cycle_{name}"]) for name in both)
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert found["code"] > 0
    assert found["cycle_code"] > 0
    assert ((asked[0] >= SHORT.youngest) & (asked[0] <= SHORT.oldest)).all()
    mirrored = losses("mirrored", flip=1.0)
    assert mirrored["code"] == mirrored["cycle_code"] == 0


def test_the_passes_aim_at_the_target_and_at_the_photos_age(
    inversion: Inversion, stylegan: TinyPrior, judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Tensor, Tensor]] = []
    inner = aging.aged_codes

    def spy(encoder: GradualStyleEncoder, inv: Inversion, images: Tensor, years: Tensor) -> Tensor:
        calls.append((images, years))
        return inner(encoder, inv, images, years)

    monkeypatch.setattr(aging, "aged_codes", spy)
    train(inversion, stylegan, judge, tmp_path, replace(SHORT, steps=1, stay=0.0, flip=0.0))
    batch = pictures(stylegan, 0)
    (first, target), (second, back) = calls
    assert torch.equal(first, batch.images)
    assert torch.equal(target, target.round())
    assert not torch.equal(target, back)
    assert torch.equal(back, batch.years)
    assert not second.requires_grad
    assert not torch.equal(second, first)
    found = {name: values[0] for name, values in loop.history(tmp_path).items()}
    assert found["identity"] <= 2 * float(identity_weight(target - back).max())


def test_ages_that_the_data_does_not_say_are_judged(
    inversion: Inversion, stylegan: TinyPrior, judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Tensor] = []
    inner = aging.aged_codes

    def spy(encoder: GradualStyleEncoder, inv: Inversion, images: Tensor, years: Tensor) -> Tensor:
        asked.append(years)
        return inner(encoder, inv, images, years)

    monkeypatch.setattr(aging, "aged_codes", spy)
    images = pictures(stylegan, 0).images
    years = tiny_age_judge()
    config = replace(SHORT, steps=1, flip=0.0)
    train_sam(inversion, stylegan, lambda _: Batch(images), judge, years, config, tmp_path)
    assert torch.equal(asked[1], years(images))


def test_training_lowers_the_loss(inversion: Inversion, stylegan: TinyPrior, judge: Judge, tmp_path: Path) -> None:
    config = replace(SHORT, steps=30, stay=1.0, flip=0.0, save_every=30)
    train_sam(inversion, stylegan, lambda _: pictures(stylegan, 0), judge, tiny_age_judge(), config, tmp_path)
    losses = loop.history(tmp_path)
    for name in ("loss", "pixel", "face_perceptual", "cycle_pixel"):
        assert sum(losses[name][-5:]) < 0.8 * sum(losses[name][:5]), name


def test_asked_ages_come_out(inversion: Inversion, stylegan: TinyPrior, judge: Judge, tmp_path: Path) -> None:
    """In a world where the old are bright, a bright picture is what the age encoder must learn to make."""

    def years(images: Tensor) -> Tensor:
        return 40 + 40 * images.mean((1, 2, 3))

    config = replace(SHORT, steps=40, stay=0.0, aging=50.0, save_every=40)
    encoder = train_sam(inversion, stylegan, lambda i: pictures(stylegan, i % 4), judge, years, config, tmp_path)
    sam = Sam(encoder, inversion, stylegan.net, sam_card())
    images = pictures(stylegan, 2).images
    young, old = years(sam.reage(images, 25)), years(sam.reage(images, 55))
    assert (old > young).all()
    assert (old - young).mean() > 15


def test_only_the_age_encoder_moves(inversion: Inversion, stylegan: TinyPrior, judge: Judge, tmp_path: Path) -> None:
    frozen = (inversion.encoder, stylegan.net, judge)
    before = [{k: v.clone() for k, v in net.state_dict().items()} for net in frozen]
    start = begin(inversion.encoder, SHORT.seed)
    net = train(inversion, stylegan, judge, tmp_path)
    for part, old in zip(frozen, before, strict=True):
        assert all(torch.equal(v, old[k]) for k, v in part.state_dict().items())
        assert all(p.grad is None for p in part.parameters())
    for (name, p), old_p in zip(net.named_parameters(), start.parameters(), strict=True):
        assert p.grad is not None and p.grad.abs().max() > 0, name
        assert not torch.equal(p, old_p), name


def test_a_resumed_run_equals_an_uninterrupted_one_bitwise(
    inversion: Inversion, stylegan: TinyPrior, judge: Judge, tmp_path: Path
) -> None:
    config = replace(SHORT, optimizer="ranger", steps=8)
    whole = train(inversion, stylegan, judge, tmp_path / "whole", config).state_dict()
    with pytest.raises(InterruptedError):
        train(inversion, stylegan, judge, tmp_path / "cut", config, stop=5)
    again = train(inversion, stylegan, judge, tmp_path / "cut", config).state_dict()
    assert all(torch.equal(again[name], whole[name]) for name in whole)
    logs = [(tmp_path / name / loop.LOG_FILE).read_bytes() for name in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_it_begins_with_the_inversions_eyes_and_new_heads(inversion: Inversion) -> None:
    net, old = begin(inversion.encoder, 0), inversion.encoder
    assert net.config == replace(old.config, input_channels=4)
    assert torch.equal(net.input_layer[0].weight[:, :3], old.input_layer[0].weight)
    assert net.input_layer[0].weight[:, 3].std().item() == pytest.approx(
        old.input_layer[0].weight.std().item(), rel=0.5
    )
    assert torch.equal(net.body[2].res_layer[4].running_mean, old.body[2].res_layer[4].running_mean)
    assert not torch.equal(net.styles[0].linear.weight, old.styles[0].linear.weight)
    assert torch.equal(begin(old, 0).styles[3].linear.weight, net.styles[3].linear.weight)
    assert net.training
