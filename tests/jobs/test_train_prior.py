"""Training a prior: what a run leaves, that it resumes bit for bit, and that held-back images are never trained on."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import TINY, poses, tiny_judge
from safetensors.torch import load_file

from selfsame.core import image, weights
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.weights import Card
from selfsame.jobs import networks, train_pages, train_prior
from selfsame.jobs.train_prior import Trained, TrainPriorConfig
from selfsame.metrics.fid import FeatureNet
from selfsame.nets.stylegan2 import Discriminator, DiscriminatorConfig, StyleGAN2Config
from selfsame.tasks import prior2d
from selfsame.tasks.prior import Prior, Prior2D
from selfsame.train import loop
from selfsame.train.adversarial import AdversarialConfig

PX = 16
CONFIG = TrainPriorConfig(
    size_px=PX, adversarial=AdversarialConfig(batch=4, r1_every=2), look_every=2, looked_at=34, save_every=3
)
NET = FeatureNet("toy", tiny_judge().embed)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty pictures with cameras."""
    folder = tmp_path_factory.mktemp("images")
    g = torch.Generator().manual_seed(0)
    for i in range(30):
        shade = torch.rand(1, 3, 1, 1, generator=g) * 2 - 1
        image.save((shade + 0.2 * torch.randn(1, 3, PX, PX, generator=g)).clamp(-1, 1), folder / f"{i}.png")
    labels = [[f"{i}.png", row.tolist()] for i, row in enumerate(poses(30).pack())]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    small = StyleGAN2Config(PX, z_dim=8, w_dim=16, mapping_layers=2, channel_base=256, channel_max=16)
    monkeypatch.setattr(networks, "SMALL_2D", small)
    monkeypatch.setattr(networks, "STARTER_3D", TINY)


def trained(images: Path, folder: Path, steps: int, config: TrainPriorConfig = CONFIG, **more: object) -> Trained:
    done = train_prior.train(images, folder, config, steps, NET, **more)  # type: ignore[arg-type]
    assert done is not None
    return done


@pytest.mark.parametrize("kind", ["2d", "3d"])
def test_a_run_leaves_a_prior_samples_curves_and_a_report(kind: str, images: Path, tmp_path: Path) -> None:
    done = trained(images, tmp_path / "p", 4, replace(CONFIG, kind=kind))
    loaded = prior2d.load(tmp_path / "p")
    assert isinstance(loaded, Prior if kind == "3d" else Prior2D)
    assert loaded.digest == done.prior.digest
    assert [str(m) for m in loaded.card.measured] == [str(m) for m in done.measured]  # NaN is no NaN
    assert [p.name for p in sorted((tmp_path / "p" / "samples").iterdir())] == ["step_0000002.png", "step_0000004.png"]
    history = loop.history(tmp_path / "p")
    assert [math.isnan(v) for v in history["fid_held_back"]] == [True, False, True, False]
    names = [m.name for m in done.measured]
    assert names[:2] == ["FID, trained on (toy)", "FID, held back (toy)"] and len(names) == 5
    assert json.loads((tmp_path / "p" / "config.json").read_text())["features"] == "toy"
    page = train_pages.train_page(tmp_path / "p", done).read_text()
    for words in ("FID by step", "Along the way", "nearest image", "held back by their digest"):
        assert words in page
    mapping = loaded.net.backbone.mapping if isinstance(loaded, Prior) else loaded.net.mapping
    torch.testing.assert_close(mapping.w_avg, loaded.w_mean, atol=5e-3, rtol=5e-3)


def test_parts_equal_the_whole_and_a_finished_run_does_nothing(images: Path, tmp_path: Path) -> None:
    trained(images, tmp_path / "whole", 5)
    trained(images, tmp_path / "parts", 2)
    told: list[str] = []
    trained(images, tmp_path / "parts", 5)
    trained(images, tmp_path / "parts", 5, progress=lambda stage, *_: told.append(stage))
    assert told == []
    for name in ("weights.safetensors", "card.json", "training.jsonl", "checkpoint.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name


def test_no_step_sees_a_held_back_image(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    real = train_prior.Data.images

    def watch(self: train_prior.Data, which: torch.Tensor) -> torch.Tensor:
        if len(which) == CONFIG.adversarial.batch:
            seen.append(real(self, which))
        return real(self, which)

    monkeypatch.setattr(train_prior.Data, "images", watch)
    done = trained(images, tmp_path / "p", 12)
    held = done.held_back.images(torch.arange(len(done.held_back)))
    assert len(seen) >= 12 and len(held) >= 2
    assert not any(torch.equal(x, y) for x in torch.cat(seen) for y in held)


def test_other_images_or_settings_are_refused(images: Path, tmp_path: Path) -> None:
    trained(images, tmp_path / "p", 1)
    with pytest.raises(BadInput, match="holds a run with seed 0, not 1"):
        trained(images, tmp_path / "p", 2, replace(CONFIG, seed=1))
    (tmp_path / "other").mkdir()
    for i in range(20):
        image.save(torch.full((1, 3, PX, PX), i / 20), tmp_path / "other" / f"{i}.png")
    with pytest.raises(BadInput, match="holds a run with data_digest"):
        trained(tmp_path / "other", tmp_path / "p", 2)


def test_a_training_can_start_from_a_prior(images: Path, tmp_path: Path) -> None:
    first = trained(images, tmp_path / "first", 2)
    second = trained(images, tmp_path / "second", 1, start=first.prior)
    assert second.prior.card.prior_digest == first.prior.digest
    assert isinstance(first.prior, Prior2D) and isinstance(second.prior, Prior2D)
    one, two = first.prior.net.state_dict(), second.prior.net.state_dict()
    assert all((one[k] - two[k]).abs().max() < 0.02 for k in one if "weight" in k)
    for kind, size, words in (("3d", PX, "is not 3d"), ("2d", 32, "draws 16 pixels, not 32")):
        with pytest.raises(WrongUse, match=words):
            trained(images, tmp_path / "third", 1, replace(CONFIG, kind=kind, size_px=size), start=first.prior)


def test_a_training_takes_an_imported_discriminator_along(images: Path, tmp_path: Path) -> None:
    first = trained(images, tmp_path / "first", 1)
    assert isinstance(first.prior, Prior2D)
    c = first.prior.net.config
    critic = Discriminator(DiscriminatorConfig(PX, c.channel_base, c.channel_max))
    card = weights.save_net(tmp_path / "critic", critic, Card(networks.DISCRIMINATOR, {}, 0, "mine"))
    second = trained(images, tmp_path / "second", 1, start=first.prior, discriminator=tmp_path / "critic")
    assert card.digest[:12] in second.prior.card.command
    assert first.prior.card.licence == "As the images that it was trained on allow."
    assert second.prior.card.licence.endswith("It was trained on from a network under: mine")
    kept = load_file(tmp_path / "second" / loop.CHECKPOINT_FILE)
    moved = [kept[f"discriminator/{n}"] - t for n, t in critic.state_dict().items()]
    assert 0 < max(difference.abs().max() for difference in moved) < 0.02
    weights.save_net(tmp_path / "wide", Discriminator(DiscriminatorConfig(PX, 512, 32)), card)
    with pytest.raises(WrongUse, match="is not of the generator's size"):
        trained(images, tmp_path / "third", 1, discriminator=tmp_path / "wide")


def test_features_of_the_images_are_found_once(images: Path, tmp_path: Path) -> None:
    asked: list[int] = []

    def embed(pictures: torch.Tensor) -> torch.Tensor:
        asked.append(len(pictures))
        return NET.embed(pictures)

    for steps in (1, 2):
        train_prior.train(images, tmp_path / "p", CONFIG, steps, FeatureNet("counted", embed))
    assert asked.count(30) == 1
    assert np.load(next((tmp_path / "p" / "data").glob("features-*.npy"))).shape == (30, 8)


@pytest.mark.parametrize("size", [0, 8, 100, 2048])
def test_a_size_that_no_network_draws(size: int, images: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="power of two"):
        trained(images, tmp_path / "p", 1, replace(CONFIG, size_px=size))


def test_the_published_widths_are_built_at_any_size() -> None:
    assert networks.config_2d(256, "paper").channel_base == 16384
    assert networks.config_2d(512, "paper").channel_base == 32768
    c = networks.config_3d(512, "paper")
    assert (c.neural_px, c.c_dim, c.plane_order) == (128, 0, "orthogonal")
