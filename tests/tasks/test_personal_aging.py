"""Personal aging: presets, what each mode aims at and adds up, that SAM stays, that a resumed run is the same run."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from encoder_toys import TinyPrior, pictures, sam_card, tiny_age_judge, tiny_encoder, tiny_image_prior, tiny_inversion

from selfsame.losses.age import adaptive_norm_weight
from selfsame.nets.age_adapter import AdapterConfig, AgeAdapter
from selfsame.nets.judges import Judge
from selfsame.tasks import personal_aging
from selfsame.tasks.personal_aging import PAPER, RELEASED, AgedPhotos, PersonalAgingConfig, aims, train_adapter
from selfsame.tasks.reage import Sam
from selfsame.train import loop

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = AdapterConfig(styles=8, w_dim=16, bottleneck=16, shared=16, age=16, hidden=16)
SMALL = {
    "adapter": TINY, "steps": 4, "batch": 3, "optimizer": "adam", "lr": 0.01, "face_identity": False, "save_every": 2,
}  # fmt: skip
SPAN = (30, 42)


@pytest.fixture(scope="module")
def stylegan() -> TinyPrior:
    return tiny_image_prior()


@pytest.fixture(scope="module")
def sam(stylegan: TinyPrior) -> Sam:
    return Sam(tiny_encoder(channels=4, seed=3), tiny_inversion(stylegan), stylegan.net, sam_card())


@pytest.fixture(scope="module")
def photos(stylegan: TinyPrior) -> AgedPhotos:
    return AgedPhotos(pictures(stylegan, 0, 5).images, torch.tensor([30, 33, 36, 39, 42]))


def train(
    sam: Sam, photos: AgedPhotos, judge: Judge, folder: Path, config: PersonalAgingConfig, stop: int = 0
) -> AgeAdapter:
    def told(done: int, _: loop.Losses) -> None:
        if done == stop:
            raise InterruptedError

    adapter = personal_aging.begin(config)
    return train_adapter(sam, adapter, photos, judge, tiny_age_judge(), config, folder, on_step=told)


def test_published_weights() -> None:
    for c in (RELEASED, PAPER):
        assert (c.identity, c.perceptual, c.face_perceptual, c.pixel, c.face_pixel) == (0.1, 0.1, 0.6, 0.25, 1.0)
        assert (c.w_norm, c.aging, c.cycle, c.personal, c.lr, c.optimizer) == (0.005, 5.0, 1.0, 1.0, 1e-4, "ranger")
        assert (c.stay, c.outside, c.batch, c.steps) == (1 / 3, 1 / 3, 4, 10_000)
    assert RELEASED.adaptive == 7 * 0.25 * RELEASED.batch


def test_modes_come_in_thirds_and_aim_at_whole_years_of_their_own() -> None:
    source = torch.tensor([31.0, 40.0])
    drawn = [aims(source, SPAN, RELEASED, torch.Generator().manual_seed(i)) for i in range(900)]
    targets = {m: torch.cat([t for mode, t in drawn if mode == m]) for m in ("stay", "inside", "outside")}
    assert all(250 < len(t) / 2 < 350 for t in targets.values())
    assert set(targets["stay"].tolist()) == {31.0, 40.0}
    assert (targets["inside"].min(), targets["inside"].max()) == SPAN
    outside = targets["outside"]
    assert torch.equal(outside, outside.round())
    assert ((outside < SPAN[0]) | (outside > SPAN[1])).all()
    assert (outside.min(), outside.max()) == (0, 100)
    younger = (outside < SPAN[0]).float().mean()
    assert 0.42 < younger < 0.58


@pytest.mark.parametrize(("span", "low", "high"), [((0, 40), 41, 100), ((30, 100), 0, 29), ((0, 100), 0, 100)])
def test_photos_from_the_first_or_to_the_last_year_have_one_outside_or_none(
    span: tuple[int, int], low: int, high: int
) -> None:
    source = torch.full((8,), 35.0)
    drawn = [aims(source, span, RELEASED, torch.Generator().manual_seed(i)) for i in range(300)]
    outside = [t for mode, t in drawn if mode == "outside"]
    assert bool(outside) == (span != (0, 100))
    assert all(((low <= t) & (t <= high)).all() for t in outside)


@pytest.mark.parametrize("mode", ["stay", "inside", "outside"])
@pytest.mark.parametrize("preset", [RELEASED, PAPER])
def test_the_total_is_the_published_sum(
    mode: str, preset: PersonalAgingConfig, sam: Sam, photos: AgedPhotos, judge: Judge, tmp_path: Path
) -> None:
    chosen = {"stay": (1.0, 0.0), "inside": (0.0, 0.0), "outside": (0.0, 1.0)}[mode]
    config = replace(preset, **SMALL, stay=chosen[0], outside=chosen[1], cycle=0.5)  # type: ignore[arg-type]
    config = replace(config, steps=1)
    train(sam, photos, judge, tmp_path, config)
    found = {name: values[0] for name, values in loop.history(tmp_path).items()}
    sams = {
        "identity": 0.1,
        "pixel": 0.25,
        "perceptual": 0.1,
        "face_perceptual": 0.6,
        "face_pixel": 1.0,
        "w_norm": 0.005,
    }
    terms = sams | {"aging": 5.0}
    if mode == "inside":
        terms["personal"] = 1.0
    if mode == "outside" and preset is RELEASED:
        terms = {"identity": 0.1, "aging": 10.0, "w_norm": 0.005} | {
            f"prior_{name}": sams[name] for name in ("pixel", "perceptual", "face_perceptual", "face_pixel")
        }
    if mode == "outside" and preset is PAPER:
        terms |= {"prior_pixel": 0.25, "prior_perceptual": 0.1, "prior_identity": 0.1}
    expected = sum(weight * (found[name] + 0.5 * found[f"cycle_{name}"]) for name, weight in terms.items())
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert ("personal" in found) == (mode == "inside")
    assert ("prior_pixel" in found) == (mode == "outside")


def test_the_norm_is_constant_or_grows_with_the_years() -> None:
    apart = torch.tensor([0.0, 30.0, 70.0])
    weight = personal_aging._norm_weight
    assert weight(apart, "inside", RELEASED).tolist() == [1, 1, 1]
    torch.testing.assert_close(weight(apart, "outside", RELEASED), 7 * adaptive_norm_weight(apart))
    torch.testing.assert_close(weight(apart, "inside", PAPER), adaptive_norm_weight(apart))


def test_only_the_adapter_moves(sam: Sam, photos: AgedPhotos, judge: Judge, tmp_path: Path) -> None:
    nets = (sam.age_encoder, sam.inversion.encoder, sam.decoder)
    before = [t.clone() for net in nets for t in net.state_dict().values()]
    config = replace(RELEASED, **SMALL)  # type: ignore[arg-type]
    adapter = train(sam, photos, judge, tmp_path, config)
    assert all(
        torch.equal(a, b) for a, b in zip(before, (t for n in nets for t in n.state_dict().values()), strict=True)
    )
    start = personal_aging.begin(config).state_dict()
    assert [name for name, t in adapter.state_dict().items() if torch.equal(t, start[name])] == []


def test_a_stopped_run_goes_on_bit_for_bit(sam: Sam, photos: AgedPhotos, judge: Judge, tmp_path: Path) -> None:
    config = replace(PAPER, **SMALL)  # type: ignore[arg-type]
    whole = train(sam, photos, judge, tmp_path / "whole", config)
    with pytest.raises(InterruptedError):
        train(sam, photos, judge, tmp_path / "cut", config, stop=3)
    again = train(sam, photos, judge, tmp_path / "cut", config)
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True))
    assert loop.history(tmp_path / "whole") == loop.history(tmp_path / "cut")
