"""The networks in the box: they load, are small, say what was measured on whom, and do roughly what they are for."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from selfsame.core import weights
from selfsame.core.image import resize
from selfsame.core.results import Measured
from selfsame.core.store import STARTER_FOLDER
from selfsame.jobs.parts import load_sam
from selfsame.losses.image import l1, perceptual
from selfsame.nets import age, attributes, judges, lpips, w_encoder
from selfsame.tasks import detector, reage
from selfsame.tasks.prior import load_prior
from selfsame.tasks.prior2d import load_prior2d
from selfsame.world import album, person
from selfsame.world.person import Age

FOLDERS = sorted(path.parent for path in STARTER_FOLDER.rglob("weights.safetensors"))
NAMES = {
    "triplane",
    "stylegan2",
    "judge",
    "age",
    "attributes",
    "perceptual",
    "sam",
    "inversion",
    "detector",
    "w-encoder",
    "referee",
    "lids",
}
FILE_BYTES, SET_BYTES = 12 * 2**20, 60 * 2**20
SEEDS = [950_000, 950_001, 950_002, 950_003]  # people that no recipe trains on


def photos(years: float, yaw: float = 0.0) -> Tensor:
    """One photo of each of SEEDS at an age."""
    look = person.draw_photos(SEEDS, 950_000)
    look = person.Look(**{**vars(look), "age": Age(torch.full((len(SEEDS),), years))})
    return album.photograph(look, album.front(yaw, 0.0, len(SEEDS)), 128, 1)


def test_the_set_is_complete_and_small() -> None:
    assert {folder.name for folder in FOLDERS} == NAMES
    sizes = [path.stat().st_size for path in STARTER_FOLDER.rglob("*") if path.is_file()]
    assert max(sizes) <= FILE_BYTES
    assert sum(sizes) <= SET_BYTES


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_card_says_what_was_measured_and_how_to_repeat_it(folder: Path) -> None:
    tensors, card = weights.load(folder)
    assert card.digest == weights.digest(tensors)
    assert card.licence == "Apache-2.0"
    assert card.command.startswith("python recipes/")
    assert card.measured
    for figure in card.measured:
        assert isinstance(figure, Measured)
        assert figure.n >= 40
        assert figure.low <= figure.mean <= figure.high
    assert json.loads((folder / "card.json").read_text())["digest"] == card.digest


def test_the_age_judge_tells_a_child_from_an_old_person() -> None:
    judge = age.load(STARTER_FOLDER / "age")
    child, adult, old = (judge(photos(years)) for years in (7.0, 35.0, 82.0))
    assert (child < adult).all()
    assert (adult < old).all()
    assert float(child.mean()) < 16
    assert float(old.mean()) > 65


def test_the_attributes_judge_tells_a_smile_glasses_and_the_side_of_the_light() -> None:
    judge = attributes.load(STARTER_FOLDER / "attributes")

    def seen(record: str, trait: str, value: float) -> dict[str, Tensor]:
        look = person.draw_photos(SEEDS, 950_000)
        part = getattr(look, record)
        part = type(part)(**{**vars(part), trait: torch.full((len(SEEDS),), value)})
        look = person.Look(**{**vars(look), record: part})
        return judge(album.photograph(look, album.front(0.1, 0.0, len(SEEDS)), 128, 1))

    grave, glad = seen("expression", "smile", -0.2)["smile"], seen("expression", "smile", 0.95)["smile"]
    assert (grave + 0.3 < glad).all()
    bare, worn = seen("style", "glasses", 0.3)["glasses"], seen("style", "glasses", 0.97)["glasses"]
    assert (bare < 0.5).all() and (worn > 0.5).all()
    left, right = seen("light", "yaw", 0.9)["light"], seen("light", "yaw", -0.9)["light"]
    assert (left > 0.4).all() and (right < -0.4).all()
    shut, open_ = seen("expression", "mouth_open", 0.0)["mouth_open"], seen("expression", "mouth_open", 0.8)
    assert (shut + 0.2 < open_["mouth_open"]).all()


def test_the_identity_judge_knows_people_again_from_another_side() -> None:
    judge = judges.load(STARTER_FOLDER / "judge")
    similar = judge.embed(photos(30.0)) @ judge.embed(photos(36.0, 0.4)).T
    same, other = similar.diagonal(), similar[~torch.eye(len(SEEDS), dtype=torch.bool)]
    assert float(same.mean()) > float(other.mean()) + 0.3


def test_the_perceptual_judge_finds_an_aged_face_farther_than_a_slightly_aged_one() -> None:
    judge = lpips.load(STARTER_FOLDER / "perceptual")
    base, near, far = (judge(photos(years)) for years in (30.0, 36.0, 80.0))
    assert float(perceptual(base, base).abs().max()) == 0
    assert (perceptual(base, near) < perceptual(base, far)).all()


def test_both_priors_show_many_different_people() -> None:
    flat, solid = load_prior2d("starter-2d"), load_prior("starter-3d")
    with torch.no_grad():
        pictures = [flat.net(flat.draw(4, 0)), solid.net(solid.draw(4, 0), album.front(0.0, 0.0, 4)).image]
    for made in pictures:
        assert made.shape == (4, 3, 128, 128)
        assert float(made.std(0).mean()) > 0.05


def test_sam_makes_unseen_people_younger_and_older_and_keeps_who_they_are() -> None:
    sam = reage.load(STARTER_FOLDER / "sam", load_prior2d("starter-2d"))
    judge, own = age.load(STARTER_FOLDER / "age"), photos(35.0)
    with torch.no_grad():
        young, same, old = (sam.reage(own, years) for years in (10, 35, 80))
    assert young.shape == (4, 3, 128, 128)
    assert (judge(young) + 10 < judge(same)).all()
    assert (judge(same) + 10 < judge(old)).all()
    assert (l1(same, own) < l1(same, own.roll(1, 0))).all()


def test_the_detector_says_that_it_knows_nobody_real_and_tells_a_decoded_face_from_a_filmed_one() -> None:
    model = detector.load(STARTER_FOLDER / "detector")
    assert model.parts.sources == ("world",) and len(model.parts.generators) == 6
    look = person.Look(**{**vars(person.draw_photos(SEEDS, 950_000)), "age": Age(torch.full((len(SEEDS),), 35.0))})
    filmed = album.photograph(look, album.front(0.0, 0.0, len(SEEDS)), model.net.sight.px, 2)
    sam = load_sam()
    decoded = resize(sam.decoder(sam.invert(resize(filmed, 128))), model.net.sight.px)
    with torch.no_grad():
        assert (model.net(decoded[:, None]) > model.net(filmed[:, None])).all()


def test_the_w_encoder_belongs_to_the_prior_and_tells_a_code_that_shows_the_photo() -> None:
    prior = load_prior()
    encoder, card = w_encoder.load(STARTER_FOLDER / "w-encoder")
    assert card.prior_digest == prior.digest
    taken = photos(40.0)
    w_plus = encoder(taken)[:, None].expand(-1, prior.net.num_ws, -1)
    camera = album.front(0.0, 0.0, len(SEEDS))
    with torch.no_grad():
        told, mean = (prior.net(w, camera).raw for w in (w_plus, prior.w_mean.expand_as(w_plus)))
    truth = resize(taken, told.shape[-1])
    assert (l1(told, truth) < 0.5 * l1(mean, truth)).all()
