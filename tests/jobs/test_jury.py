"""Three judges in the place of one: what training hears, and who reports."""

from dataclasses import replace
from pathlib import Path

import torch
from helpers import tiny_judge

from selfsame.core import weights
from selfsame.core.store import STARTER_FOLDER
from selfsame.core.weights import Card
from selfsame.jobs import jury, measure
from selfsame.jobs.jury import Jury
from selfsame.losses.image import perceptual
from selfsame.nets import judges, lpips
from selfsame.nets.iresnet import IResNet, IResNetConfig
from selfsame.nets.judges import Judge
from selfsame.nets.lpips import Lpips, LpipsConfig

PICTURES = torch.rand(2, 3, 32, 32) * 2 - 1


def another_judge() -> Judge:
    torch.manual_seed(5)
    return Judge(IResNet(IResNetConfig(stem=4, stages=((4, 1), (8, 1)), squeeze=2, size_px=16, embedding=6)))


def test_the_perceptual_distance_is_that_of_lpips_and_a_share_of_the_judges() -> None:
    identity, shown = tiny_judge(), Lpips(LpipsConfig("small"))
    heard = Jury(identity, shown, another_judge(), identity_share=0.5)
    a, b = PICTURES[:1], PICTURES[1:]
    alone = perceptual(shown(a), shown(b)), perceptual(identity.features(a), identity.features(b))
    torch.testing.assert_close(perceptual(heard.features(a), heard.features(b)), alone[0] + 0.25 * alone[1])
    deaf = Jury(identity, shown, another_judge(), identity_share=0.0)
    torch.testing.assert_close(perceptual(deaf.features(a), deaf.features(b)), alone[0])


def test_reports_ask_the_referee_and_losses_the_judge() -> None:
    identity, referee = tiny_judge(), another_judge()
    heard = Jury(identity, Lpips(LpipsConfig("small")), referee, identity_share=0.3)
    assert torch.equal(heard.embed(PICTURES), identity.embed(PICTURES))
    assert torch.equal(heard.recognise(PICTURES), referee.embed(PICTURES))
    told = measure.score(PICTURES, PICTURES.flip(0), heard).identity
    asked = measure.score(PICTURES, PICTURES.flip(0), referee).identity
    assert torch.equal(told, asked) and not torch.equal(
        told, measure.score(PICTURES, PICTURES.flip(0), identity).identity
    )


def test_imported_judges_take_the_places_of_the_starter_sets(tmp_path: Path) -> None:
    card = Card(kind="", config={}, seed=0, licence="For tests.")
    judges.save(tmp_path / "identity", tiny_judge().network, card)
    weights.save_net(tmp_path / "lpips", Lpips(LpipsConfig("small")), replace(card, kind=lpips.PERCEPTUAL_JUDGE))
    usual, own = jury.load(), jury.load(tmp_path / "lpips", tmp_path / "identity")
    assert usual.identity_share > 0 and own.identity_share == 0
    starter = judges.load(STARTER_FOLDER / "referee")
    assert torch.equal(usual.recognise(PICTURES), starter.embed(PICTURES))
    assert torch.equal(own.recognise(PICTURES), own.embed(PICTURES))
    assert torch.equal(own.embed(PICTURES), tiny_judge().embed(PICTURES))
