"""What the recipes of the starter set take from the world: codes, ages, trials, chunks."""

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import chunks
import encoders
import judges
import perceptual_judge
import photo_data
import prior_2d
import pytest
import supervised
import torch
import w_encoder

from selfsame.core import weights
from selfsame.core.errors import BadInput
from selfsame.core.store import STARTER_FOLDER
from selfsame.nets.stylegan2 import STARTER_2D
from selfsame.nets.triplane import STARTER_3D
from selfsame.tasks import encoders as inversions
from selfsame.tasks.prior import load_prior
from selfsame.tasks.prior2d import load_prior2d
from selfsame.train.devices import Devices
from selfsame.world import person
from selfsame.world.album import Photographers, album_cameras


@pytest.fixture(scope="module")
def photos() -> photo_data.Photos:
    return photo_data.photograph([1, 1, 2], 5, size_px=16)


def test_the_priors_take_the_worlds_codes(photos: photo_data.Photos) -> None:
    assert STARTER_3D.z_dim == person.CODE_DIM
    assert prior_2d.latent(photos).shape == (3, STARTER_2D.z_dim)
    assert photos.people.tolist() == [0, 0, 1]
    assert photos.images(torch.tensor([0])).shape == (1, 3, 16, 16)
    assert photos.at(8).photos.shape == (3, 3, 8, 8)
    assert ((photos.years >= 5) & (photos.years <= 90)).all()


def test_what_a_judge_of_attributes_learns_is_the_worlds_truth_and_light_changes_sides_in_the_mirror() -> None:
    look = person.draw_photos([1, 2, 3, 4], 5)
    style = replace(look.style, glasses=torch.tensor([0.5, 0.85, 0.9, 0.99]))
    expression = replace(look.expression, mouth_open=torch.tensor([-0.4, 0.0, 0.3, 0.8]))
    look = replace(look, style=style, expression=expression)
    photos = photo_data.Photos(torch.zeros(4, 3, 8, 8), person.encode(look), torch.zeros(4, 25), torch.arange(4))
    truth = judges.true_attributes(photos)
    torch.testing.assert_close(truth[:, 0], look.expression.smile, atol=1e-3, rtol=0)
    assert truth[:, 1].tolist() == [0, 0, 1, 1]
    torch.testing.assert_close(truth[:, 2], look.light.yaw, atol=1e-3, rtol=0)
    assert truth[:, 3].tolist() == pytest.approx([0, 0, 0.3, 0.8], abs=1e-3)
    whole, loss = judges.attributes_parts(photos, None)
    whole.eval()
    whole.reads.weight.data.zero_()
    whole.reads.bias.data.copy_(truth[0])
    x, which = torch.zeros(1, 3, 64, 64), torch.tensor([0])
    as_is, mirrored = (loss(x, which, torch.tensor([sign]), 0.0) for sign in (1.0, -1.0))
    assert [as_is[name].item() for name in ("light", "smile")] == pytest.approx([0, 0], abs=1e-6)
    away = (2 * truth[0, 2] / truth[:, 2].std()) ** 2
    assert mirrored["light"].item() == pytest.approx(float(away), rel=1e-4)
    assert mirrored["smile"].item() == pytest.approx(0, abs=1e-6)


def test_jitter_tells_which_photos_it_mirrored() -> None:
    photos = torch.zeros(12, 3, 64, 64) - 0.5
    photos[..., 40:] = 0.5  # bright on the right
    x, flip = judges.jitter(64, photos, torch.Generator().manual_seed(2))
    side = x[..., 48:].mean((1, 2, 3)) - x[..., :16].mean((1, 2, 3))
    assert set(flip.tolist()) == {-1.0, 1.0}
    assert torch.equal(side.sign(), flip)


def test_a_code_tells_the_camera_by_where_its_photographers_stand() -> None:
    for kind in (photo_data.KINDS["photos"], photo_data.KINDS["portraits"]):
        g = torch.Generator().manual_seed(3)
        cameras = album_cameras(200, g, stand=kind.stand).pack()
        codes = torch.zeros(200, person.CODE_DIM)
        photos = photo_data.Photos(torch.zeros(200, 1), codes, cameras, torch.zeros(200))
        normals = prior_2d.latent(photos, kind.stand)[:, person.CODE_DIM :]
        assert normals.std(0).tolist() == pytest.approx([1.0, 1.0, 1.0], abs=0.15)


def test_a_code_at_another_age_is_the_same_look_that_old(photos: photo_data.Photos) -> None:
    z = prior_2d.latent(photos)
    aged = encoders.at_years(z, torch.tensor([10.0, 40.0, 80.0]))
    changed = (aged != z).any(0)
    assert changed.sum() == 1
    assert changed[encoders.YEARS_AT]
    years = person.decode(aged[:, : person.CODE_DIM]).age.years
    torch.testing.assert_close(years, torch.tensor([10.0, 40.0, 80.0]), atol=0.05, rtol=0)


def test_a_trial_changes_one_group_of_traits_by_the_distances_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptual_judge, "TRIALS", 6)
    monkeypatch.setattr(perceptual_judge, "SIZE_PX", 16)
    made = perceptual_judge.draw_trials(7, 0)
    assert made["pictures"].shape == (6, 3, 3, 16, 16)
    sizes = {name: len(kind.__dataclass_fields__) for name, kind in person.PARTS}
    for distances, group in zip(made["distances"], made["group"], strict=True):
        per_trait = distances / sizes[perceptual_judge.GROUPS[int(group)]] ** 0.5
        assert 0.5 <= float(per_trait.min()) <= 1.01
        assert 1.19 <= float(per_trait.max() / per_trait.min()) <= 4.01
    assert torch.equal(made["pictures"], perceptual_judge.draw_trials(7, 0)["pictures"])


def test_heads_fitted_on_trials_weigh_the_channel_that_answers_them() -> None:
    torch.manual_seed(0)
    judge = perceptual_judge.Lpips(perceptual_judge.SMALL)
    pictures = torch.randint(0, 255, (40, 3, 3, 16, 16), dtype=torch.uint8)
    pictures[:, 1] = (0.8 * pictures[:, 0].float() + 0.2 * pictures[:, 1].float()).to(torch.uint8)
    distances = torch.tensor([[1.0, 2.0]]).expand(40, 2)
    trials = perceptual_judge.Trials(pictures, distances, torch.zeros(40, dtype=torch.long))
    perceptual_judge.fit_heads(judge, trials, steps=40)
    figures = {f.name: f.mean for f in perceptual_judge.agreement(judge, trials)}
    assert figures["agreement with true distance, aligned, perceptual judge"] > 0.9


def test_processes_share_the_chunks_and_go_on_where_they_were(tmp_path: Path) -> None:
    made: list[int] = []

    def make(index: int) -> dict[str, torch.Tensor]:
        made.append(index)
        return {"index": torch.tensor([index])}

    chunks.write_missing(tmp_path, "part", 5, make, "1/2")
    assert made == [1, 3]
    chunks.write_missing(tmp_path, "part", 5, make)
    assert made == [1, 3, 0, 2, 4]
    chunks.write_missing(tmp_path, "part", 5, make)
    assert len(made) == 5


def test_chunks_of_a_kind_hold_its_people_and_no_other_kinds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[list[int]] = []

    def photograph(people: list[int], seed: int, stand: Photographers) -> photo_data.Photos:
        seen.append(people)
        number = torch.tensor(people).unique(return_inverse=True)[1]
        return photo_data.Photos(torch.zeros(len(people), 1), torch.zeros(len(people), 2), number.float(), number)

    monkeypatch.setattr(photo_data, "photograph", photograph)
    for kind in photo_data.KINDS.values():
        for index in (0, 1):
            made = photo_data.draw_chunk(kind, index)
            assert len(made["people"]) == kind.people * kind.looks
    assert len({seed for people in seen for seed in people}) == 2 * sum(k.people for k in photo_data.KINDS.values())
    chunks.write_missing(tmp_path, "test", 2, lambda i: photo_data.draw_chunk(photo_data.KINDS["test"], i))
    assert photo_data.read(tmp_path, "test").people.unique().tolist() == list(range(100))


def test_a_discriminator_of_patches_tells_sharp_from_soft() -> None:
    torch.manual_seed(0)
    rival = supervised.Rival(Devices())
    sharp = torch.randn(4, 3, 32, 32)
    soft = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1)
    losses = [float(rival.learn(sharp, soft, index)) for index in range(60)]
    assert losses[-1] < 0.3 * losses[0]
    with torch.no_grad():
        assert float(rival.verdict(sharp).mean()) > float(rival.verdict(soft).mean()) + 3
    assert set(rival.state) == {"rival", "rival adam"}


def test_the_schedule_warms_up_and_ends_at_a_tenth() -> None:
    net = torch.nn.Linear(2, 2)
    adam = supervised.adam_by_part(net, 1.0)
    rates = []
    for step in (0, 99, 1000):
        supervised.schedule(adam, 1.0, step, 1000)
        rates.append(adam.param_groups[-1]["lr"])
    assert rates == pytest.approx([0.01, 0.978, 0.1], abs=0.01)


def test_encoders_outlive_a_prior_that_was_trained_on_with_its_mapping_frozen(tmp_path: Path) -> None:
    folder = tmp_path / "inversion"
    tensors, card = weights.load(STARTER_FOLDER / "sam" / "inversion")
    weights.save(folder, tensors, replace(card, prior_digest="the prior before"))
    prior = load_prior2d("starter-2d")
    with pytest.raises(BadInput):
        inversions.load(folder, encoders.started_on(prior, Namespace(same_mapping=False, start=folder)).digest)
    before = encoders.started_on(prior, Namespace(same_mapping=True, start=folder))
    assert inversions.load(folder, before.digest).card.prior_digest == "the prior before"
    assert before.net is prior.net


def test_the_w_encoder_learns_the_priors_codes_of_photos_that_are_never_mirrored() -> None:
    prior, photos = load_prior(), photo_data.photograph([1, 2, 3, 4], 1)
    net, loss = w_encoder.encoder_parts(prior, photos)
    torch.nn.init.zeros_(net.head.weight)
    torch.nn.init.zeros_(net.head.bias)
    which, flip = torch.arange(4), torch.ones(4)
    x, unflipped = w_encoder.jitter(photos.images(which), torch.Generator().manual_seed(0))
    assert x.shape == (4, 3, 64, 64) and torch.equal(unflipped, flip)
    at_the_mean = loss(x, which, flip, 0.0)["loss"]
    assert float(at_the_mean) == pytest.approx(1.0, abs=1e-4)
    net.head.bias.data += 1.0
    assert float(loss(x, which, flip, 0.0)["loss"]) != pytest.approx(1.0, abs=1e-3)
